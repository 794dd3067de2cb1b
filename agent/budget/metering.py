"""Paying for model calls: each begins once whoever makes it can afford it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from agent.limits import Role
from agent.ports import ChatMessage, LanguageModel


@dataclass(frozen=True, kw_only=True)
class CallMeter:
    """Who pays. `afford` returns once a call may begin; `ended` is told when it is over."""

    acquire: Callable[[], Awaitable[None]]
    ended: Callable[[], None]


_payer: ContextVar[CallMeter | None] = ContextVar("payer", default=None)


@contextmanager
def metered(payer: CallMeter | None) -> Generator[None]:
    """Let this payer pay for every model call in the block, and in the tasks it starts; None: nobody need."""
    token = _payer.set(payer)
    try:
        yield
    finally:
        _payer.reset(token)


class MeteredModel:
    """A `LanguageModel` whose calls are paid for."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer."""
        async with _paid():
            return await self._model.complete(role, messages)

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives."""
        async with _paid(), aclosing(self._model.stream(role, messages)) as pieces:
            async for piece in pieces:
                yield piece


@asynccontextmanager
async def _paid() -> AsyncGenerator[None]:
    payer = _payer.get()
    if payer is None:
        yield
        return
    await payer.acquire()
    try:
        yield
    finally:
        payer.ended()
