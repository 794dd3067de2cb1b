"""The fenced lease: at most one live process runs a thread.

A lease is taken only for a job that the queue still counts as ours, in the transaction that locks
that job's row: a sweeper that hands the job on either comes before, and we get no lease, or after,
and then it knows us as the holder and ends our connections first (`sweep.py`).
"""

from dataclasses import dataclass, field

from sqlalchemy import TextClause, delete, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert

from agent.errors import RunnerLost
from agent.ids import ThreadId, thread_parts
from infra.database import Database, WorkerId
from infra.tables import LeaseRow, WorkerRow

# Not sqlalchemy constructs: Procrastinate owns the table.
_LOCK_JOB: TextClause = text("""
    SELECT 1 FROM procrastinate_jobs
    WHERE id = :job AND status = 'doing' AND worker_id = :queue_worker
    FOR SHARE
""")

_JOB_IS_OVER = text("NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE id = leases.job AND status = 'doing')")


@dataclass(frozen=True, kw_only=True)
class ThreadLease:
    """A lease we took (`agent.entry.Lease`)."""

    thread: ThreadId
    token: int
    worker: WorkerId
    database: Database = field(repr=False)

    async def check(self) -> None:
        """Return when the thread is certainly still ours.

        Raises:
            RunnerLost: it is not.
        """
        row = (
            select(LeaseRow.token)
            .join(WorkerRow, WorkerRow.id == LeaseRow.worker)
            .where(LeaseRow.tenant == thread_parts(self.thread).tenant, LeaseRow.thread == self.thread)
            .where(LeaseRow.token == self.token, LeaseRow.worker == self.worker, WorkerRow.dead_at.is_(None))
        )
        async with self.database.begin() as connection:
            if (await connection.execute(row)).first() is None:
                raise RunnerLost


class Leases:
    """Takes and gives back the leases of this process's worker."""

    def __init__(self, database: Database, worker: WorkerId) -> None:
        self._database = database
        self._worker = worker

    async def take(self, thread: ThreadId, job: int, queue_worker: int) -> ThreadLease | None:
        """Take the thread's lease for a job that runs here; None when the job is no longer ours or
        somebody else, alive, runs the thread."""
        tenant = thread_parts(thread).tenant
        buried = exists().where(WorkerRow.id == LeaseRow.worker, WorkerRow.buried_at.is_not(None))
        row = insert(LeaseRow).values(tenant=tenant, thread=thread, worker=self._worker, job=job)
        taken = row.on_conflict_do_update(
            index_elements=["tenant", "thread"],
            set_={"worker": self._worker, "job": job, "token": text("DEFAULT"), "taken_at": text("DEFAULT")},
            where=buried | _JOB_IS_OVER,
        ).returning(LeaseRow.token)
        known_as = update(WorkerRow).where(WorkerRow.id == self._worker, WorkerRow.dead_at.is_(None))
        async with self._database.begin() as connection:
            ours = await connection.execute(_LOCK_JOB, {"job": job, "queue_worker": queue_worker})
            if ours.first() is None:
                return None
            token = (await connection.execute(taken)).scalar_one_or_none()
            if token is None:
                return None
            # Written by whoever takes its first lease after (re)connecting to the queue; seldom changes.
            await connection.execute(
                known_as.where(WorkerRow.queue_worker.is_distinct_from(queue_worker)).values(queue_worker=queue_worker)
            )
        return ThreadLease(thread=thread, token=token, worker=self._worker, database=self._database)

    async def release(self, lease: ThreadLease) -> None:
        """Give it back. Harmless when it is no longer ours."""
        ours = delete(LeaseRow).where(
            LeaseRow.tenant == thread_parts(lease.thread).tenant,
            LeaseRow.thread == lease.thread,
            LeaseRow.token == lease.token,
        )
        async with self._database.begin() as connection:
            await connection.execute(ours)
