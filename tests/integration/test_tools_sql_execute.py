"""`sql_execute` against a real PostgreSQL: what it counts, what it keeps, and what it refuses."""

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest
from sqlalchemy import URL

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, Tool, TooLate, ToolError, WorldChanged, uptime_seconds
from infra.tools.secret import Secret
from infra.tools.sql_execute import SqlExecuteConfig, sql_execute
from sandbox.script import Json

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64))
TABLES = """
CREATE TABLE payment (id int PRIMARY KEY, state text NOT NULL);
CREATE TABLE refund (id int PRIMARY KEY, payment int REFERENCES payment ON DELETE CASCADE);
CREATE TABLE history (at timestamptz DEFAULT now(), payment int);
INSERT INTO payment SELECT n, 'open' FROM generate_series(1, 20) n;
INSERT INTO refund SELECT n, n FROM generate_series(1, 5) n;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO history (payment) VALUES (OLD.id); RETURN NULL; END $$;
CREATE TRIGGER noted AFTER UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION noted();
"""
COUNTS = """
SELECT (SELECT count(*) FROM payment WHERE state = 'open'), (SELECT count(*) FROM refund),
    (SELECT count(*) FROM history)
"""


@pytest.fixture
def owner(empty_database_url: URL, monkeypatch: pytest.MonkeyPatch) -> Generator[psycopg.Connection[Any]]:
    monkeypatch.setenv("WRITER_URL", empty_database_url.render_as_string(hide_password=False))
    url = empty_database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


@pytest.fixture
def tool(owner: psycopg.Connection[Any]) -> Tool:
    return sql_execute(SqlExecuteConfig(database_url=Secret(env="WRITER_URL"), statement_seconds=20, rows=15))


def counts(owner: psycopg.Connection[Any]) -> tuple[int, ...]:
    row = owner.execute(COUNTS).fetchone()
    assert row is not None
    return tuple(row)


def given(statement: str, **parameters: Json) -> Mapping[str, Json]:
    return {"statement": statement, "parameters": parameters}


async def told(tool: Tool, args: Mapping[str, Json]) -> Json:
    """Return what the card says."""
    assert tool.dry_run is not None
    assert tool.precondition is not None
    said = await tool.dry_run(CONTEXT, args)
    assert await tool.precondition(CONTEXT, args) == said
    return said


async def test_the_dry_run_counts_triggers_and_cascades_and_changes_nothing(
    tool: Tool, owner: psycopg.Connection[Any]
) -> None:
    deleted = given("DELETE FROM payment WHERE id <= :most", most=3)
    said = {"rows_changed": {"public.payment": {"deleted": 3}, "public.refund": {"deleted": 3}}}
    assert await told(tool, deleted) == said
    closed = given("UPDATE payment SET state = 'closed' WHERE id <= :most;", most=2)
    both = {"public.history": {"inserted": 2}, "public.payment": {"updated": 2}}
    assert await told(tool, closed) == {"rows_changed": both}
    assert await told(tool, given("UPDATE payment SET state = 'x' WHERE false")) == {"rows_changed": {}}
    assert counts(owner) == (20, 5, 0)


async def test_the_call_keeps_what_the_card_said_and_nothing_else(tool: Tool, owner: psycopg.Connection[Any]) -> None:
    args = given("DELETE FROM payment WHERE id <= :most", most=3)
    said = await told(tool, args)
    owner.execute("DELETE FROM refund WHERE payment = 2")
    with pytest.raises(WorldChanged):
        await tool.call(replace(CONTEXT, expected=said), args)
    assert counts(owner) == (20, 4, 0)
    again = await told(tool, args)
    assert await tool.call(replace(CONTEXT, expected=again), args) == again
    assert counts(owner) == (17, 2, 0)


