"""`sql_query` against a real PostgreSQL."""

import asyncio
import resource
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, Tool, ToolError
from infra.tools.sql import SqlConfig, sql_query
from sandbox.script import Json

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64))


def address(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
async def tool(empty_database_url: URL) -> AsyncGenerator[Tool]:
    """The tool as the tables' owner, so that only the transaction keeps it from writing."""
    with psycopg.connect(address(empty_database_url.set(drivername="postgresql")), autocommit=True) as owner:
        owner.execute("CREATE TABLE fruit (id int PRIMARY KEY, name text)")
        owner.execute("INSERT INTO fruit SELECT n, 'fruit ' || n FROM generate_series(1, 300) n")
    config = SqlConfig(database_url=address(empty_database_url), statement_seconds=30, rows=100)
    async with sql_query(config, result_bytes=20_000) as tool:
        yield tool


async def run(tool: Tool, query: str, parameters: Mapping[str, Json] | None = None) -> Mapping[str, Json]:
    args: dict[str, Json] = {"query": query} if parameters is None else {"query": query, "parameters": parameters}
    result = await tool.call(CONTEXT, args)
    assert isinstance(result, Mapping)
    return result


async def refused(tool: Tool, query: str, parameters: Mapping[str, Json] | None = None) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await run(tool, query, parameters)
    return caught.value


async def test_query_gives_columns_and_rows(tool: Tool) -> None:
    result = await run(tool, "SELECT id, name FROM fruit WHERE id <= :most ORDER BY id;", {"most": 2})
    assert result == {"columns": ["id", "name"], "rows": [[1, "fruit 1"], [2, "fruit 2"]], "truncated": False}


async def test_parameters_are_values_and_never_sql(tool: Tool) -> None:
    result = await run(tool, "SELECT count(*) FROM fruit WHERE name = :name", {"name": "x' OR '1'='1"})
    assert result["rows"] == [[0]]


async def test_text_parameter_is_cast_where_it_says_so(tool: Tool) -> None:
    query = "SELECT CAST(:hour AS timestamptz) + interval '1 hour' AS after"
    assert (await run(tool, query, {"hour": "2025-11-20T14:00:00Z"}))["rows"] == [["2025-11-20T15:00:00+00:00"]]


async def test_colon_in_a_literal_is_no_parameter(tool: Tool) -> None:
    result = await run(tool, """SELECT '{"a":true}'::jsonb, '12:30'::time""")
    assert result["rows"] == [[{"a": True}, "12:30:00"]]


async def test_percent_sign_is_no_placeholder(tool: Tool) -> None:
    result = await run(tool, "SELECT count(*) FROM fruit WHERE name LIKE '%' AND id % 100 = 0")
    assert result["rows"] == [[3]]


async def test_more_rows_than_allowed_are_cut_and_said(tool: Tool) -> None:
    result = await run(tool, "SELECT id FROM fruit ORDER BY id")
    assert result == {"columns": ["id"], "rows": [[n] for n in range(1, 101)], "truncated": True}


async def test_exactly_as_many_rows_as_allowed_are_whole(tool: Tool) -> None:
    assert (await run(tool, "SELECT id FROM fruit WHERE id <= 100"))["truncated"] is False


async def test_more_bytes_than_allowed_are_cut_and_said(tool: Tool) -> None:
    result = await run(tool, "SELECT repeat('x', 9000) FROM generate_series(1, 10)")
    rows = result["rows"]
    assert isinstance(rows, list)
    assert (len(rows), result["truncated"]) == (2, True)


@pytest.mark.parametrize(
    "cell",
    ["repeat('x', 100000000)", "jsonb_build_array(repeat('x', 100000000))", "decode(repeat('00', 50000000), 'hex')"],
)
async def test_cell_that_is_far_too_large_never_arrives(tool: Tool, cell: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await run(tool, f"SELECT 1 AS one, {cell} AS huge, 'a' AS one -- and no more")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result == {
        "columns": ["one", "huge", "one"],
        "rows": [[1, None, "a"]],
        "truncated": False,
        "too_large": ["huge"],
    }
    assert grown < 20 * 1024  # KiB


SHAPES: list[tuple[str, Any]] = [
    ("SELECT", [[]]),
    ("VALUES (1, NULL), (2, 'b')", [[1, None], [2, "b"]]),
    ("TABLE fruit LIMIT 1", [[1, "fruit 1"]]),
    ("WITH a AS (SELECT 1 AS n) SELECT n, n, ARRAY[n], ROW(n) FROM a", None),
    ("SELECT pg_catalog.current_database() IS NULL, NULL, 'x', interval '1 hour', '{}'::jsonb", None),
    ("SELECT id FROM fruit WHERE id < 4 ORDER BY id DESC", [[3], [2], [1]]),
    ("SELECT name FROM fruit ORDER BY random() LIMIT 0", []),
]


@pytest.mark.parametrize(("query", "rows"), SHAPES)
async def test_every_shape_of_query_is_read_as_it_is(tool: Tool, query: str, rows: Any) -> None:
    result = await run(tool, query)
    assert "too_large" not in result
    assert rows is None or result["rows"] == rows


async def test_endless_result_is_not_read_to_its_end(tool: Tool) -> None:
    assert (await run(tool, "SELECT generate_series(1, 1000000000)"))["truncated"] is True


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM fruit",
        "  -- a note\n/* another */ UPDATE fruit SET name = 'x'",
        "INSERT INTO fruit VALUES (0, 'x')",
        "DROP TABLE fruit",
        "TRUNCATE fruit",
        "COPY fruit TO PROGRAM 'cat'",
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN DELETE FROM fruit; END $$",
        "WITH gone AS (DELETE FROM fruit RETURNING *) SELECT * FROM gone",
        "SELECT nextval('numbers')",
    ],
)
async def test_write_is_refused_in_clear_words(tool: Tool, empty_database_url: URL, query: str) -> None:
    with psycopg.connect(address(empty_database_url.set(drivername="postgresql")), autocommit=True) as owner:
        owner.execute("CREATE SEQUENCE numbers")
    error = await refused(tool, query)
    assert error.code == "read_only"
    assert "only reads" in str(error)
    assert (await run(tool, "SELECT count(*), max(name) = 'x' FROM fruit"))["rows"] == [[300, False]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; DELETE FROM fruit",
        "SELECT 1; COMMIT; DELETE FROM fruit",
        "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM fruit",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "COMMIT",
        "ROLLBACK",
    ],
)
async def test_way_around_the_transaction_fails(tool: Tool, query: str) -> None:
    await refused(tool, query)
    await refused(tool, "SELECT nothing")
    assert (await run(tool, "SELECT count(*) FROM fruit"))["rows"] == [[300]]
    assert (await refused(tool, "DELETE FROM fruit")).code == "read_only"


