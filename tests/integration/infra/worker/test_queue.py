"""The wake job and the rows it is about, in one transaction."""

import asyncio
import json
from contextlib import suppress

import pytest
from psycopg import AsyncConnection
from sqlalchemy import text

from infra.db.database import Database
from infra.worker.queue import Queue
from tests.fakes.rows import OTHER, THREAD, waiting_jobs

_FETCH = text("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)")


async def _fetch(database: Database) -> int | None:
    """Take the next job as a worker does."""
    async with database.begin() as connection:
        return (await connection.execute(_FETCH)).scalar_one()


async def test_a_transaction_that_fails_wakes_nobody(database: Database, queue: Queue) -> None:
    async def fail() -> None:
        async with database.begin() as connection:
            await queue.wake(connection, THREAD)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await waiting_jobs(database) == 0


async def test_waking_twice_leaves_one_waiting_job_and_the_transaction_usable(database: Database, queue: Queue) -> None:
    for _ in range(2):
        async with database.begin() as connection:
            await queue.wake(connection, THREAD)
            await queue.wake(connection, OTHER)
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    assert (await waiting_jobs(database), await waiting_jobs(database, OTHER)) == (1, 1)


async def test_a_job_is_not_fetched_before_the_rows_it_is_about_are_committed(database: Database, queue: Queue) -> None:
    """A waiting job that ran now would not see them, and nobody would come back."""
    async with database.begin() as connection:
        await queue.wake(connection, THREAD)
    async with database.begin() as connection:
        await queue.wake(connection, THREAD)
        assert await _fetch(database) is None
    assert await _fetch(database) is not None


async def test_a_wake_that_loses_the_race_with_a_worker_puts_a_new_job(database: Database, queue: Queue) -> None:
    async with database.begin() as connection:
        await queue.wake(connection, THREAD)
    assert await _fetch(database) is not None
    async with database.begin() as connection:
        await queue.wake(connection, THREAD)
    assert await waiting_jobs(database) == 1
    assert await _fetch(database) is None  # the thread's lock is held by the first job


async def test_workers_are_told_when_a_waiting_jobs_rows_are_committed(database: Database, queue: Queue) -> None:
    async with database.begin() as connection:
        await queue.wake(connection, THREAD)
    async with await AsyncConnection.connect(database.conninfo, autocommit=True) as ear:
        await ear.execute("LISTEN procrastinate_any_queue_v1")
        async with database.begin() as connection:
            await queue.wake(connection, THREAD)
        heard = [notification async for notification in ear.notifies(timeout=30, stop_after=1)]
    assert json.loads(heard[0].payload)["type"] == "job_inserted"


async def test_racing_wakes_of_many_threads_end(database: Database, queue: Queue) -> None:
    async def wake(number: int) -> None:
        async with database.begin() as connection:
            await queue.wake(connection, OTHER if number % 2 else THREAD)

    await asyncio.gather(*(wake(number) for number in range(60)))
    assert (await waiting_jobs(database), await waiting_jobs(database, OTHER)) == (1, 1)


async def test_a_job_for_later_leaves_the_threads_lock_free(database: Database, queue: Queue) -> None:
    """A scheduled job with the lock would block it until it is due (procrastinate#1599)."""
    async with database.begin() as connection:
        await queue.wake_later(connection, THREAD, 3600, 1)
        await queue.wake_later(connection, THREAD, 3600, 2)
    async with database.begin() as connection:
        await queue.wake(connection, THREAD)
    assert await _fetch(database) is not None


async def test_queue_that_is_cancelled_while_it_opens_leaves_no_task_behind(database: Database) -> None:
    async def use() -> None:
        async with Queue(database).opened():
            await asyncio.Event().wait()

    before = asyncio.all_tasks()
    for turns in range(0, 200, 4):
        using = asyncio.create_task(use())
        for _ in range(turns):
            await asyncio.sleep(0)
        using.cancel()
        await asyncio.wait([using])
        assert asyncio.all_tasks() == before, f"cancelled after {turns} turns of the loop"


async def test_queue_whose_pool_swallows_the_cancellation_ends_nonetheless(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(database)
    opening = asyncio.Event()

    async def swallow() -> None:
        opening.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def use() -> None:
        async with queue.opened():
            pytest.fail("used after it was cancelled")

    monkeypatch.setattr(queue.app, "open_async", swallow)
    using = asyncio.create_task(use())
    await opening.wait()
    using.cancel()
    await asyncio.wait([using])
    assert using.cancelled()
