"""The operation log on PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import text

from agent.errors import DuplicateNode
from agent.ids import NodeId
from agent.plan.operations import Add, Cancel, Node, NodeKind
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, GRACE, OTHER, THREAD, an_add


async def test_racing_appenders_number_without_gaps_and_keep_each_batch_together(stores: Stores) -> None:
    async def append(name: str) -> None:
        for number in range(10):
            await stores.log.append(THREAD, 1, ADA, [an_add(f"{name}{number}a"), an_add(f"{name}{number}b")])

    async with asyncio.TaskGroup() as group:
        for name in ("x", "y", "z"):
            group.create_task(append(name))
    logged = await stores.log.after(THREAD, 0)
    assert [entry.seq for entry in logged] == list(range(1, 61))
    ids = [entry.operation.node.id for entry in logged if isinstance(entry.operation, Add)]
    assert all(first[:-1] == second[:-1] for first, second in zip(ids[::2], ids[1::2], strict=True))


async def test_no_reader_sees_a_number_before_a_smaller_one(stores: Stores) -> None:
    """`seq > n` would skip an operation that commits late."""
    done = False
    seen: list[int] = []

    async def read() -> None:
        while not done:
            seen.extend(entry.seq for entry in await stores.log.after(THREAD, seen[-1] if seen else 0))

    reader = asyncio.create_task(read())
    await asyncio.gather(*(stores.log.append(THREAD, 1, ADA, [an_add(f"n{number}")]) for number in range(40)))
    done = True
    await reader
    seen.extend(entry.seq for entry in await stores.log.after(THREAD, seen[-1] if seen else 0))
    assert seen == list(range(1, 41))


async def test_adding_a_known_node_stores_nothing_of_the_batch(stores: Stores) -> None:
    await stores.log.append(THREAD, 1, ADA, [an_add("a")])
    with pytest.raises(DuplicateNode) as caught:
        await stores.log.append(THREAD, 1, ADA, [an_add("b"), an_add("a")])
    assert caught.value.node == "a"
    await stores.log.append(THREAD, 1, GRACE, [Cancel(id=NodeId("a"), why="no")])
    assert [(entry.seq, entry.author) for entry in await stores.log.after(THREAD, 0)] == [(1, ADA), (2, GRACE)]


async def test_a_batch_that_adds_a_node_twice_is_refused(stores: Stores) -> None:
    with pytest.raises(DuplicateNode) as caught:
        await stores.log.append(THREAD, 1, ADA, [an_add("a"), an_add("b"), an_add("b")])
    assert caught.value.node == "b"


async def test_what_was_read_of_a_log_is_not_read_again(stores: Stores, database: Database) -> None:
    first = await stores.log.append(THREAD, 1, ADA, [an_add("a"), an_add("b")])
    assert list(await stores.log.after(THREAD, 1)) == list(first[1:])
    async with database.begin() as connection:
        await connection.execute(text("UPDATE operations SET author = 'nobody'"))
    assert list(await stores.log.after(THREAD, 0)) == list(first)
    second = await stores.log.append(THREAD, 2, GRACE, [an_add("c")])
    assert list(await stores.log.after(THREAD, 0)) == [*first, *second]
    assert list(await stores.log.after(THREAD, 2)) == list(second)


async def test_readers_at_the_same_time_see_each_operation_once(stores: Stores) -> None:
    await stores.log.append(THREAD, 1, ADA, [an_add(f"n{number}") for number in range(20)])
    for logged in await asyncio.gather(*(stores.log.after(THREAD, 0) for _ in range(8))):
        assert [entry.seq for entry in logged] == list(range(1, 21))


async def test_threads_have_logs_of_their_own(stores: Stores) -> None:
    await stores.log.append(THREAD, 1, ADA, [an_add("a")])
    await stores.log.append(OTHER, 1, ADA, [an_add("a")])
    assert [entry.seq for entry in await stores.log.after(OTHER, 0)] == [1]


async def test_a_stored_node_is_the_planned_one_to_the_last_character(stores: Stores) -> None:
    args = {"float": 1e22, "one": 1.0, "nul": "\0", "half": "\ud800", "z": 1, "a": [None, True]}
    node = Node(id=NodeId("a"), kind=NodeKind.TOOL, title="t", args=args)
    await stores.log.append(THREAD, 1, ADA, [Add(node=node)])
    (logged,) = await stores.log.after(THREAD, 0)
    assert isinstance(logged.operation, Add)
    assert logged.operation.node == node


async def test_appending_is_news(stores: Stores) -> None:
    with stores.run_views.watch(THREAD) as news:
        await stores.log.append(THREAD, 1, ADA, [an_add("a")])
        assert await news.wait(10)
