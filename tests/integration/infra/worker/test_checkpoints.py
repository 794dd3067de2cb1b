"""Checkpoints in PostgreSQL: what a saver reports, stores in groups, and keeps."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypedDict

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, empty_checkpoint
from langgraph.func import task  # pyright: ignore[reportMissingTypeStubs]  # typed inline
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed inline
from langgraph.types import Command, Interrupt, interrupt
from psycopg import AsyncCursor
from psycopg.errors import SerializationFailure
from psycopg.rows import DictRow

from agent.errors import RunnerLost, StoreUnavailable
from agent.ids import thread_id
from infra.db.database import Database
from infra.worker.checkpoints import GroupCommitSaver, Pool, open_pool

THREAD = thread_id("T1", "C1", "1.0")


@pytest.fixture
async def pool(database: Database) -> AsyncGenerator[Pool]:
    async with open_pool(database.conninfo) as pool:
        yield pool


async def stored(saver: GroupCommitSaver) -> RunnableConfig:
    """Store a checkpoint and return where its writes go."""
    place = RunnableConfig(configurable={"thread_id": THREAD, "checkpoint_ns": ""})
    return await saver.aput(place, empty_checkpoint(), CheckpointMetadata(step=1), {})


async def writes_of(pool: Pool) -> list[tuple[str, str, Any]]:
    """Return (task, channel, value) of every committed write, as another saver reads them."""
    saver = GroupCommitSaver(pool)
    found = await saver.aget_tuple(RunnableConfig(configurable={"thread_id": THREAD, "checkpoint_ns": ""}))
    assert found is not None
    return list(found.pending_writes or ())


async def test_committed_returns_only_after_others_can_read_the_write(pool: Pool):
    saver = GroupCommitSaver(pool)
    place = await stored(saver)
    writing = asyncio.create_task(saver.aput_writes(place, [("__return__", 1)], "task"))
    await saver.committed("task")
    assert await writes_of(pool) == [("task", "__return__", 1)]
    await writing


async def test_committed_waits_for_a_write_that_was_not_handed_over_yet(pool: Pool):
    saver = GroupCommitSaver(pool)
    place = await stored(saver)
    waiting = asyncio.create_task(saver.committed("task"))
    await saver.aput_writes(place, [("__return__", 1)], "other")
    assert not waiting.done()
    await saver.aput_writes(place, [("__return__", 2)], "task")
    await waiting


class CountingSaver(GroupCommitSaver):
    """Counts its commits, and can be told to fail one."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.batches: list[int] = []
        self.error: psycopg.Error | None = None

    async def _commit(self, batch: Sequence[Any]) -> Exception | None:
        self.batches.append(len(batch))
        return self.error or await super()._commit(batch)


async def test_writes_that_gather_during_a_commit_are_committed_together(pool: Pool):
    saver = CountingSaver(pool)
    place = await stored(saver)
    await asyncio.gather(*(saver.aput_writes(place, [("__return__", n)], f"task{n}") for n in range(100)))
    assert saver.batches == [1, 99]
    assert sorted(value for _, _, value in await writes_of(pool)) == list(range(100))


async def test_later_interrupt_of_a_task_replaces_the_earlier_one_and_a_result_does_not(pool: Pool):
    saver = GroupCommitSaver(pool)
    place = await stored(saver)
    first, second = Interrupt(value=1, id="a" * 32), Interrupt(value=2, id="b" * 32)
    await asyncio.gather(
        saver.aput_writes(place, [("__interrupt__", (first,))], "task"),
        saver.aput_writes(place, [("__interrupt__", (second,))], "task"),
        saver.aput_writes(place, [("__return__", "kept")], "task"),
        saver.aput_writes(place, [("__return__", "too late")], "task"),
    )
    assert {channel: value for _, channel, value in await writes_of(pool)} == {
        "__interrupt__": [second],
        "__return__": "kept",
    }


async def test_failed_commit_reaches_everyone_who_waits_for_it(pool: Pool):
    saver = CountingSaver(pool)
    place = await stored(saver)
    saver.error = psycopg.DataError()
    ended = await asyncio.gather(
        *(saver.aput_writes(place, [("__return__", n)], f"task{n}") for n in range(3)),
        saver.committed("task2"),
        return_exceptions=True,
    )
    assert {type(error) for error in ended} == {psycopg.DataError}


async def test_cancelled_commit_leaves_nobody_waiting(pool: Pool):
    saver = GroupCommitSaver(pool)
    place = await stored(saver)
    async with saver.lock:
        writing = [asyncio.create_task(saver.aput_writes(place, [("__return__", n)], f"task{n}")) for n in range(3)]
        await asyncio.sleep(0)
        writing[0].cancel()
        await asyncio.wait(writing)
    assert all(task.cancelled() for task in writing)


async def test_ended_saver_stores_nothing_more(pool: Pool):
    saver = GroupCommitSaver(pool)
    place = await stored(saver)
    await saver.end()
    for late in (saver.aput_writes(place, [("__return__", 1)], "task"), stored(saver), saver.prune_thread(THREAD)):
        with pytest.raises(RunnerLost):
            await late
    assert await writes_of(pool) == []


@pytest.fixture
async def one_connection(database: Database) -> AsyncGenerator[Pool]:
    async with open_pool(database.conninfo, max_size=1) as pool:
        yield pool


async def test_saver_ends_after_the_commit_that_waits_for_a_connection(one_connection: Pool):
    saver = GroupCommitSaver(one_connection)
    place = await stored(saver)
    async with one_connection.connection():
        writing = asyncio.create_task(saver.aput_writes(place, [("__return__", 1)], "task"))
        await asyncio.sleep(0)
        ending = asyncio.create_task(saver.end())
        await asyncio.wait([ending], timeout=0.1)
        assert not ending.done()
    await ending
    assert await writes_of(one_connection) == [("task", "__return__", 1)]
    await writing


