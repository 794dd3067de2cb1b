"""Which sandbox this machine gets, and why: Docker, else Monty, else none. Doubt never means "run it anyway"."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandbox.errors import InterpreterMissing
from sandbox.monty import MontySandbox, monty_binary
from sandbox.none import NoSandbox
from sandbox.script import Sandbox

Wanted: TypeAlias = Literal["auto", "docker", "monty", "none"]
"""`auto` tries Docker, then Monty. A sandbox asked for by name is never replaced by another."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The sandbox in use and the reason, one line for the log and for `greenlight doctor`."""

    sandbox: Sandbox
    reason: str


async def choose_sandbox(wanted: Wanted = "auto") -> Choice:
    """Open the best sandbox this machine has; close it with `choice.sandbox.close()`."""
    if wanted == "none":
        return _none("switched off in the configuration")
    try:
        sandbox = MontySandbox(monty_binary())
    except InterpreterMissing as error:
        return _none(f"no Monty interpreter: {error}")
    return Choice(sandbox=sandbox, reason="Monty runs scripts here")


def _none(reason: str) -> Choice:
    return Choice(sandbox=NoSandbox(reason), reason=reason)
