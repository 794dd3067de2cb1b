"""The tool `sql_query`: runs one query in a read-only Postgres transaction, with limits on time and size."""

import asyncio
import base64
import json
import math
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncResult, create_async_engine
from sqlalchemy.pool import NullPool

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.secret import Secret, secret_text
from sandbox.script import Json

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "One SELECT (or VALUES) statement.", "maxLength": 20_000},
        "parameters": {"type": "object", "description": "Values for :name in the query."},
    },
    "required": ["query"],
    "additionalProperties": False,
}

WRITES = re.compile(
    r"\A(?>(?:\s|--[^\n]*\n|/\*.*?\*/|\()*)"
    r"(insert|update|delete|merge|truncate|create|alter|drop|grant|revoke|copy|call|do|set|reset|vacuum|lock)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Recognises a statement that changes something, for a clear message only. The login, the read-only transaction and
the cursor, which takes queries only, protect the database."""

REACHES_OUT = re.compile(
    r"""\b(
        pg_(try_)?advisory_\w+ | pg_(terminate|cancel)_backend | pg_notify | set_config
        | pg_(reload_conf|rotate_logfile|promote|switch_wal|create_restore_point|log_\w+|import_system_collations)
        | pg_(backup_(start|stop)|(start|stop)_backup|wal_replay_(pause|resume)|export_snapshot)
        | pg_(create|drop|copy|sync)_\w*replication_slots? | pg_logical_(slot|emit)_\w+ | pg_replication_slot_advance
        | pg_replication_origin_(create|drop|advance|session_\w+|xact_\w+)
        | pg_(stat|replication)_\w*reset\w* | pg_(set|clear|restore)_\w+_stats?
        | pg_(read|write)_\w*file | pg_ls_\w+ | pg_stat_file | pg_file_\w+
        | lo_(import|export|create?|open|unlink|put|truncate(64)?|from_bytea) | lo(read|write)
        | dblink\w* | (query|cursor)_to_xml\w* | ts_stat | ts_rewrite
    )\b | \b(u&)(?=")""",
    re.IGNORECASE | re.VERBOSE,
)
"""Functions of a query that act on other sessions, on the server, on its files or on what comes after the query, and
those that run a text as another query. `U&"..."` could spell any of their names. Only a login without rights keeps a
query from them for good: a view or a function of the database may call them too."""

NAME = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
"""A parameter, by SQLAlchemy's rule."""


_FEW_ROWS = {"max_row_buffer": 20}
"""Rows that are fetched at once."""

CONNECT_SECONDS = 15
"""Patience with a busy server; one that is down refuses at once."""

CONNECTIONS = 6
"""How many queries of this process run at once."""

APPLICATION = "greenlight sql_query"
"""The name of the tool's sessions in `pg_stat_activity`."""


@dataclass(frozen=True, kw_only=True)
class SqlConfig:
    """`[tools.sql_query]`: the database that `sql_query` reads."""

    #: Use a login of its own that may only read: in a read-only transaction too a superuser can do harm, and any login
    #: can end its other sessions. `greenlight doctor` looks at what it may do.
    database_url: str | Secret = field(repr=False)
    #: The content of the database, for the tool's description.
    about: str = ""
    statement_seconds: float = field(default=10.0, metadata={"gt": 0})
    rows: int = field(default=200, metadata={"ge": 1, "le": 10_000})


@asynccontextmanager
async def sql_query(config: SqlConfig, *, result_bytes: int = 512 * 1024) -> AsyncGenerator[Tool]:
    """Yield the tool. Drops rows beyond `result_bytes`.

    Each query has a session of its own, which ends with it: locks, settings and temporary tables go with the session
    (about 7 ms of processor time more than a session that is used again).
    """
    engines = _Engines(config)
    description = (
        "Run one SQL query (PostgreSQL) in a read-only transaction. Returns columns, rows and truncated (more than "
        f"{config.rows} rows are cut); columns in too_large have cells that are left out as null. "
        "Pass values as parameters and write :name in the query; "
        f"cast with CAST(:name AS type). {config.about}"
    )
    room = asyncio.Semaphore(CONNECTIONS)
    try:
        yield Tool(
            name=ToolName("sql_query"),
            description=description.strip(),
            arguments=ARGUMENTS,
            colour=Colour.GREEN,
            returns_outside_text=True,
            call=partial(_run_query, config, engines, room, result_bytes),
            timeout_seconds=CONNECT_SECONDS + config.statement_seconds + 10,
            retryable=True,
        )
    finally:
        await engines.close()


class _Engines:
    """The engine for the address as it is now, which may be a secret that changes."""

    def __init__(self, config: SqlConfig) -> None:
        self._config = config
        self._address = ""
        self._engine: AsyncEngine | None = None

    async def current(self) -> AsyncEngine:
        """Return the engine.

        Raises:
            ToolError: `no_secret`: the address cannot be read, or is none.
        """
        address = await secret_text(self._config.database_url)
        if self._engine is None or address != self._address:
            self._address, self._engine = address, self._opened(address)  # one without a pool holds nothing to close
        return self._engine

    def _opened(self, address: str) -> AsyncEngine:
        milliseconds = round(self._config.statement_seconds * 1000)
        options = f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c timezone=UTC"
        given = {"application_name": APPLICATION, "connect_timeout": CONNECT_SECONDS, "options": options}
        try:
            return create_async_engine(address, poolclass=NullPool, connect_args=given)
        except ArgumentError:
            raise ToolError("no_secret", "tools.sql_query.database_url is no database's address") from None

    async def close(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            await self._engine.dispose()


async def _run_query(
    config: SqlConfig,
    engines: _Engines,
    connections: asyncio.Semaphore,
    result_bytes: int,
    _context: CallContext,
    args: Mapping[str, Json],
) -> Json:
    """Run `query` with `parameters`."""
    query = str(args["query"]).strip().rstrip(";")
    parameters = args.get("parameters") or {}
    assert isinstance(parameters, Mapping)  # noqa: S101 - the arguments' schema says so
    if verb := refused_verb(query):
        raise _only_reads(verb)
    if name := refused_function(query):
        words = (
            f"sql_query only reads, and {name} does more. Nothing was changed. Where it is a value, pass a parameter."
        )
        raise ToolError("not_allowed", words)
    try:
        engine = await engines.current()
        async with connections, engine.connect() as connection:
            escaped, values = escaped_parameters(query, parameters), dict(parameters)
            columns = await _columns(connection, escaped, values)
            bounded = text(_bounded(escaped, len(columns), result_bytes))
            # A server-side cursor fetches rows as they are read, and takes one statement, a query.
            async with connection.stream(bounded, values, execution_options=_FEW_ROWS) as result:
                return await _read(result, columns, config.rows, result_bytes)
    except DBAPIError as error:
        raise database_error(error, config.statement_seconds, value_missing(query, parameters)) from error
    except StatementError as error:
        raise ToolError("bad_parameters", "The values given for the query's parameters do not fit it.") from error
    except OSError as error:
        raise unreachable_database() from error


async def _columns(connection: AsyncConnection, query: str, values: Mapping[str, Json]) -> Sequence[str]:
    """Return the names of the query's columns; the database plans it without running it."""
    async with connection.stream(text(f"SELECT * FROM ({query}\n) AS q LIMIT 0"), values) as result:  # noqa: S608 -- as given
        return list(result.keys())


def _bounded(query: str, columns: int, cell_bytes: int) -> str:
    """Return the query with every cell over `cell_bytes` as null, and the numbers of such columns in a last one.

    The database leaves them out: one cell may have a gigabyte, and a driver holds several copies of it.
    """
    names = [f"c{at}" for at in range(columns)]
    large = [f"octet_length(CAST({name} AS text)) > {cell_bytes}" for name in names]
    cells = [f"CASE WHEN {is_large} THEN NULL ELSE {name} END" for name, is_large in zip(names, large, strict=True)]
    numbers = ", ".join(f"CASE WHEN {is_large} THEN {at} END" for at, is_large in enumerate(large))
    left_out = f"array_remove(CAST(ARRAY[{numbers}] AS integer[]), NULL)"
    alias = f"q ({', '.join(names)})" if names else "q"
    return f"SELECT {', '.join([*cells, left_out])} FROM ({query}\n) AS {alias}"  # noqa: S608 -- the person's query


async def _read(result: AsyncResult[Any], columns: Sequence[str], most_rows: int, room: int) -> Json:
    rows: list[list[Json]] = []
    left_out: set[int] = set()
    truncated = False
    async for *values, numbers in result:
        cells = [json_value(cell) for cell in values]
        room -= len(json.dumps(cells, ensure_ascii=False).encode())
        if truncated := len(rows) == most_rows or room < 0:
            break
        rows.append(cells)
        left_out.update(numbers)
    read: dict[str, Json] = {"columns": list(columns), "rows": rows, "truncated": truncated}
    return read | {"too_large": [columns[at] for at in sorted(left_out)]} if left_out else read


def unreachable_database() -> ToolError:
    """Return the error for a database that does not answer."""
    return ToolError("database_unreachable", "The database cannot be reached.")


def _only_reads(what: str) -> ToolError:
    return ToolError("read_only", f"sql_query only reads: {what} is not a query. Nothing was changed.")


def refused_verb(query: str) -> str:
    """Return the first word of a statement that changes something; empty when it is none."""
    found = WRITES.match(query)
    return found[1].upper() if found else ""


def refused_function(query: str) -> str:
    """Return the first name in a query that may act beyond it; empty when there is none."""
    found = REACHES_OUT.search(query)
    return found[0] if found else ""


def value_missing(query: str, parameters: Mapping[str, Json]) -> str:
    """Return the first :name of the query without a value, or an empty text."""
    return next((found[0] for found in NAME.finditer(query) if found[1] not in parameters), "")


def escaped_parameters(query: str, parameters: Mapping[str, Json]) -> str:
    """Escape every :name without a value, so that SQLAlchemy takes no `:true` in a JSON literal for a parameter."""
    return NAME.sub(lambda found: found[0] if found[1] in parameters else "\\" + found[0], query)


def database_error(error: DBAPIError, seconds: float, unknown: str) -> ToolError:
    """Translate a database error. SQLSTATEs: appendix A of the PostgreSQL manual."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    words = str(error.orig).splitlines()[0] if error.orig is not None else type(error).__name__
    match state:
        case "25006":
            return _only_reads("a statement that writes")
        case "0A000":
            return ToolError("read_only", f"sql_query only reads: {words}. Nothing was changed.")
        case "57014":
            return ToolError("query_timeout", f"The query took longer than {seconds:g} s.")
        case "42501":
            return ToolError("not_allowed", f"The database does not allow it: {words}.")
        case "42601" if unknown:
            return ToolError("query_failed", f"{words}. Perhaps {unknown} wants a value in parameters.")
        case "" if isinstance(error, (OperationalError, InterfaceError)):
            return unreachable_database()
        case _ if state.startswith(("08", "57P")):
            return unreachable_database()
        case _:
            return ToolError("query_failed", f"{words} (SQLSTATE {state})" if state else words)


def json_value(value: object) -> Json:
    """Return a database value as JSON: exact where JSON allows it, else the value's usual text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {str(key): json_value(item) for key, item in cast("Mapping[object, object]", value).items()}
        case list() | tuple() | set() | frozenset():
            return [json_value(item) for item in cast("Iterable[object]", value)]
        case _:
            return str(value)


def _number(value: Decimal) -> Json:
    """Return an integer exactly, another number as a float when that loses nothing, else as text."""
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
