"""The fenced lease: at most one live process runs a thread.

A lease is taken only for a job that the queue still counts as ours, in the transaction that locks that job's row. A
recovery that hands the job over comes either before, and then we get no lease, or after, and then it knows us as the
holder and terminates our connections first (`recovery.py`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, select, text, update

from agent.errors import RunnerLost
from agent.ids import ThreadId
from infra.db.database import Database, WorkerId
from infra.db.tables import LeaseRow, WorkerRow, thread_key

# Text, because Procrastinate owns the jobs' table.
_TAKE = text("""
    WITH job AS (
        SELECT id FROM procrastinate_jobs
        WHERE id = :job AND status = 'doing' AND worker_id = :queue_worker
        FOR SHARE
    )
    INSERT INTO leases (tenant, thread, worker, job)
    SELECT :tenant, :thread, :worker, id FROM job
    ON CONFLICT (tenant, thread) DO UPDATE
        SET worker = excluded.worker, job = excluded.job, token = DEFAULT, taken_at = DEFAULT
        WHERE EXISTS (SELECT 1 FROM workers WHERE id = leases.worker AND buried_at IS NOT NULL)
            OR NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE id = leases.job AND status = 'doing')
    RETURNING token, (
        SELECT set_aside_at FROM threads WHERE threads.tenant = leases.tenant AND threads.thread = leases.thread
    ) AS set_aside_at
""")

_HELD = (
    select(LeaseRow.token)
    .join(WorkerRow, WorkerRow.id == LeaseRow.worker)
    .where(LeaseRow.of_given_thread(), LeaseRow.token == bindparam("token"))
    .where(LeaseRow.worker == bindparam("worker"), WorkerRow.dead_at.is_(None))
)
_RELEASE = delete(LeaseRow).where(LeaseRow.of_given_thread(), LeaseRow.token == bindparam("token"))


@dataclass(frozen=True, kw_only=True)
class ThreadLease:
    """A lease of this worker (`agent.execution.execution_context.Lease`)."""

    thread: ThreadId
    #: Another one each time the thread is leased.
    token: int
    worker: WorkerId
    database: Database = field(repr=False)
    #: As in `agent.execution.execution_context.Lease`.
    not_after: Callable[[], float] = field(default=lambda: math.inf, repr=False, compare=False)
    #: Since when the thread is set aside; None: it may be entered.
    set_aside_at: datetime | None = None

    async def check(self) -> None:
        """Return if the thread is still ours.

        Raises:
            RunnerLost: it is not, or this worker was declared dead.
        """
        ours = thread_key(self.thread) | {"token": self.token, "worker": self.worker}
        if (await self.database.execute(_HELD, ours)).first() is None:
            raise RunnerLost


class Leases:
    """Takes and releases the leases of this process's worker."""

    def __init__(self, database: Database, worker: WorkerId, not_after: Callable[[], float] = lambda: math.inf) -> None:
        self._database = database
        self._worker = worker
        self._not_after = not_after
        #: The queue worker that our row names.
        self._registered_as: int | None = None

    async def take(self, thread: ThreadId, job: int, queue_worker: int) -> ThreadLease | None:
        """Take the thread's lease for a job that runs here.

        Returns None when the job is no longer ours, or a live worker runs the thread.
        """
        values = thread_key(thread) | {"worker": self._worker, "job": job, "queue_worker": queue_worker}
        register = update(WorkerRow).where(WorkerRow.id == self._worker).values(queue_worker=queue_worker)
        if self._registered_as == queue_worker:
            taken = (await self._database.execute(_TAKE, values)).one_or_none()
        else:
            async with self._database.begin() as connection:
                taken = (await connection.execute(_TAKE, values)).one_or_none()
                if taken is not None:
                    # In this transaction: a recovery that waits for the job's row then knows whose it is.
                    await connection.execute(register)
        if taken is None:
            return None
        self._registered_as = queue_worker
        return ThreadLease(
            thread=thread,
            token=taken.token,
            worker=self._worker,
            database=self._database,
            not_after=self._not_after,
            set_aside_at=taken.set_aside_at,
        )

    async def release(self, lease: ThreadLease) -> None:
        """Release the lease. Harmless when it is no longer ours."""
        await self._database.execute(_RELEASE, thread_key(lease.thread) | {"token": lease.token})
