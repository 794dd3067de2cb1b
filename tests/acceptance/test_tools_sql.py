"""SQL in a real run: tricks that write or reach out are refused or without effect, and approved changes are as told."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told, tool

TRICKS = (
    "DELETE FROM fruit",
    "/* only a */ -- comment\nDELETE FROM fruit",
    "(DELETE FROM fruit)",
    "SELECT 1; DELETE FROM fruit",
    "SELECT 1; COMMIT; DELETE FROM fruit",
    "COMMIT",
    "WITH gone AS (DELETE FROM fruit RETURNING *) SELECT * FROM gone",
    "WITH new AS (INSERT INTO fruit VALUES (999) RETURNING *) SELECT * FROM new",
    "SELECT * INTO more FROM fruit",
    "CREATE TABLE more AS SELECT * FROM fruit",
    "CREATE TEMP TABLE fruit (id int)",
    "EXPLAIN ANALYZE DELETE FROM fruit",
    "PREPARE gone AS DELETE FROM fruit",
    "DECLARE c CURSOR FOR SELECT 1",
    "DO $$ BEGIN DELETE FROM fruit; END $$",
    "CALL wipe_by_call()",
    "SELECT wipe()",
    "SELECT (wipe()).*",
    "SELECT id FROM fruit WHERE wipe() > 0",
    "SELECT * FROM fruit FOR UPDATE",
    "SELECT * FROM fruit WHERE false FOR SHARE",
    "LOCK TABLE fruit",
    "TRUNCATE fruit",
    "DROP TABLE fruit",
    "ALTER TABLE fruit ADD x int",
    "COPY fruit TO '/tmp/fruit'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY fruit FROM PROGRAM 'echo 999'",
    "SET default_transaction_read_only = off",
    "SET SESSION AUTHORIZATION DEFAULT",
    "RESET ALL",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('statement_timeout', '0', false)",
    "SELECT pg_advisory_lock(7)",
    "SELECT pg_try_advisory_lock_shared(7, 8)",
    "SELECT pg_terminate_backend({pid})",
    "SELECT pg_cancel_backend({pid})",
    'SELECT U&"pg_\\0074erminate_backend"({pid})',
    "SELECT dblink_exec('dbname=postgres', 'DELETE FROM fruit')",
    "SELECT query_to_xml('SELECT pg_terminate_backend({pid})', true, true, '')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT nextval('numbers')",
    "SELECT pg_notify('all', 'text')",
    "NOTIFY all_of_you",
    "GRANT ALL ON fruit TO public",
    "VACUUM fruit",
    "REFRESH MATERIALIZED VIEW counted",
)
SCHEMA = """
CREATE TABLE fruit (id int);
INSERT INTO fruit SELECT generate_series(1, 30);
CREATE SEQUENCE numbers;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM fruit;
CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM fruit; RETURN 1; END $$;
CREATE PROCEDURE wipe_by_call() LANGUAGE sql AS 'DELETE FROM fruit';
"""

LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND datname = current_database()
"""


@pytest.fixture
def owner(empty_database_url: URL) -> Generator[psycopg.Connection[Any]]:
    """A connection of the tables' owner."""
    url = empty_database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield connection


def value(owner: psycopg.Connection[Any], query: LiteralString) -> Any:
    row = owner.execute(query).fetchone()
    assert row is not None
    return row[0]


async def test_48_tricks_to_write_or_reach_out_by_a_query_have_no_effect(
    database_url: URL, empty_database_url: URL, tmp_path: Path, owner: psycopg.Connection[Any]
) -> None:
    def reading(table: dict[str, object]) -> None:
        # the owner's login: nothing but the tool itself holds a query
        table["tools"] = {"sql_query": {"database_url": empty_database_url.render_as_string(hide_password=False)}}

    pid = owner.info.backend_pid
    before = value(owner, "SELECT count(*) FROM pg_class")
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=reading) as scene:
        queries = [tool(f"q{at}", "sql_query", {"query": trick.format(pid=pid)}) for at, trick in enumerate(TRICKS)]
        honest = tool("honest", "sql_query", {"query": "SELECT count(*) FROM fruit"})
        scene.model.add(planned(*queries, honest))
        async with scene.asked("try them") as observer:
            await observer.until(answered, "the answer")
        told = results_told(scene.model.requests_of("conclude")[-1])
    assert told["honest"]["rows"] == [[30]]
    went = {trick for at, trick in enumerate(TRICKS) if "error" not in told[f"q{at}"]}
    assert went == set(), "every one is refused"
    assert owner.execute("SELECT count(*), min(id), max(id) FROM fruit").fetchone() == (30, 1, 30)
    assert value(owner, "SELECT is_called FROM numbers") is False
    assert value(owner, "SELECT count(*) FROM pg_class") == before
    assert value(owner, LOCKS) == 0
    assert len(TRICKS) == 48


async def test_a_change_of_rows_is_counted_on_its_card_and_done_only_as_counted(
    database_url: URL,
    empty_database_url: URL,
    tmp_path: Path,
    owner: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRUIT_URL", empty_database_url.render_as_string(hide_password=False))

    def writing(table: dict[str, object]) -> None:
        table["tools"] = {"sql_execute": {"database_url": {"env": "FRUIT_URL"}}}
        table["approvals"] = {"sql_execute": {"self_approval": False}}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=writing) as scene:
        args = {"statement": "DELETE FROM fruit WHERE id > :most", "parameters": {"most": 25}}
        scene.model.add(planned(tool("clean", "sql_execute", args)))
        async with scene.asked("clean up") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            card = json.dumps(observer.cards()[0].message)
            assert "public.fruit" in card
            assert "deleted" in card
            assert value(owner, "SELECT count(*) FROM fruit") == 30
            owner.execute("DELETE FROM fruit WHERE id = 30")
            await scene.click(observer, "Grace", "approved")
            await observer.until(
                lambda seen: "Changed since you approved" in str(seen.words()), "the card that asks anew"
            )
            assert value(owner, "SELECT count(*) FROM fruit") == 29
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert states(observer)["clean"].startswith("complete")
    assert value(owner, "SELECT max(id) FROM fruit") == 25
