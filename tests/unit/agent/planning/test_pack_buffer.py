"""What is held back of a streamed plan, and when it is stored."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.errors import ModelUnavailable, StoreUnavailable
from agent.events import NodeChanged
from agent.ids import NodeId, thread_id
from agent.limits import DEFAULT_LIMITS
from agent.plan.operations import Add, Cancel, Operation
from agent.plan.outcomes import NodeState, Succeeded
from agent.planning.pack_buffer import NodeEndNotifier, PackBuffer, buffered_writer
from agent.reading.validation import Fault
from tests.fakes.packing_plans import REGISTRY, read, tool
from tests.fakes.ports_in_memory import ProgressInMemory

THREAD = thread_id("T1", "C1", "1.0")


def held(*plan: Any) -> tuple[PackBuffer, list[str]]:
    """Offer a plan; return what is held, and the ids of what was to be stored at once."""
    holds = PackBuffer(REGISTRY, DEFAULT_LIMITS)
    return holds, [each for operation in read(plan) for each in ids(holds.offer(operation))]


def ids(operations: Sequence[Operation]) -> list[str]:
    return [each.node.id if isinstance(each, Add) else f"cancel {each.id}" for each in operations]


CHAIN = tool("a"), tool("b", "a"), tool("c", "b")


def test_what_could_start_is_stored_and_what_waits_is_held_until_it_can_be_packed() -> None:
    holds, stored = held(*CHAIN)
    assert stored == ["a"]
    [package] = holds.all_packed().operations
    assert isinstance(package, Add)
    assert [step.id for step in package.node.packed] == ["b", "c"]
    assert holds.all_as_written() == []


def test_what_can_start_is_released_as_written_and_what_waits_for_it_is_not() -> None:
    holds, _ = held(*CHAIN)
    assert holds.ended(NodeId("a"))
    assert ids(holds.released()) == ["b"]
    assert not holds.ended(NodeId("x"))
    assert ids(holds.all_as_written()) == ["c"]


def test_what_follows_only_finished_nodes_is_stored_at_once() -> None:
    holds = PackBuffer(REGISTRY, DEFAULT_LIMITS)
    holds.ended(NodeId("a"))
    assert [ids(holds.offer(each)) for each in read(CHAIN)[1:]] == [["b"], []]


def test_cancelling_what_is_stored_stores_first_what_may_need_it() -> None:
    """Else a finished node that was taken back would still be built on."""
    holds, _ = held(tool("a"), tool("slow"), tool("b", "a", "slow"), tool("red", "b", tool="post", text="x"))
    holds.ended(NodeId("a"))
    assert ids(holds.offer(Cancel(id=NodeId("a")))) == ["b", "red", "cancel a"]


def test_a_red_node_is_held_only_behind_one_that_is_held() -> None:
    _, stored = held(*CHAIN, tool("red", "a", tool="post", text="x"), tool("later", "c", tool="post", text="x"))
    assert stored == ["a", "red"]


def test_cancelling_what_is_held_stores_all_of_it_first() -> None:
    holds, _ = held(*CHAIN)
    assert ids(holds.offer(Cancel(id=NodeId("b")))) == ["b", "c", "cancel b"]
    assert ids(holds.offer(Cancel(id=NodeId("a")))) == ["cancel a"]


class Log:
    """What was stored; `broken` raises instead."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.broken = False
        self.grown = asyncio.Event()

    async def store(self, operations: Sequence[Operation]) -> Sequence[Fault]:
        await asyncio.sleep(0)
        if self.broken and operations:
            raise StoreUnavailable
        self.ids += ids(operations)
        self.grown.set()
        return ()


async def nothing() -> Sequence[NodeId]:
    return ()


def change(node: str, *, ended: bool = True) -> NodeChanged:
    outcome = Succeeded(value=1) if ended else None
    state = NodeState.SUCCEEDED if ended else NodeState.RUNNING
    return NodeChanged(node=NodeId(node), state=state, outcome=outcome, at=datetime.now(UTC))


async def test_an_ending_stores_what_waited_for_it_while_the_model_is_silent() -> None:
    log, endings = Log(), NodeEndNotifier(ProgressInMemory())
    async with buffered_writer(PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, endings, THREAD, nothing) as keeper:
        await keeper.take(read(CHAIN))
        log.grown.clear()
        endings.note(THREAD, change("a", ended=False))
        endings.note(thread_id("T1", "C1", "2.0"), change("a"))
        assert log.ids == ["a"]
        endings.note(THREAD, change("a"))
        async with asyncio.timeout(30):
            await log.grown.wait()
        assert log.ids == ["a", "b"]
        await keeper.complete(packed=True)
    assert log.ids == ["a", "b", "c"]


async def test_what_ended_before_the_stream_holds_nothing_back() -> None:
    async def finished() -> Sequence[NodeId]:
        return [NodeId("a")]

    log, endings = Log(), NodeEndNotifier(ProgressInMemory())
    async with buffered_writer(PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, endings, THREAD, finished) as keeper:
        await keeper.take(read(CHAIN)[1:2])
        assert log.ids == ["b"]


async def test_a_model_that_breaks_off_leaves_everything_stored_as_written() -> None:
    log, endings = Log(), NodeEndNotifier(ProgressInMemory())

    async def planning() -> None:
        async with buffered_writer(PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, endings, THREAD, nothing) as keeper:
            await keeper.take(read(CHAIN))
            raise ModelUnavailable

    with pytest.raises(ModelUnavailable):
        await planning()
    assert log.ids == ["a", "b", "c"]


async def test_a_store_that_is_away_ends_the_keeping_with_its_error() -> None:
    log, endings = Log(), NodeEndNotifier(ProgressInMemory())

    async def planning() -> None:
        async with buffered_writer(PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, endings, THREAD, nothing) as keeper:
            await keeper.take(read(CHAIN))
            log.broken = True
            endings.note(THREAD, change("a"))

    with pytest.raises(StoreUnavailable):
        await planning()
