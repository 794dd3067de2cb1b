"""Recovery: dead workers' threads are handed over, stranded ones woken, and every other one left alone."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import URL, text

from agent.approval import Decision
from agent.errors import RunnerLost
from agent.ids import ApprovalId, NodeId
from agent.plan.outcomes import NodeState, Succeeded
from agent.ports import RunStatus
from infra.db.database import Database
from infra.stores.stores import Stores
from infra.worker.queue import Queue
from infra.worker.recovery import TAKEOVERS_WITHOUT_PROGRESS, take_over, wake_stranded_threads
from tests.fakes.lease_process import Process, held, wake
from tests.fakes.rows import GRACE, THREAD, a_message, a_request, changed, planned, tenant_of, waiting_jobs


async def _without_jobs(database: Database) -> None:
    """Let every job be gone, and what the rows tell have happened an hour ago."""
    async with database.begin() as connection:
        for statement in (
            "DELETE FROM procrastinate_jobs",
            "UPDATE inbox SET at = at - interval '1 hour'",
            "UPDATE runs SET started_at = started_at - interval '1 hour'",
            "UPDATE approvals SET decided_at = decided_at - interval '1 hour'",
        ):
            await connection.execute(text(statement))


async def _parked(stores: Stores, questions: Sequence[str] = ("q1",)) -> None:
    """Let the thread's first turn wait for an approval of its node `post`."""
    await stores.inbox.accept(a_message())
    await stores.runs.begin(THREAD, 1)
    await stores.mailbox.taken(THREAD, 1, [message.id for message in await stores.mailbox.untaken(THREAD)])
    stores.progress.note(THREAD, planned("post"))
    stores.progress.note(THREAD, changed("post", NodeState.ASKING))
    await stores.progress.flush()
    for question in questions:
        await stores.approvals.ask(a_request(question))
    await stores.runs.set_status(THREAD, 1, RunStatus.WAITING)


async def _decided(stores: Stores, question: str = "q1") -> None:
    await stores.approvals.decide(
        tenant_of(THREAD), ApprovalId(question), version=1, by=GRACE, decision=Decision.APPROVED
    )


async def test_a_message_that_lost_its_job_has_its_thread_woken_once_an_hour(
    stores: Stores, database: Database, queue: Queue
) -> None:
    await stores.inbox.accept(a_message())
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 1
    assert await waiting_jobs(database) == 1
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 0


async def test_a_message_that_just_came_is_left_to_its_job(stores: Stores, database: Database, queue: Queue) -> None:
    await stores.inbox.accept(a_message())
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM procrastinate_jobs"))
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 0


@pytest.mark.parametrize("later", [False, True], ids=["waits", "comes later"])
async def test_a_thread_whose_job_waits_or_comes_later_is_left_alone(
    stores: Stores, database: Database, queue: Queue, *, later: bool
) -> None:
    await stores.inbox.accept(a_message())
    await _without_jobs(database)
    async with database.begin() as connection:
        if later:
            await queue.wake_later(connection, THREAD, 600, 1)
        else:
            await queue.wake(connection, THREAD)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 0


async def test_a_turn_that_waits_for_people_is_left_alone(stores: Stores, database: Database, queue: Queue) -> None:
    await _parked(stores)
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 0


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside an open question"])
async def test_a_decision_that_nobody_took_up_has_its_thread_woken(
    stores: Stores, database: Database, queue: Queue, *, beside: bool
) -> None:
    await _parked(stores)
    if beside:
        await stores.approvals.ask(a_request("other", node=NodeId("other")))
    await _decided(stores)
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 1


async def test_an_approval_that_was_asked_for_anew_is_no_decision(
    stores: Stores, database: Database, queue: Queue
) -> None:
    await _parked(stores, ["q1", "q2"])
    await stores.approvals.withdraw(THREAD, ApprovalId("q1"), "the call is another one now")
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 0


async def test_a_turn_that_broke_off_has_its_thread_woken(stores: Stores, database: Database, queue: Queue) -> None:
    await _parked(stores)
    await stores.runs.set_status(THREAD, 1, RunStatus.RUNNING)
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == 1


@pytest.mark.parametrize(("settled", "woken"), [(False, 1), (True, 0)], ids=["not shown yet", "shown"])
async def test_an_ended_turn_is_looked_after_until_it_is_shown(
    stores: Stores, database: Database, queue: Queue, *, settled: bool, woken: int
) -> None:
    await _parked(stores)
    await _decided(stores)
    stores.progress.note(THREAD, changed("post", NodeState.SUCCEEDED, outcome=Succeeded(value=1)))
    await stores.progress.flush()
    await stores.runs.finish(THREAD, 1, RunStatus.DONE, "done")
    if settled:
        await stores.posted.settle(THREAD, 1)
    await _without_jobs(database)
    assert await wake_stranded_threads(database, queue, quiet_seconds=25) == woken


