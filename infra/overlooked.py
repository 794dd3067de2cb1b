"""The safety net: finds threads that have something to do and no job that would bring anybody to them.

Rows and their job are written in one transaction, so there should be none. A job can be lost all the same (a
queue's table restored from elsewhere, an operator's DELETE, a fault of ours), and then a person waits for ever.
"""

import logging
from datetime import timedelta

from sqlalchemy import text

from agent.ids import ThreadId
from infra.database import Database
from infra.queue import Queue

_log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(hours=1)
"""A thread that was given up has no job either: it is not tried more often than this."""

# What is there to do: a message nobody took; a turn that broke off, or waits for a decision that is made already, or
# whose end is not shown yet. A question that was withdrawn is no decision, and its node asks anew.
_OVERLOOKED = text("""
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


async def wake_overlooked(database: Database, queue: Queue, quiet_seconds: float) -> int:
    """Wake every thread that has had something to do for `quiet_seconds` and no job; return how many.

    Any number of processes may do this at once.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    async with database.begin() as connection:
        values = {"quiet": timedelta(seconds=quiet_seconds), "again": AGAIN_AFTER}
        threads = sorted((await connection.execute(_OVERLOOKED, values)).scalars())
        for thread in threads:  # sorted: two of us never wait for each other
            _log.warning("thread %s had something to do and no job: woken", thread)
            await queue.wake(connection, ThreadId(thread))
    return len(threads)
