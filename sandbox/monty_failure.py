"""How a script in Monty ended, from what the interpreter reported (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.failure import raised
from sandbox.script import OutcomeKind, ScriptOutcome
from sandbox.traces import ScriptFrame

UNSUPPORTED = "Unsupported"
"""`ScriptError.type` of a script that used what this interpreter does not know: not a fault of its logic."""


@dataclass(frozen=True, kw_only=True)
class Crash:
    """An error of the interpreter, in plain values."""

    kind: Literal["syntax", "raised", "died"]
    type: str
    message: str
    frames: tuple[ScriptFrame, ...] = ()
    #: The place is in no function: the error came before anything ran.
    parsing: bool = False
    #: The place is the operand of a `raise` statement.
    raised_by_script: bool = False


def result_of_crash(code: str, crash: Crash, host_errors: Mapping[str, str]) -> ScriptOutcome:
    """Return how the script ended.

    `host_errors`: message of an error that the host raised inside the script -> the type it stands for. The
    interpreter has no exception classes but the built-in ones.
    """
    match crash.kind:
        case "died":
            return _result(OutcomeKind.DIED, code, crash, "died")
        case "syntax":
            return _result(OutcomeKind.SYNTAX, code, crash, "SyntaxError")
        case "raised":
            pass
    if crash.type == "MemoryError" and not crash.raised_by_script:
        return _result(OutcomeKind.OOM, code, crash, "oom")
    if crash.type == "TimeoutError" and not crash.frames:
        return _result(OutcomeKind.TIMEOUT, code, crash, "timeout")
    if crash.type in ("RuntimeError", "NotImplementedError") and crash.message in host_errors:
        return _result(OutcomeKind.ERROR, code, crash, host_errors[crash.message])
    return _result(OutcomeKind.ERROR, code, crash, UNSUPPORTED if _unsupported(crash) else crash.type)


def _unsupported(crash: Crash) -> bool:
    """Return whether the interpreter lacks a module, a name of one, or a syntax that its parser knows."""
    match crash.type:
        case "ModuleNotFoundError" | "ImportError":
            return not crash.raised_by_script
        case "NotImplementedError":
            return crash.parsing or not crash.raised_by_script
        case "AttributeError":
            return crash.message.startswith("module '") and not crash.raised_by_script
        case _:
            return False


def _result(kind: OutcomeKind, code: str, crash: Crash, type: str) -> ScriptOutcome:
    return raised(kind, code, crash.frames, type, crash.message)
