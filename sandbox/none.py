"""The sandbox of a machine that has none: every script is refused, with the reason."""

from pathlib import Path

from sandbox.script import CallTool, Job, OutcomeKind, ScriptError, ScriptOutcome


class NoSandbox:
    """Refuses scripts. `infra` uses up no attempt and nothing can be repaired."""

    name = "none"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    @property
    def dialect(self) -> str:
        """Tells a model not to plan scripts."""
        return Path(__file__).with_name("dialects").joinpath("none.md").read_text()

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        """Refuse."""
        del job, call
        error = ScriptError(type="NoSandbox", message=f"scripts cannot run here: {self.reason}")
        return ScriptOutcome(kind=OutcomeKind.INFRA, error=error)

    async def close(self) -> None:
        """Nothing to give back."""
