"""Circuit breakers: what keeps failing is left alone, tried by one call, and used again once that one went well."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import ToolName
from agent.plan.outcomes import OUTCOME_UNKNOWN, Failed, Succeeded
from agent.tool import CallContext, Colour, Tool
from agent.tools.circuit_breakers import CircuitBreaker, CircuitBreakers, is_answer, open_circuits, resource_of
from sandbox.script import Json

FAILURES, PAUSE = 3, 10.0
DOWN, FINE = Failed(error="unreachable"), Succeeded(value="fine")


async def _never(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise AssertionError


def a_tool(name: str = "t", *, url_argument: str | None = None, service: str | None = None) -> Tool:
    return Tool(
        name=ToolName(name),
        description="",
        arguments={},
        colour=Colour.GREEN,
        call=_never,
        url_argument=url_argument,
        service=service,
    )


TOOL = a_tool()


class Scene:
    """Breakers with a clock of the test's."""

    def __init__(self, failures: int = FAILURES) -> None:
        self.now = 0.0
        settings = CircuitBreaker(failures=failures, pause_seconds=PAUSE)
        self.breakers = CircuitBreakers(settings, clock=lambda: self.now)

    def call(self, outcome: Succeeded | Failed | None, tool: Tool = TOOL, **args: Json) -> None:
        with self.breakers.counted(tool, args) as note:
            if outcome is not None:
                note(outcome)

    def opened(self) -> "Scene":
        for _ in range(FAILURES):
            self.call(DOWN)
        return self

    @property
    def seconds(self) -> float:
        return self.breakers.seconds_until_try("t")


def test_it_opens_after_so_many_failures_in_a_row_and_says_when_it_is_tried() -> None:
    scene = Scene()
    for _ in range(FAILURES - 1):
        scene.call(DOWN)
        assert scene.seconds == 0
    scene.call(DOWN)
    assert scene.seconds == PAUSE
    [circuit] = scene.breakers.open_now()
    assert (circuit.name, circuit.failures, circuit.seconds) == ("t", FAILURES, PAUSE)
    assert circuit in open_circuits()


def test_an_answer_in_between_begins_the_count_anew() -> None:
    scene = Scene()
    for outcome in (DOWN, DOWN, FINE, DOWN, DOWN, Failed(error="not_found"), DOWN, DOWN):
        scene.call(outcome)
    assert scene.seconds == 0


def test_after_the_pause_one_call_tries_and_the_others_wait_for_it() -> None:
    scene = Scene().opened()
    scene.now = PAUSE
    assert scene.seconds == 0
    with scene.breakers.counted(TOOL, {}) as note:
        assert scene.seconds == math.inf
        note(FINE)
    assert scene.seconds == 0
    assert scene.breakers.open_now() == []


def test_a_try_that_fails_opens_it_for_another_pause() -> None:
    scene = Scene().opened()
    scene.now = PAUSE
    scene.call(DOWN)
    assert scene.seconds == PAUSE


@pytest.mark.parametrize("outcome", [None, Failed(error="tool_fault")], ids=["cancelled", "broke"])
def test_a_try_that_says_nothing_lets_the_next_call_try(outcome: Failed | None) -> None:
    scene = Scene().opened()
    scene.now = PAUSE
    scene.call(outcome)
    assert scene.seconds == 0
    assert len(scene.breakers.open_now()) == 1


def test_a_call_begun_before_it_opened_neither_prolongs_the_pause_nor_frees_the_try() -> None:
    scene = Scene()
    with scene.breakers.counted(TOOL, {}) as late:
        scene.opened()
        scene.now = PAUSE / 2
        late(DOWN)
    assert scene.seconds == PAUSE / 2


def test_a_claim_keeps_the_only_try_for_a_red_call_and_lapses_when_that_is_not_made() -> None:
    scene = Scene().opened()
    assert not scene.breakers.claim("t")
    scene.now = PAUSE
    assert scene.breakers.claim("t")
    assert not scene.breakers.claim("t")
    scene.now += scene.seconds
    assert scene.breakers.claim("t")


async def test_who_waits_goes_on_as_soon_as_the_try_went_well() -> None:
    scene, told = Scene().opened(), list[float]()
    scene.now = PAUSE
    with scene.breakers.counted(TOOL, {}) as note:
        waiting = asyncio.create_task(scene.breakers.passable("t", told.append))
        await asyncio.sleep(0)
        assert told == [math.inf]
        note(FINE)
    await asyncio.wait_for(waiting, 60)


