"""This process's way to the database: no connection is lost."""

import asyncio

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from infra.db.database import Database

_OTHERS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")


async def test_closing_also_closes_a_connection_that_comes_back_a_moment_later(
    database_url: URL, database: Database
) -> None:
    closing = Database(database_url)
    held = asyncio.Event()

    async def hold() -> None:
        async with closing.autocommit():
            held.set()
            await asyncio.sleep(0.1)

    holding = asyncio.create_task(hold())
    await held.wait()
    await closing.close()
    async with asyncio.timeout(60), database.autocommit() as connection:
        while (await connection.execute(_OTHERS)).scalar_one():  # noqa: ASYNC110 - the server lets go when it does
            await asyncio.sleep(0.02)
    await holding


async def test_the_error_of_a_statement_does_not_tell_its_values(database: Database) -> None:
    statement = text("SELECT 1 / CAST(:zero AS integer), CAST(:said AS text)")
    with pytest.raises(DBAPIError, match="division by zero") as caught:
        async with database.autocommit() as connection:
            await connection.execute(statement, {"zero": 0, "said": "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("way", ["begin", "snapshot"])
async def test_a_block_cut_off_before_it_begins_gives_its_connection_back(
    database: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def cut_off(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(database.engine.dialect, "set_isolation_level", cut_off)
        with pytest.raises(asyncio.CancelledError):
            async with getattr(database, way)():
                pass
    async with database.autocommit() as connection:
        assert (await connection.execute(_OTHERS)).scalar_one() == 0
