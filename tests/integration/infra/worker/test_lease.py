"""Leases and the fence, on real rows."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import URL, text

from agent.errors import RunnerLost
from infra.db.database import Database
from infra.worker.lease import ThreadLease
from infra.worker.queue import Queue
from infra.worker.recovery import take_over
from tests.fakes.lease_process import Process, wake
from tests.fakes.rows import THREAD, waiting_jobs


@pytest.fixture
async def process(database_url: URL) -> AsyncGenerator[Process]:
    process = Process(database_url)
    await process.register()
    yield process
    await process.database.close()


@pytest.fixture
async def other(database_url: URL) -> AsyncGenerator[Process]:
    process = Process(database_url)
    await process.register()
    yield process
    await process.database.close()


async def _held(database: Database, queue: Queue, process: Process) -> tuple[int, ThreadLease]:
    """Wake the thread and let the process hold it."""
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    lease = await process.leases.take(THREAD, job, process.queue_worker)
    assert lease is not None
    return job, lease


async def _finish(database: Database, job: int) -> None:
    async with database.begin() as connection:
        await connection.execute(text("SELECT procrastinate_finish_job_v1(:job, 'succeeded', true)"), {"job": job})


async def test_of_two_processes_that_take_one_job_the_one_it_belongs_to_gets_the_lease(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    attempts = [each.leases.take(THREAD, job, each.queue_worker) for each in (other, process) * 5]
    taken = [lease for lease in await asyncio.gather(*attempts) if lease is not None]
    assert [lease.worker for lease in taken] == [process.id]


async def test_a_lease_of_a_running_job_is_not_taken_by_another_job(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    _, lease = await _held(database, queue, process)
    async with database.begin() as connection:  # a second running job of the thread, as only a fault could make it
        await connection.execute(text("UPDATE procrastinate_jobs SET lock = NULL"))
    await wake(database, queue)
    second = await other.fetch()
    assert second is not None
    assert await other.leases.take(THREAD, second, other.queue_worker) is None
    await lease.check()


async def test_a_lease_left_behind_by_an_ended_job_is_free(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    job, lease = await _held(database, queue, process)
    await _finish(database, job)
    await wake(database, queue)
    second = await other.fetch()
    assert second is not None
    assert await other.leases.take(THREAD, second, other.queue_worker) is not None
    with pytest.raises(RunnerLost):
        await lease.check()


async def test_releasing_a_lease_that_was_taken_over_leaves_the_new_one(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    job, old = await _held(database, queue, process)
    await _finish(database, job)
    _, new = await _held(database, queue, other)
    await process.leases.release(old)
    await new.check()


async def test_a_dead_worker_can_neither_write_nor_connect(database: Database, queue: Queue, process: Process) -> None:
    _, lease = await _held(database, queue, process)
    await process.fall_silent(database)
    assert await take_over(database, queue, stall_seconds=20) == 1
    with pytest.raises(RunnerLost):
        await lease.check()
    assert await waiting_jobs(database) == 1


async def test_a_dead_workers_lease_has_its_thread_woken_though_its_job_was_reported_as_over(
    database: Database, queue: Queue, process: Process
) -> None:
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    assert await process.leases.take(THREAD, job, process.queue_worker) is not None
    async with database.begin() as connection:
        await connection.execute(text("SELECT procrastinate_finish_job_v1(:job, 'failed', true)"), {"job": job})
    await process.fall_silent(database)
    assert await take_over(database, queue, stall_seconds=20) == 1
    assert await waiting_jobs(database) == 1


async def test_a_job_taken_by_a_process_that_died_before_its_first_lease_is_handed_on(
    database: Database, queue: Queue, process: Process
) -> None:
    await wake(database, queue)
    assert await process.fetch() is not None
    await process.fall_silent(database)
    assert await take_over(database, queue, stall_seconds=20) == 1
    assert await waiting_jobs(database) == 1


async def test_sweepers_at_once_hand_each_thread_on_once(database: Database, queue: Queue, process: Process) -> None:
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    await process.leases.take(THREAD, job, process.queue_worker)
    await process.fall_silent(database)
    handed_on = await asyncio.gather(*(take_over(database, queue, stall_seconds=20) for _ in range(5)))
    assert sum(handed_on) == 1
    assert await waiting_jobs(database) == 1


async def test_a_live_worker_is_left_alone(database: Database, queue: Queue, process: Process) -> None:
    _, lease = await _held(database, queue, process)
    assert await take_over(database, queue, stall_seconds=20) == 0
    await lease.check()
