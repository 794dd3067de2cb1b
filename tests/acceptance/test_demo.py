"""The demo tells its whole story headless, and shares no rows with the app and no folder with another demo."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from infra.db.embedded_postgres import hold_postgres

GREENLIGHT = Path(sys.executable).with_name("greenlight")


COMMAND = (GREENLIGHT, "demo", "--port", "0")


@asynccontextmanager
async def demo(data: str) -> AsyncGenerator[None]:
    """Run the demo with this data folder."""
    running = await asyncio.create_subprocess_exec(
        *COMMAND, env={**os.environ, "GREENLIGHT_DATA": data}, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        async with asyncio.timeout(120):
            while b"Greenlight is running" not in await running.stdout.readline():
                assert not running.stdout.at_eof()
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        await running.communicate()
    assert running.returncode == 0


def tables(data: str) -> int:
    """Return how many tables there are in the database that the app uses with this data folder."""
    with hold_postgres(Path(data)) as postgres:
        address = postgres.url().set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return len(found)


@pytest.fixture
def data() -> Iterator[str]:
    """A data folder that the database's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="greenlight-demo-") as folder:
        Path(folder).chmod(0o755)
        yield folder


async def test_demo_keeps_its_rows_from_the_app_and_its_folder_from_another_demo(data: str) -> None:
    async with demo(data):
        assert await asyncio.to_thread(tables, data) == 0
        second = await asyncio.to_thread(
            subprocess.run,
            COMMAND,
            env={**os.environ, "GREENLIGHT_DATA": data},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.startswith("A demo already uses the folder ")
    assert "Traceback" not in second.stderr


ROOT = Path(__file__).parents[2]


async def test_demo_check_tells_the_whole_story_headless() -> None:
    """A green step starts and one ends between card and click; two attempts are seen; the post is made once."""
    told = await asyncio.to_thread(
        subprocess.run, [GREENLIGHT, "demo", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    for step in (
        "eyes reaction",
        "approval card",
        "first script crashed",
        "steps started and ended beside",
        "exactly once",
        "the report of what was undone",
    ):
        assert step in told.stdout
