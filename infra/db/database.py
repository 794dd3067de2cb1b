"""This process's connections to PostgreSQL: one engine, and the fence around dead workers.

A worker's connections carry its id as `application_name`, so that recovery can terminate them all before it hands the
worker's threads over (`infra/worker/recovery.py`). A worker declared dead gets no new connection. A process that was
suspended for too long and goes on can therefore write nothing.
"""

import asyncio
import select as waiting
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NewType

import psycopg
from psycopg import AsyncConnection as RawConnection
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, CursorResult, Executable, Insert, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from agent.errors import RunnerLost, StoreUnavailable
from agent.ids import ThreadId
from infra.db.tables import json_text

WorkerId = NewType("WorkerId", str)
"""One start of a worker process."""

NOTIFY_CHANNEL = "greenlight_news"
"""NOTIFY channel; the payload is the thread whose rows changed."""

_IS_DEAD = "SELECT 1 FROM workers WHERE id = %s AND dead_at IS NOT NULL"

_TRUSTED_SECONDS = 5.0
"""A connection used within this time is not pinged: a ping before each use was a quarter of all round trips.
A server that closed the connection has announced it, which the socket shows at once; a broken network has not."""

_CLOSING_SECONDS = 5.0
"""How long closing waits for connections in use."""

_RETURNED_AT = "returned_at"
"""Key of a pooled connection's `info`: when it came back, in monotonic seconds. A new connection has none."""

_GONE = ("08", "53", "57P")
"""SQLSTATE classes of an unavailable server: connection, resources, shutdown."""


def new_worker_id() -> WorkerId:
    """Return an id no other process has."""
    return WorkerId(uuid.uuid4().hex)


def database_url(text: str) -> URL:
    """Return SQLAlchemy's form of any libpq address (`postgres://...`).

    Raises:
        ValueError: it is not the address of a PostgreSQL database.
    """
    scheme, _, rest = text.partition("://")
    try:
        if scheme.split("+")[0] not in ("postgres", "postgresql"):
            raise ValueError
        url = make_url(f"postgresql+psycopg://{rest}")
        conninfo_to_dict(url.set(drivername="postgresql").render_as_string(hide_password=False))
    except (ValueError, ArgumentError, psycopg.ProgrammingError):  # their text repeats the address with its password
        raise ValueError("not a PostgreSQL address (postgresql://user:password@host:port/database)") from None
    return url


