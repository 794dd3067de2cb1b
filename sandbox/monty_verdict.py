"""How a script in Monty ended, from what the interpreter reported (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.script import OutcomeKind, ScriptError
from sandbox.script_result import ScriptResult
from sandbox.traces import ScriptFrame, short_message, traceback_text

UNSUPPORTED = "Unsupported"
"""`ScriptError.type` of a script that used what this interpreter does not know: not a fault of its logic."""


@dataclass(frozen=True, kw_only=True)
class Crash:
    """An error of the interpreter, in plain values.

    `parsing` says that the place is in no function: it was met before anything ran. `raised_by_script`
    says that the place is the operand of a `raise` statement.
    """

    kind: Literal["syntax", "raised", "died"]
    type: str
    message: str
    frames: tuple[ScriptFrame, ...] = ()
    parsing: bool = False
    raised_by_script: bool = False


def verdict_on(code: str, crash: Crash, host_errors: Mapping[str, str]) -> ScriptResult:
    """Say how the script ended. `host_errors` maps messages the host raised inside the script to
    the type they stand for, because the interpreter has no exception classes but the built-in ones."""
    match crash.kind:
        case "died":
            return _verdict(OutcomeKind.DIED, code, crash, "died")
        case "syntax":
            return _verdict(OutcomeKind.SYNTAX, code, crash, "SyntaxError")
        case "raised":
            pass
    if crash.type == "MemoryError" and not crash.raised_by_script:
        return _verdict(OutcomeKind.OOM, code, crash, "oom")
    if crash.type == "TimeoutError" and not crash.frames:
        return _verdict(OutcomeKind.TIMEOUT, code, crash, "timeout")
    if crash.type in ("RuntimeError", "NotImplementedError") and crash.message in host_errors:
        return _verdict(OutcomeKind.ERROR, code, crash, host_errors[crash.message])
    return _verdict(OutcomeKind.ERROR, code, crash, UNSUPPORTED if _unsupported(crash) else crash.type)


def _unsupported(crash: Crash) -> bool:
    """A missing module or name of one, or syntax the parser knows and the interpreter does not."""
    match crash.type:
        case "ModuleNotFoundError" | "ImportError":
            return not crash.raised_by_script
        case "NotImplementedError":
            return crash.parsing or not crash.raised_by_script
        case "AttributeError":
            return crash.message.startswith("module '") and not crash.raised_by_script
        case _:
            return False


def _verdict(kind: OutcomeKind, code: str, crash: Crash, type: str) -> ScriptResult:
    message = short_message(crash.message)
    trace = traceback_text(code, crash.frames, type, message)
    return ScriptResult(kind=kind, error=ScriptError(type=type, message=message, traceback=trace))
