"""A thread whose run breaks every process that enters it is set aside, and its people say how it goes on."""

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from sqlalchemy import URL

from agent.approval import ApprovalKind
from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from infra.wiring import Part
from infra.worker.recovery import TAKEOVERS_WITHOUT_PROGRESS
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import rows
from tests.acceptance.hostile_process import TOOL, Hostile, main
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, tool
from tests.acceptance.processes import app_environment
from tests.acceptance.test_stop import STOPS, session_of, stopped
from tests.fakes.late_clicks import is_late

GUARD_SECONDS = 300.0
"""Only what is lost takes this long."""

SETTINGS = """
sandbox = "monty"
[tools.http_get]
hosts = ["127.0.0.1"]
allow_private = true
[worker]
heartbeat = 0.5
stall = 6
sweep = 0.5
grace = 2
"""

SET_ASIDE = wording.QUESTION_TITLES[ApprovalKind.SET_ASIDE]


_FIRST_HAS_ENDED = "SELECT 1 FROM nodes WHERE node = 'first' AND outcome IS NOT NULL"

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.acceptance.hostile_process"])


class Broken:
    """A scene whose worker, in a process of its own, has a tool that breaks it."""

    def __init__(self, scene: AppScene, url: URL, folder: Path, part: str) -> None:
        self.scene = scene
        self.url = url
        self.hostile = Hostile(folder / "hostile")
        self.hostile.becomes("wait")
        self._file = folder / "greenlight.toml"
        self._file.write_text(SETTINGS)
        self._part = part
        self._data = folder / "data"

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[ForkServerProcess]:
        """Run the process."""
        environment = {**app_environment(self.scene, self._file), "GREENLIGHT_DATA": str(self._data)}
        process = _CONTEXT.Process(target=main, args=(self._part, environment, self.hostile.file))
        await asyncio.to_thread(process.start)
        try:
            yield process
        finally:
            process.kill()
            await asyncio.to_thread(process.join)

    async def becomes(self, does: str) -> None:
        """Let its first step end, and the tool do this once the end is a row: a later row would count as progress."""
        self.scene.effects.let_go("first")
        async with asyncio.timeout(GUARD_SECONDS):
            while not await rows(self.url, _FIRST_HAS_ENDED):  # noqa: ASYNC110 - rows of another process
                await asyncio.sleep(0.1)
        self.hostile.becomes(does)

    async def dies(self) -> None:
        """Run the process until it has died."""
        async with self.process() as process:
            await ended(process)

    async def stalls(self, stack: AsyncExitStack) -> None:
        """Run the process until its tool was called, and keep it."""
        calls = self.hostile.calls
        await stack.enter_async_context(self.process())
        if self.hostile.waits:
            await self.becomes("stall")
        async with asyncio.timeout(GUARD_SECONDS):
            while self.hostile.calls == calls:  # noqa: ASYNC110 - a file that another process writes
                await asyncio.sleep(0.1)


async def ended(process: ForkServerProcess) -> None:
    """Return once the process has ended."""
    await asyncio.to_thread(process.join, GUARD_SECONDS)
    assert process.exitcode is not None


@asynccontextmanager
async def broken(url: URL, folder: Path, part: str = "worker") -> AsyncGenerator[Broken]:
    """Open the scene; with `worker` the bot runs here."""
    async with app_scene(url, folder, [ENDS, ANSWERS], approvals={}, started=False) as scene:
        if part == "worker":
            await scene.start_app(frozenset({Part.BOT}))
        scene.effects.hold("first")
        scene.model.add(
            planned(fetch("first", f"{scene.effects.url}/first"), tool("bad", TOOL, {}, depends_on=["first"]))
        )
        yield Broken(scene, url, folder, part)


async def break_down(given: Broken, observer: ThreadObserver, times: int = TAKEOVERS_WITHOUT_PROGRESS) -> None:
    """Let the run break its process so many times; in the first one its first step has ended and shows."""
    async with given.process() as process:
        await observer.until(lambda seen: bool(seen.boards()), "the board", timeout_seconds=GUARD_SECONDS)
        await given.scene.people.wait_for(lambda dump: session_of(dump, observer) == "processing")
        await given.becomes("kill")
        await ended(process)
    for _ in range(times - 1):
        await given.dies()


async def until_asked(observer: ThreadObserver) -> None:
    await observer.until(
        lambda seen: bool(seen.cards()) and seen.says(SET_ASIDE), "the card", timeout_seconds=GUARD_SECONDS
    )


async def press(given: Broken, observer: ThreadObserver, action: str) -> None:
    """Let two people press a button at the same time; for one of them the card may have lost it already."""
    clicks = (given.scene.click(observer, who, action) for who in ("Ada", "Grace"))
    for result in await asyncio.gather(*clicks, return_exceptions=True):
        assert isinstance(result, bool) or is_late(result), result


async def press_try_again(given: Broken, observer: ThreadObserver) -> None:
    """Press the button."""
    await press(given, observer, "try_again")


async def write(given: Broken, observer: ThreadObserver) -> None:
    """Write anything below the card."""
    given.scene.model.add(planned(fetch("more", f"{given.scene.effects.url}/more")))
    await given.scene.people.post("Ada", observer.channel, "try again", thread_ts=observer.thread_ts)


async def press_leave(given: Broken, observer: ThreadObserver) -> None:
    """Press the button."""
    await press(given, observer, "leave")


async def write_stop(given: Broken, observer: ThreadObserver) -> None:
    """Write the word."""
    await given.scene.people.post("Ada", observer.channel, "!stop", thread_ts=observer.thread_ts)


