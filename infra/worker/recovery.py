"""Takes over the threads of workers that died, so that no work waits for a process that is gone.

In this order, or a process that was only stopped would go on beside its successor: declare the
worker dead (it gets no new connection), end the connections it has, and only then hand its jobs on.
Handing on is finishing the old job and waking the thread again; retrying it would collide with a
job that waits already (procrastinate#1543).
"""

import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ThreadId
from infra.db.database import Database, WorkerId, worker_application
from infra.db.tables import LeaseRow, WorkerRow
from infra.worker.queue import Queue

_log = logging.getLogger(__name__)


_TERMINATION_MILLISECONDS = 5_000


_KEPT = timedelta(days=1)


_END_CONNECTIONS = text("""
    SELECT pg_terminate_backend(pid, :wait) AS gone FROM pg_stat_activity
    WHERE application_name = :name AND pid <> pg_backend_pid()
""")


_JOBS_OF = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs
    WHERE status = 'doing' AND worker_id = :queue_worker FOR UPDATE
""")


# Jobs that nobody is known to run: taken from the queue by a process that died before its first lease.
_LOCK_ORPHANS = text("""
    SELECT job.id FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS taker ON taker.id = job.worker_id
    WHERE job.status = 'doing' AND (taker.id IS NULL OR taker.last_heartbeat < now() - :stalled)
    FOR UPDATE OF job SKIP LOCKED
""")


# A statement of its own: only now, with the jobs locked, do we see a lease that was being taken.
_UNKNOWN_OF = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs AS job
    WHERE id = ANY(:jobs) AND status = 'doing' AND NOT EXISTS (
        SELECT 1 FROM workers WHERE queue_worker = job.worker_id AND buried_at IS NULL
    )
""")


_FINISH = text("SELECT procrastinate_finish_job_v1(:job, 'failed', true)")


async def take_over(database: Database, queue: Queue, stall_seconds: float) -> int:
    """Hand on the threads of workers without a heartbeat for `stall_seconds`; return how many.

    Any number of processes may do this at once.

    Raises:
        StoreUnavailable: the database cannot be reached; the next sweep does the rest.
    """
    stalled = timedelta(seconds=stall_seconds)
    handed_on = 0
    for worker in await _dead(database, stalled):
        if await _fence(database, worker):
            handed_on += await _release_dead_worker(database, queue, worker)
        else:
            _log.warning("connections of dead worker %s do not end; trying again", worker)
    return handed_on + await _hand_on_orphans(database, queue, stalled)


async def _dead(database: Database, stalled: timedelta) -> Sequence[WorkerId]:
    """Declare the silent workers dead and return all that are not buried yet. Committed on return."""
    now_dead = (
        update(WorkerRow)
        .where(WorkerRow.dead_at.is_(None), WorkerRow.heartbeat_at < func.now() - stalled)
        .values(dead_at=func.now())
        .returning(WorkerRow.id)
    )
    unburied = select(WorkerRow.id).where(WorkerRow.dead_at.is_not(None), WorkerRow.buried_at.is_(None))
    forgotten = delete(WorkerRow).where(
        WorkerRow.buried_at < func.now() - _KEPT,
        ~select(LeaseRow.token).where(LeaseRow.worker == WorkerRow.id).exists(),
    )
    async with database.begin() as connection:
        for worker in (await connection.execute(now_dead)).scalars():
            _log.warning("worker %s is silent: declared dead", worker)
        await connection.execute(forgotten)
        return [WorkerId(each) for each in (await connection.execute(unburied)).scalars()]


async def _fence(database: Database, worker: WorkerId) -> bool:
    """End the worker's connections; tell whether all are gone."""
    which = {"wait": _TERMINATION_MILLISECONDS, "name": worker_application(worker)}
    async with database.begin() as connection:
        return all((await connection.execute(_END_CONNECTIONS, which)).scalars())