class Database:
    """The engine, and what other libraries need to connect as it does. Close with `close()`.

    `worker` is set in processes that run threads. The pool never overflows: connections opened and closed at each use
    cost more under load than the work itself. After `wait_seconds` without a free one the database counts as
    unreachable.
    """

    def __init__(
        self, url: URL, *, worker: WorkerId | None = None, pool_size: int = 15, wait_seconds: float = 30.0
    ) -> None:
        self.worker = worker
        self._url = url
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=wait_seconds,
            pool_use_lifo=True,
            json_serializer=json_text,
            isolation_level="AUTOCOMMIT",  # most uses are single statements: nothing to begin, nothing to roll back
            skip_autocommit_rollback=True,
            hide_parameters=True,  # errors are logged, and values are private
            connect_args={"application_name": self.application_name},
        )
        self._returned = asyncio.Event()
        event.listen(self.engine.sync_engine, "checkin", self._note_return)
        event.listen(self.engine.sync_engine, "checkout", self._refuse_broken)
        if worker is not None:
            event.listen(self.engine.sync_engine, "connect", self._refuse_dead)

    @property
    def application_name(self) -> str:
        """This process's name in `pg_stat_activity`."""
        return worker_application(self.worker) if self.worker is not None else "greenlight"

    @property
    def conninfo(self) -> str:
        """The libpq address for psycopg's own pools; it holds the password."""
        named = self._url.set(drivername="postgresql").update_query_dict({"application_name": self.application_name})
        return named.render_as_string(hide_password=False)

    async def configure(self, connection: RawConnection[Any]) -> None:
        """Refuse a connection to a dead worker; the `configure` callback of psycopg's pools.

        Raises:
            RunnerLost: this worker was declared dead.
        """
        if self.worker is None:
            return
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(_IS_DEAD, [self.worker])
                dead = await cursor.fetchone()
            if not connection.autocommit:
                await connection.rollback()
            if dead is not None:
                raise RunnerLost
        except BaseException:
            await connection.close()  # a pool drops the connection when `configure` raises, but leaves it open
            raise

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[AsyncConnection]:
        """Run the block in one transaction.

        Raises:
            StoreUnavailable: the database cannot be reached, or went away in between.
            RunnerLost: this worker was declared dead.
        """
        async with self._transaction(isolation_level="READ COMMITTED") as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncConnection]:
        """Run the block's reads on one state of the database. Raises as `begin` does."""
        async with self._transaction(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, **options: Any) -> AsyncGenerator[AsyncConnection]:
        async with self._translated(), self.engine.connect() as connection:
            # Not as options of the engine: when cancelled while it sets those, SQLAlchemy leaks the connection.
            await connection.execution_options(**options)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _translated(self) -> AsyncGenerator[None]:
        try:
            yield
        except DBAPIError as error:
            if error.connection_invalidated or _is_gone(error.orig):
                raise StoreUnavailable from error
            raise
        except psycopg.Error as error:  # between checking a connection out and the first statement
            if _is_gone(error):
                raise StoreUnavailable from error
            raise
        except (PoolTimeout, OSError) as error:
            raise StoreUnavailable from error

    @asynccontextmanager
    async def autocommit(self) -> AsyncGenerator[AsyncConnection]:
        """Run single statements, each committed by itself: a third of a transaction's round trips.

        Raises as `begin` does."""
        async with self._translated(), self.engine.connect() as connection:
            yield connection

    async def execute(
        self, statement: Executable, values: Mapping[str, object] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a single statement as `autocommit` does; return its rows, which are read already."""
        async with self.autocommit() as connection:
            return await connection.execute(statement, values)

    async def close(self) -> None:
        """Close every connection, those in use as soon as they are returned.

        A cancelled block returns its connection in a task of SQLAlchemy's own; without its pool it would stay open.
        """
        pool = self.engine.sync_engine.pool
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                while isinstance(pool, QueuePool) and pool.checkedout():
                    self._returned.clear()
                    await self._returned.wait()
        await self.engine.dispose()

    def _note_return(self, _connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info[_RETURNED_AT] = time.monotonic()
        self._returned.set()

    def _refuse_broken(
        self, connection: DBAPIConnection, entry: ConnectionPoolEntry, _lent: PoolProxiedConnection
    ) -> None:
        """Ping a connection that may be broken. The pool replaces a broken one; an error of a new one is raised."""
        raw: RawConnection[Any] = connection.driver_connection  # pyright: ignore[reportAttributeAccessIssue]  # SQLAlchemy's wrapper has it
        returned_at: float | None = entry.info.get(_RETURNED_AT)
        trusted = returned_at is None or time.monotonic() - returned_at < _TRUSTED_SECONDS
        if trusted and not raw.closed and not has_unread(raw.fileno()):
            return
        try:
            self.engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            if returned_at is None:
                raise
            raise InvalidatePoolError from error

    def _refuse_dead(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        try:
            cursor = connection.cursor()
            cursor.execute(_IS_DEAD, [self.worker])
            dead = cursor.fetchone()
            cursor.close()
            connection.rollback()
            if dead is not None:
                raise RunnerLost
        except BaseException:
            connection.close()  # the pool does not know the connection yet, and now never will
            raise


def has_unread(socket: int) -> bool:
    """Return whether the server sent something on an idle connection, such as that it closes it."""
    poll = waiting.poll()
    poll.register(socket, waiting.POLLIN)
    return bool(poll.poll(0))


def worker_application(worker: WorkerId) -> str:
    """Return the `application_name` of a worker's connections (63 bytes at most)."""
    return f"w:{worker}"


async def announce(connection: AsyncConnection, thread: ThreadId, *, beside: Insert | None = None) -> None:
    """Notify, when this transaction commits, that rows of the thread changed.

    `beside` is another row to insert, in the same round trip.
    """
    notify = select(func.pg_notify(NOTIFY_CHANNEL, thread))
    await connection.execute(notify if beside is None else notify.add_cte(beside.cte("beside")))


def _is_gone(error: BaseException | None) -> bool:
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_GONE)
