"""The tool `sql_execute`: changes rows by one statement that a person approved, and as many rows as they read.

The card says how many rows of which tables the statement changes, triggers and cascades included: it is run in a
transaction that is rolled back. The call itself runs it in one transaction and commits only if it changed as many.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from agent.ids import ToolName
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, Colour, Tool, ToolError, WorldChanged
from infra.tools.secret import Secret
from infra.tools.sql import (
    CONNECT_SECONDS,
    CONNECTIONS,
    database_error,
    escaped_parameters,
    refused_function,
    unreachable_database,
    value_missing,
)
from sandbox.script import Json

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "statement": {
            "type": "string",
            "description": "One INSERT, UPDATE, DELETE or MERGE; no RETURNING at its end.",
            "maxLength": 20_000,
        },
        "parameters": {"type": "object", "description": "Values for :name in the statement."},
    },
    "required": ["statement"],
    "additionalProperties": False,
}

CHANGES_ROWS = re.compile(
    r"\A(?>(?:\s|--[^\n]*\n|/\*.*?\*/)*)(insert|update|delete|merge|with)\b", re.IGNORECASE | re.DOTALL
)
"""Recognises a statement that changes rows. No other is run: it may end the transaction, or lock a table."""

LOCK_SECONDS = 3
"""How long a statement waits for what others hold."""

APPLICATION = "greenlight sql_execute"

_IN_THE_WAY = frozenset({"40001", "40P01", "55P03"})
"""SQLSTATEs of a statement that others were in the way of; nothing was changed."""

_CHANGES = """\
SELECT schemaname, relname,
    json_build_object('inserted', n_tup_ins, 'updated', n_tup_upd, 'deleted', n_tup_del)
