"""Databases for tests: one embedded server for all test runs, a migrated template, a clone for each test."""

import fcntl
import hashlib
import os
import shutil
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
_MEMORY = Path("/dev/shm")  # noqa: S108  # the folder itself belongs to whoever runs the tests
_ROOM = 4 * 1024**3
_KEPT_SECONDS = 24 * 3600
"""How long a database stays after its last use."""


@contextmanager
def held_test_server() -> Generator[HeldPostgres]:
    """Hold the server that every test run of this user shares, parallel ones included."""
    with hold_postgres(_place() / f"greenlight-tests-{os.geteuid()}", _OPTIONS) as server:
        yield server


def _place() -> Path:
    """Return where the server's files are: in memory where there is room, since each test makes hundreds of them."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM:
        return _MEMORY
    return Path(tempfile.gettempdir())


def migrated_template(server: HeldPostgres) -> str:
    """Return the name of a database with this source's schema, made when it does not exist yet."""
    name = f"template_{_schema_digest()}"
    with locked(server.layout.data / "template.lock", fcntl.LOCK_EX), administrator(server) as admin:
        drop_old(admin)
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
    name = fresh_name()
    create = sql.SQL("CREATE DATABASE {} OWNER greenlight TEMPLATE {}")
    with administrator(server) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template1")))
    try:
        yield server.url(name)
    finally:
        with administrator(server) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fresh_name() -> str:
    """Return a name for a database, which says since when it is used.

    A stamp of its own would come after another run had looked for it, and dropped the database as left behind.
    """
    return f"test_{int(time.time()):x}_{uuid.uuid4().hex[:16]}"


@contextmanager
def administrator(server: HeldPostgres) -> Generator[psycopg.Connection]:
    """Yield a connection that may create and drop databases."""
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
    """Note when the template was last used, for `drop_old` of a later run."""
    now = sql.Literal(str(int(time.time())))
    admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), now))


def drop_old(admin: psycopg.Connection) -> None:
    """Drop the databases that killed test runs or older sources left behind. Only under the templates' lock."""
    found = admin.execute(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname ~ '^(test_[0-9a-f]{8}|template|draft)_[0-9a-f]+$'"
    ).fetchall()
    for name, used in found:
        kind, *rest = name.split("_")
        since = int(rest[0], 16) if kind == "test" else int(used or 0)
        if kind == "draft" or since < time.time() - _KEPT_SECONDS:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
