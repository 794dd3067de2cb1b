"""The queue: `wake(thread)`, put in the same transaction as the rows it is about.

Procrastinate keeps one waiting job per thread (`queueing_lock`) and runs one at a time (`lock`).
"""

from datetime import UTC, datetime, timedelta

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy import Integer, Text, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ThreadId
from infra.db.database import NEWS_CHANNEL, Database

WAKE = "wake"
WAKE_LATER = "wake_later"

_POOL_SECONDS = 10.0
"""How long a worker waits for a connection: one that was declared dead gets none and must notice soon."""

# One statement, where Procrastinate's own `defer` would raise AlreadyEnqueued and need a savepoint.
# - A job that waits already is locked by the no-op update until we commit. Were it fetched before, it would
#   not see our rows, and nobody would come back for them. One that is being fetched right now is waited
#   for, and a new one put.
# - Fetching skips locked jobs, so the workers are told again at the commit.
# - Threads are taken in one order everywhere, so that two who wake several never wait for each other.
_WAKING = f"""
    put AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
        SELECT 'default', '{WAKE}', thread, thread, json_build_object('thread', thread, 'failures', :failures)
        FROM woken ORDER BY thread
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET queueing_lock = excluded.queueing_lock
        RETURNING id, lock
    )
    SELECT lock AS thread, pg_notify('{NEWS_CHANNEL}', lock), pg_notify(
        'procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', id)::text
    ) FROM put
"""  # noqa: S608 - nothing in it comes from outside


def waking(changes: str) -> TextClause:
    """Return the statement that makes the changes and wakes the threads they are about, in one round trip.

    `changes` are common table expressions; the one called `woken` has the column `thread`, and a row for
    each thread that is to be woken, none twice. The statement returns these rows. `failures` is to be bound.
    """
    return text(f"WITH {changes}, {_WAKING}").bindparams(bindparam("failures", 0, type_=Integer()))


_WAKE = waking("woken AS (SELECT :thread AS thread)").bindparams(bindparam("thread", type_=Text()))


class Queue:
    """Puts wake jobs; a worker also runs them with `app`."""

    def __init__(self, database: Database, *, pool_size: int = 4) -> None:
        self._connector = PsycopgConnector(
            conninfo=database.conninfo,
            min_size=1,
            max_size=pool_size,
            timeout=_POOL_SECONDS,
            configure=database.configure,
        )
        self.app = App(connector=self._connector)

    async def wake(self, connection: AsyncConnection, thread: ThreadId, failures: int = 0) -> None:
        """Have the thread advanced after this transaction commits, by the job put here or by one that
        waits, and tell whoever runs it now.

        `failures` tells how often advancing it failed in a row. Call it last in the transaction: it may
        wait for another one that wakes the same thread.
        """
        await connection.execute(_WAKE, {"thread": thread, "failures": failures})

    async def wake_later(self, connection: AsyncConnection, thread: ThreadId, seconds: float, failures: int) -> None:
        """Have the thread woken after a while; `failures` tells how often advancing it failed in a row.

        A job of its own without the thread's lock: a scheduled job blocks its lock until it is due
        (procrastinate#1599).
        """
        raw = (await connection.get_raw_connection()).driver_connection
        try:
            async with connection.begin_nested():
                later = self.app.configure_task(
                    WAKE_LATER,
                    queueing_lock=f"later:{thread}",
                    schedule_at=datetime.now(UTC) + timedelta(seconds=seconds),
                    connection=raw,
                )
                await later.defer_async(thread=thread, failures=failures)
        except AlreadyEnqueued:
            pass
