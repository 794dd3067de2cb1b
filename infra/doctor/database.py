"""The database's part of the examination: the data folder, the server and its version, the schema."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from procrastinate.schema import SchemaManager
from psycopg import sql
from sqlalchemy import URL

from infra.db import migrate
from infra.db.database import database_url
from infra.db.embedded_postgres import PostgresUnusable, default_data_folder, hold_postgres
from infra.doctor.finding import Finding, missing, ok, wrong

FOLDER, DATABASE, SCHEMA = "data folder", "database", "schema"
OLDEST_VERSION = 14
CONNECT_SECONDS = 5

_MIGRATE = "Run `greenlight migrate` (`greenlight run` does it at its start)."


def database_findings(environ: Mapping[str, str]) -> list[Finding]:
    """Return the findings on the database. Blocks, and starts the embedded database when that is in use."""
    folder = Path(environ["GREENLIGHT_DATA"]) if "GREENLIGHT_DATA" in environ else default_data_folder()
    if (given := environ.get("DATABASE_URL")) is not None:
        return [ok(FOLDER, "not needed: DATABASE_URL is set"), *_given_findings(given)]
    data_folder = _folder_finding(folder.expanduser().absolute())
    if data_folder.mend:
        return [data_folder, *_unusable("not started: its folder cannot be used", "Fix the data folder first.")]
    try:
        with hold_postgres(folder) as postgres:
            return [data_folder, *_findings(postgres.url(), f"its own, in {folder}")]
    except PostgresUnusable as error:
        return [data_folder, *_unusable(str(error), "Fix this, or set DATABASE_URL to a PostgreSQL of yours.")]


def _folder_finding(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return ok(FOLDER, str(folder))
    mend = "Give the folder to this user, or name another one in GREENLIGHT_DATA."
    return wrong(FOLDER, f"{folder} cannot be written: {existing} is no folder, or not writable by this user", mend)


def _given_findings(text: str) -> Sequence[Finding]:
    mend = "It looks like postgresql://user:password@host:5432/database; write special characters in it as %40 etc."
    try:
        url = database_url(text)
    except ValueError:
        return _unusable("DATABASE_URL is no address", mend)
    host = str(url.host or url.query.get("host") or "localhost")
    if "@" in host or "#" in text:
        return _unusable("DATABASE_URL is no address: a special character in it is not written as %40 etc.", mend)
    return _findings(url, f"{url.database or 'its default database'} at {host}")


def _findings(url: URL, where: str) -> Sequence[Finding]:
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(conninfo, connect_timeout=CONNECT_SECONDS, autocommit=True) as connection:
            version = connection.info.server_version // 10_000
            if version < OLDEST_VERSION:
                return _unusable(f"{where} is PostgreSQL {version}", f"Use PostgreSQL {OLDEST_VERSION} or newer.")
            return [ok(DATABASE, f"PostgreSQL {version}, {where}"), schema_finding(connection)]
    except psycopg.Error as error:
        # The server's text, such as the login it refused; it never contains a password.
        words = str(error).strip().splitlines() or [type(error).__name__]
        return _unusable(f"{where} cannot be used: {words[0]}", "Start it, or correct DATABASE_URL.")


def _unusable(says: str, mend: str) -> list[Finding]:
    return [wrong(DATABASE, says, mend), wrong(SCHEMA, "not known without the database", "Fix the database first.")]


def schema_finding(connection: psycopg.Connection[Any]) -> Finding:
    """Compare the applied migrations with those of this version: ours, the queue's and the checkpointer's."""
    ours = frozenset(_applied(connection, "alembic_version", "version_num"))
    known = migrate.revisions()
    if not ours:
        return missing(SCHEMA, "the database has none of our tables yet", _MIGRATE)
    if ours - known:
        return wrong(
            SCHEMA,
            f"the database is of a newer Greenlight ({', '.join(sorted(ours - known))})",
            "Update this installation, or name another database in DATABASE_URL.",
        )
    files = {file.name for file in Path(SchemaManager.get_migrations_path()).glob("*.sql")}
    steps = {str(number) for number in range(len(PostgresSaver.MIGRATIONS))}
    behind = {
        "tables": ours != frozenset({max(known)}),
        "queue": bool(files - _applied(connection, "queue_migrations", "name")),
        "checkpoints": bool(steps - _applied(connection, "checkpoint_migrations", "v")),
    }
    if old := [part for part, lacks in behind.items() if lacks]:
        return wrong(SCHEMA, f"the database is of an older version: {', '.join(old)}", _MIGRATE)
    return ok(SCHEMA, f"up to date ({', '.join(sorted(ours))})")


def _applied(connection: psycopg.Connection[Any], table: str, column: str) -> set[str]:
    if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
        return set()
    query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
    return {str(value) for (value,) in connection.execute(query)}
