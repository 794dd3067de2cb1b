"""Migrations on a real database."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy import URL

from infra.db.alembic_commands import drift
from infra.db.migrate import MIGRATIONS, migrate, revisions


def _tables(url: URL) -> set[str]:
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


def test_migrating_makes_our_tables_the_queues_and_the_checkpointers(empty_database_url: URL) -> None:
    migrate(empty_database_url)
    assert {"inbox", "approvals", "procrastinate_jobs", "checkpoint_writes"} <= _tables(empty_database_url)


def test_migrating_again_changes_nothing(database_url: URL) -> None:
    before = _tables(database_url)
    migrate(database_url)
    assert _tables(database_url) == before


def test_a_current_database_is_migrated_without_alembic(database_url: URL) -> None:
    address = database_url.render_as_string(hide_password=False)
    script = (
        "import sys\n"
        "from sqlalchemy.engine import make_url\n"
        "from infra.db.migrate import migrate\n"
        f"migrate(make_url({address!r}))\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_statistics_of_facts_that_were_collected_before_are_gone_and_none_are_collected(database_url: URL) -> None:
    conninfo = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    sampled = "SELECT count(*) FROM pg_stats WHERE tablename = 'store' AND attname = 'value'"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("ALTER TABLE store ALTER COLUMN value SET STATISTICS -1")  # as an earlier version left it
        facts = "SELECT 'T1.team', n::text, jsonb_build_object('text', 'canary ' || n) FROM generate_series(1, 90) n"
        connection.execute(f"INSERT INTO store (prefix, key, value) {facts}")
        connection.execute("ANALYZE store")
        assert connection.execute(sampled).fetchone() == (1,)
        migrate(database_url)
        assert connection.execute(sampled).fetchone() == (0,)
        connection.execute("ANALYZE store")
        assert connection.execute(sampled).fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM store").fetchone() == (90,)


def test_the_files_of_the_migrations_name_alembics_revisions() -> None:
    known = ScriptDirectory(str(MIGRATIONS))
    assert revisions() == {script.revision for script in known.walk_revisions()}
    assert [max(revisions())] == known.get_heads()


def test_processes_that_migrate_at_once_all_succeed(empty_database_url: URL) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_database_url] * 4))
    assert "procrastinate_jobs" in _tables(empty_database_url)


def test_migrations_make_exactly_the_tables_of_the_code(database_url: URL) -> None:
    drift(database_url)
