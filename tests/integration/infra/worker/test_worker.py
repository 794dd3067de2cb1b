"""Workers on a real queue: one runner per thread, whatever happens to the others."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
from psycopg import sql
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import RunnerLost, StoreUnavailable
from agent.ids import ThreadId
from infra.db.database import Database, new_worker_id
from infra.db.embedded_postgres import HeldPostgres
from infra.stores.stores import Stores
from infra.worker.lease import Leases, ThreadLease
from infra.worker.queue import Queue
from infra.worker.worker import Advance, Chore, Worker, WorkerLost
from tests.databases import administrator
from tests.fakes.rows import ADA, OTHER, THREAD, a_message, an_add, waiting_jobs
from tests.fakes.worker_process import FAST


@asynccontextmanager
async def working(
    url: URL,
    advance: Advance,
    concurrency: int = 8,
    give_up: Callable[[ThreadId], Awaitable[object]] | None = None,
    chores: tuple[Chore, ...] = (),
) -> AsyncGenerator[Worker]:
    """Run a worker while the context lasts."""
    database = Database(url, worker=new_worker_id())
    worker = Worker(
        database, Queue(database), advance, concurrency=concurrency, chores=chores, give_up=give_up, timings=FAST
    )
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            await database.close()


@asynccontextmanager
async def worker_process(url: URL) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run `tests.fakes.worker_process` while the context lasts."""
    address = url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.fakes.worker_process", address)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - rows change in another process
            await asyncio.sleep(0.02)


async def authors(stores: Stores, thread: ThreadId = THREAD) -> list[str]:
    """Return who appended the thread's operations, in order."""
    return [entry.author for entry in await stores.log.after(thread, 0)]


async def nothing_to_do(database: Database) -> bool:
    """Return whether no job waits or runs."""
    unfinished = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    async with database.begin() as connection:
        return (await connection.execute(text(unfinished))).scalar_one() == 0


async def has_written(stores: Stores) -> bool:
    """Return whether the thread's log has operations."""
    return bool(await authors(stores))


async def test_a_message_has_its_thread_advanced_under_a_lease(database_url: URL, stores: Stores) -> None:
    advanced: asyncio.Queue[ThreadId] = asyncio.Queue()

    async def advance(thread: ThreadId, lease: ThreadLease) -> None:
        await lease.check()
        advanced.put_nowait(thread)

    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        assert await advanced.get() == THREAD


