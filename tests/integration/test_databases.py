"""The databases of tests: what other runs have just made stays, what killed runs left behind goes."""

import time

import pytest
from psycopg import sql

from infra.db.embedded_postgres import HeldPostgres
from tests import databases
from tests.databases import cloned


@pytest.mark.parametrize(("age_seconds", "left"), [(0, 1), (25 * 3600, 0)], ids=["just made", "a day old"])
def test_only_databases_that_killed_runs_left_behind_are_dropped(
    postgres: HeldPostgres, monkeypatch: pytest.MonkeyPatch, age_seconds: int, left: int
) -> None:
    now = time.time()
    with cloned(postgres, None) as _, databases.administrator(postgres) as admin:
        monkeypatch.setattr(time, "time", lambda: now - age_seconds)
        name = databases.fresh_name()
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        monkeypatch.setattr(time, "time", lambda: now)
        databases.drop_old(admin)
        found = admin.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name]).fetchone()
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    assert found == (left,)
