"""`greenlight workspace`: the workspace as a process of its own."""

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace

PROGRAM = "from infra.cli.main import main; main()"


async def started(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """A running workspace and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "workspace", "--port", "0", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    return process, line.removeprefix("Local workspace: ").strip()


async def stopped(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_messages_survive_a_restart_with_a_snapshot(tmp_path: Path) -> None:
    kept = ("--snapshot", str(tmp_path / "kept.json"))
    process, address = await started(*kept)
    async with WorkspaceClient(address) as people:
        await people.post("Ada", "#ops", "remember me")
    assert await stopped(process) == 0
    process, address = await started(*kept)
    async with WorkspaceClient(address) as people:
        assert [message["text"] for message in await people.messages("ops")] == ["remember me"]
    assert await stopped(process) == 0


async def test_workspace_started_again_moves_to_the_other_port() -> None:
    async with Workspace() as running:
        first = running.base_url
        await running.start(0)
        assert running.base_url != first
        async with WorkspaceClient(running.base_url) as people:
            assert (await people.dump())["ok"]
        async with WorkspaceClient(first) as people:
            with pytest.raises(aiohttp.ClientConnectionError):
                await people.dump()
