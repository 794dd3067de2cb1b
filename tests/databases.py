"""Databases for tests: one embedded server for all test runs, a migrated template, a clone for each test."""

import fcntl
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from infra.db import migrate as migration
from infra.db.embedded_postgres import HeldPostgres, hold_postgres, locked

# No test needs its rows after a crash of the machine, so the server need not wait for the disk.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "400"}
_KEPT_SECONDS = 24 * 3600
"""How long a database stays after its last use."""


@contextmanager
def held_test_server() -> Generator[HeldPostgres]:
    """Hold the server that every test run of this user shares, parallel ones included."""
    folder = Path(tempfile.gettempdir()) / f"greenlight-tests-{os.geteuid()}"
    with hold_postgres(folder, _OPTIONS) as server:
        yield server


def migrated_template(server: HeldPostgres) -> str:
    """Return the name of a database with this source's schema, made when it does not exist yet."""
    name = f"template_{_schema_digest()}"
    with locked(server.layout.data / "template.lock", fcntl.LOCK_EX), _admin(server) as admin:
        _drop_old(admin)
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            draft = f"draft_{uuid.uuid4().hex[:12]}"
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER greenlight").format(sql.Identifier(draft)))
            migration.migrate(server.url(draft))
            renamed = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            admin.execute(renamed.format(sql.Identifier(draft), sql.Identifier(name)))
        _stamp(admin, name)
    return name


@contextmanager
def cloned(server: HeldPostgres, template: str | None) -> Generator[URL]:
    """Yield the address of a fresh copy of the template (None: of an empty database); drop it after."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    create = sql.SQL("CREATE DATABASE {} OWNER greenlight TEMPLATE {}")
    with _admin(server) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template1")))
        _stamp(admin, name)
    try:
        yield server.url(name)
    finally:
        with _admin(server) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _admin(server: HeldPostgres) -> Generator[psycopg.Connection]:
    address = server.admin_url().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as admin:
        yield admin


def _schema_digest() -> str:
    folder = Path(migration.__file__).parent
    sources = [folder / "migrate.py", *sorted((folder / "migrations").rglob("*.py"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    digest.update(f"{version('procrastinate')} {version('langgraph-checkpoint-postgres')}".encode())
    return digest.hexdigest()[:16]


def _stamp(admin: psycopg.Connection, name: str) -> None:
    """Note when the database was last used, for `_drop_old` of a later run."""
    now = sql.Literal(str(int(time.time())))
    admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), now))


def _drop_old(admin: psycopg.Connection) -> None:
    """Drop the databases that killed test runs or older sources left behind."""
    found = admin.execute(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname ~ '^(test|template|draft)_[0-9a-f]+$'"
    ).fetchall()
    for name, used in found:
        if name.startswith("draft_") or int(used or 0) < time.time() - _KEPT_SECONDS:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
