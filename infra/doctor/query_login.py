"""The part of the examination about `sql_query`: what its login may do besides reading."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import rows
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from agent.tool import ToolError
from infra.doctor.finding import Finding, ok, wrong
from infra.tools.sql import APPLICATION, SqlConfig

CHECK = "sql_query"
CONNECT_SECONDS = 5

_RIGHTS = """
SELECT current_user AS login,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
    (SELECT rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = current_user) AS administers,
    ARRAY(
        SELECT rolname::text FROM pg_roles
        WHERE rolname IN (
            'pg_signal_backend', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files',
            'pg_execute_server_program', 'pg_checkpoint', 'pg_maintain', 'pg_create_subscription'
        ) AND pg_has_role(current_user, oid, 'member')
        ORDER BY rolname
    ) AS roles,
    ARRAY(
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        ORDER BY 1 LIMIT 4
    ) AS written,
    (
        SELECT count(*) FROM pg_stat_activity
        WHERE usename = current_user AND pid <> pg_backend_pid() AND application_name <> %s
    ) AS sessions
"""

_MEND = (
    "Give sql_query a login of its own: CREATE ROLE greenlight_reader LOGIN PASSWORD '...', then GRANT SELECT on what "
    "it may read, and nothing else."
)


def query_login_finding(config: SqlConfig) -> Finding:
    """Return the finding on the login of `sql_query`. Blocks."""
    mend = "Start the database, or correct tools.sql_query.database_url."
    try:
        address = config.database_url
        address = address if isinstance(address, str) else address.read_now()
        conninfo = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(conninfo, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION) as connection:
            connection.read_only = True
            cursor = connection.cursor(row_factory=rows.dict_row)
            rights = cursor.execute(_RIGHTS, [APPLICATION]).fetchone() or {}
    except ToolError as error:
        return wrong(CHECK, f"tools.sql_query.database_url: {error}", mend)
    except (ArgumentError, ValueError):
        return wrong(CHECK, "tools.sql_query.database_url is no address", mend)
    except psycopg.Error as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        return wrong(CHECK, f"its database cannot be used: {words[0]}", mend)
    if too_much := list(_too_much(rights)):
        return wrong(CHECK, f"its login {rights['login']} {'; it '.join(too_much)}", _MEND)
    return ok(CHECK, f"its login {rights['login']} may only read")


def _too_much(rights: dict[str, Any]) -> Iterator[str]:
    """Yield what a query could do harm with."""
    if rights["superuser"]:
        yield "is a superuser, so a query may do anything"
        return
    if rights["administers"]:
        yield "may create roles or databases, or replicate"
    if rights["roles"]:
        yield f"has the rights of {', '.join(rights['roles'])}"
    if rights["written"]:
        yield f"may write {', '.join(rights['written'][:3])}{' and more' if len(rights['written']) > 3 else ''}"
    if rights["sessions"]:
        yield "is in use elsewhere too, so a query could end those sessions"
