"""Rate limits in a process: who waits, for how long, in whose turn, and what people read meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from agent.errors import StoreUnavailable
from agent.ids import Digest, NodeId, Tenant, ThreadId, ToolName, UserId, thread_id
from agent.limits import Limits
from agent.plan.outcomes import NOT_TRIED, RATE_LIMIT, Failed, Succeeded
from agent.ports import CallPlace
from agent.tool import CallContext, Colour, Tool, ToolError
from agent.tools.call_bounds import CallBounds
from agent.tools.circuit_breakers import CircuitBreaker, CircuitBreakers
from agent.tools.rate_limits import RateLimit, RateLimits, about
from sandbox.script import Json

WIDE, SMALL = thread_id("T1", "C1", "1.0"), thread_id("T1", "C1", "2.0")
ADA, GRACE = UserId("U1"), UserId("U2")


@dataclass
class Places:
    """A CallPlaces in memory, on a clock that the waiting moves on."""

    now: float = 0.0
    taken: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    asked: int = 0
    away: int = 0

    async def take(self, tenant: Tenant, places: Sequence[CallPlace]) -> Sequence[float]:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise StoreUnavailable
        waits: list[float] = []
        for place in places:
            calls = self.taken.setdefault(place.key, [])[-place.calls :]
            waits.append(max(0.0, calls[0] + place.seconds - self.now) if len(calls) == place.calls else 0.0)
        if not any(waits):
            for place in places:
                self.taken[place.key].append(self.now)
        return waits

    async def pause(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class Scene:
    def __init__(self, limits: Mapping[str, RateLimit], failures: int = 0) -> None:
        self.places = Places()
        self.calls: list[tuple[ThreadId, UserId]] = []
        self.noted: list[str] = []
        self.error = ""
        rates = RateLimits(limits, self.places, pause=self.places.pause)
        breakers = CircuitBreakers(CircuitBreaker(failures=failures))
        self.bounds = CallBounds(Limits(), rates=rates, breakers=breakers)

    def tool(self, name: str = "get", *, colour: Colour = Colour.GREEN, retryable: bool = False) -> Tool:
        async def call(context: CallContext, _args: Mapping[str, Json]) -> Json:
            self.calls.append((context.thread, context.author))
            if self.error:
                raise ToolError(self.error, "it is down")
            return len(self.calls)

        return Tool(name=ToolName(name), description="", arguments={}, colour=colour, call=call, retryable=retryable)

    def context(self, thread: ThreadId = WIDE, author: UserId = ADA) -> CallContext:
        return CallContext(
            thread=thread,
            node=NodeId("n"),
            author=author,
            idempotency_key=Digest("k"),
            note_detail=self.noted.append,
        )

    async def call(self, name: str = "get", thread: ThreadId = WIDE, author: UserId = ADA) -> Succeeded | Failed:
        return await self.bounds.call(self.tool(name), self.context(thread, author), {}, self.places.pause)


async def test_a_call_beyond_the_limit_waits_and_people_read_for_what_and_how_long() -> None:
    scene = Scene({"get": RateLimit(calls=2)})
    for _ in range(3):
        assert isinstance(await scene.call(), Succeeded)
    assert scene.places.now >= 60
    assert scene.noted == ["waits about 60 s for its rate limit (get)", ""]


async def test_a_tool_without_a_limit_asks_nobody() -> None:
    scene = Scene({"other_*": RateLimit(calls=1)})
    await scene.call()
    assert (scene.places.asked, len(scene.calls)) == (0, 1)


async def test_a_call_that_gets_no_place_in_time_fails_in_clear_words_and_is_not_made() -> None:
    scene = Scene({"get": RateLimit(calls=1, wait_seconds=0)})
    await scene.call()
    failed = await scene.call()
    assert isinstance(failed, Failed)
    assert failed.error == RATE_LIMIT
    assert failed.message == (
        "no place was free within 0 s, and nothing was called (get: at most 1 of all calls in 60 s)"
    )
    assert len(scene.calls) == 1


async def test_one_persons_limit_keeps_nobody_else_waiting() -> None:
    scene = Scene({"get": RateLimit(calls=10, per_person=1)})
    await scene.call()
    waiting = asyncio.create_task(scene.call(thread=SMALL))
    await asyncio.sleep(0)
    await scene.call(author=GRACE)
    assert (scene.places.now, [author for _, author in scene.calls]) == (0, [ADA, GRACE])
    await waiting
    assert scene.places.now >= 60
    assert scene.noted[0] == "waits about 60 s for your rate limit (get)"


async def test_a_pattern_is_one_limit_for_all_its_tools_and_a_call_needs_a_place_in_each() -> None:
    scene = Scene({"git_*": RateLimit(calls=2), "git_log": RateLimit(calls=1, seconds=10)})
    await scene.call("git_log")
    await scene.call("git_log")
    assert 10 <= scene.places.now < 11
    await scene.call("git_show")
    assert scene.places.now >= 60


async def test_threads_take_turns_at_a_limit() -> None:
    scene = Scene({"get": RateLimit(calls=1)})
    wide = [asyncio.create_task(scene.call()) for _ in range(10)]
    await asyncio.sleep(0)
    await scene.call(thread=SMALL)
    assert Counter(thread for thread, _ in scene.calls)[WIDE] <= 2
    await asyncio.gather(*wide)
    assert len(scene.calls) == 11


async def test_who_queues_far_behind_reads_about_how_long() -> None:
    scene = Scene({"get": RateLimit(calls=1)})
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(scene.call())
    assert "waits about 2 min for its rate limit (get)" in scene.noted


async def test_each_try_of_a_call_needs_a_place() -> None:
    scene = Scene({"get": RateLimit(calls=1)})
    scene.error = "unreachable"
    failed = await scene.bounds.call(scene.tool(retryable=True), scene.context(), {}, scene.places.pause)
    assert isinstance(failed, Failed)
    assert (len(scene.calls), scene.places.now >= 120) == (3, True)


async def test_a_cancelled_wait_keeps_no_place_and_no_turn() -> None:
    scene = Scene({"get": RateLimit(calls=1)})
    await scene.call()
    waiting = asyncio.create_task(scene.call())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await scene.call()
    assert len(scene.calls) == 2
    assert len(scene.places.taken["get"]) == 2


async def test_while_the_database_is_away_nothing_is_called() -> None:
    scene = Scene({"get": RateLimit(calls=1)})
    scene.places.away = 2
    await scene.call()
    assert (scene.places.asked, len(scene.calls)) == (3, 1)


async def test_a_red_call_is_admitted_before_it_is_made_and_takes_one_place() -> None:
    scene = Scene({"put": RateLimit(calls=1)})
    red = scene.tool("put", colour=Colour.RED)
    assert await scene.bounds.admitted(red, scene.context(), {}) is None
    assert scene.calls == []
    await scene.bounds.call(red, scene.context(), {}, scene.places.pause)
    assert (len(scene.calls), scene.places.asked) == (1, 1)
    assert await scene.bounds.admitted(red, scene.context(), {}) is None
    assert scene.places.now >= 60


async def test_green_calls_to_what_keeps_failing_fail_at_once_and_say_when_it_is_tried() -> None:
    scene = Scene({"get": RateLimit(calls=5)}, failures=2)
    scene.error = "unreachable"
    for _ in range(2):
        await scene.call()
    failed = await scene.call()
    assert isinstance(failed, Failed)
    assert failed.error == NOT_TRIED
    assert failed.message.startswith("get failed several times in a row, so nothing was sent; it is tried again from ")
    assert (len(scene.calls), scene.places.asked) == (2, 2)


async def test_a_call_whose_own_tries_opened_the_breaker_says_why_they_failed() -> None:
    scene = Scene({}, failures=2)
    scene.error = "unreachable"
    failed = await scene.bounds.call(scene.tool(retryable=True), scene.context(), {}, scene.places.pause)
    assert failed == Failed(error="unreachable", message="it is down")
    assert len(scene.calls) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59.1, "60 s"), (100, "2 min"), (3600, "60 min"), (7200, "2 h"), (86_400, "24 h")],
)
def test_times_are_rounded_up_for_people(seconds: float, words: str) -> None:
    assert about(seconds) == words
