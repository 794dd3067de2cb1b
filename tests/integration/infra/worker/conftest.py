"""Two workers, for tests that decide themselves what these do next."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import URL

from tests.fakes.lease_process import Process


@pytest.fixture
async def process(database_url: URL) -> AsyncGenerator[Process]:
    process = Process(database_url)
    await process.register()
    yield process
    await process.database.close()


@pytest.fixture
async def other(database_url: URL) -> AsyncGenerator[Process]:
    process = Process(database_url)
    await process.register()
    yield process
    await process.database.close()
