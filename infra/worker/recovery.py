"""Recovery: every thread with work to do gets a job again, whatever became of the job it had.

Three things go wrong with a job, and every worker looks for all three in its sweep:

1. Its worker died: it is silent (`take_over`), or its lock is free (`take_over_missed`, `presence.py`). The order
   matters, or a process that was only suspended would run a thread beside its successor: declare the worker dead, so
   that it gets no new connection; terminate the connections it has; only then hand its jobs over.
2. Its worker lives and has ended it, and the queue was not told (`LostJobs`).
3. There is no job at all (`wake_stranded_threads`): the net under the other two.

To hand a job over is to finish it and to wake its thread. Procrastinate's own retry would collide with a job of the
thread that waits already (procrastinate#1543). Any number of workers may do all of this at the same time.
"""

import logging
from collections.abc import Generator, Iterable, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ThreadId
from infra.db.database import Database, WorkerId, worker_application
from infra.db.tables import LeaseRow, WorkerRow, WorkerSessionRow
from infra.worker.presence import DECLARE_DEAD, Missed
from infra.worker.queue import Queue

_log = logging.getLogger(__name__)

# Text below wherever a statement reads Procrastinate's own tables. A job is a row of (id, thread).

_FINISH_JOB = text("SELECT procrastinate_finish_job_v1(:job, 'failed', true)")


# One statement, which an idle worker asks at each sweep; what it finds is looked at again with locks.
_LOSSES = text("""
    SELECT
        EXISTS (
            SELECT 1 FROM workers WHERE dead_at IS NULL AND heartbeat_at < now() - :stalled
                OR dead_at IS NOT NULL AND buried_at IS NULL OR buried_at < now() - :retention
        ) OR EXISTS (
            SELECT 1 FROM worker_sessions AS held WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = held.worker)
        ) OR EXISTS (
            SELECT 1 FROM procrastinate_jobs AS job
            LEFT JOIN procrastinate_workers AS taker ON taker.id = job.worker_id
            WHERE job.status = 'doing' AND (taker.id IS NULL OR taker.last_heartbeat < now() - :stalled)
        ) AS dead,
        ARRAY(
            SELECT job.id FROM procrastinate_jobs AS job JOIN workers ON workers.queue_worker = job.worker_id
            WHERE workers.id = :worker AND job.status = 'doing'
        ) AS jobs,
        EXISTS (SELECT 1 FROM approvals WHERE status = 'pending' AND expires_at <= now())
            OR EXISTS (SELECT 1 FROM approvals WHERE status = 'pending' AND due_at <= now()) AS overdue
""")


class Losses(NamedTuple):
    """What a sweep finds at first sight."""

    #: Whether a worker is dead, or something is left of one.
    dead: bool
    #: Jobs that the queue counts as running in this worker.
    jobs: Set[int]
    #: Whether the time of an open question is over, or something else is due about one.
    overdue: bool


async def look_for_losses(database: Database, worker: WorkerId, stall_seconds: float) -> Losses:
    """Return what there may be to hand over.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    values = {"worker": worker, "stalled": timedelta(seconds=stall_seconds), "retention": _RETENTION}
    found = (await database.execute(_LOSSES, values)).one()
    return Losses(dead=found.dead, jobs=frozenset(found.jobs), overdue=found.overdue)


_AT_ONCE: Mapping[str, float] = MappingProxyType({})


async def _hand_over(
    connection: AsyncConnection,
    queue: Queue,
    jobs: Iterable[Row[Any]],
    threads: Iterable[str] = (),
    pauses: Mapping[str, float] = _AT_ONCE,
) -> None:
    """Finish the jobs, whose rows this transaction has locked, and wake their threads and `threads`. Call it last.

    `pauses` is thread -> seconds, for those that are not woken at once.
    """
    woken = set(threads)
    for job in jobs:
        await connection.execute(_FINISH_JOB, {"job": job.id})
        woken.add(job.thread)
    for thread in sorted(woken):  # in one order everywhere, so that two sweeps never wait for each other
        if seconds := pauses.get(thread):
            await queue.wake_later(connection, ThreadId(thread), seconds, failures=0)
        else:
            await queue.wake(connection, ThreadId(thread))


# 1. Dead workers

_TERMINATION_MILLISECONDS = 5_000
"""How long one sweep waits for a dead worker's connection to end."""

_RETENTION = timedelta(days=1)
"""How long the row of a dead worker stays once its threads are handed over."""

_END_CONNECTIONS = text("""
    SELECT pg_terminate_backend(pid, :wait) AS gone FROM pg_stat_activity
    WHERE application_name = :name AND pid <> pg_backend_pid()
""")

_LOCK_JOBS_OF_WORKER = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs
    WHERE status = 'doing' AND worker_id = :queue_worker FOR UPDATE
""")

# Jobs fetched by a process that died before its first lease: no row of `workers` names its queue worker.
_LOCK_ORPHANS = text("""
    SELECT job.id FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS taker ON taker.id = job.worker_id
    WHERE job.status = 'doing' AND (taker.id IS NULL OR taker.last_heartbeat < now() - :stalled)
    FOR UPDATE OF job SKIP LOCKED
