"""An engine that goes away while scripts run: no script is blamed, and work goes on when it is back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, OutcomeKind
from tests.fakes.docker_engine import docker_sandbox
from tests.fakes.docker_proxy import DockerProxy, docker_proxy

pytestmark = pytest.mark.docker

ASKS = Job(code="def main(inputs):\n    return tools.wait()", tools=frozenset({"wait"}))


@asynccontextmanager
async def sandbox_behind_a_proxy(
    monkeypatch: pytest.MonkeyPatch, ready: int
) -> AsyncGenerator[tuple[DockerSandbox, DockerProxy]]:
    with TemporaryDirectory() as folder:  # pytest's own paths are too long for a socket
        async with docker_proxy(Path(folder)) as proxy:
            monkeypatch.setenv("DOCKER_HOST", proxy.address)
            async with docker_sandbox(DockerSettings(pool=PoolSize(ready=ready, idle_ready=ready))) as sandbox:
                yield sandbox, proxy


@pytest.mark.parametrize("ready", [0, 2], ids=["cold", "from-the-pool"])
async def test_script_whose_engine_restarts_is_not_blamed(monkeypatch: pytest.MonkeyPatch, ready: int) -> None:
    asked, hang = asyncio.Event(), asyncio.Event()

    async def wait(tool: str, args: object) -> Json:
        asked.set()
        await hang.wait()
        return "answered"

    async with sandbox_behind_a_proxy(monkeypatch, ready) as (sandbox, proxy):
        running = asyncio.create_task(sandbox.run(ASKS, wait))
        await asked.wait()
        proxy.go_away()
        proxy.come_back()  # before anybody asks whether it is away
        outcome = await running
        assert outcome.kind is OutcomeKind.INFRA, outcome
        hang.set()
        assert (await sandbox.run(ASKS, wait)).result == "answered"


async def test_script_that_ends_itself_is_blamed_after_a_restart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_tools(tool: str, args: object) -> Json:
        raise AssertionError(tool)

    async with sandbox_behind_a_proxy(monkeypatch, ready=0) as (sandbox, proxy):
        proxy.go_away()
        proxy.come_back()
        job = Job(code="import os\ndef main(inputs):\n    os._exit(7)")
        outcome = await sandbox.run(job, no_tools)
        while outcome.kind is OutcomeKind.INFRA or "exit code 7" not in str(outcome.error):
            outcome = await sandbox.run(job, no_tools)  # the restart is being noticed
        assert outcome.kind is OutcomeKind.DIED, outcome
