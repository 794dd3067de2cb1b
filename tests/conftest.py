"""Fixtures for every test: a database of its own, from one embedded server."""

import os
from collections.abc import AsyncGenerator, Generator
from importlib import import_module

import pytest
from sqlalchemy import URL

from agent.redaction import SECRETS
from infra.cli.main import collector_paused
from infra.db.database import Database
from infra.db.embedded_postgres import HeldPostgres
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.databases import cloned, held_test_server, migrated_template

os.environ["PYTHON_DOTENV_DISABLED"] = "1"  # a developer may have a .env here, with keys of their own


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import the tests as the commands import the product: a tenth of the time went into walking what is no garbage."""
    with collector_paused():
        import_module("hypothesis")  # it looks for referrers, which are not found later
        return (yield)


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
    database = Database(database_url, wait_seconds=300)  # a busy machine breaks no test
    yield database
    await database.close()


@pytest.fixture
def queue(database: Database) -> Queue:
    """The queue of the test's database, as a process without a worker has it."""
    return Queue(database)


@pytest.fixture
async def notifications(database: Database) -> AsyncGenerator[PgNotifications]:
    """Notifications from the test's database, listening."""
    notifications = PgNotifications(database)
    async with notifications.listening():
        yield notifications


@pytest.fixture
async def stores(database: Database, queue: Queue, notifications: PgNotifications) -> AsyncGenerator[Stores]:
    """Every store, on the test's database."""
    stores = Stores(database, queue, notifications)
    yield stores
    await stores.progress.close()


@pytest.fixture
def _knowing_no_secret() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """No secret is known before and after the test."""
    SECRETS.forget()
    yield
    SECRETS.forget()
