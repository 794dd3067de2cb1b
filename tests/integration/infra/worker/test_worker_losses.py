"""Where a wake, or a thread's turn, could be lost: at the ends of jobs, of workers and of connections."""

import asyncio
from contextlib import suppress

import pytest
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import StoreUnavailable
from agent.ids import ThreadId
from infra.db.database import Database, new_worker_id, worker_application
from infra.stores.stores import Stores
from infra.worker.lease import Leases, ThreadLease
from infra.worker.queue import JobFetcher, Queue
from infra.worker.worker import Worker
from tests.fakes.rows import a_message
from tests.fakes.worker_process import FAST
from tests.integration.infra.worker.test_worker import nothing_to_do, until, working

_BEAT = text("SELECT count(*) FROM workers WHERE dead_at IS NULL AND heartbeat_at > :since")
_END_CONNECTIONS = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :name")


async def test_a_worker_that_shuts_down_sends_heartbeats_until_its_last_job_has_ended(
    database_url: URL, stores: Stores, database: Database
) -> None:
    """Once its heartbeat stopped at once: people were asked about a slow red call that was still running."""
    begun, ends = asyncio.Event(), asyncio.Event()

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await ends.wait()

    own = Database(database_url, worker=new_worker_id())
    running = asyncio.create_task(Worker(own, Queue(own), advance, timings=FAST).run())
    await stores.inbox.accept(a_message())
    await begun.wait()
    running.cancel()
    async with database.begin() as connection:
        told_at = (await connection.execute(text("SELECT now()"))).scalar_one()

    async def beats() -> bool:
        async with database.begin() as connection:
            since = (await connection.execute(text("SELECT :at + interval '1 second'"), {"at": told_at})).scalar_one()
            return bool((await connection.execute(_BEAT, {"since": since})).scalar_one())

    try:
        await until(beats)
        assert not running.done()
    finally:
        ends.set()
        with suppress(asyncio.CancelledError):
            await running
        await own.close()


async def jobs(database: Database) -> int:
    """Return how many jobs the queue keeps, whatever became of them."""
    async with database.begin() as connection:
        return (await connection.execute(text("SELECT count(*) FROM procrastinate_jobs"))).scalar_one()


async def test_a_wake_outlives_a_worker_that_ends_while_it_takes_the_lease(
    database_url: URL, stores: Stores, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking, advanced = asyncio.Event(), asyncio.Event()
    take = Leases.take

    async def slow(leases: Leases, thread: ThreadId, job: int, queue_worker: int) -> ThreadLease | None:
        if not taking.is_set():
            taking.set()
            await asyncio.Event().wait()
        return await take(leases, thread, job, queue_worker)

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        advanced.set()

    monkeypatch.setattr(Leases, "take", slow)
    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        await taking.wait()
    async with working(database_url, advance), asyncio.timeout(60):
        await advanced.wait()
    assert await jobs(database) == 0


async def test_a_second_try_outlives_a_database_that_is_away_when_it_is_due(
    database_url: URL, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried_again = asyncio.Event()
    tries, away = 0, True
    wake = Queue.wake

    async def flaky(queue: Queue, connection: AsyncConnection, thread: ThreadId, failures: int = 0) -> None:
        nonlocal away
        if failures and away:
            away = False
            raise StoreUnavailable
        await wake(queue, connection, thread, failures)

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("a fault")
        tried_again.set()

    monkeypatch.setattr(Queue, "wake", flaky)
    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        async with asyncio.timeout(60):
            await tried_again.wait()


async def test_a_chore_that_breaks_ends_no_worker(database_url: URL, stores: Stores) -> None:
    advanced, broke_twice = asyncio.Event(), asyncio.Event()
    times = 0

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        advanced.set()

    async def breaks() -> None:
        nonlocal times
        times += 1
        if times == 2:
            broke_twice.set()
        raise ValueError("a fault")

    async with working(database_url, advance, chores=(breaks,)), asyncio.timeout(60):
        await broke_twice.wait()
        await stores.inbox.accept(a_message())
        await advanced.wait()


@pytest.mark.parametrize("lost", ["every connection", "only the word"])
async def test_a_thread_goes_on_though_the_queue_was_not_told_that_its_job_is_over(
    database_url: URL, stores: Stores, database: Database, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    runs: asyncio.Queue[int] = asyncio.Queue()
    count = 0
    finish = JobManager.finish_job

    async def lose_the_first(manager: JobManager, job: Job, status: Status, delete_job: bool) -> None:
        monkeypatch.setattr(JobManager, "finish_job", finish)
        raise ConnectorException

    async def advance(_thread: ThreadId, lease: ThreadLease) -> None:
        nonlocal count
        count += 1
        if count == 1 and lost == "every connection":
            async with database.begin() as connection:
                await connection.execute(_END_CONNECTIONS, {"name": worker_application(lease.worker)})
        runs.put_nowait(count)

    if lost == "only the word":
        monkeypatch.setattr(JobManager, "finish_job", lose_the_first)
    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        await runs.get()
        await stores.inbox.accept(a_message("later", ts="2.0"))
        async with asyncio.timeout(60):
            await runs.get()
        await until(lambda: nothing_to_do(database))


async def test_a_worker_ends_though_its_queue_keeps_the_word_to_itself(
    database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue that is told to end while it begins may simply return."""
    own = Database(database_url, worker=new_worker_id())
    queue, begun = Queue(own), asyncio.Event()

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        raise AssertionError

    async def keeps_it(_fetcher: JobFetcher) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(JobFetcher, "run", keeps_it)
    running = asyncio.create_task(Worker(own, queue, advance, timings=FAST).run())
    await begun.wait()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=60)
    assert done
    assert running.cancelled()
    await own.close()
