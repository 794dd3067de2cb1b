"""Bounds on green calls hold over all threads of a process, and no thread keeps the others out."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from agent.ids import Digest, NodeId, ThreadId, ToolName, UserId, thread_id
from agent.limits import Limits
from agent.tool import CallContext, Colour, Tool
from agent.tools.call_bounds import CallBounds
from agent.tools.shared_bounds import SharedBounds
from sandbox.script import Json

WIDE, SMALL, THIRD = (thread_id("T1", "C1", f"{number}.0") for number in range(3))


def context(thread: ThreadId) -> CallContext:
    return CallContext(thread=thread, node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("k"))


class Held:
    """A tool whose calls end when they are let go."""

    def __init__(self, colour: Colour = Colour.GREEN) -> None:
        self.at_work: Counter[ThreadId] = Counter()
        self.by_host: Counter[str] = Counter()
        self.most = 0
        self.let_go = asyncio.Event()
        self.tool = Tool(
            name=ToolName("held"), description="", arguments={}, colour=colour, call=self._call, url_argument="url"
        )

    async def _call(self, asked: CallContext, args: Mapping[str, Json]) -> Json:
        self.at_work[asked.thread] += 1
        self.by_host[str(args.get("url"))] += 1
        self.most = max(self.most, self.at_work.total())
        await self.let_go.wait()
        self.at_work[asked.thread] -= 1
        return None


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_tools_bound_holds_over_several_threads():
    held, bounds = Held(), CallBounds(Limits(calls_per_tool=4))
    calls = [bounds.call(held.tool, context(thread), {}) for thread in (WIDE, SMALL, THIRD) for _ in range(10)]
    running = [asyncio.create_task(call) for call in calls]
    await settled()
    assert held.at_work.total() == 4
    held.let_go.set()
    await asyncio.gather(*running)
    assert held.most == 4


async def test_a_hosts_bound_holds_over_threads_and_tools_and_leaves_other_hosts_alone():
    held, bounds = Held(), CallBounds(Limits(calls_per_host=4))
    other = replace(held.tool, name=ToolName("other"))
    running = [
        asyncio.create_task(bounds.call(tool, context(thread), {"url": f"http://{host}/"}))
        for host in ("a", "b")
        for tool in (held.tool, other)
        for thread in (WIDE, SMALL)
        for _ in range(5)
    ]
    await settled()
    assert held.by_host == {"http://a/": 4, "http://b/": 4}
    held.let_go.set()
    await asyncio.gather(*running)


async def test_a_wide_thread_whose_calls_never_end_keeps_no_small_one_out():
    held, bounds = Held(), CallBounds(Limits(calls_per_tool=8, calls_per_host=8))
    args = {"url": "http://a/"}
    wide = [asyncio.create_task(bounds.call(held.tool, context(WIDE), args)) for _ in range(100)]
    await settled()
    assert held.at_work == {WIDE: 4}
    small = [asyncio.create_task(bounds.call(held.tool, context(SMALL), args)) for _ in range(2)]
    await settled()
    assert held.at_work == {WIDE: 4, SMALL: 2}
    held.let_go.set()
    await asyncio.gather(*wide, *small)


async def test_a_red_call_waits_for_no_green_one():
    held, bounds = Held(), CallBounds(Limits(calls_per_tool=1, calls_per_host=1))
    green = asyncio.create_task(bounds.call(held.tool, context(WIDE), {"url": "http://a/"}))
    await settled()
    red = asyncio.create_task(bounds.call(replace(held.tool, colour=Colour.RED), context(WIDE), {"url": "http://a/"}))
    await settled()
    assert held.at_work == {WIDE: 2}
    held.let_go.set()
    await asyncio.gather(green, red)


async def test_a_call_that_is_cancelled_while_it_waits_or_works_leaves_its_place():
    held, bounds = Held(), CallBounds(Limits(calls_per_tool=2))
    first, second = (asyncio.create_task(bounds.call(held.tool, context(WIDE), {})) for _ in range(2))
    await settled()
    for call in (second, first):
        call.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    third = asyncio.create_task(bounds.call(held.tool, context(SMALL), {}))
    await settled()
    assert held.at_work[SMALL] == 1
    held.let_go.set()
    await third


async def test_resources_that_nobody_uses_take_no_memory():
    bounds = SharedBounds[str](2)
    async with bounds.taken("a", WIDE):
        assert len(bounds) == 1
    assert len(bounds) == 0