async def test_a_dead_worker_can_neither_write_nor_connect(database: Database, queue: Queue, process: Process) -> None:
    _, lease = await held(database, queue, process)
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


async def test_a_job_taken_by_a_process_that_died_before_its_first_lease_is_handed_over(
    database: Database, queue: Queue, process: Process
) -> None:
    await wake(database, queue)
    assert await process.fetch() is not None
    await process.fall_silent(database)
    assert await take_over(database, queue, stall_seconds=20) == 1
    assert await waiting_jobs(database) == 1


async def test_sweeps_at_once_hand_each_thread_over_once(database: Database, queue: Queue, process: Process) -> None:
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    await process.leases.take(THREAD, job, process.queue_worker)
    await process.fall_silent(database)
    handed_over = await asyncio.gather(*(take_over(database, queue, stall_seconds=20) for _ in range(5)))
    assert sum(handed_over) == 1
    assert await waiting_jobs(database) == 1


async def test_a_live_worker_is_left_alone(database: Database, queue: Queue, process: Process) -> None:
    _, lease = await held(database, queue, process)
    assert await take_over(database, queue, stall_seconds=20) == 0
    await lease.check()


# Takeovers without progress


async def _entered_and_broken(database: Database, queue: Queue, database_url: URL, *, signed_off: bool = False) -> None:
    """Let a process of its own enter the thread and die there, and its thread be taken over."""
    process = Process(database_url)
    await process.register()
    await held(database, queue, process)
    await process.fall_silent(database)
    await process.database.close()
    if signed_off:
        async with database.begin() as connection:
            await connection.execute(text("UPDATE workers SET dead_at = now(), signed_off = true"))
    assert await take_over(database, queue, 30) == 1


async def _counted(database: Database) -> tuple[int, bool]:
    """Return the thread's takeovers without progress, and whether it is set aside."""
    async with database.begin() as connection:
        row = (await connection.execute(text("SELECT takeovers, set_aside_at FROM threads"))).one()
    return row.takeovers, row.set_aside_at is not None


async def test_a_thread_is_set_aside_at_the_third_takeover_without_progress(
    stores: Stores, database: Database, queue: Queue, database_url: URL
) -> None:
    await stores.inbox.accept(a_message())
    counted: list[tuple[int, bool]] = []
    for _ in range(TAKEOVERS_WITHOUT_PROGRESS):
        await _entered_and_broken(database, queue, database_url)
        counted.append(await _counted(database))
    assert counted == [(1, False), (2, False), (3, True)]
    assert await waiting_jobs(database) == 1, "the worker that is woken tells its people"


@pytest.mark.parametrize("progress", ["a node", "a turn"])
async def test_progress_since_the_last_takeover_begins_the_count_anew(
    stores: Stores, database: Database, queue: Queue, database_url: URL, progress: str
) -> None:
    await _parked(stores)
    for _ in range(2):
        await _entered_and_broken(database, queue, database_url)
    if progress == "a node":
        stores.progress.note(THREAD, changed("post", NodeState.SUCCEEDED, outcome=Succeeded(value=1)))
        await stores.progress.flush()
    else:
        await stores.runs.finish(THREAD, 1, RunStatus.DONE, "the answer")
    await _entered_and_broken(database, queue, database_url)
    assert await _counted(database) == (1, False)


async def test_a_worker_that_signed_off_counts_as_no_takeover(
    stores: Stores, database: Database, queue: Queue, database_url: URL
) -> None:
    await stores.inbox.accept(a_message())
    await _entered_and_broken(database, queue, database_url, signed_off=True)
    assert await _counted(database) == (0, False)
    assert await waiting_jobs(database) == 1


async def test_a_job_that_was_never_begun_counts_as_no_takeover(
    stores: Stores, database: Database, queue: Queue, process: Process
) -> None:
    await stores.inbox.accept(a_message())
    assert await process.fetch() is not None
    await process.fall_silent(database)
    assert await take_over(database, queue, 30) == 1
    assert await _counted(database) == (0, False)


async def test_a_thread_that_kills_also_those_who_would_tell_its_people_is_woken_at_growing_intervals(
    stores: Stores, database: Database, queue: Queue, database_url: URL
) -> None:
    await stores.inbox.accept(a_message())
    for _ in range(2 * TAKEOVERS_WITHOUT_PROGRESS):
        await _entered_and_broken(database, queue, database_url)
    assert await _counted(database) == (2 * TAKEOVERS_WITHOUT_PROGRESS, True)
    assert await waiting_jobs(database) == 0
    assert 0 < await _seconds_until_woken(database) <= 20
    await wake(database, queue)
    await _entered_and_broken(database, queue, database_url)
    assert 0 < await _seconds_until_woken(database) <= 40


async def _seconds_until_woken(database: Database) -> float:
    """Return when the thread's only job is due."""
    due = text("SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs WHERE status = 'todo'")
    async with database.begin() as connection:
        return float((await connection.execute(due)).scalar_one())
