"""Presence: a worker that died is missed at once; one that lives and lost its connections, or its server, is not."""

import asyncio
import fcntl
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Executable, text

from agent.errors import StoreUnavailable
from agent.tool import uptime_seconds
from infra.db.database import Database, WorkerId, worker_application
from infra.db.embedded_postgres import HeldPostgres, hold_postgres, locked
from infra.db.migrate import migrate
from infra.worker.presence import Missed, Presence, Vitals
from infra.worker.queue import Queue
from infra.worker.recovery import take_over_missed
from tests.fakes.lease_process import Process, held
from tests.fakes.rows import THREAD, waiting_jobs
from tests.integration.infra.worker.test_worker import until

LOOK_SECONDS = 0.05

GUARD_SECONDS = 120.0

_SINCE = text("SELECT since FROM worker_sessions WHERE worker = :worker")
_IS_DEAD = text("SELECT dead_at IS NOT NULL FROM workers WHERE id = :worker")
_CUT = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :name")


@pytest.fixture
def own_folder() -> Generator[Path]:
    """A folder for a database server of this test alone; not pytest's own, which is closed to the server's user."""
    with tempfile.TemporaryDirectory(prefix="greenlight-presence-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
        _wait_until_stopped(Path(folder) / "data")


@asynccontextmanager
async def present(process: Process, vitals: Vitals | None = None) -> AsyncGenerator[asyncio.Queue[Sequence[Missed]]]:
    """Keep the process's lock while the context lasts; yield whom it misses, without any patience."""
    found: asyncio.Queue[Sequence[Missed]] = asyncio.Queue()
    presence = Presence(
        process.database,
        process.id,
        found.put,
        vitals=vitals or Vitals(margin_seconds=60.0),
        look_seconds=LOOK_SECONDS,
        look_alone_seconds=LOOK_SECONDS,
        retry_seconds=LOOK_SECONDS,
        suspicion_seconds=0.0,
    )
    keeping = asyncio.create_task(presence.keep())
    try:
        yield found
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def value(database: Database, query: Executable, worker: WorkerId) -> object:
    """Return the one value that the query finds."""
    async with database.begin() as connection:
        return (await connection.execute(query, {"worker": worker})).scalar_one_or_none()


async def until_locked(database: Database, worker: WorkerId, before: object = None) -> None:
    """Return once the worker has noted that it took its lock, at another time than `before`."""

    async def noted() -> bool:
        return await value(database, _SINCE, worker) not in (None, before)

    await until(noted)


async def missed(found: asyncio.Queue[Sequence[Missed]], worker: WorkerId) -> tuple[Missed, set[WorkerId]]:
    """Return the worker once it is missed, and all that were missed until then."""
    names: set[WorkerId] = set()
    async with asyncio.timeout(GUARD_SECONDS):
        while True:
            for one in await found.get():
                names.add(one.worker)
                if one.worker == worker:
                    return one, names


async def test_a_worker_whose_process_died_has_its_threads_handed_over_without_a_wait_for_its_silence(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    async with present(other) as found:
        async with present(process):
            await until_locked(database, process.id)
            await held(database, queue, process)
        await process.database.close()  # with its last connection gone it is what a killed process leaves
        dead, _ = await missed(found, process.id)
        assert await take_over_missed(database, queue, [dead]) == 1
    assert await waiting_jobs(database) == 1


async def test_a_job_fetched_right_before_the_process_died_is_handed_over(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    async with present(other) as found:
        async with present(process):
            await until_locked(database, process.id)
            async with database.begin() as connection:
                await queue.wake(connection, THREAD)
            assert await process.fetch() is not None
        await process.database.close()
        dead, _ = await missed(found, process.id)
        assert await take_over_missed(database, queue, [dead]) == 1
    assert await waiting_jobs(database) == 1


async def test_a_worker_with_a_connection_left_is_not_declared_dead(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    async with present(other) as found:
        async with present(process):
            await until_locked(database, process.id)
            await held(database, queue, process)
        suspected, _ = await missed(found, process.id)
        assert await take_over_missed(database, queue, [suspected]) == 0
    assert await value(database, _IS_DEAD, process.id) is False


async def test_a_worker_that_sent_a_heartbeat_meanwhile_is_not_declared_dead(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    async with present(other) as found:
        async with present(process):
            await until_locked(database, process.id)
        await process.database.close()
        suspected, _ = await missed(found, process.id)
        await process.beat(database)
        assert await take_over_missed(database, queue, [suspected]) == 0


async def test_a_worker_whose_connections_were_all_cut_takes_its_lock_anew_and_lives(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    async with present(process), present(other):
        await until_locked(database, process.id)
        async with database.begin() as connection:
            heartbeat = text("SELECT heartbeat_at FROM workers WHERE id = :worker")
            heartbeat_at = (await connection.execute(heartbeat, {"worker": process.id})).scalar_one()
            since = (await connection.execute(_SINCE, {"worker": process.id})).scalar_one()
            await connection.execute(_CUT, {"name": worker_application(process.id)})
        suspected = Missed(worker=process.id, heartbeat_at=heartbeat_at, since=since, dead=False)
        await until_locked(database, process.id, before=since)
        assert await take_over_missed(database, queue, [suspected]) == 0
        assert await value(database, _IS_DEAD, process.id) is False


async def test_nothing_is_sent_while_the_lock_is_lost(database: Database, process: Process) -> None:
    """Another worker soon takes a lock that is free for a sign of death."""
    vitals = Vitals(margin_seconds=3600.0)
    async with present(process, vitals):
        await until_locked(database, process.id)
        await until(lambda: _sends(vitals, sends=True))
        async with database.begin() as connection:
            await connection.execute(text("UPDATE workers SET dead_at = now() WHERE id = :id"), {"id": process.id})
        async with database.begin() as connection:
            await connection.execute(_CUT, {"name": worker_application(process.id)})
        await until(lambda: _sends(vitals, sends=False))


async def _sends(vitals: Vitals, *, sends: bool) -> bool:
    return (uptime_seconds() <= vitals.not_after()) is sends


@pytest.mark.parametrize("crashed", [False, True], ids=["restarted", "crashed"])
async def test_a_worker_that_lost_its_lock_with_the_server_is_not_missed(own_folder: Path, *, crashed: bool) -> None:
    data = own_folder
    with ExitStack() as server:
        postgres = server.enter_context(hold_postgres(data))
        await asyncio.to_thread(migrate, postgres.url())
        async with AsyncExitStack() as stack:
            away, dying, watching = [await _registered(stack, postgres.url()) for _ in range(3)]
            async with present(away):
                await until_locked(away.database, away.id)
                if crashed:
                    await asyncio.to_thread(_crash, postgres)
                else:
                    await asyncio.to_thread(server.close)
            # From here on nobody keeps the lock of `away`: it lives, and has not come back yet.
            if not crashed:
                await asyncio.to_thread(_wait_until_stopped, data)
                await asyncio.to_thread(server.enter_context, hold_postgres(data))
            async with present(watching) as found:
                async with present(dying):
                    await until(lambda: _answers(watching.database))
                    await until_locked(watching.database, dying.id)
                _, names = await missed(found, dying.id)
            assert away.id not in names


async def _registered(stack: AsyncExitStack, url: URL) -> Process:
    process = Process(url)
    stack.push_async_callback(process.database.close)
    await process.register()
    return process


def _crash(postgres: HeldPostgres) -> None:
    """Kill one backend: the server ends all others, recovers, and keeps its start time."""
    address = postgres.url().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection, suppress(psycopg.OperationalError):
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        connection.execute("SELECT 1")


async def _answers(database: Database) -> bool:
    with suppress(StoreUnavailable):
        async with database.begin() as connection:
            await connection.execute(text("SELECT 1"))
        return True
    return False


def _wait_until_stopped(data: Path) -> None:
    with locked(data / "guard.lock", fcntl.LOCK_EX):
        return