async def test_saver_ends_though_its_commit_was_cancelled(one_connection: Pool):
    saver = GroupCommitSaver(one_connection)
    place = await stored(saver)
    async with one_connection.connection():
        writing = asyncio.create_task(saver.aput_writes(place, [("__return__", 1)], "task"))
        await asyncio.sleep(0)
        writing.cancel()
        await saver.end()
    assert writing.cancelled()
    assert await writes_of(one_connection) == []


async def test_values_of_unknown_classes_come_back_as_plain_data(pool: Pool):
    saver = GroupCommitSaver(pool)
    place = await stored(saver)
    await saver.aput_writes(place, [("__return__", THREAD_LIKE)], "task")
    ((_, _, value),) = await writes_of(pool)
    assert not isinstance(value, Pretender)


class Pretender:
    """A class no checkpoint may bring to life."""

    def __init__(self, text: str) -> None:
        self.text = text

    def model_dump(self) -> dict[str, str]:
        """Look like a pydantic model to the serialiser."""
        return {"text": self.text}


THREAD_LIKE = Pretender("x")


async def test_prune_keeps_the_newest_checkpoint_only(pool: Pool):
    saver = GroupCommitSaver(pool)
    places = [await stored(saver) for _ in range(3)]
    await saver.aput_writes(places[-1], [("__return__", 1)], "task")
    await saver.prune_thread(THREAD)
    everything = RunnableConfig(configurable={"thread_id": THREAD, "checkpoint_ns": ""})
    kept = [checkpoint async for checkpoint in GroupCommitSaver(pool).alist(everything)]
    assert [checkpoint.config for checkpoint in kept] == [places[-1]]
    assert await writes_of(pool) == [("task", "__return__", 1)]


async def test_prune_deletes_the_writes_of_a_checkpoint_that_a_dying_worker_never_stored(pool: Pool):
    saver = GroupCommitSaver(pool)
    never_stored, _, still_to_come = [await stored(saver) for _ in range(3)]
    await saver.aput_writes(never_stored, [("__return__", 1)], "lost task")
    await saver.aput_writes(still_to_come, [("__return__", 2)], "early task")
    places = [place.get("configurable", {})["checkpoint_id"] for place in (never_stored, still_to_come)]
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM checkpoints WHERE checkpoint_id = ANY(%s)", [places])
        await GroupCommitSaver(pool).prune_thread(THREAD)
        kept = await connection.execute("SELECT task_id FROM checkpoint_writes")
        assert await kept.fetchall() == [{"task_id": "early task"}]


async def test_prune_tries_again_when_another_writer_was_in_its_way(pool: Pool, monkeypatch: pytest.MonkeyPatch):
    saver = GroupCommitSaver(pool)
    await stored(saver)
    tries: list[SerializationFailure | None] = [None, SerializationFailure(), SerializationFailure()]
    cursor_of = saver._cursor  # pyright: ignore[reportPrivateUsage]  # where the database's errors come from

    @asynccontextmanager
    async def cursor() -> AsyncGenerator[AsyncCursor[DictRow]]:
        async with cursor_of() as opened:
            if (failure := tries.pop()) is not None:
                raise failure
            yield opened

    monkeypatch.setattr(saver, "_cursor", cursor)
    await saver.prune_thread(THREAD)
    assert not tries


async def test_savers_of_several_jobs_do_not_wait_for_each_other(pool: Pool):
    held = GroupCommitSaver(pool)
    async with held.lock:
        await stored(GroupCommitSaver(pool))


async def test_database_out_of_reach_is_the_stores_error():
    async with open_pool("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1", timeout=0.5) as pool:
        with pytest.raises(StoreUnavailable):
            await GroupCommitSaver(pool).aget_tuple(RunnableConfig(configurable={"thread_id": THREAD}))


async def test_connections_of_a_dead_worker_are_refused(database: Database):
    async def refuse(connection: psycopg.AsyncConnection[Any]) -> None:
        raise RunnerLost

    async with open_pool(database.conninfo, configure=refuse, timeout=0.5) as pool:
        with pytest.raises(StoreUnavailable):
            await GroupCommitSaver(pool).aget_tuple(RunnableConfig(configurable={"thread_id": THREAD}))


async def test_names_of_finished_calls_do_not_stay_in_the_checkpoint(pool: Pool):
    class Turns(TypedDict):
        turn: int

    def call(name: str) -> asyncio.Future[str]:
        async def body() -> str:
            return name

        named: Any = task(name=name)
        return named(body)()

    async def run(state: Turns) -> Turns:
        names = [f"turn {state['turn']} node {at}" for at in range(20)]
        assert await asyncio.gather(*map(call, names)) == names
        if state["turn"] % 2:
            interrupt("a person is asked")
        return Turns(turn=state["turn"])

    graph: Any = StateGraph(Turns)
    graph.add_node("run", run)
    graph.add_edge(START, "run")
    place = RunnableConfig(configurable={"thread_id": THREAD})
    seen: list[set[str]] = []
    for turn in range(4):
        saver = GroupCommitSaver(pool)
        compiled = graph.compile(checkpointer=saver)
        await compiled.ainvoke(Turns(turn=turn), place)
        if turn % 2:
            await compiled.ainvoke(Command(resume=True), place)
        assert (await compiled.aget_state(place)).next == ()
        found = await saver.aget_tuple(place)
        assert found is not None
        seen.append(set(found.checkpoint["versions_seen"]))
    assert {name for names in seen for name in names} == {"__start__", "run", "__interrupt__"}