async def test_wakes_during_a_run_lead_to_exactly_one_more(
    database_url: URL, stores: Stores, database: Database
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    runs = 0

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await go_on.wait()

    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        await started.wait()
        await asyncio.gather(*(stores.inbox.accept(a_message(str(n), ts=f"2.{n}")) for n in range(20)))
        go_on.set()
        await until(lambda: nothing_to_do(database))
    assert runs == 2


async def test_two_workers_never_run_one_thread_at_once(database_url: URL, stores: Stores, database: Database) -> None:
    running: Counter[ThreadId] = Counter()
    advanced: Counter[ThreadId] = Counter()
    worst = 0

    async def advance(thread: ThreadId, _lease: ThreadLease) -> None:
        nonlocal worst
        running[thread] += 1
        worst = max(worst, running[thread])
        await asyncio.sleep(0.005)
        running[thread] -= 1
        advanced[thread] += 1

    threads = [ThreadId(f"T1:C1:{number}.0") for number in range(10)]
    async with working(database_url, advance), working(database_url, advance):
        for number in range(10):
            await asyncio.gather(
                *(stores.inbox.accept(a_message(ts=f"{thread}.{number}", thread=thread)) for thread in threads)
            )
        await until(lambda: nothing_to_do(database))
    assert worst == 1
    assert set(advanced) == set(threads)


async def test_a_failed_run_is_tried_again(database_url: URL, stores: Stores, database: Database) -> None:
    tries: asyncio.Queue[int] = asyncio.Queue()
    count = 0

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        nonlocal count
        count += 1
        tries.put_nowait(count)
        if count < 3:
            raise ValueError("a fault")

    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        while await tries.get() < 3:
            pass
        await until(lambda: nothing_to_do(database))
    assert count == 3


async def test_a_thread_that_keeps_failing_is_given_up_and_reported(database_url: URL, stores: Stores) -> None:
    told: asyncio.Queue[ThreadId] = asyncio.Queue()
    tries = 0

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        nonlocal tries
        tries += 1
        raise ValueError("a fault")

    async with working(database_url, advance, give_up=told.put):
        await stores.inbox.accept(a_message())
        async with asyncio.timeout(60):
            assert await told.get() == THREAD
    assert tries == 1 + len(FAST.retry)


async def test_a_wake_survives_a_database_that_is_away_when_the_lease_is_taken(
    database_url: URL, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a job once failed, was deleted, and its thread was never looked at again."""
    advanced = asyncio.Event()
    tries = 0

    class Flaky(Leases):
        async def take(self, thread: ThreadId, job: int, queue_worker: int) -> ThreadLease | None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise StoreUnavailable
            return await super().take(thread, job, queue_worker)

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        advanced.set()

    monkeypatch.setattr("infra.worker.worker.Leases", Flaky)
    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        async with asyncio.timeout(60):
            await advanced.wait()


async def test_a_shutdown_hands_the_thread_to_another_worker(database_url: URL, stores: Stores) -> None:
    started: asyncio.Queue[str] = asyncio.Queue()

    def runner(name: str) -> Advance:
        async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
            started.put_nowait(name)
            if name == "first":
                await asyncio.Event().wait()

        return advance

    async with working(database_url, runner("first")):
        await stores.inbox.accept(a_message())
        assert await started.get() == "first"
    async with working(database_url, runner("second")):
        assert await started.get() == "second"


async def test_a_killed_workers_thread_is_taken_over(database_url: URL, stores: Stores) -> None:
    taken_over = asyncio.Event()

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        taken_over.set()

    async with worker_process(database_url) as process:
        await stores.inbox.accept(a_message())
        await until(lambda: has_written(stores))
        process.kill()
        await process.wait()
        async with working(database_url, advance):
            async with asyncio.timeout(60):
                await taken_over.wait()


async def test_a_killed_workers_thread_with_a_waiting_job_is_taken_over_once(
    database_url: URL, stores: Stores, database: Database
) -> None:
    """A successor that waits already made the retry of a stalled job fail (procrastinate#1543)."""
    runs = 0

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        nonlocal runs
        runs += 1

    async with worker_process(database_url) as process:
        await stores.inbox.accept(a_message())
        await until(lambda: has_written(stores))
        await stores.inbox.accept(a_message(ts="2.0"))
        assert await waiting_jobs(database) == 1
        process.kill()
        await process.wait()
        async with working(database_url, advance):
            await until(lambda: nothing_to_do(database))
    assert runs == 1


async def test_a_suspended_worker_that_goes_on_writes_nothing_more(database_url: URL, stores: Stores) -> None:
    async def advance(thread: ThreadId, _lease: ThreadLease) -> None:
        await stores.log.append(thread, 1, ADA, [an_add("taken-over")])
        await asyncio.Event().wait()

    async with worker_process(database_url) as zombie:
        await stores.inbox.accept(a_message())
        await until(lambda: has_written(stores))
        zombie.send_signal(signal.SIGSTOP)
        async with working(database_url, advance):

            async def taken_over() -> bool:
                return (await authors(stores))[-1] == ADA

            await until(taken_over)
            zombie.send_signal(signal.SIGCONT)
            async with asyncio.timeout(60):
                await zombie.wait()  # it notices, and ends by itself
            assert (await authors(stores))[-1] == ADA


async def test_a_worker_that_learns_of_its_death_from_a_run_leaves_the_job_to_its_successor(
    database_url: URL, stores: Stores, database: Database
) -> None:
    """Its connections may still live: such a job was once reported as done, and its thread never looked at again."""
    taken_over = asyncio.Event()

    async def dying(_thread: ThreadId, _lease: ThreadLease) -> None:
        async with database.begin() as connection:
            await connection.execute(text("UPDATE workers SET dead_at = now()"))
        raise RunnerLost

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        taken_over.set()

    with suppress(WorkerLost):
        async with working(database_url, dying):
            await stores.inbox.accept(a_message())

            async def dead() -> bool:
                async with database.begin() as connection:
                    return bool((await connection.execute(text("SELECT count(dead_at) FROM workers"))).scalar_one())

            await until(dead)
            async with working(database_url, advance), asyncio.timeout(60):
                await taken_over.wait()
    assert taken_over.is_set()


async def test_a_worker_that_starts_before_its_database_waits_for_it(
    database_url: URL, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    advanced = asyncio.Event()
    tries = 0
    autocommit = Database.autocommit

    def away(database: Database) -> AbstractAsyncContextManager[AsyncConnection]:
        nonlocal tries
        if database.worker is not None and (tries := tries + 1) < 3:
            raise StoreUnavailable
        return autocommit(database)

    async def advance(_thread: ThreadId, _lease: ThreadLease) -> None:
        advanced.set()

    await stores.inbox.accept(a_message())
    monkeypatch.setattr(Database, "autocommit", away)
    async with working(database_url, advance), asyncio.timeout(60):
        await advanced.wait()
    assert tries >= 3


async def test_a_worker_that_was_refused_a_connection_to_listen_hears_of_jobs_again(
    postgres: HeldPostgres, database_url: URL, stores: Stores
) -> None:
    name = sql.Identifier(str(database_url.database))
    found = sql.SQL("SELECT {} FROM pg_stat_activity WHERE datname = {} AND query LIKE 'LISTEN%procrastinate%'")
    count, ended = (
        found.format(sql.SQL(what), sql.Literal(database_url.database))
        for what in ("count(*)", "pg_terminate_backend(pid)")
    )
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    advanced: asyncio.Queue[ThreadId] = asyncio.Queue()

    async def advance(thread: ThreadId, _lease: ThreadLease) -> None:
        advanced.put_nowait(thread)

    with administrator(postgres) as admin:

        async def listens() -> bool:
            return admin.execute(count).fetchone() == (1,)

        async with working(database_url, advance):
            await until(listens)
            admin.execute(allow.format(name, sql.SQL("false")))
            admin.execute(ended)
            await asyncio.sleep(1)  # in which it tries to connect
            admin.execute(allow.format(name, sql.SQL("true")))
            await until(listens)
            await stores.inbox.accept(a_message())
            assert await advanced.get() == THREAD


async def test_a_live_workers_lease_is_not_taken(database_url: URL, stores: Stores) -> None:
    started, other_done = asyncio.Event(), asyncio.Event()
    leases: list[ThreadLease] = []

    async def advance(thread: ThreadId, lease: ThreadLease) -> None:
        if thread == OTHER:
            other_done.set()
            return
        leases.append(lease)
        started.set()
        await asyncio.Event().wait()

    async with working(database_url, advance):
        await stores.inbox.accept(a_message())
        await started.wait()
        async with working(database_url, advance):
            await stores.inbox.accept(a_message(thread=OTHER, ts="9.0"))
            await other_done.wait()
            await asyncio.sleep(FAST.stall)  # long enough for recovery to err
            await leases[0].check()
            assert len(leases) == 1
