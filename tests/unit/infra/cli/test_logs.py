"""Log lines, and the traceback that a process dies of, hold no secret."""

import logging
import subprocess
import sys

import pytest

from agent.redaction import SECRETS
from infra.cli.logs import WithoutSecrets

SECRET = "log-0123456789"


@pytest.mark.usefixtures("_knowing_no_secret")
def test_line_has_no_secret_in_its_words_its_values_and_its_traceback() -> None:
    SECRETS.learn("canary", SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("app", logging.ERROR, "", 0, f"it says {SECRET}: %s", (SECRET,), error)
    line = WithoutSecrets("%(message)s").format(record)
    assert SECRET not in line
    assert line.startswith("it says [secret canary]: [secret canary]\nTraceback")
    assert line.endswith("ValueError: [secret canary]")


@pytest.mark.parametrize("logs", ["set_up_logs()", ""], ids=["set up", "as they are"])
def test_a_process_that_read_its_environment_and_dies_prints_no_secret(logs: str) -> None:
    code = f"""
import logging
from agent.redaction import SECRETS
from infra.cli.logs import set_up_logs
from infra.cli.process import environment
SECRETS.learn("canary", "{SECRET}")
environment()
{logs}
logging.getLogger("app").error("it says %s", "{SECRET}")
raise ValueError("log-" + "0123456789")
"""
    died = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert died.returncode == 1
    assert "it says [secret canary]" in died.stderr
    assert "ValueError: [secret canary]" in died.stderr
    assert SECRET not in died.stderr.replace('raise ValueError("log-" + "0123456789")', "")
