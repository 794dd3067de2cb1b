"""The console script: it lists every command, loads only the one that was named, and knows its version."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from infra.cli.main import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in shown] == []


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rum"])
    assert ended.value.code == 2
    assert "rum" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_explain_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_spec(COMMANDS[name].module) is not None
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"greenlight {name}" in capsys.readouterr().out


MODEL_CLIENT = {"openai", "langchain_openai", "tiktoken"}
MIGRATING = {"alembic", "mako"}
SLACK, GRAPH, SQL, CONTAINERS = {"slack_bolt", "slack_sdk"}, {"langgraph", "langchain_core"}, {"sqlalchemy"}, {"docker"}


@pytest.mark.parametrize(
    ("arguments", "not_needed"),
    [
        ("--help", MODEL_CLIENT | MIGRATING | SLACK | GRAPH | SQL | CONTAINERS | {"aiohttp", "psycopg", "pydantic"}),
        # A worker loads the model's client while it waits for the container engine.
        ("worker --help", MODEL_CLIENT | MIGRATING),
        ("bot --help", MODEL_CLIENT | MIGRATING),
        ("run --help", MODEL_CLIENT | MIGRATING),
        ("demo --help", MODEL_CLIENT | MIGRATING),
        ("doctor --help", MIGRATING | {"slack_bolt"}),
        ("plan check --help", MODEL_CLIENT | MIGRATING | GRAPH | {"slack_bolt"}),
        ("model --help", MODEL_CLIENT | MIGRATING | GRAPH | {"slack_bolt"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_imports_no_library_that_it_does_without(arguments: str, not_needed: set[str]) -> None:
    """Each of these libraries takes 0.1 to 0.6 s of processor time to import."""
    script = (
        "import sys\n"
        "from infra.cli.main import main\n"
        f"try: main({arguments.split()})\n"
        "except SystemExit: pass\n"
        f"print(sorted({not_needed} & set(sys.modules)), file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert run.stderr.strip() == "[]"


def test_no_garbage_is_collected_while_a_command_is_imported() -> None:
    script = (
        "import gc, sys\n"
        "from infra.cli.main import main\n"
        "def note(phase, info): collected.append(hasattr(sys.modules.get('infra.cli.run'), 'worker'))\n"
        "collected = []\n"
        "gc.callbacks.append(note)\n"
        "try: main(['worker', '--help'])\n"
        "except SystemExit: pass\n"
        "assert all(collected), 'collected during the import'\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
