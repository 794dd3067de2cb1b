"""The bound on what a run's state holds inline; the overflow becomes artifacts."""

from collections.abc import Iterable

from agent.execution.step import Step
from agent.ids import ThreadId
from agent.plan.operations import canonical_json
from agent.plan.outcomes import Outcome, Succeeded, outcome_json
from agent.ports import Artifacts

INLINE_BYTES_PER_RUN = 128 * 1024
"""128 KiB of inline results per thread: LangGraph writes the whole channel again at every step."""


class InlineBudget:
    """Counts the inline results of a thread's state. One node's own bound (4 KiB) is the NodeWork's."""

    def __init__(self, artifacts: Artifacts, limit_bytes: int = INLINE_BYTES_PER_RUN) -> None:
        self._artifacts = artifacts
        self._left = limit_bytes

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Count results that are in the state already."""
        self._left -= sum(_inline_bytes(each) for each in outcomes)

    async def fit(self, step: Step, outcome: Outcome) -> Outcome:
        """Return the outcome, its value moved to an artifact when the run's inline room is used up."""
        size = _inline_bytes(outcome)
        if size <= self._left:
            self._left -= size
            return outcome
        if not isinstance(outcome, Succeeded):
            return outcome
        return await self._moved(step.thread, f"{step.id}.json", outcome)

    async def _moved(self, thread: ThreadId, name: str, outcome: Succeeded) -> Outcome:
        content = canonical_json(outcome.value).encode()
        artifact = await self._artifacts.put(thread, name, content, "application/json")
        return Succeeded(artifact=artifact, age_seconds=outcome.age_seconds)


def _inline_bytes(outcome: Outcome) -> int:
    if isinstance(outcome, Succeeded) and outcome.artifact is not None:
        return 0
    return len(canonical_json(outcome_json(outcome)).encode())
