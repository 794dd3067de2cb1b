"""The demo's own database: errors of the payments database and deployments.

It lies beside the app's on the same server. Tools get a login that may only read it, so no query of a model reaches
the app's tables.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path

from sqlalchemy import URL, Column, Date, DateTime, Identity, Integer, MetaData, Table, Text, insert, make_url, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from infra.dev.demo.day import Day, day_of, moment
from infra.dev.demo.password import kept_password

NAME = "greenlight_demo"
"""The database's name; the login that may read it is `NAME_reader`."""

DRIVER = "postgresql+psycopg"
SETUP_LOCK = 7_305_114_220
"""Advisory lock under which database, login and rows are made, so that two demos may start at once."""

ABOUT = (
    "Tables: payments_errors(at timestamptz, kind text, message text), the errors the payments database recorded; "
    "deployments(service text, version text, deployed_at timestamptz, deployed_by text, change text)."
)
"""The content of the database, as models read it."""

MESSAGES = {
    "connection_pool_exhausted": "remaining connection slots are in use (pool size 20)",
    "lock_timeout": "canceling statement due to lock timeout",
    "serialization_failure": "could not serialize access due to concurrent update",
}

metadata = MetaData()
told_days = Table("told_days", metadata, Column("day", Date, primary_key=True))


def _log(name: str, moment: str, *texts: str) -> Table:
    """Return a table of things that happened, each at a moment and with these texts."""
    columns = [Column(column, Text, nullable=False) for column in texts]
    key = Column("id", Integer, Identity(), primary_key=True)
    return Table(name, metadata, key, Column(moment, DateTime(timezone=True), nullable=False, index=True), *columns)


payments_errors = _log("payments_errors", "at", "kind", "message")
deployments = _log("deployments", "deployed_at", "service", "version", "deployed_by", "change")


async def demo_database(server_url: str, folder: Path, when: date, name: str = NAME) -> str:
    """Return the reader's URL of the demo's database with that day's rows; create what does not exist yet.

    `server_url` is any database on the server, reached as a user that may create databases and logins.
    The reader's password is kept in `folder`.
    """
    server = make_url(server_url).set(drivername=DRIVER)
    password = kept_password(folder / f"{name}_reader_password")
    async with _engine(server, isolation_level="AUTOCOMMIT") as engine, engine.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": SETUP_LOCK})
        await _make_database(connection, name)
        await _make_reader(connection, reader(name), password)
        # Still under the lock, which belongs to the outer connection.
        await _fill(server.set(database=name), reader(name), when)
    url = server.set(username=reader(name), password=password, database=name)
    return url.render_as_string(hide_password=False)


def reader(name: str) -> str:
    """Return the login that may read the database."""
    return f"{name}_reader"


@asynccontextmanager
async def _engine(url: URL, **options: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(url, pool_size=1, max_overflow=0, **options)
    try:
        yield engine
    finally:
        await engine.dispose()


async def _make_database(connection: AsyncConnection, name: str) -> None:
    found = await connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
    if found is None:
        await connection.execute(text(f"CREATE DATABASE {_quoted(connection, name)}"))


async def _make_reader(connection: AsyncConnection, role: str, password: str) -> None:
    """Create the login, or give it this installation's password (hex). Utility statements take no parameters."""
    found = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    verb = "CREATE" if found is None else "ALTER"
    rights = f"LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD '{password}'"
    await connection.execute(text(f"{verb} ROLE {_quoted(connection, role)} {rights}"))


def _quoted(connection: AsyncConnection, identifier: str) -> str:
    return connection.dialect.identifier_preparer.quote(identifier)


async def _fill(url: URL, role: str, when: date) -> None:
    async with _engine(url) as engine, engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        mark = upsert(told_days).values(day=when).on_conflict_do_nothing().returning(told_days.c.day)
        if await connection.scalar(mark) is not None:
            day = day_of(when)
            await connection.execute(insert(payments_errors), _error_rows(day))
            await connection.execute(insert(deployments), [asdict(deployment) for deployment in day.deployments])
        await connection.execute(text(f"GRANT SELECT ON payments_errors, deployments TO {_quoted(connection, role)}"))


def _error_rows(day: Day) -> list[Mapping[str, object]]:
    """Spread each hour's errors evenly over the hour, in order of time."""
    rows: list[Mapping[str, object]] = [
        {"at": moment(day.date, hour, number * 60 // count), "kind": kind, "message": MESSAGES[kind]}
        for hour, kinds in day.database_errors.items()
        for kind, count in kinds.items()
        for number in range(count)
    ]
    return sorted(rows, key=lambda row: str(row["at"]))
