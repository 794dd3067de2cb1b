"""Leases and the fence, on real rows."""

import asyncio

import pytest
from sqlalchemy import text

from agent.errors import RunnerLost
from infra.db.database import Database
from infra.worker.queue import Queue
from tests.fakes.lease_process import Process, held, wake
from tests.fakes.rows import THREAD


async def _finish(database: Database, job: int) -> None:
    async with database.begin() as connection:
        await connection.execute(text("SELECT procrastinate_finish_job_v1(:job, 'succeeded', true)"), {"job": job})


async def test_of_two_processes_that_take_one_job_the_one_it_belongs_to_gets_the_lease(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    attempts = [taker.leases.take(THREAD, job, taker.queue_worker) for taker in (other, process) * 5]
    taken = [lease for lease in await asyncio.gather(*attempts) if lease is not None]
    assert [lease.worker for lease in taken] == [process.id]


async def test_a_lease_of_a_running_job_is_not_taken_by_another_job(
    database: Database, queue: Queue, process: Process, other: Process
) -> None:
    _, lease = await held(database, queue, process)
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
    job, lease = await held(database, queue, process)
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
    job, old = await held(database, queue, process)
    await _finish(database, job)
    _, new = await held(database, queue, other)
    await process.leases.release(old)
    await new.check()