Says = Callable[[Broken, ThreadObserver], Awaitable[None]]


@pytest.mark.parametrize("says", [press_try_again, write])
async def test_a_thread_that_breaks_its_workers_is_set_aside_until_somebody_says_try_again(
    database_url: URL, tmp_path: Path, says: Says
) -> None:
    async with broken(database_url, tmp_path) as given, given.scene.asked("break down") as observer:
        await break_down(given, observer)
        assert given.hostile.calls == TAKEOVERS_WITHOUT_PROGRESS
        async with given.process() as process:
            await until_asked(observer)
            assert (process.exitcode, given.hostile.calls) == (None, TAKEOVERS_WITHOUT_PROGRESS)
        given.hostile.becomes("mended")
        await says(given, observer)
        async with given.process():
            await observer.until(lambda seen: seen.says("mended"), "the answer", timeout_seconds=GUARD_SECONDS)
        assert given.hostile.calls == TAKEOVERS_WITHOUT_PROGRESS + 1
        assert given.scene.effects.calls["first"] == 1
    assert await takeovers(database_url) == 0


@pytest.mark.parametrize("says", [press_leave, write_stop])
async def test_a_thread_that_is_set_aside_ends_without_being_run_when_somebody_says_leave_it(
    database_url: URL, tmp_path: Path, says: Says
) -> None:
    async with broken(database_url, tmp_path) as given, given.scene.asked("break down") as observer:
        await break_down(given, observer)
        async with given.process():
            await until_asked(observer)
            await says(given, observer)
            await observer.until(stopped, "what was done and what not", timeout_seconds=GUARD_SECONDS)
            await observer.until(lambda seen: not seen.cards(), "the card closed")
        assert given.hostile.calls == TAKEOVERS_WITHOUT_PROGRESS


async def test_a_thread_that_breaks_down_again_after_try_again_is_set_aside_again(
    database_url: URL, tmp_path: Path
) -> None:
    async with broken(database_url, tmp_path) as given, given.scene.asked("break down") as observer:
        await break_down(given, observer)
        async with given.process() as process:
            await until_asked(observer)
            await press_try_again(given, observer)
            await ended(process)
        for _ in range(TAKEOVERS_WITHOUT_PROGRESS - 1):
            await given.dies()
        async with given.process():
            await until_asked(observer)
            await press_leave(given, observer)
            await observer.until(stopped, "what was done and what not", timeout_seconds=GUARD_SECONDS)
        assert given.hostile.calls == 2 * TAKEOVERS_WITHOUT_PROGRESS


async def test_a_thread_that_stalls_its_workers_is_set_aside(database_url: URL, tmp_path: Path) -> None:
    async with broken(database_url, tmp_path) as given, given.scene.asked("stall") as observer:
        async with AsyncExitStack() as stalled:
            for _ in range(TAKEOVERS_WITHOUT_PROGRESS):
                await given.stalls(stalled)
            await stalled.enter_async_context(given.process())
            await until_asked(observer)
        assert given.hostile.calls == TAKEOVERS_WITHOUT_PROGRESS


@pytest.mark.parametrize("stop", STOPS)
async def test_a_stop_is_heard_before_a_run_that_would_break_its_worker_is_entered(
    database_url: URL, tmp_path: Path, stop: Callable[[AppScene, ThreadObserver], Awaitable[None]]
) -> None:
    async with broken(database_url, tmp_path) as given, given.scene.asked("break down") as observer:
        await break_down(given, observer, times=1)
        await stop(given.scene, observer)
        async with given.process():
            await observer.until(stopped, "what was done and what not", timeout_seconds=GUARD_SECONDS)
        assert given.hostile.calls == 1


async def test_a_single_process_that_a_run_kills_hears_the_stop_in_the_end(database_url: URL, tmp_path: Path) -> None:
    async with broken(database_url, tmp_path, "run") as given:
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(given.process())
            async with asyncio.timeout(GUARD_SECONDS):
                while not (await given.scene.people.read("calls"))["connections"]:  # noqa: ASYNC110 - Slack tells nobody
                    await asyncio.sleep(0.1)
            observer = await stack.enter_async_context(given.scene.asked("break down"))
            await given.becomes("kill")
            await ended(process)
            for _ in range(TAKEOVERS_WITHOUT_PROGRESS - 1):
                await given.dies()
            await stack.enter_async_context(given.process())
            await until_asked(observer)
            await write_stop(given, observer)
            await observer.until(stopped, "what was done and what not", timeout_seconds=GUARD_SECONDS)
        assert given.hostile.calls == TAKEOVERS_WITHOUT_PROGRESS


async def test_a_worker_that_ends_in_order_counts_as_no_takeover(database_url: URL, tmp_path: Path) -> None:
    async with broken(database_url, tmp_path) as given, given.scene.asked("wait") as observer:
        given.hostile.becomes("harmless")
        for entry in range(TAKEOVERS_WITHOUT_PROGRESS + 1):
            async with given.process() as process:
                await given.scene.effects.reached("first", entry + 1)
                process.terminate()
                await ended(process)
                assert process.exitcode == 0
        given.scene.effects.let_go("first")
        async with given.process():
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer", timeout_seconds=GUARD_SECONDS)
    assert await takeovers(database_url) == 0


async def takeovers(url: URL) -> int:
    """Return what the only thread's row says."""
    return (await rows(url, "SELECT takeovers FROM threads"))[0][0]
