"""A verdict: the outcome's kind with its result or error, before logs and calls are added (pure)."""

from dataclasses import dataclass

from sandbox.script import Json, OutcomeKind, ScriptError


@dataclass(frozen=True, kw_only=True)
class ScriptResult:
    """How a script ended. `result` only for `ok`, `error` for every other kind."""

    kind: OutcomeKind
    result: Json = None
    error: ScriptError | None = None


def ended(kind: OutcomeKind, message: str, type: str = "") -> ScriptResult:
    """Return a verdict of the host's own words; the error's type is the kind unless told otherwise."""
    return ScriptResult(kind=kind, error=ScriptError(type=type or kind.value, message=message))
