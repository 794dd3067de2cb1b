"""How a container's end is judged: by what the host saw."""

import pytest

from sandbox.failure import result_of_exit, result_of_message, result_of_timeout
from sandbox.protocol import OversizedResult, Raised, Result
from sandbox.script import Limits, OutcomeKind
from sandbox.traces import ScriptFrame

LIMITS = Limits(result_bytes=10, memory_bytes=64 << 20, wall_seconds=1.5)
CODE = "def main(inputs):\n    return inputs['x']\n"
HERE = (ScriptFrame(line=2, function="main"),)


def raised(type: str, message: str = "", kind: str = "error") -> Raised:
    return Raised(kind="syntax" if kind == "syntax" else "error", type=type, message=message, frames=HERE)


@pytest.mark.parametrize(
    ("message", "kind", "type"),
    [
        (Result(value=1, size=1), OutcomeKind.OK, None),
        (Result(value="x" * 20, size=22), OutcomeKind.OUTPUT_LIMIT, "output_limit"),
        (OversizedResult(size=99), OutcomeKind.OUTPUT_LIMIT, "output_limit"),
        (raised("KeyError", "'x'"), OutcomeKind.ERROR, "KeyError"),
        (raised("SyntaxError", "bad", "syntax"), OutcomeKind.SYNTAX, "SyntaxError"),
        (raised("SyntaxError", "of its own"), OutcomeKind.ERROR, "SyntaxError"),
        (raised("MemoryError"), OutcomeKind.OOM, "oom"),
        (raised("MemoryError", "of its own"), OutcomeKind.ERROR, "MemoryError"),
    ],
    ids=["ok", "forged-large", "large", "error", "syntax", "own-syntax", "memory", "own-memory"],
)
def test_last_word_is_judged(message: Result | OversizedResult | Raised, kind: OutcomeKind, type: str | None) -> None:
    result = result_of_message(CODE, LIMITS, message)
    assert result.kind is kind
    assert (result.error.type if result.error else None) == type


def test_traceback_shows_the_scripts_own_line() -> None:
    result = result_of_message(CODE, LIMITS, raised("KeyError", "'x'"))
    assert result.error is not None
    assert result.error.traceback == (
        "Traceback (most recent call last):\n"
        '  File "script.py", line 2, in main\n'
        "    return inputs['x']\n"
        "KeyError: 'x'"
    )


def test_timeout_says_where_the_script_was() -> None:
    result = result_of_timeout(CODE, LIMITS, HERE)
    assert result.kind is OutcomeKind.TIMEOUT
    assert result.error is not None
    assert result.error.message == "no result within 1.5 s"
    assert "line 2, in main" in result.error.traceback


@pytest.mark.parametrize(
    ("code", "out_of_memory", "kind", "word"),
    [
        (137, True, OutcomeKind.OOM, "64 MiB"),
        (None, True, OutcomeKind.OOM, "64 MiB"),
        (137, False, OutcomeKind.DIED, "SIGKILL"),
        (139, False, OutcomeKind.DIED, "SIGSEGV"),
        (0, False, OutcomeKind.DIED, "exit code 0"),
        (3, True, OutcomeKind.DIED, "exit code 3"),
        (255, False, OutcomeKind.DIED, "signal 127"),
        (None, False, OutcomeKind.DIED, "without a result"),
    ],
)
def test_silent_death_is_told_apart(code: int | None, out_of_memory: bool, kind: OutcomeKind, word: str) -> None:
    result = result_of_exit(LIMITS, code, out_of_memory=out_of_memory)
    assert result.kind is kind
    assert result.error is not None
    assert word in result.error.message
