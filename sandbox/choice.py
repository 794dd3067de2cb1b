"""Which sandbox this machine gets, and why: Docker, else Monty, else none. Doubt never means "run it anyway"."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from sandbox.docker_sandbox import DockerSettings, open_docker
from sandbox.errors import ImageMissing, InterpreterMissing, SandboxError
from sandbox.failure import ended
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import NO_SANDBOX, CallTool, Job, OutcomeKind, Sandbox, ScriptOutcome

Wanted: TypeAlias = Literal["auto", "docker", "monty", "none"]
"""`auto` tries Docker, then Monty. A sandbox asked for by name is never replaced by another."""


class NoSandbox:
    """Refuses every script with the reason. The kind `infra` uses up no attempt, and repairs nothing."""

    name = "none"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    @property
    def dialect(self) -> str:
        """The advice not to plan scripts."""
        return Path(__file__).with_name("dialects").joinpath("none.md").read_text()

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        """Return a refusal; see `Sandbox.run`."""
        del job, call
        return ended(OutcomeKind.INFRA, f"scripts cannot run here: {self.reason}", NO_SANDBOX)

    async def close(self) -> None:
        """Hold nothing, so give nothing back."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The sandbox in use."""

    sandbox: Sandbox
    #: Why this one: a line for the log and for `greenlight doctor`.
    reason: str


async def choose_sandbox(wanted: Wanted = "auto", docker: DockerSettings | None = None) -> Choice:
    """Open the best sandbox this machine has; close it with `choice.sandbox.close()`."""
    if wanted == "none":
        return _none("switched off in the configuration")
    if wanted == "monty":
        return _monty("asked for")
    try:
        sandbox = await open_docker(docker)
    except SandboxError as error:
        reason = _why_no_docker(error)
        return _none(reason) if wanted == "docker" else _monty(reason)
    runtime = docker.runtime if docker is not None and docker.runtime else "the engine's own runtime"
    return Choice(
        sandbox=sandbox, reason=f"a container engine answers and isolates (Python {sandbox.python}, {runtime})"
    )


def _why_no_docker(error: SandboxError) -> str:
    match error:
        case ImageMissing(tag=tag):
            return f"a container engine answers, but {tag} is not built: run `greenlight sandbox build`"
        case _:
            return f"no container engine to trust ({error})"


def _monty(why: str) -> Choice:
    try:
        return Choice(sandbox=MontySandbox(monty_binary()), reason=why)
    except InterpreterMissing as error:
        return _none(f"{why}; and no Monty interpreter either ({error})")


def _none(reason: str) -> Choice:
    return Choice(sandbox=NoSandbox(reason), reason=reason)
