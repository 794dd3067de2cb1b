"""Tokens in `.env`: the doctor and the app read the same file, and say what is wrong with it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.acceptance.doctor_fixtures import patient

GREENLIGHT = Path(sys.executable).with_name("greenlight")


SURROUNDINGS = {"PATH": os.environ["PATH"]}


def write(folder: Path, environ: Mapping[str, str]) -> None:
    """Write an environment into the folder's `.env`."""
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in environ.items()))


async def greenlight(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing in its environment but these."""
    return await asyncio.to_thread(
        subprocess.run,
        [GREENLIGHT, *words],
        env=SURROUNDINGS | environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_doctor_reads_the_file_and_the_environment_goes_before_it(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as healthy:
        write(tmp_path, healthy.environ)
        told = await greenlight(tmp_path, "doctor")
        assert told.returncode == 0, told.stdout + told.stderr
        assert ".env and the environment" in told.stdout
        overruled = await greenlight(tmp_path, "doctor", "--json", OPENAI_API_KEY="sk-another")
        findings = json.loads(overruled.stdout)["findings"]
        assert [finding["check"] for finding in findings if finding["state"] != "ok"] == ["model"]


async def test_the_app_runs_with_the_file_alone(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as healthy:
        write(tmp_path, healthy.environ)
        running = await asyncio.create_subprocess_exec(
            GREENLIGHT, "run", env=SURROUNDINGS, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert running.stdout is not None
            async with asyncio.timeout(120):
                assert b"Greenlight is running" in await running.stdout.readline()
        finally:
            running.send_signal(signal.SIGTERM)
            await running.communicate()
        assert running.returncode == 0


@pytest.mark.parametrize("command", ["run", "worker", "migrate"])
async def test_a_command_says_what_is_wrong_with_the_file_and_shows_none_of_it(tmp_path: Path, command: str) -> None:
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-s3cret\nxapp-s3cret\n")
    told = await greenlight(tmp_path, command)
    assert told.returncode == 2
    assert ".env: line 2 is not NAME=value" in told.stderr
    assert "s3cret" not in told.stdout + told.stderr
    assert "Traceback" not in told.stderr


async def test_the_doctor_says_what_is_wrong_with_the_file_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("xoxb-s3cret\n")
    told = await greenlight(tmp_path, "doctor", "--json", DATABASE_URL="postgresql://u@127.0.0.1:1/d")
    assert told.returncode == 2
    findings = {finding["check"]: finding for finding in json.loads(told.stdout)["findings"]}
    assert findings["settings"]["state"] == "wrong"
    assert "line 1" in findings["settings"]["says"]
    assert findings["bot token"]["state"] == "missing"
    assert "s3cret" not in told.stdout
