"""Notifications that a thread's rows changed: LISTEN/NOTIFY on one connection per process.

A notification may be lost (a reconnect) or spurious, so subscribers re-read the rows, and re-read them every few
seconds anyway. After a reconnect every subscriber is notified once. LISTEN does not survive a pooler in transaction
mode: with one, only the periodic re-reading remains.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from agent.errors import RunnerLost
from agent.ids import ThreadId
from agent.ports import Subscription
from infra.db.database import NOTIFY_CHANNEL, Database
from sandbox.background_task import BackgroundTask

_log = logging.getLogger(__name__)

_SILENCE_SECONDS = 20.0
"""After this long without a notification, ping the connection."""

_RECONNECT_SECONDS = (0.1, 0.5, 2.0)


class Notifier:
    """Subscriptions by thread within this process (`agent.ports.NotificationSource`)."""

    def __init__(self) -> None:
        self._subscriptions: dict[ThreadId, set[_Subscription]] = {}

    @contextmanager
    def subscribe(self, thread: ThreadId) -> Generator[Subscription]:
        """Subscribe until the context is left."""
        subscription = _Subscription()
        subscriptions = self._subscriptions.setdefault(thread, set())
        subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            subscriptions.discard(subscription)
            if not subscriptions and self._subscriptions.get(thread) is subscriptions:
                del self._subscriptions[thread]

    def notify(self, thread: ThreadId) -> None:
        """Notify the thread's subscribers."""
        for subscription in self._subscriptions.get(thread, ()):
            subscription.notified.set()

    def notify_all(self) -> None:
        """Notify every subscriber: notifications may have been lost."""
        for thread in self._subscriptions:
            self.notify(thread)


class _Subscription:
    def __init__(self) -> None:
        self.notified = asyncio.Event()

    async def wait(self, timeout_seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self.notified.wait()
        notified = self.notified.is_set()
        self.notified.clear()
        return notified


class PgNotifications:
    """Turns the database's notifications into those of this process."""

    def __init__(self, database: Database) -> None:
        #: For runners: messages, operations and decisions changed.
        self.changes = Notifier()
        #: For views: the same, and rows that only people see, as far as this process changed them.
        self.views = Notifier()
        self._database = database
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen while the context lasts; entered once the first connection listens."""
        listener = BackgroundTask("notifications of the database", self._listen)
        listener.start()
        try:
            await self._ready.wait()
            yield
        finally:
            await listener.stop()

    async def _listen(self, well: Callable[[], None]) -> None:
        failures = 0
        while True:
            try:
                connection = await AsyncConnection.connect(self._database.conninfo, autocommit=True)
                async with connection:
                    await self._database.configure(connection)
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(NOTIFY_CHANNEL)))
                    failures = 0
                    self._ready.set()
                    well()
                    self.changes.notify_all()
                    self.views.notify_all()
                    await self._forward(connection)
            except RunnerLost:
                self._ready.set()
                return  # declared dead: nothing here is ours any more
            except psycopg.OperationalError as error:
                pause = _RECONNECT_SECONDS[min(failures, len(_RECONNECT_SECONDS) - 1)]
                failures += 1
                _log.warning("no connection for notifications, again in %s s: %s", pause, type(error).__name__)
                await asyncio.sleep(pause)

    async def _forward(self, connection: AsyncConnection[Any]) -> None:
        while True:
            async for notification in connection.notifies(timeout=_SILENCE_SECONDS):
                thread = ThreadId(notification.payload)
                self.changes.notify(thread)
                self.views.notify(thread)
            await connection.execute("SELECT 1")