""")

# A statement of its own: only with the jobs locked does it see a lease that was being taken meanwhile.
_STILL_ORPHANS = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs AS job
    WHERE id = ANY(:jobs) AND status = 'doing' AND NOT EXISTS (
        SELECT 1 FROM workers WHERE queue_worker = job.worker_id AND buried_at IS NULL
    )
""")


TAKEOVERS_WITHOUT_PROGRESS = 3
"""After so many in a row a thread is set aside (`infra/stores/set_aside.py`): its run breaks whoever enters it."""

_TELLING_PAUSE_SECONDS = 20.0
"""How much longer each further process waits that is to tell the people of a thread, once as many died of telling."""

# Progress is what rows keep: a node or a turn has ended since the last takeover. Their number only grows, so no clocks
# are compared. An operation is none, since a model may write others at each entry.
_COUNT_TAKEOVERS = text("""
    WITH held AS (
        SELECT tenant, thread FROM threads WHERE thread = ANY(:threads) ORDER BY thread FOR UPDATE
    ), progress AS (
        SELECT tenant, thread,
            (SELECT count(*) FROM nodes AS node
                WHERE node.tenant = held.tenant AND node.thread = held.thread AND node.outcome IS NOT NULL)
            + (SELECT count(*) FROM runs AS run
                WHERE run.tenant = held.tenant AND run.thread = held.thread AND run.ended_at IS NOT NULL) AS ended
        FROM held
    ), counted AS (
        SELECT tenant, thread, progress.ended,
            CASE WHEN progress.ended > threads.ended THEN 1 ELSE threads.takeovers + 1 END AS takeovers
        FROM progress JOIN threads USING (tenant, thread)
    )
    UPDATE threads SET takeovers = counted.takeovers, ended = counted.ended,
        set_aside_at = CASE WHEN counted.takeovers >= :most THEN coalesce(set_aside_at, now()) END
    FROM counted WHERE threads.tenant = counted.tenant AND threads.thread = counted.thread
    RETURNING threads.thread, threads.takeovers
""")


async def take_over(database: Database, queue: Queue, stall_seconds: float) -> int:
    """Hand over the threads of workers without a heartbeat for `stall_seconds`; return how many threads.

    Raises:
        StoreUnavailable: the database cannot be reached; the next sweep does the rest.
    """
    stalled = timedelta(seconds=stall_seconds)
    handed_over = await _take_over_from(database, queue, await _declare_dead(database, stalled))
    return handed_over + await _hand_over_orphans(database, queue, stalled)


async def take_over_missed(database: Database, queue: Queue, missed: Iterable[Missed]) -> int:
    """Hand over the threads of workers whose lock is free, if they are missed still; return how many threads.

    Raises:
        StoreUnavailable: the database cannot be reached; the next look, or the next sweep, does the rest.
    """
    dead = [worker.worker for worker in missed if worker.dead or await _declare_missed_dead(database, worker)]
    return await _take_over_from(database, queue, dead)


async def _declare_missed_dead(database: Database, missed: Missed) -> bool:
    async with database.begin() as connection:
        declared = (await connection.execute(DECLARE_DEAD, missed._asdict())).first() is not None
    if declared:
        _log.warning("worker %s let its lock go and has no connection left: declared dead", missed.worker)
    return declared


async def _take_over_from(database: Database, queue: Queue, dead: Iterable[WorkerId]) -> int:
    """Hand over the threads of workers that were declared dead; return how many threads."""
    handed_over = 0
    for worker in dead:
        if await _terminate_connections(database, worker):
            handed_over += await _release_dead_worker(database, queue, worker)
        else:
            _log.warning("connections of dead worker %s do not end; trying again", worker)
    return handed_over


async def _declare_dead(database: Database, stalled: timedelta) -> Sequence[WorkerId]:
    """Declare the stalled workers dead and return every dead one whose threads are not handed over yet. Committed."""
    now_dead = (
        update(WorkerRow)
        .where(WorkerRow.dead_at.is_(None), WorkerRow.heartbeat_at < func.now() - stalled)
        .values(dead_at=func.now())
        .returning(WorkerRow.id)
    )
    unreleased = select(WorkerRow.id).where(WorkerRow.dead_at.is_not(None), WorkerRow.buried_at.is_(None))
    expired = delete(WorkerRow).where(
        WorkerRow.buried_at < func.now() - _RETENTION,
        ~select(LeaseRow.token).where(LeaseRow.worker == WorkerRow.id).exists(),
    )
    forgotten = delete(WorkerSessionRow).where(~exists().where(WorkerRow.id == WorkerSessionRow.worker))
    async with database.begin() as connection:
        for worker in (await connection.execute(now_dead)).scalars():
            _log.warning("worker %s sent no heartbeat: declared dead", worker)
        await connection.execute(expired)
        await connection.execute(forgotten)
        return [WorkerId(worker) for worker in (await connection.execute(unreleased)).scalars()]


