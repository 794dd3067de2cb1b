"""Metering of model calls: each begins once the budget has admitted it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from agent.limits import Role
from agent.ports import AgentModel, ChatMessage, LanguageModel, OfferedTool
from agent.roles import SubagentRole


@dataclass(frozen=True, kw_only=True)
class CallMeter:
    """Admits model calls and counts them."""

    #: Returns once a call may begin.
    acquire: Callable[[], Awaitable[None]]
    #: Called when an admitted call is over.
    ended: Callable[[], None]


_meter: ContextVar[CallMeter | None] = ContextVar("meter", default=None)


@contextmanager
def metered(meter: CallMeter | None) -> Generator[None]:
    """Meter every model call in the block and in the tasks it starts; None: no call is held back."""
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)


class MeteredModel:
    """A `LanguageModel` whose calls go through the current meter."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer."""
        async with _admitted():
            return await self._model.complete(role, messages)

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives."""
        async with _admitted(), aclosing(self._model.stream(role, messages)) as pieces:
            async for piece in pieces:
                yield piece


class MeteredAgentModel:
    """An `AgentModel` whose calls go through the current meter."""

    def __init__(self, model: AgentModel) -> None:
        self._model = model

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        """Return the answer of the model of a role."""
        async with _admitted():
            return await self._model.respond(role, messages, tools)


@asynccontextmanager
async def _admitted() -> AsyncGenerator[None]:
    if (meter := _meter.get()) is None:
        yield
        return
    await meter.acquire()
    try:
        yield
    finally:
        meter.ended()
