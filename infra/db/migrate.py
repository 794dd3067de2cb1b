"""`greenlight migrate`: brings a database to this version's schema, once, however many processes ask.

In order, under one advisory lock: our tables (Alembic), the queue's (Procrastinate), the
checkpointer's and the store's (LangGraph), of whose facts no statistics are kept, and two triggers:
one hands a thread's lock to its next job at once, one notes which of the queue's workers is which of ours.
"""

import time
from pathlib import Path

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.store.postgres import PostgresStore
from procrastinate.schema import SchemaManager
from psycopg import sql
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

_ADVISORY_LOCK = 0x677265656E6C  # "greenl": any number of our own

MIGRATIONS = Path(__file__).parent / "migrations"

# A job that waits for its thread's lock is otherwise found by the next poll only. The payload is
# what Procrastinate's workers expect (worker.py, _handle_notification); the job named is not looked at.
_HAND_OVER_LOCK = """
CREATE OR REPLACE FUNCTION greenlight_hand_over_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text
    );
    RETURN NULL;
END;
$$;
CREATE OR REPLACE TRIGGER greenlight_hand_over_lock_update AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.status = 'doing' AND NEW.status <> 'doing' AND OLD.lock IS NOT NULL)
    EXECUTE FUNCTION greenlight_hand_over_lock();
CREATE OR REPLACE TRIGGER greenlight_hand_over_lock_delete AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.status = 'doing' AND OLD.lock IS NOT NULL)
    EXECUTE FUNCTION greenlight_hand_over_lock();
"""


# A job fetched by a process that died before its first lease is found by the queue worker that its row names.
_KNOW_QUEUE_WORKER = """
CREATE OR REPLACE FUNCTION greenlight_know_queue_worker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE workers SET queue_worker = NEW.id WHERE 'w:' || id = current_setting('application_name');
    RETURN NULL;
END;
$$;
CREATE OR REPLACE TRIGGER greenlight_know_queue_worker AFTER INSERT ON procrastinate_workers
    FOR EACH ROW EXECUTE FUNCTION greenlight_know_queue_worker();
"""


# Statistics are samples of values: a fact's words would stand there after the fact is deleted, until somebody analyzes
# the table again. No query needs them, and the new type, which is the old one, drops what was sampled before.
_SAMPLE_NO_FACTS = """
DO $$
BEGIN
    IF (SELECT attstattarget FROM pg_attribute WHERE attrelid = 'store'::regclass AND attname = 'value')
        IS DISTINCT FROM 0
    THEN
        ALTER TABLE store ALTER COLUMN value TYPE jsonb;
        ALTER TABLE store ALTER COLUMN value SET STATISTICS 0;
    END IF;
END;
$$;
"""


class NotMigrated(Exception):
    """The database cannot be reached, or refuses to change its schema; the text is the server's own message."""


def migrate(url: URL) -> None:
    """Bring the database to this version's schema. Blocking; safe to call by several processes at once.

    Raises:
        NotMigrated: see the class.
    """
    try:
        _migrate(url)
    except (psycopg.Error, DBAPIError) as error:
        message = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        raise NotMigrated(f"The database cannot be used: {message}") from error


def _migrate(url: URL) -> None:
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        _take_lock(connection)
        if _our_revision(connection) != max(revisions()):
            # Only here: most starts find a current database, and Alembic is dear to import.
            from infra.db.alembic_commands import upgrade

            upgrade(url)
        _migrate_queue(connection)
        with PostgresSaver.from_conn_string(conninfo) as saver:
            saver.setup()
        with PostgresStore.from_conn_string(conninfo) as store:
            store.setup()
        connection.execute(_SAMPLE_NO_FACTS)
        connection.execute(_HAND_OVER_LOCK)
        connection.execute(_KNOW_QUEUE_WORKER)


def _take_lock(connection: psycopg.Connection) -> None:
    """Take the session's lock by trying again and again.

    Waiting inside `pg_advisory_lock` would hold a snapshot, and the checkpointer's CREATE INDEX CONCURRENTLY waits for
    every snapshot: both would wait forever.
    """
    while connection.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK]).fetchone() != (True,):
        time.sleep(0.05)


def revisions() -> frozenset[str]:
    """Return the revisions of this version's migrations; the name of a migration's file begins with its revision."""
    return frozenset(file.stem.partition("_")[0] for file in MIGRATIONS.glob("versions/[0-9]*.py"))


def _our_revision(connection: psycopg.Connection) -> str | None:
    """Return the revision that the database is at; None before the first one."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _migrate_queue(connection: psycopg.Connection) -> None:
    """Apply Procrastinate's schema, or those of its numbered files that this database lacks.

    `schema.sql` is the sum of all files and cannot be applied twice.
    """
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    with connection.transaction():
        known = {str(name) for (name,) in connection.execute("SELECT name FROM queue_migrations")}
        if not known:
            connection.execute(SchemaManager.get_schema())
        for file in files:
            if file.name in known:
                continue
            if known:
                connection.execute(sql.SQL(file.read_text()))  # pyright: ignore[reportArgumentType] - a packaged file
            connection.execute("INSERT INTO queue_migrations (name) VALUES (%s)", [file.name])