async def _terminate_connections(database: Database, worker: WorkerId) -> bool:
    """Terminate the worker's connections; return whether all are gone."""
    values = {"wait": _TERMINATION_MILLISECONDS, "name": worker_application(worker)}
    async with database.begin() as connection:
        return all((await connection.execute(_END_CONNECTIONS, values)).scalars())


async def _release_dead_worker(database: Database, queue: Queue, worker: WorkerId) -> int:
    """Hand over what the worker held; return how many threads that were."""
    unreleased = (
        select(WorkerRow.queue_worker, WorkerRow.signed_off)
        .where(WorkerRow.id == worker, WorkerRow.buried_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    async with database.begin() as connection:
        row = (await connection.execute(unreleased)).first()
        if row is None:
            return 0  # another sweep does it now, or has done it
        jobs = (await connection.execute(_LOCK_JOBS_OF_WORKER, {"queue_worker": row.queue_worker})).all()
        leases = delete(LeaseRow).where(LeaseRow.worker == worker).returning(LeaseRow.thread)
        # A lease means unfinished work even where the queue was told that the job is over.
        threads = set((await connection.execute(leases)).scalars())
        await connection.execute(update(WorkerRow).where(WorkerRow.id == worker).values(buried_at=func.now()))
        # A job without a lease was never begun: it cannot be why the worker broke down.
        pauses = _AT_ONCE if row.signed_off else await _count_takeovers(connection, threads)
        await _hand_over(connection, queue, jobs, threads, pauses)
    return len(threads | {job.thread for job in jobs})


async def _count_takeovers(connection: AsyncConnection, threads: Iterable[str]) -> Mapping[str, float]:
    """Count a takeover of each thread and set aside those with too many; return thread -> seconds until it is woken.

    Nobody enters a thread that is set aside; if those die, too, who tell its people, they come at growing intervals.
    """
    values = {"threads": sorted(threads), "most": TAKEOVERS_WITHOUT_PROGRESS}
    pauses: dict[str, float] = {}
    for row in await connection.execute(_COUNT_TAKEOVERS, values):
        if row.takeovers >= TAKEOVERS_WITHOUT_PROGRESS:
            _log.error("thread %s: set aside, taken over %s times without progress", row.thread, row.takeovers)
        if row.takeovers >= 2 * TAKEOVERS_WITHOUT_PROGRESS:
            pauses[row.thread] = _TELLING_PAUSE_SECONDS * (row.takeovers - 2 * TAKEOVERS_WITHOUT_PROGRESS + 1)
    return pauses


async def _hand_over_orphans(database: Database, queue: Queue, stalled: timedelta) -> int:
    async with database.begin() as connection:
        locked = list((await connection.execute(_LOCK_ORPHANS, {"stalled": stalled})).scalars())
        if not locked:
            return 0
        jobs = (await connection.execute(_STILL_ORPHANS, {"jobs": locked})).all()
        await _hand_over(connection, queue, jobs)
    return len(jobs)


# 2. Lost jobs

_LOCK_JOBS = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs
    WHERE id = ANY(:jobs) AND status = 'doing' FOR UPDATE SKIP LOCKED
""")


class LostJobs:
    """Finds the jobs that the queue counts as running in this worker though they are over."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue
        self._running: set[int] = set()
        #: Jobs that were not running at the last look. One look alone may fall between fetching and beginning a job.
        self._suspects: Set[int] = frozenset()

    @contextmanager
    def running(self, job: int | None) -> Generator[None]:
        """Count the job as running until the context is left."""
        if job is None:
            yield
            return
        self._running.add(job)
        try:
            yield
        finally:
            self._running.discard(job)

    async def hand_over(self, in_queue: Set[int]) -> None:
        """Hand over those of our jobs in the queue that run neither now nor did at the last call.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        idle = in_queue - self._running
        if lost := idle & self._suspects:
            async with self._database.begin() as connection:
                jobs = (await connection.execute(_LOCK_JOBS, {"jobs": list(lost)})).all()
                # Look again with the rows locked: a job that began meanwhile has a lease, or gets none once we commit.
                await _hand_over(connection, self._queue, [job for job in jobs if job.id not in self._running])
            _log.warning("the queue did not know that these jobs were over: %s", sorted(lost))
        self._suspects = idle


# 3. Stranded threads

AGAIN_AFTER = timedelta(hours=1)
"""How often a thread without a job is woken at most: one whose retries are used up has no job either."""

# A thread has something to do when a message is in no turn, or when a turn broke off, has a decision that its node has
# not read, or has an end that is not shown yet. A withdrawn question is no decision: its node asks anew.
_WAKE_STRANDED = text("""
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
    """Wake every thread that has had something to do for `quiet_seconds` and has no job; return how many threads.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    async with database.begin() as connection:
        values = {"quiet": timedelta(seconds=quiet_seconds), "again": AGAIN_AFTER}
        threads = (await connection.execute(_WAKE_STRANDED, values)).scalars().all()
        for thread in threads:
            _log.warning("thread %s had something to do and no job: woken", thread)
        await _hand_over(connection, queue, (), threads)
    return len(threads)
