"""A migrated database on the embedded server that exists as long as one command."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL

from infra.db.embedded_postgres import ROLE, HeldPostgres
from infra.db.migrate import migrate

_PREFIX = "scratch_"

_ABANDONED = """
SELECT datname FROM pg_database WHERE starts_with(datname, %s)
AND datname NOT IN (SELECT application_name FROM pg_stat_activity)
"""
"""An owner's connection has the name of its database, so a database without one belongs to a killed command."""


@contextmanager
def scratch_database(postgres: HeldPostgres) -> Generator[URL]:
    """Yield the address of a fresh, migrated database. Drops it at the end; drops those of killed commands first."""
    name = f"{_PREFIX}{secrets.token_hex(8)}"
    address = postgres.admin_url().set(drivername="postgresql").update_query_dict({"application_name": name})
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as owner:
        for (abandoned,) in owner.execute(_ABANDONED, [_PREFIX]).fetchall():
            _drop(owner, abandoned)
        create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(ROLE))
        owner.execute(create)
        try:
            migrate(postgres.url(name))
            yield postgres.url(name)
        finally:
            _drop(owner, name)


def _drop(owner: psycopg.Connection, name: str) -> None:
    owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
