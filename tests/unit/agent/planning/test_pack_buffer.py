"""Which nodes of a streamed plan are held back, and when they are stored."""

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


def offered(*plan: Any) -> tuple[PackBuffer, list[str]]:
    """Offer a plan; return the buffer, and the ids of the nodes to store at once."""
    buffer = PackBuffer(REGISTRY, DEFAULT_LIMITS)
    return buffer, [node for operation in read(plan) for node in ids(buffer.offer(operation))]


def ids(operations: Sequence[Operation]) -> list[str]:
    return [operation.node.id if isinstance(operation, Add) else f"cancel {operation.id}" for operation in operations]


CHAIN = tool("a"), tool("b", "a"), tool("c", "b")


def test_buffer_stores_nodes_that_can_start_and_holds_the_others_until_they_are_packed() -> None:
    buffer, stored = offered(*CHAIN)
    assert stored == ["a"]
    [package] = buffer.all_packed().operations
    assert isinstance(package, Add)
    assert [step.id for step in package.node.packed] == ["b", "c"]
    assert buffer.all_as_written() == []


def test_buffer_releases_as_written_only_nodes_that_can_start() -> None:
    buffer, _ = offered(*CHAIN)
    assert buffer.ended(NodeId("a"))
    assert ids(buffer.released()) == ["b"]
    assert not buffer.ended(NodeId("x"))
    assert ids(buffer.all_as_written()) == ["c"]


def test_buffer_stores_at_once_a_node_behind_finished_ones() -> None:
    buffer = PackBuffer(REGISTRY, DEFAULT_LIMITS)
    buffer.ended(NodeId("a"))
    assert [ids(buffer.offer(step)) for step in read(CHAIN)[1:]] == [["b"], []]


def test_cancel_of_a_stored_node_stores_first_the_held_nodes_that_may_need_it() -> None:
    """Else a finished node that was taken back would still be built on."""
    buffer, _ = offered(tool("a"), tool("slow"), tool("b", "a", "slow"), tool("red", "b", tool="post", text="x"))
    buffer.ended(NodeId("a"))
    assert ids(buffer.offer(Cancel(id=NodeId("a")))) == ["b", "red", "cancel a"]


def test_red_node_is_held_only_behind_a_held_one() -> None:
    _, stored = offered(*CHAIN, tool("red", "a", tool="post", text="x"), tool("later", "c", tool="post", text="x"))
    assert stored == ["a", "red"]


def test_cancel_of_a_held_node_stores_all_held_nodes_first() -> None:
    buffer, _ = offered(*CHAIN)
    assert ids(buffer.offer(Cancel(id=NodeId("b")))) == ["b", "c", "cancel b"]
    assert ids(buffer.offer(Cancel(id=NodeId("a")))) == ["cancel a"]


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


async def test_node_end_stores_its_dependent_while_the_model_is_silent() -> None:
    log, node_ends = Log(), NodeEndNotifier(ProgressInMemory())
    async with buffered_writer(PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, node_ends, THREAD, nothing) as writer:
        await writer.take(read(CHAIN))
        log.grown.clear()
        node_ends.note(THREAD, change("a", ended=False))
        node_ends.note(thread_id("T1", "C1", "2.0"), change("a"))
        assert log.ids == ["a"]
        node_ends.note(THREAD, change("a"))
        async with asyncio.timeout(30):
            await log.grown.wait()
        assert log.ids == ["a", "b"]
        await writer.complete(packed=True)
    assert log.ids == ["a", "b", "c"]


async def test_node_that_ended_before_the_stream_holds_nothing_back() -> None:
    async def finished() -> Sequence[NodeId]:
        return [NodeId("a")]

    log, node_ends = Log(), NodeEndNotifier(ProgressInMemory())
    async with buffered_writer(PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, node_ends, THREAD, finished) as writer:
        await writer.take(read(CHAIN)[1:2])
        assert log.ids == ["b"]


async def test_model_that_breaks_off_leaves_everything_stored_as_written() -> None:
    log, node_ends = Log(), NodeEndNotifier(ProgressInMemory())

    async def planning() -> None:
        async with buffered_writer(
            PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, node_ends, THREAD, nothing
        ) as writer:
            await writer.take(read(CHAIN))
            raise ModelUnavailable

    with pytest.raises(ModelUnavailable):
        await planning()
    assert log.ids == ["a", "b", "c"]


async def test_store_that_is_away_ends_the_writing_with_its_error() -> None:
    log, node_ends = Log(), NodeEndNotifier(ProgressInMemory())

    async def planning() -> None:
        async with buffered_writer(
            PackBuffer(REGISTRY, DEFAULT_LIMITS), log.store, node_ends, THREAD, nothing
        ) as writer:
            await writer.take(read(CHAIN))
            log.broken = True
            node_ends.note(THREAD, change("a"))

    with pytest.raises(StoreUnavailable):
        await planning()
