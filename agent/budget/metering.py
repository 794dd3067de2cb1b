"""Metering of model calls: each begins once the budget has admitted it and there is room for it in this process."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

from agent.budget.usage import account
from agent.ids import ThreadId
from agent.limits import Role
from agent.ports import AgentModel, ChatMessage, LanguageModel, OfferedTool
from agent.roles import SubagentRole

Room: TypeAlias = Callable[[ThreadId], AbstractAsyncContextManager[None]]
"""Holds room for one call of a thread, once there is some."""


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


_limit: ContextVar[asyncio.Timeout | None] = ContextVar("limit", default=None)


@contextmanager
def stopping_while_held_back(limit: asyncio.Timeout) -> Generator[None]:
    """Stop the limit's clock whenever a model call in the block waits for the budget, or for room."""
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)


def _no_bound(_thread: ThreadId) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class MeteredModel:
    """A `LanguageModel` whose calls go through the current meter, and then wait for room."""

    def __init__(self, model: LanguageModel, room: Room = _no_bound) -> None:
        self._model = model
        self._room = room

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer."""
        async with _admitted(self._room):
            return await self._model.complete(role, messages)

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives."""
        async with _admitted(self._room), aclosing(self._model.stream(role, messages)) as pieces:
            async for piece in pieces:
                yield piece


class MeteredAgentModel:
    """An `AgentModel` whose calls go through the current meter, and then wait for room."""

    def __init__(self, model: AgentModel, room: Room = _no_bound) -> None:
        self._model = model
        self._room = room

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        """Return the answer of the model of a role."""
        async with _admitted(self._room):
            return await self._model.respond(role, messages, tools)


@asynccontextmanager
async def _admitted(room: Room) -> AsyncGenerator[None]:
    """Hold room for a call. The budget comes first: it may wait for people, who are waited for without any room."""
    meter, thread = _meter.get(), account()
    async with AsyncExitStack() as held:
        with _stopped(_limit.get()):
            if meter is not None:
                await meter.acquire()
                held.callback(meter.ended)
            if thread is not None:
                await held.enter_async_context(room(thread))
        yield


@contextmanager
def _stopped(limit: asyncio.Timeout | None) -> Generator[None]:
    """Stop the limit's clock in the block."""
    if limit is None or (until := limit.when()) is None:
        yield
        return
    loop = asyncio.get_running_loop()
    left = until - loop.time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(loop.time() + left)