@pytest.fixture
def owner(empty_database_url: URL) -> Generator[psycopg.Connection[Any]]:
    """A connection of the tables' owner, who waits for no lock longer than 30 s."""
    url = address(empty_database_url.set(drivername="postgresql"))
    with psycopg.connect(url, autocommit=True, options="-c lock_timeout=30s") as connection:
        yield connection


async def test_what_a_query_leaves_in_its_session_does_not_outlive_it(
    tool: Tool, owner: psycopg.Connection[Any]
) -> None:
    owner.execute(
        """CREATE FUNCTION leave() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_advisory_lock(7);
            PERFORM set_config('default_transaction_read_only', 'off', false);
            PERFORM set_config('statement_timeout', '0', false);
            RETURN pg_backend_pid();
        END $$"""
    )
    first = (await run(tool, "SELECT leave()"))["rows"]
    # granted as soon as the query's session is gone
    await asyncio.to_thread(owner.execute, "SELECT pg_advisory_lock(7)")
    settings = "current_setting('default_transaction_read_only'), current_setting('statement_timeout')"
    assert (await run(tool, f"SELECT {settings}"))["rows"] == [["on", "30s"]]
    assert (await run(tool, "SELECT pg_backend_pid()"))["rows"] != first


@pytest.mark.parametrize(
    "call",
    [
        "pg_terminate_backend({pid})",
        "pg_catalog.PG_Terminate_Backend /* now */ ({pid})",
        '"pg_terminate_backend"({pid})',
        'U&"pg_\\0074erminate_backend"({pid})',
        "u&\"pg!0074erminate_backend\" UESCAPE '!' ({pid})",
        "query_to_xml('SELECT pg_termi' || 'nate_backend({pid})', true, true, '')",
        "pg_cancel_backend({pid})",
        "pg_advisory_lock(7)",
        "pg_try_advisory_xact_lock_shared(7)",
        "set_config('statement_timeout', '0', false)",
        "dblink_exec('dbname=postgres', 'SELECT 1')",
        "pg_read_file('/etc/hostname')",
        "lo_export(1, '/tmp/x')",
        "pg_notify('a', 'b')",
        "pg_stat_reset()",
        "pg_reload_conf()",
    ],
)
async def test_function_that_acts_beyond_its_query_is_refused(
    tool: Tool, owner: psycopg.Connection[Any], call: str
) -> None:
    error = await refused(tool, f"SELECT {call.format(pid=owner.info.backend_pid)}")
    assert error.code == "not_allowed"
    assert "Nothing was changed" in str(error)
    assert owner.execute("SELECT 1").fetchone() == (1,)


