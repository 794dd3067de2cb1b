"""Jobs that are over, though the queue was never told: the word got lost on a broken connection.

The queue takes such a job for one at work as long as its worker lives, and starts no other job of its thread.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import text

from infra.database import Database, WorkerId
from infra.queue import Queue
from infra.sweep import hand_on

_log = logging.getLogger(__name__)

_OURS = text("""
    SELECT job.id FROM procrastinate_jobs AS job JOIN workers ON workers.queue_worker = job.worker_id
    WHERE workers.id = :worker AND job.status = 'doing'
""")

_STILL_OURS = text("""
    SELECT id, args ->> 'thread' AS thread FROM procrastinate_jobs
    WHERE id = ANY(:jobs) AND status = 'doing' FOR UPDATE SKIP LOCKED
""")


class Unfinished:
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
