"""The set-up: it compiles ahead what the commands import."""

import re
import subprocess
import sys
from pathlib import Path

SETUP = Path(__file__).parents[2] / "infra/deploy/setup.sh"


def _imported(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def test_the_setup_compiles_what_a_worker_and_the_demo_import() -> None:
    compiled = re.search(r"python -c '(import [^']+)'", SETUP.read_text())
    assert compiled is not None
    needed = "import agent.llm.client, infra.cli.demo, infra.cli.run, infra.db.alembic_commands, sandbox.choice"
    assert _imported(needed) - _imported(compiled[1]) == set()
