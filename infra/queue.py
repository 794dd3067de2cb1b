"""The queue: `wake(thread)`, put in the same transaction as the rows it is about.

Procrastinate keeps one waiting job per thread (`queueing_lock`) and runs one at a time (`lock`).
"""

import json
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ThreadId
from infra.database import Database

WAKE = "wake"
WAKE_LATER = "wake_later"

_POOL_SECONDS = 10.0
"""How long a worker waits for a connection: one that was declared dead gets none and must notice soon."""

_LOCK_WAITING: LiteralString = """
    SELECT id FROM procrastinate_jobs WHERE queueing_lock = :thread AND status = 'todo' FOR UPDATE
"""

_NOTIFY_WORKERS: LiteralString = "SELECT pg_notify('procrastinate_any_queue_v1', :payload)"


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
        """Have the thread advanced after this transaction commits: by the job put here, or by one that waits.

        `failures` tells how often advancing it failed in a row. Call it last in the transaction: it may
        wait for another one that wakes the same thread.
        """
        while not await self._put(connection, thread, failures):
            # A job waits already. Were it fetched before we commit, it would not see our rows and nobody
            # would come back for them, so it is kept waiting until then. Fetching skips locked jobs, so
            # the workers are told again at the commit.
            waiting = (await connection.execute(text(_LOCK_WAITING), {"thread": thread})).first()
            if waiting is not None:
                payload = json.dumps({"type": "job_inserted", "job_id": waiting.id})
                await connection.execute(text(_NOTIFY_WORKERS), {"payload": payload})
                return

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

    async def _put(self, connection: AsyncConnection, thread: ThreadId, failures: int) -> bool:
        raw = (await connection.get_raw_connection()).driver_connection
        try:
            async with connection.begin_nested():  # AlreadyEnqueued would end the whole transaction
                wake = self.app.configure_task(WAKE, lock=thread, queueing_lock=thread, connection=raw)
                await wake.defer_async(thread=thread, failures=failures)
        except AlreadyEnqueued:
            return False
        return True