async def test_who_waits_learns_of_another_pause() -> None:
    scene, told = Scene().opened(), list[float]()
    scene.now = PAUSE
    with scene.breakers.counted(TOOL, {}) as note:
        waiting = asyncio.create_task(scene.breakers.passable("t", told.append))
        await asyncio.sleep(0)
        note(DOWN)
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == [math.inf, PAUSE]
    assert not waiting.done()
    waiting.cancel()


def test_nothing_opens_where_it_is_switched_off() -> None:
    scene = Scene(failures=0)
    for _ in range(100):
        scene.call(DOWN)
    assert scene.seconds == 0


def test_hosts_servers_and_tools_are_counted_apart() -> None:
    fetch = a_tool("fetch", url_argument="url")
    assert resource_of(fetch, {"url": "https://API.example.com/a"}) == "api.example.com"
    assert resource_of(fetch, {"url": "http://api.example.com:8080/"}) == "api.example.com:8080"
    assert resource_of(fetch, {"url": "http://api.example.com:99999/"}) == "api.example.com"
    assert resource_of(a_tool("git_log", service="git"), {}) == "git"
    assert resource_of(fetch, {"url": 5}) == "fetch"
    scene = Scene()
    for _ in range(FAILURES):
        scene.call(DOWN, fetch, url="https://one.example.com/")
    assert scene.breakers.seconds_until_try("one.example.com") == PAUSE
    assert scene.breakers.seconds_until_try("two.example.com") == 0
    assert scene.breakers.seconds_until_try("fetch") == 0


@pytest.mark.parametrize(
    ("outcome", "answers"),
    [
        (FINE, True),
        (Succeeded(value={"status": 404}), True),
        (Succeeded(value={"status": 503}), False),
        (Failed(error="timeout"), False),
        (Failed(error="unavailable"), False),
        (Failed(error=OUTCOME_UNKNOWN), False),
        (Failed(error="query_failed"), True),
        (Failed(error="tool_fault"), None),
        (Failed(error="bad_output"), None),
    ],
    ids=str,
)
def test_only_what_was_called_is_to_blame_for_a_failure_that_counts(
    outcome: Succeeded | Failed, answers: bool | None
) -> None:
    assert is_answer(a_tool(url_argument="url"), outcome) is answers


def test_a_status_is_only_one_where_the_tool_asks_an_address() -> None:
    assert is_answer(TOOL, Succeeded(value={"status": 503})) is True


def test_a_plan_that_names_thousands_of_dead_hosts_fills_no_memory() -> None:
    scene, fetch = Scene(), a_tool("fetch", url_argument="url")
    for number in range(5_000):
        for _ in range(FAILURES):
            scene.call(DOWN, fetch, url=f"https://h{number}.example.com/")
    assert len(scene.breakers.open_now()) <= 2_000
    assert scene.breakers.seconds_until_try("h4999.example.com") == PAUSE


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 15, width=16)),
        st.tuples(st.just("call"), st.just(0.0)),
        st.tuples(st.just("claim"), st.just(0.0)),
        st.tuples(st.sampled_from(["fine", "down", "left"]), st.integers(0, 5).map(float)),
    ),
    max_size=60,
)


@given(EVENTS)
def test_while_it_is_open_nothing_is_called_and_then_one_at_a_time(events: list[tuple[str, float]]) -> None:
    """Calls that go by `seconds_until_try`, in any order with their ends: of those begun while open, one at a time."""
    scene = Scene()
    under_way: list[tuple[Any, Any, bool]] = []
    for kind, value in events:
        if kind == "wait":
            scene.now += value
        elif kind == "claim":
            scene.breakers.claim("t")
        elif kind == "call":
            if scene.seconds:
                continue
            is_try = bool(scene.breakers.open_now())
            assert not (is_try and any(tries for _, _, tries in under_way))
            call = scene.breakers.counted(TOOL, {})
            under_way.append((call, call.__enter__(), is_try))
        elif under_way:
            call, note, _ = under_way.pop(int(value) % len(under_way))
            if kind != "left":
                note(FINE if kind == "fine" else DOWN)
            call.__exit__(None, None, None)
            if kind == "fine":  # whoever tries now found it well before
                under_way = [(other, take, False) for other, take, _ in under_way]