async def _release_dead_worker(database: Database, queue: Queue, worker: WorkerId) -> int:
    row = (
        select(WorkerRow.queue_worker)
        .where(WorkerRow.id == worker, WorkerRow.buried_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    async with database.begin() as connection:
        found = (await connection.execute(row)).first()
        if found is None:
            return 0  # another sweeper is at it, or done
        jobs = (await connection.execute(_JOBS_OF, {"queue_worker": found.queue_worker})).all()
        held = delete(LeaseRow).where(LeaseRow.worker == worker).returning(LeaseRow.thread)
        # A lease still held tells of work broken off, also where the queue was told that its job is over.
        threads = set((await connection.execute(held)).scalars())
        buried = update(WorkerRow).where(WorkerRow.id == worker).values(buried_at=func.now())
        await connection.execute(buried)
        await hand_on(connection, queue, [(each.id, each.thread) for each in jobs], threads)
    return len(threads | {each.thread for each in jobs})


async def _hand_on_orphans(database: Database, queue: Queue, stalled: timedelta) -> int:
    async with database.begin() as connection:
        locked = list((await connection.execute(_LOCK_ORPHANS, {"stalled": stalled})).scalars())
        if not locked:
            return 0
        jobs = (await connection.execute(_UNKNOWN_OF, {"jobs": locked})).all()
        await hand_on(connection, queue, [(each.id, each.thread) for each in jobs])
    return len(jobs)


async def hand_on(
    connection: AsyncConnection, queue: Queue, jobs: Sequence[tuple[int, str]], threads: Iterable[str] = ()
) -> None:
    """Finish the jobs (id, thread), which are locked, and wake their threads and `threads`. Call it last."""
    for job, _ in jobs:
        await connection.execute(_FINISH, {"job": job})
    for thread in sorted({*threads, *(thread for _, thread in jobs)}):  # sorted: two sweepers never wait for each other
        await queue.wake(connection, ThreadId(thread))


_OURS = text("""
    SELECT job.id FROM procrastinate_jobs AS job JOIN workers ON workers.queue_worker = job.worker_id
    WHERE workers.id = :worker AND job.status = 'doing'
""")


_STILL_OURS = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs
    WHERE id = ANY(:jobs) AND status = 'doing' FOR UPDATE SKIP LOCKED
""")


class LostJobs:
    """Knows which of this worker's jobs are at work, and hands those on that only the queue takes for it."""

    def __init__(self, database: Database, queue: Queue, worker: WorkerId) -> None:
        self._database = database
        self._queue = queue
        self._worker = worker
        self._at_work: set[int] = set()
        self._suspects: set[int] = set()

    @contextmanager
    def at_work(self, job: int | None) -> Generator[None]:
        """Count the job as at work until the context is left."""
        if job is None:
            yield
            return
        self._at_work.add(job)
        try:
            yield
        finally:
            self._at_work.discard(job)

    async def hand_on(self) -> None:
        """Hand on the jobs that were not at work the last time either: in between, one begins or ends.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        async with self._database.begin() as connection:
            ours = set((await connection.execute(_OURS, {"worker": self._worker})).scalars())
            idle = ours - self._at_work
            if over := idle & self._suspects:
                jobs = (await connection.execute(_STILL_OURS, {"jobs": list(over)})).all()
                # Now that they are locked: one that began meanwhile has its lease, or waits for us and gets none.
                still = [(each.id, each.thread) for each in jobs if each.id not in self._at_work]
                await hand_on(connection, self._queue, still)
                _log.warning("the queue did not know that these jobs were over: %s", sorted(over))
        self._suspects = idle


AGAIN_AFTER = timedelta(hours=1)
"""A thread that was given up has no job either: it is not tried more often than this."""


# What is there to do: a message nobody took; a turn that broke off, or waits for a decision that is made already, or
# whose end is not shown yet. A question that was withdrawn is no decision, and its node asks anew.
_STRANDED = text("""
    WITH undone AS (
        SELECT tenant, thread FROM inbox WHERE turn IS NULL AND at < now() - :quiet
        UNION
        SELECT run.tenant, run.thread FROM runs AS run
        WHERE NOT run.settled AND run.started_at < now() - :quiet AND (
            run.status <> 'waiting'
            OR NOT EXISTS (
                SELECT 1 FROM approvals AS open
                WHERE open.tenant = run.tenant AND open.thread = run.thread AND open.status = 'pending'
            )
            OR EXISTS (
                SELECT 1 FROM approvals AS decided
                JOIN nodes AS node
                    ON node.tenant = decided.tenant AND node.thread = decided.thread AND node.node = decided.node
                WHERE decided.tenant = run.tenant AND decided.thread = run.thread
                    AND decided.status NOT IN ('pending', 'withdrawn') AND decided.decided_at < now() - :quiet
                    AND node.state IN ('asking', 'unknown') AND NOT EXISTS (
                        SELECT 1 FROM approvals AS open
                        WHERE open.tenant = node.tenant AND open.thread = node.thread AND open.node = node.node
                            AND open.status = 'pending'
                    )
            )
        )
    )
    UPDATE threads SET looked_for_at = now() FROM undone
    WHERE threads.tenant = undone.tenant AND threads.thread = undone.thread
        AND (threads.looked_for_at IS NULL OR threads.looked_for_at < now() - :again)
        AND NOT EXISTS (
            SELECT 1 FROM procrastinate_jobs AS job WHERE job.status IN ('todo', 'doing')
                AND (job.lock = undone.thread OR job.queueing_lock IN (undone.thread, 'later:' || undone.thread))
        )
    RETURNING threads.thread
""")


async def wake_stranded_threads(database: Database, queue: Queue, quiet_seconds: float) -> int:
    """Wake every thread that has had something to do for `quiet_seconds` and no job; return how many.

    Any number of processes may do this at once.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    async with database.begin() as connection:
        values = {"quiet": timedelta(seconds=quiet_seconds), "again": AGAIN_AFTER}
        threads = sorted((await connection.execute(_STRANDED, values)).scalars())
        for thread in threads:  # sorted: two of us never wait for each other
            _log.warning("thread %s had something to do and no job: woken", thread)
            await queue.wake(connection, ThreadId(thread))
    return len(threads)
