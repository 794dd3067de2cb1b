"""`greenlight run`, `bot` and `worker` at their start: what is wrong with Slack in one line, and no noise otherwise."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.state.faults import MethodFault
from tests.acceptance.doctor_fixtures import Patient, patient

GREENLIGHT = Path(sys.executable).with_name("greenlight")

PAGE: Mapping[str, Any] = {"status": 503, "body": "<html>Service Unavailable</html>", "content_type": "text/html"}


@asynccontextmanager
async def started(sick: Patient, command: str, folder: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a command as a process of its own, with the patient's environment and nothing else."""
    process = await asyncio.create_subprocess_exec(
        GREENLIGHT,
        command,
        env={"PATH": os.environ["PATH"], **sick.environ},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def variable(name: str, value: str) -> Callable[[Patient], None]:
    return lambda sick: sick.environ.update({name: value})


def fault(method: str, **what: Any) -> Callable[[Patient], None]:
    return lambda sick: sick.workspace.backend.faults.methods.append(MethodFault(method=method, times=100, **what))


@pytest.mark.parametrize(
    ("command", "spoil", "words"),
    [
        ("run", variable("SLACK_BOT_TOKEN", "xoxb-old"), "Slack refuses SLACK_BOT_TOKEN: invalid_auth."),
        ("worker", variable("SLACK_BOT_TOKEN", "xoxb-old"), "Slack refuses SLACK_BOT_TOKEN: invalid_auth."),
        ("run", variable("SLACK_APP_TOKEN", "xapp-old"), "Slack refuses SLACK_APP_TOKEN: invalid_auth."),
        ("bot", variable("SLACK_APP_TOKEN", "xapp-old"), "Slack refuses SLACK_APP_TOKEN: invalid_auth."),
        ("run", variable("SLACK_API_URL", "http://127.0.0.1:1/api/"), "Slack cannot be reached at http://127.0.0.1:1/"),
        ("run", fault("auth.test", **PAGE), "Slack cannot be reached at"),
        ("run", fault("apps.connections.open", **PAGE), "Slack cannot be reached at"),
        ("run", fault("auth.test", body="[]"), "Slack cannot be reached at"),
    ],
    ids=[
        "bot token",
        "bot token of a worker",
        "app token",
        "app token of a bot",
        "away",
        "page for auth.test",
        "page for apps.connections.open",
        "list for auth.test",
    ],
)
async def test_start_without_slack_ends_with_2_and_a_line_that_says_why(
    database_url: URL, tmp_path: Path, command: str, spoil: Callable[[Patient], None], words: str
) -> None:
    async with patient(database_url, tmp_path) as sick:
        spoil(sick)
        async with started(sick, command, tmp_path) as process:
            told = (await process.communicate())[1].decode()
        assert process.returncode == 2, told
        assert "Traceback" not in told
        assert words in told
        assert told.splitlines()[-1] == "`greenlight doctor` shows more."
        assert "xoxb-" not in told
        assert "xapp-" not in told


async def test_start_and_model_calls_log_no_noise_of_libraries(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as healthy:
        healthy.environ["PYTHONUNBUFFERED"] = "1"
        async with (
            started(healthy, "run", tmp_path) as process,
            WorkspaceClient(healthy.workspace.base_url) as people,
        ):
            assert process.stdout is not None
            assert b"Greenlight is running" in await process.stdout.readline()
            await people.post("Ada", "ops", "@Greenlight hello")
            await people.wait_for(lambda _: bool(healthy.model.requests_of("planner")), timeout_seconds=300)
            process.send_signal(signal.SIGTERM)
            told = (await process.communicate())[1].decode()
        assert process.returncode == 0, told
        assert "unused" not in told
        assert "httpx2" not in told
        assert "HTTP Request" not in told
