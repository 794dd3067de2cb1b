"""How a script ended, before logs and calls are added: from what the host saw and what the runner sent. Pure."""

import signal

from sandbox.protocol import OversizedResult, Raised, Result
from sandbox.script import Limits, OutcomeKind, ScriptError, ScriptOutcome
from sandbox.traces import ScriptFrame, short_message, traceback_text

SUSPENDED = "it waits for calls that only a later run can answer"
SIGNAL_BASE = 128
KILLED = SIGNAL_BASE + signal.SIGKILL


def ended(kind: OutcomeKind, message: str, type: str = "") -> ScriptOutcome:
    """Return a failure that the host noticed. The error's type is the kind unless given."""
    return ScriptOutcome(kind=kind, error=ScriptError(type=type or kind.value, message=message))


def result_of_message(code: str, limits: Limits, message: Result | OversizedResult | Raised) -> ScriptOutcome:
    """Return how the script ended by its own last message. A forged one claims only what a script could have done."""
    match message:
        case Result(value=value, size=size):
            if size > limits.result_bytes:
                return _oversized(size, limits)
            return ScriptOutcome(kind=OutcomeKind.OK, result=value)
        case OversizedResult(size=size):
            return _oversized(size, limits)
        case Raised(type="MemoryError", message="", frames=frames):
            return raised(OutcomeKind.OOM, code, frames, "oom", "out of memory")
        case Raised(kind="syntax", message=text, frames=frames):
            return raised(OutcomeKind.SYNTAX, code, frames, "SyntaxError", text)
        case Raised(type=type, message=text, frames=frames):
            return raised(OutcomeKind.ERROR, code, frames, type, text)


def _oversized(size: int, limits: Limits) -> ScriptOutcome:
    return ended(OutcomeKind.OUTPUT_LIMIT, f"the result is {size} bytes of JSON, more than {limits.result_bytes}")


def raised(kind: OutcomeKind, code: str, frames: tuple[ScriptFrame, ...], type: str, message: str) -> ScriptOutcome:
    """Return a failure at a place in the script."""
    cut = short_message(message)
    error = ScriptError(type=type, message=cut, traceback=traceback_text(code, frames, type, cut))
    return ScriptOutcome(kind=kind, error=error)


def result_of_timeout(code: str, limits: Limits, place: tuple[ScriptFrame, ...]) -> ScriptOutcome:
    """Return the outcome when the host's clock ran out. `place` is where the script was just before."""
    return raised(OutcomeKind.TIMEOUT, code, place, "timeout", f"no result within {limits.wall_seconds:g} s")


def result_of_exit(limits: Limits, exit_code: int | None, *, out_of_memory: bool) -> ScriptOutcome:
    """Return the outcome of a container that ended without one. `exit_code` is None when the engine reported none."""
    if out_of_memory and exit_code in (None, KILLED):
        return ended(OutcomeKind.OOM, f"needed more than {limits.memory_bytes // (1024 * 1024)} MiB")
    if exit_code is None:
        return ended(OutcomeKind.DIED, "the script's process ended without a result")
    if exit_code > SIGNAL_BASE:
        name = _signal_name(exit_code - SIGNAL_BASE)
        return ended(OutcomeKind.DIED, f"the script's process was ended by {name}")
    return ended(OutcomeKind.DIED, f"the script's process ended without a result (exit code {exit_code})")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
