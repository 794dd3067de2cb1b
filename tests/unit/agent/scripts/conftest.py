"""A sandbox for scripts that works without Docker."""

from collections.abc import AsyncIterator

import pytest

from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Sandbox


@pytest.fixture
async def monty() -> AsyncIterator[Sandbox]:
    sandbox = MontySandbox(monty_binary())
    yield sandbox
    await sandbox.close()
