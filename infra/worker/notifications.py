"""Hints that a thread's rows changed: LISTEN/NOTIFY on one connection of its own per process.

A hint may be lost (a reconnect) or spurious, so whoever hears one re-reads the rows, and re-reads
them every few seconds anyway. After a reconnect every subscriber is rung once. LISTEN does not
survive a pooler in transaction mode: with one, only the re-reading remains.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from agent.errors import RunnerLost
from agent.ids import ThreadId
from agent.ports import Subscription
from infra.db.database import NEWS_CHANNEL, Database

_log = logging.getLogger(__name__)

_SILENCE_SECONDS = 20.0
"""After this long without a hint, ask whether the connection still lives."""

_RECONNECT_SECONDS = (0.1, 0.5, 2.0)


class Notifier:
    """A Newsroom: subscriptions by thread, rung from this event loop."""

    def __init__(self) -> None:
        self._listeners: dict[ThreadId, set[asyncio.Event]] = {}

    @contextmanager
    def subscribe(self, thread: ThreadId) -> Generator[Subscription]:
        """Listen from now until the context is left."""
        rung = asyncio.Event()
        listeners = self._listeners.setdefault(thread, set())
        listeners.add(rung)
        try:
            yield _Subscription(rung)
        finally:
            listeners.discard(rung)
            if not listeners and self._listeners.get(thread) is listeners:
                del self._listeners[thread]

    def ring(self, thread: ThreadId) -> None:
        """Tell the thread's listeners that something changed."""
        for rung in self._listeners.get(thread, ()):
            rung.set()

    def ring_all(self) -> None:
        """Tell every listener: hints may have been lost."""
        for thread in list(self._listeners):
            self.ring(thread)


class _Subscription:
    def __init__(self, rung: asyncio.Event) -> None:
        self._rung = rung

    async def wait(self, timeout_seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rung.wait()
        heard = self._rung.is_set()
        self._rung.clear()
        return heard


class PgNotifications:
    """This process's ear.

    `news` rings when rows changed that a runner reads (messages, operations, decisions); `views` also
    when rows changed, in this process, that only people see.
    """

    def __init__(self, database: Database) -> None:
        self.news = Notifier()
        self.views = Notifier()
        self._database = database
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen while the context lasts; entered once the first connection listens."""
        listener = asyncio.create_task(self._listen(), name="wakeups")
        ready = asyncio.create_task(self._ready.wait(), name="wakeups ready")
        try:
            await asyncio.wait((listener, ready), return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            for each in (listener, ready):
                each.cancel()
            await asyncio.wait((listener, ready))
        if not listener.cancelled() and (error := listener.exception()) is not None:
            raise error

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                connection = await AsyncConnection.connect(self._database.conninfo, autocommit=True)
                async with connection:
                    await self._database.configure(connection)
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(NEWS_CHANNEL)))
                    failures = 0
                    self._ready.set()
                    self.news.ring_all()
                    self.views.ring_all()
                    await self._hear(connection)
            except RunnerLost:
                return  # declared dead: nothing here is ours any more
            except psycopg.OperationalError as error:
                pause = _RECONNECT_SECONDS[min(failures, len(_RECONNECT_SECONDS) - 1)]
                failures += 1
                _log.warning("no connection for hints, again in %s s: %s", pause, type(error).__name__)
                await asyncio.sleep(pause)

    async def _hear(self, connection: AsyncConnection[Any]) -> None:
        while True:
            async for each in connection.notifies(timeout=_SILENCE_SECONDS):
                thread = ThreadId(each.payload)
                self.news.ring(thread)
                self.views.ring(thread)
            await connection.execute("SELECT 1")
