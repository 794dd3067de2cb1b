"""Fixtures for every test: a database of its own, from one embedded server."""

from collections.abc import AsyncGenerator, Generator

import pytest
from sqlalchemy import URL

from infra.database import Database
from infra.embedded_postgres import HeldPostgres
from tests.databases import cloned, held_test_server, migrated_template


@pytest.fixture(scope="session")
def postgres() -> Generator[HeldPostgres]:
    """The embedded server; shared with other test runs, so touch only databases of your own."""
    with held_test_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: HeldPostgres) -> str:
    """The name of a template database that has our schema."""
    return migrated_template(postgres)


@pytest.fixture
def database_url(postgres: HeldPostgres, migrated: str) -> Generator[URL]:
    """A migrated database for this test alone. `str(url)` hides the password: use `render_as_string`."""
    with cloned(postgres, migrated) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: HeldPostgres) -> Generator[URL]:
    """A database for this test alone, without any table."""
    with cloned(postgres, None) as url:
        yield url


@pytest.fixture
async def database(database_url: URL) -> AsyncGenerator[Database]:
    """This process's way to the test's database."""
    database = Database(database_url)
    yield database
    await database.close()
