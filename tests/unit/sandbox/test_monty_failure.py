"""What the interpreter reports, as outcome kinds."""

import pytest

from sandbox.monty_failure import Crash, result_of_crash
from sandbox.script import OutcomeKind
from sandbox.traces import ScriptFrame

HERE = (ScriptFrame(line=1, function="main"),)


@pytest.mark.parametrize(
    ("crash", "kind", "type"),
    [
        (Crash(kind="died", type="MontyCrashedError", message="gone"), OutcomeKind.DIED, "died"),
        (Crash(kind="syntax", type="SyntaxError", message="bad"), OutcomeKind.SYNTAX, "SyntaxError"),
        (Crash(kind="raised", type="MemoryError", message="memory limit exceeded"), OutcomeKind.OOM, "oom"),
        (Crash(kind="raised", type="MemoryError", message="", raised_by_script=True), OutcomeKind.ERROR, "MemoryError"),
        (Crash(kind="raised", type="TimeoutError", message="feed time limit"), OutcomeKind.TIMEOUT, "timeout"),
        (Crash(kind="raised", type="TimeoutError", message="own", frames=HERE), OutcomeKind.ERROR, "TimeoutError"),
        (
            Crash(kind="raised", type="ModuleNotFoundError", message="No module named 'x'"),
            OutcomeKind.ERROR,
            "Unsupported",
        ),
        (
            Crash(kind="raised", type="NotImplementedError", message="yield", parsing=True),
            OutcomeKind.ERROR,
            "Unsupported",
        ),
        (
            Crash(kind="raised", type="NotImplementedError", message="later", raised_by_script=True),
            OutcomeKind.ERROR,
            "NotImplementedError",
        ),
        (
            Crash(kind="raised", type="AttributeError", message="module 'sys' has no attribute 'exit'"),
            OutcomeKind.ERROR,
            "Unsupported",
        ),
        (
            Crash(kind="raised", type="AttributeError", message="'int' object has no attribute 'x'"),
            OutcomeKind.ERROR,
            "AttributeError",
        ),
        (Crash(kind="raised", type="KeyError", message="x"), OutcomeKind.ERROR, "KeyError"),
    ],
    ids=lambda value: value.message or value.type if isinstance(value, Crash) else "",
)
def test_crash_is_judged(crash: Crash, kind: OutcomeKind, type: str) -> None:
    result = result_of_crash("x = 1\n", crash, {})
    assert (result.kind, result.error.type if result.error else "") == (kind, type)


def test_error_the_host_raised_keeps_the_hosts_name() -> None:
    crash = Crash(kind="raised", type="RuntimeError", message="the shop is closed")
    assert result_of_crash("", crash, {"the shop is closed": "ToolError"}).error is not None
    assert getattr(result_of_crash("", crash, {"the shop is closed": "ToolError"}).error, "type", "") == "ToolError"
    assert getattr(result_of_crash("", crash, {}).error, "type", "") == "RuntimeError"