FROM pg_stat_xact_all_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
ORDER BY schemaname, relname"""


@dataclass(frozen=True, kw_only=True)
class SqlExecuteConfig:
    """`[tools.sql_execute]`: the database whose rows `sql_execute` changes."""

    #: Where the address is, as in `{ env = "PAYMENTS_WRITER_URL" }`. Use a login that may change no more than it must:
    #: functions and triggers that a statement calls run with its rights, for the card already.
    database_url: Secret
    #: The content of the database, for the tool's description.
    about: str = ""
    statement_seconds: float = field(default=10.0, metadata={"gt": 0, "le": 600})
    #: A statement that changes more is refused.
    rows: int = field(default=1_000, metadata={"ge": 1, "le": 1_000_000})


_Run: TypeAlias = Callable[[Mapping[str, Json], CallContext | None], Awaitable[Mapping[str, Json]]]


def sql_execute(config: SqlExecuteConfig) -> Tool:
    """Return the tool."""
    run = partial(_run, config, asyncio.Semaphore(CONNECTIONS))
    return Tool(
        name=ToolName("sql_execute"),
        description=(
            "Change rows of a PostgreSQL database by one INSERT, UPDATE, DELETE or MERGE. Returns how many rows of "
            f"which tables it changed, {config.rows} at most. Pass values as parameters and write :name "
            f"in the statement; cast with CAST(:name AS type). {config.about}"
        ).strip(),
        arguments=ARGUMENTS,
        colour=Colour.RED,
        returns_outside_text=True,
        call=partial(_call, run),
        check=_check,
        dry_run=partial(_read, run),
        precondition=partial(_read, run),
        timeout_seconds=CONNECT_SECONDS + config.statement_seconds + 10,
    )


async def _check(_context: CallContext, args: Mapping[str, Json]) -> None:
    statement = str(args["statement"])
    if not CHANGES_ROWS.match(statement):
        raise _only_changes()
    if name := refused_function(statement):
        raise ToolError(
            "not_allowed",
            f"{name} acts beyond the rows of a statement. Nothing was changed; pass a value as parameter.",
        )


async def _read(run: _Run, context: CallContext, args: Mapping[str, Json]) -> Json:
    await _check(context, args)
    return await run(args, None)


async def _call(run: _Run, context: CallContext, args: Mapping[str, Json]) -> Json:
    await _check(context, args)
    return await run(args, context)


async def _run(
    config: SqlExecuteConfig,
    connections: asyncio.Semaphore,
    args: Mapping[str, Json],
    commit: CallContext | None,
) -> Mapping[str, Json]:
    """Run the statement and return what it changed; keep that only with `commit`, and only if its card said so.

    Raises:
        ToolError: it failed; `outcome_unknown` when the connection was lost while it was committed.
        WorldChanged: it changes something else than its card said, and was rolled back.
    """
    statement, parameters = str(args["statement"]).strip().rstrip(";"), args.get("parameters") or {}
    assert isinstance(parameters, Mapping)  # noqa: S101 - the arguments' schema says so
    escaped, values = escaped_parameters(statement, parameters), dict(parameters)
    try:
        async with connections, _connected(config) as connection:
            await _check_plan(connection, escaped, values)
            if commit is not None:
                commit.check_not_late()
            await connection.execute(text(escaped), values)
            changed = await _changed(connection)
            if (number := _number_of(changed)) > config.rows:
                words = f"It changes {number} rows, more than {config.rows}. Nothing was changed."
                raise ToolError("too_many_rows", words)
            if commit is None:
                await connection.rollback()
                return changed
            if commit.expected not in (None, changed):
                await connection.rollback()
                raise WorldChanged
            commit.check_not_late()
            await _commit(connection)
            return changed
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", None) or "") in _IN_THE_WAY:
            raise ToolError("busy", "Others hold what it is to change. Nothing was changed.") from error
        raise database_error(error, config.statement_seconds, value_missing(statement, parameters)) from error
    except StatementError as error:
        raise ToolError("bad_parameters", "The values given for the statement's parameters do not fit it.") from error
    except OSError as error:
        raise unreachable_database() from error


async def _check_plan(connection: AsyncConnection, statement: str, values: Mapping[str, Json]) -> None:
    """Return if the statement changes rows and returns none; the database plans it without running it.

    Raises:
        ToolError: it is another one. What it returns could be of any size.
    """
    answer = await connection.execute(text(f"EXPLAIN (VERBOSE, FORMAT JSON) {statement}"), values)
    plans = cast("list[Mapping[str, Any]]", answer.scalar_one())
    for plan in (query.get("Plan", {}) for query in plans):
        if plan.get("Node Type") != "ModifyTable":
            raise _only_changes()
        if plan.get("Output"):
            words = "sql_execute returns no rows: leave RETURNING out. Nothing was changed."
            raise ToolError("not_allowed", words)


async def _changed(connection: AsyncConnection) -> Mapping[str, Json]:
    """Return the rows that the transaction changed, by table and kind; triggers' and cascades' are among them."""
    if await connection.scalar(text("SHOW track_counts")) != "on":
        raise ToolError("not_allowed", "The database does not count changes (track_counts is off).")
    rows = await connection.execute(text(_CHANGES))
    tables = {
        f"{schema}.{table}": {kind: number for kind, number in counts.items() if number}
        for schema, table, counts in rows
    }
    return {"rows_changed": cast("Json", tables)}


def _number_of(changed: Mapping[str, Json]) -> int:
    tables = cast("Mapping[str, Mapping[str, int]]", changed["rows_changed"])
    return sum(sum(counts.values()) for counts in tables.values())


@asynccontextmanager
async def _connected(config: SqlExecuteConfig) -> AsyncGenerator[AsyncConnection]:
    """Yield a session of its own, which ends with it; what is not committed is rolled back."""
    milliseconds = round(config.statement_seconds * 1000)
    try:
        engine = create_async_engine(
            await config.database_url.read(),
            poolclass=NullPool,
            connect_args={
                "application_name": APPLICATION,
                "connect_timeout": CONNECT_SECONDS,
                # Only a prepared statement is certainly one: a text without parameters may hold several.
                "prepare_threshold": 0,
                "options": f"-c statement_timeout={milliseconds} -c lock_timeout={LOCK_SECONDS}s -c timezone=UTC"
                f" -c idle_in_transaction_session_timeout={milliseconds + 5_000}",
            },
        )
    except ArgumentError:
        raise ToolError("no_secret", f"{config.database_url.where} holds no database's address") from None
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except (OperationalError, OSError) as error:
        words = "The database was lost while the change was committed."
        raise ToolError(OUTCOME_UNKNOWN, words) from error


def _only_changes() -> ToolError:
    words = "sql_execute takes one INSERT, UPDATE, DELETE or MERGE. Nothing was changed."
    return ToolError("not_allowed", words)