async def test_what_comes_too_late_is_rolled_back(tool: Tool, owner: psycopg.Connection[Any]) -> None:
    deadlines = iter([uptime_seconds() + 60, uptime_seconds() - 1])
    late = replace(CONTEXT, not_after=lambda: next(deadlines))
    with pytest.raises(TooLate):
        await tool.call(late, given("DELETE FROM payment WHERE id = 1"))
    assert counts(owner) == (20, 5, 0)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT * FROM payment", "not_allowed"),
        ("WITH gone AS (DELETE FROM payment RETURNING id) SELECT count(*) FROM gone", "not_allowed"),
        ("DELETE FROM payment RETURNING id", "not_allowed"),
        ("DELETE FROM payment WHERE id = 1; DELETE FROM refund", "query_failed"),
        ("DELETE FROM payment WHERE id = 1; COMMIT", "query_failed"),
        ("TRUNCATE payment CASCADE", "not_allowed"),
        ("DROP TABLE refund", "not_allowed"),
        ("COMMIT", "not_allowed"),
        ("/* */ DO $$ BEGIN DELETE FROM payment; END $$", "not_allowed"),
        ("COPY payment TO PROGRAM 'true'", "not_allowed"),
        ("DELETE FROM payment", "too_many_rows"),
        ("UPDATE payment SET state = pg_read_file('/etc/hostname') WHERE id = 1", "not_allowed"),
        ("UPDATE payment SET id = 2 WHERE id = 1", "query_failed"),
        ("DELETE FROM nothing", "query_failed"),
        ("DELETE FROM payment WHERE id = :id", "query_failed"),
        ("UPDATE payment SET state = 'x' FROM pg_sleep(600) WHERE id = 1", "query_timeout"),
    ],
)
async def test_statement_that_is_none_of_its_kind_changes_nothing(
    owner: psycopg.Connection[Any], statement: str, code: str
) -> None:
    seconds = 0.5 if "sleep" in statement else 20
    tool = sql_execute(SqlExecuteConfig(database_url=Secret(env="WRITER_URL"), statement_seconds=seconds, rows=15))
    assert tool.dry_run is not None
    for run in (tool.dry_run, tool.call):
        with pytest.raises(ToolError) as refused:
            await run(CONTEXT, {"statement": statement})
        assert refused.value.code == code
    assert counts(owner) == (20, 5, 0)


async def test_a_row_that_somebody_holds_is_told_and_waited_for_briefly(
    tool: Tool, owner: psycopg.Connection[Any]
) -> None:
    with owner.transaction():
        await asyncio.to_thread(owner.execute, "UPDATE payment SET state = 'held' WHERE id = 1")
        with pytest.raises(ToolError) as refused:
            await tool.call(CONTEXT, given("DELETE FROM payment WHERE id = 1"))
    assert refused.value.code == "busy"
    assert counts(owner)[0] == 19


async def test_a_lost_connection_is_told_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRITER_URL", "postgresql+psycopg://nobody:secret@127.0.0.1:9/none")
    tool = sql_execute(SqlExecuteConfig(database_url=Secret(env="WRITER_URL")))
    with pytest.raises(ToolError) as refused:
        await tool.call(CONTEXT, given("DELETE FROM payment"))
    assert refused.value.code == "database_unreachable"
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("WRITER_URL", "not an address")
    with pytest.raises(ToolError) as refused:
        await tool.call(CONTEXT, given("DELETE FROM payment"))
    assert refused.value.code == "no_secret"


@pytest.mark.parametrize(
    ("at_commit", "code"),
    [("PERFORM pg_terminate_backend(pg_backend_pid())", "outcome_unknown"), ("RAISE 'no'", "query_failed")],
)
async def test_whether_it_was_committed_is_unknown_only_when_the_database_was_lost(
    tool: Tool, owner: psycopg.Connection[Any], at_commit: LiteralString, code: str
) -> None:
    owner.execute(
        f"""CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {at_commit}; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER DELETE ON payment DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION at_commit()"""
    )
    with pytest.raises(ToolError) as refused:
        await tool.call(CONTEXT, given("DELETE FROM payment WHERE id = 9"))
    assert refused.value.code == code
    assert counts(owner) == (20, 5, 0)