async def test_name_of_such_a_function_may_be_asked_for_as_a_value(tool: Tool) -> None:
    query = "SELECT count(*) FROM pg_proc WHERE proname = :name"
    assert (await run(tool, query, {"name": "pg_terminate_backend"}))["rows"] == [[1]]


async def test_many_queries_at_once_share_six_connections(tool: Tool, owner: psycopg.Connection[Any]) -> None:
    owner.execute("CREATE FUNCTION held() RETURNS int LANGUAGE sql AS 'SELECT pg_advisory_lock_shared(1); SELECT 1'")
    owner.execute("SELECT pg_advisory_lock(1)")
    count = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'greenlight sql_query'"
    async with asyncio.TaskGroup() as group:
        queries = [group.create_task(run(tool, "SELECT held()")) for _ in range(20)]
        waiting = f"SELECT count(*) {count} AND wait_event = 'advisory'"
        while owner.execute(waiting).fetchone() != (6,):  # noqa: ASYNC110 -- nobody is told of a waiting session
            await asyncio.sleep(0.02)
        assert owner.execute(f"SELECT count(*) {count}").fetchone() == (6,)
        owner.execute("SELECT pg_advisory_unlock(1)")
    assert all(query.result()["rows"] == [[1]] for query in queries)


async def test_slow_query_is_stopped(empty_database_url: URL) -> None:
    async with sql_query(SqlConfig(database_url=address(empty_database_url), statement_seconds=0.2)) as tool:
        assert (await refused(tool, "SELECT pg_sleep(600)")).code == "query_timeout"


async def test_fault_in_a_query_is_told_with_its_state(tool: Tool) -> None:
    error = await refused(tool, "SELECT colour FROM fruit")
    assert error.code == "query_failed"
    assert str(error) == 'column "colour" does not exist (SQLSTATE 42703)'


async def test_parameter_without_a_value_is_named(tool: Tool) -> None:
    assert ":colour wants a value" in str(await refused(tool, "SELECT * FROM fruit WHERE name = :colour"))


async def test_value_no_column_can_take_is_told(tool: Tool) -> None:
    assert (await refused(tool, "SELECT :x", {"x": {"a": 1}})).code == "query_failed"


async def test_database_that_is_away_is_told() -> None:
    config = SqlConfig(database_url="postgresql+psycopg://nobody:secret@127.0.0.1:9/none")
    async with sql_query(config) as tool:
        error = await refused(tool, "SELECT 1")
    assert error.code == "database_unreachable"
    assert "secret" not in str(error)


async def test_database_that_comes_back_is_used_again(tool: Tool, empty_database_url: URL) -> None:
    await run(tool, "SELECT 1")
    with psycopg.connect(address(empty_database_url.set(drivername="postgresql")), autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'greenlight sql_query'"
        )
    assert (await run(tool, "SELECT 1"))["rows"] == [[1]]
