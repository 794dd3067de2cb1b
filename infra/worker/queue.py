"""The queue: a wake job for a thread, put in the same transaction as the rows it is about.

Procrastinate keeps one waiting job per thread (`queueing_lock`) and runs one at a time (`lock`).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Notification
from procrastinate.worker import Worker as ProcrastinateWorker
from psycopg import AsyncConnection as RawConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Integer, Text, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ThreadId
from infra.db.database import NOTIFY_CHANNEL, Database, has_unread

_log = logging.getLogger(__name__)

WAKE = "wake"
WAKE_LATER = "wake_later"

_POOL_SECONDS = 10.0
"""How long a worker waits for a connection. A dead worker gets none, and must notice that soon."""

# One statement, where Procrastinate's own `defer` would raise AlreadyEnqueued and need a savepoint.
# - The no-op update locks a job that waits already until we commit: a worker that fetched it earlier would not see our
#   rows, and nothing would wake the thread for them again. If it is being fetched right now, the statement waits for
#   that and puts a new job.
# - Fetching skips locked jobs, so the workers are notified again at the commit.
# - Threads are woken in one order everywhere, so that two transactions never wait for each other.
_WAKING = f"""
    put AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
        SELECT 'default', '{WAKE}', thread, thread, json_build_object('thread', thread, 'failures', :failures)
        FROM woken ORDER BY thread
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET queueing_lock = excluded.queueing_lock
        RETURNING id, lock
    )
    SELECT lock AS thread, pg_notify('{NOTIFY_CHANNEL}', lock), pg_notify(
        'procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', id)::text
    ) FROM put
"""  # noqa: S608 - nothing in it comes from outside


def with_wake(changes: str) -> TextClause:
    """Return a statement that makes the changes and wakes their threads, in one round trip.

    `changes` are common table expressions. The one called `woken` has the column `thread` and one row for each thread
    to wake; the statement returns these rows. Bind `failures` as for `Queue.wake`, or leave it at 0.
    """
    return text(f"WITH {changes}, {_WAKING}").bindparams(bindparam("failures", 0, type_=Integer()))


_WAKE = with_wake("woken AS (SELECT :thread AS thread)").bindparams(bindparam("thread", type_=Text()))


class Queue:
    """Puts wake jobs; a worker also runs them with `app`."""

    def __init__(self, database: Database, *, pool_size: int = 4) -> None:
        self._connector = PsycopgConnector(
            conninfo=database.conninfo,
            min_size=1,
            max_size=pool_size,
            timeout=_POOL_SECONDS,
            configure=self._configure,
            pool_factory=_pool,
        )
        self._database = database
        self.app = App(connector=self._connector)

    async def _configure(self, connection: RawConnection[Any]) -> None:
        """Every statement of the queue is a transaction by itself: it needs no BEGIN and no COMMIT."""
        await self._database.configure(connection)
        await connection.set_autocommit(True)

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[App]:
        """Yield the app with its connections, which end with the context, also when it is cancelled while they open.

        Procrastinate leaves a pool that was cancelled while it opened. Its workers take a cancellation for a failed
        connection, so the event loop would wait for them for ever when it ends. And a pool that is open in the moment
        of the cancellation swallows it (`asyncio.wait_for` before Python 3.12).
        """
        try:
            await self.app.open_async()
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError
            yield self.app
        finally:
            await self.app.close_async()

    async def wake(self, connection: AsyncConnection, thread: ThreadId, failures: int = 0) -> None:
        """Have the thread advanced after this transaction commits, and notify the worker that runs it now.

        `failures` is how often advancing it failed in a row. Call it last in the transaction: it may wait for another
        transaction that wakes the same thread.
        """
        await connection.execute(_WAKE, {"thread": thread, "failures": failures})

    async def wake_later(self, connection: AsyncConnection, thread: ThreadId, seconds: float, failures: int) -> None:
        """Have the thread woken after a while. `failures` is as in `wake`.

        Puts a job without the thread's lock: a scheduled job blocks its lock until it is due (procrastinate#1599).
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


def _pool(**options: Any) -> AsyncConnectionPool[RawConnection[Any]]:
    options["check"] = _check
    return AsyncConnectionPool(**options)


async def _check(connection: RawConnection[Any]) -> None:
    """Ping a connection that may be broken. A ping before each use would double the queue's statements."""
    if connection.closed or has_unread(connection.fileno()):
        await AsyncConnectionPool.check_connection(connection)


class JobFetcher(ProcrastinateWorker):
    """Procrastinate's worker, which fetches jobs when it is notified and seldom otherwise.

    `fetch_job_polling_interval` is how often it looks until it listens; `fetch_seconds` how often from then on.
    """

    def __init__(self, app: App, *, fetch_seconds: float, **options: Any) -> None:
        super().__init__(app, listen_notify=False, **options)  # its listener ends with the first failed connection
        self._fetch_seconds = fetch_seconds
        self._poll_seconds = self.fetch_job_polling_interval
        self._notified = 0

    def fetch_after(self, seconds: float) -> None:
        """Look for jobs after a while: one is due then, of which nobody will be notified."""
        asyncio.get_running_loop().call_later(seconds, self._new_job_event.set)

    def _start_side_tasks(self) -> list[asyncio.Task[Any]]:
        return [*super()._start_side_tasks(), asyncio.create_task(self._keep_listening(), name="listener")]

    async def _keep_listening(self) -> None:
        """Listen for jobs, anew whenever that ended, and look often until that works again."""
        while True:
            try:
                await self.app.job_manager.listen_for_jobs(
                    on_notification=self._handle_notification, queues=self.queues
                )
            except ConnectorException as error:
                _log.warning("the queue does not hear of jobs: %s", type(error.__cause__ or error).__name__)
            self.fetch_job_polling_interval = self._poll_seconds
            self._new_job_event.set()
            await asyncio.sleep(self._poll_seconds)

    async def _handle_notification(self, *, channel: str, notification: Notification) -> None:
        self._notified += 1
        self.fetch_job_polling_interval = self._fetch_seconds  # we listen
        await super()._handle_notification(channel=channel, notification=notification)

    async def _fetch_and_process_jobs(self) -> None:
        """Fetch until no notification came meanwhile: the queue forgets one that arrives while it fetches."""
        while True:
            notified = self._notified
            await super()._fetch_and_process_jobs()
            if notified == self._notified or self._stop_event.is_set():
                break
        # The connection that listens may be up by now, or not: what came before it was is found by looking.
        self.fetch_job_polling_interval = min(self.fetch_job_polling_interval * 1.5, self._fetch_seconds)
