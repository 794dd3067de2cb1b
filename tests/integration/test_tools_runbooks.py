"""Runbooks of a git repository, fetched with the real program: hosts that hang, locks that were left, interruptions."""

import asyncio
import os
from pathlib import Path

import pytest

from agent.ids import ThreadId
from infra.tools import runbooks
from infra.tools.runbooks import RepositoryNotFetched, RunbookFiles, RunbooksConfig
from tests.fakes.runbook_repository import committed, silent_host

THREAD = ThreadId("T1:C1:1.0")


@pytest.mark.parametrize("scheme", ["git", "https"])
async def test_a_fetch_that_is_cancelled_leaves_no_program_on_the_connection(tmp_path: Path, scheme: str) -> None:
    async with silent_host(scheme) as host:
        files = RunbookFiles(config=RunbooksConfig(repository=host.address), data=tmp_path)
        following = asyncio.create_task(files.follow(lambda: None))
        await host.reached.wait()
        following.cancel()
        await asyncio.wait([following])
        await host.left.wait()
        assert following.cancelled()


async def test_a_host_that_never_answers_fails_in_time_and_takes_no_runbook_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = committed(tmp_path / "folder")
    monkeypatch.setattr(runbooks, "_GIT_SECONDS", 0.5)
    async with silent_host() as host:
        config = RunbooksConfig(repository=host.address, folder=folder)
        files = RunbookFiles(config=config, data=tmp_path / "data")
        with pytest.raises(RepositoryNotFetched, match="TimeoutError"):
            await files.follow(lambda: pytest.fail("it was not fetched"))
        await host.left.wait()
        assert [book.name for book in await files.of(THREAD)] == ["restart"]


async def test_a_lock_that_a_killed_process_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    config = RunbooksConfig(repository=str(committed(tmp_path / "origin")))
    files, fetched = RunbookFiles(config=config, data=tmp_path / "data"), asyncio.Event()

    async def fetch() -> None:
        following = asyncio.create_task(files.follow(fetched.set))
        ends = asyncio.create_task(fetched.wait())
        await asyncio.wait([following, ends], return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        await asyncio.wait([following])
        ends.cancel()
        if not following.cancelled() and (error := following.exception()) is not None:
            raise error

    await fetch()
    (clone,) = (tmp_path / "data" / "runbooks").iterdir()
    lock = clone / ".git" / "shallow.lock"
    lock.touch()
    fetched.clear()
    with pytest.raises(RepositoryNotFetched):
        await fetch()
    assert lock.exists(), "another process may be at work"
    os.utime(lock, (0, 0))
    await fetch()
    assert fetched.is_set()
