"""The plugin CI runs with: a skip of any kind is a failure there, and nothing else changes."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {
    "call": "import pytest\ndef test_it():\n    pytest.skip('reason 1')\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='reason 2')\ndef test_it(): pass\n",
    "fixture": "import pytest\n@pytest.fixture\ndef it():\n    pytest.skip('reason 3')\ndef test_it(it): pass\n",
    "module": "import pytest\npytest.skip('reason 4', allow_module_level=True)\n",
    "expected_failure": "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it(): assert False\n",
    "pass": "def test_it(): pass\n",
}


def test_only_skips_become_failures(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name, source in SAMPLES.items():
        (tmp_path / f"test_{name}.py").write_text(source)
    options = ["-p", "tests.no_skips", "-p", "no:langsmith_plugin", "--continue-on-collection-errors"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed, 3 errors" in ended.stdout
    for number in (1, 2, 3, 4):
        assert f"nothing may be skipped here: Skipped: reason {number}" in ended.stdout
