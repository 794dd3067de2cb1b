"""Rate limits of tools: a call beyond one waits for its place, in turn with those of other threads.

The places are rows of all processes (`CallPlaces`). Who waits asks for a place again once one should be free: nobody
keeps a place that a dead process or a cancelled call would take with it. In a process one call of each limit asks at a
time, and the threads take turns, so a wide plan does not keep the others out.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from agent.errors import StoreUnavailable
from agent.ids import ThreadId, ToolName, UserId, thread_parts
from agent.plan.outcomes import RATE_LIMIT, Failed
from agent.policy.rules import matches_tool
from agent.ports import CallPlace, CallPlaces
from agent.tool import CallContext
from agent.tools.shared_bounds import SharedBounds

_MARGIN_SECONDS = 0.005
_STORE_SECONDS = 1.0
"""The pause before the places are asked for again when the database could not be reached."""


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """`[rate_limits.NAME]`: how often the tools of this name may be called, all together."""

    #: Calls in any span of `seconds`; None: no bound for all together.
    calls: int | None = field(default=None, metadata={"ge": 1, "le": 1_000})
    #: The same of one person.
    per_person: int | None = field(default=None, metadata={"ge": 1, "le": 1_000})
    seconds: float = field(default=60.0, metadata={"gt": 0, "le": 86_400})
    #: How long a call waits for its place at most; then it fails.
    wait_seconds: float = field(default=300.0, metadata={"ge": 0, "le": 3_600})


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A place that a call needs."""

    #: The name that the limit has in the configuration.
    name: str
    place: CallPlace
    wait_seconds: float
    #: Whether it is in a person's own limit.
    of_person: bool

    @property
    def words(self) -> str:
        """The limit, for people."""
        whose = "one person's calls" if self.of_person else "all calls"
        return f"{self.name}: at most {self.place.calls} of {whose} in {about(self.place.seconds)}"


class RateLimits:
    """The rate limits of an installation, by name; `*` stands for any characters. A call needs a place in each."""

    def __init__(
        self,
        limits: Mapping[str, RateLimit],
        places: CallPlaces | None,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits: Mapping[str, RateLimit] = {} if places is None else limits
        self._places = places
        self._pause = pause
        self._turns = SharedBounds[str](1)
        self._waiting: Counter[str] = Counter()

    async def admit(
        self,
        tool: ToolName,
        context: CallContext,
        room: AsyncExitStack,
        enter: Callable[[AsyncExitStack], Awaitable[None]],
    ) -> Failed | None:
        """Wait until one call of the tool may be made now; return how it fails when there is no place in time.

        `enter` waits for whatever else the call needs; `room` gets it, and has nothing after a failure.
        """
        claims = self._claims(tool, context.author)
        if not claims:
            await enter(room)
            return None
        own = [claim for claim in claims if claim.of_person]
        shared = [claim for claim in claims if not claim.of_person]
        last = claims[0]
        wait_seconds = min(claim.wait_seconds for claim in claims)
        limit = asyncio.timeout(wait_seconds)
        try:
            async with limit, self._turn(own, context):
                while True:
                    # Who waits for their own limit is in nobody's way.
                    async with AsyncExitStack() as held, self._turn(shared, context):
                        await enter(held)
                        if (refused := await self._take(own, shared, context)) is None:
                            await room.enter_async_context(held.pop_all())
                            return None
                    last = refused.claim
                    await self._wait(refused, context)
        except TimeoutError:
            if not limit.expired():
                raise
            message = f"no place was free within {about(wait_seconds)}, and nothing was called ({last.words})"
            return Failed(error=RATE_LIMIT, message=message)

    def _claims(self, tool: ToolName, author: UserId) -> Sequence[_Claim]:
        found: list[_Claim] = []
        for name, limit in self._limits.items():
            if not matches_tool(name, tool):
                continue
            for calls, key, of_person in ((limit.per_person, f"{name}:{author}", True), (limit.calls, name, False)):
                if calls is not None:
                    place = CallPlace(key=key, calls=calls, seconds=limit.seconds)
                    claim = _Claim(name=name, place=place, wait_seconds=limit.wait_seconds, of_person=of_person)
                    found.append(claim)
        return sorted(found, key=lambda claim: claim.place.key)  # everybody queues in the same order

    @asynccontextmanager
    async def _turn(self, claims: Sequence[_Claim], context: CallContext) -> AsyncGenerator[None]:
        """Wait until it is this call's turn to ask for these places."""
        async with AsyncExitStack() as stack:
            for claim in claims:
                ahead = self._waiting[claim.place.key]
                if rounds := ahead // claim.place.calls:
                    context.note_detail(_detail(claim, rounds * claim.place.seconds))
                await stack.enter_async_context(self._counted(claim.place.key))
                await stack.enter_async_context(self._turns.taken(claim.place.key, context.thread))
            yield

    @asynccontextmanager
    async def _counted(self, key: str) -> AsyncGenerator[None]:
        self._waiting[key] += 1
        try:
            yield
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    async def _take(self, own: Sequence[_Claim], shared: Sequence[_Claim], context: CallContext) -> "_Refused | None":
        """Take all places; wait for shared ones, and return which own one is away the longest when one is not free."""
        while True:
            waits = await self._seconds([*own, *shared], context.thread)
            refused = _longest(own, waits[: len(own)])
            if refused is not None:
                return refused
            refused = _longest(shared, waits[len(own) :])
            if refused is None:
                return None
            await self._wait(refused, context)

    async def _seconds(self, claims: Sequence[_Claim], thread: ThreadId) -> Sequence[float]:
        assert self._places is not None  # noqa: S101 -- without it there are no claims
        while True:
            try:
                return await self._places.take(thread_parts(thread).tenant, [claim.place for claim in claims])
            except StoreUnavailable:
                await self._pause(_STORE_SECONDS)

    async def _wait(self, refused: "_Refused", context: CallContext) -> None:
        context.note_detail(_detail(refused.claim, refused.seconds))
        await self._pause(refused.seconds + _MARGIN_SECONDS)
        context.note_detail("")


@dataclass(frozen=True, kw_only=True)
class _Refused:
    """A place that is not free."""

    claim: _Claim
    #: Until it is.
    seconds: float


def _longest(claims: Sequence[_Claim], seconds: Sequence[float]) -> _Refused | None:
    waits = [_Refused(claim=claim, seconds=wait) for claim, wait in zip(claims, seconds, strict=True) if wait > 0]
    return max(waits, key=lambda refused: refused.seconds, default=None)


def _detail(claim: _Claim, seconds: float) -> str:
    whose = "your" if claim.of_person else "its"
    return f"waits about {about(seconds)} for {whose} rate limit ({claim.name})"


def about(seconds: float) -> str:
    """Return a time for people, rounded up."""
    if seconds > 5_400:
        return f"{math.ceil(seconds / 3_600)} h"
    return f"{math.ceil(seconds)} s" if seconds < 100 else f"{math.ceil(seconds / 60)} min"
