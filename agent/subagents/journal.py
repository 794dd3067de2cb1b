"""The journal of one subagent: the steps that ended, committed before the next begins."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agent.errors import StoreUnavailable
from agent.events import SubagentStep
from agent.ports import SubagentSteps
from agent.tool import CallContext
from sandbox.script import Json

SECONDS = "seconds"
"""The key of a step for how long the subagent had worked, over all its runs, once it ended."""

_KEEP_AFTER_SECONDS = (0.0, 0.5, 2.0)


class Journal:
    """Answers what an earlier run of the subagent was answered, and keeps what is new."""

    def __init__(
        self, steps: SubagentSteps, context: CallContext, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._steps = steps
        self._context = context
        self._pause = pause
        self._known: dict[tuple[int, int], Mapping[str, Json]] = {}

    async def restore(self) -> None:
        """Load the steps of this very call.

        Raises:
            StoreUnavailable: they cannot be read, and a step might be repeated.
        """
        stored = await self._steps.of(self._context.thread, self._context.node)
        self._known = {
            (step.step, step.call): step.content for step in stored if step.of == self._context.idempotency_key
        }

    @property
    def steps(self) -> Sequence[tuple[int, int, Mapping[str, Json]]]:
        """The steps that were kept, in order: the number of the answer, that of its call, and the content."""
        return [(*place, self._known[place]) for place in sorted(self._known)]

    def find(self, step: int, call: int = 0) -> Mapping[str, Json] | None:
        """Return what was kept of a step: the model's answer, or with `call` what it was told of that call."""
        return self._known.get((step, call))

    @property
    def seconds(self) -> float:
        """How long the subagent had worked when its last step was kept."""
        kept = (content.get(SECONDS) for content in self._known.values())
        return max((seconds for seconds in kept if isinstance(seconds, int | float)), default=0.0)

    async def keep(self, content: Mapping[str, Json], step: int, call: int = 0, *, seconds: float = 0.0) -> None:
        """Commit a step, with how long the subagent has worked by then.

        Raises:
            StoreUnavailable: it could not be committed, so nothing may follow from it.
        """
        content = {**content, SECONDS: round(seconds, 3)}
        ended = SubagentStep(
            node=self._context.node, of=self._context.idempotency_key, step=step, call=call, content=content
        )
        for seconds in _KEEP_AFTER_SECONDS:
            await self._pause(seconds)
            try:
                await self._steps.keep(self._context.thread, ended)
            except StoreUnavailable:
                continue
            self._known[step, call] = content
            return
        raise StoreUnavailable("a subagent's step could not be stored")
