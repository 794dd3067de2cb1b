"""Takeover: a worker process is killed with SIGKILL while its steps run, and another one goes on."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Row, text

from infra.config.file import read_configuration
from infra.db.database import Database
from infra.wiring import Part
from infra.worker.worker import Timings
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post, tool
from tests.acceptance.processes import greenlight_worker

PROMISED_SECONDS = 30.0
"""How long a thread may wait for a successor at the default settings."""

WITHOUT_SILENCE = """
[worker]
heartbeat = 0.5
stall = 120
sweep = 60
grace = 2
"""
"""Nobody waits for silence here."""


SILENT_SOON = """
sandbox = "monty"
[worker]
heartbeat = 0.5
stall = 8
sweep = 1
grace = 2
"""
"""Time enough for a worker that lives, on a machine that is busy."""


PUT_OFF_SECONDS = 12
"""Longer than it takes to stop the worker, shorter than it stays stopped."""


GUARD_SECONDS = 300.0
"""Only what is lost takes this long."""


TOOLS_ALONE = """
sandbox = "monty"
[tools.http_get]
hosts = ["127.0.0.1"]
allow_private = true
[tools.http_request]
hosts = ["127.0.0.1"]
allow_private = true
"""
"""Everything else, and `[worker]` above all, as it is where nobody set anything."""


_WORKERS = "SELECT id, heartbeat_at, dead_at, buried_at FROM workers WHERE pid = :pid"


_LEASE = "SELECT taken_at, worker FROM leases"


async def rows(database: Database, query: str, **values: object) -> Sequence[Row[Any]]:
    """Return what the query finds."""
    async with database.begin() as connection:
        return (await connection.execute(text(query), values)).all()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once rows that other processes write say so."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not await condition():  # noqa: ASYNC110 - rows change in another process
            await asyncio.sleep(0.1)


async def test_a_killed_workers_thread_is_taken_over(database_url: URL, tmp_path: Path) -> None:
    await take_over(database_url, tmp_path, TOOLS_ALONE + WITHOUT_SILENCE)


@pytest.mark.chaos
async def test_a_killed_workers_thread_is_taken_over_in_time_at_the_default_settings(
    database_url: URL, tmp_path: Path
) -> None:
    timings = await take_over(database_url, tmp_path, TOOLS_ALONE)
    # A worker that is stopped right after a beat, when somebody has just swept: nothing else is waited for on the way.
    assert timings.stall + timings.sweep < PROMISED_SECONDS


async def take_over(database_url: URL, tmp_path: Path, settings: str) -> Timings:
    """Kill the worker that runs a read and a red call, and follow both through another worker.

    The read is repeated; what became of the red call is asked, and it is never called twice.
    """
    file = tmp_path / "greenlight.toml"
    file.write_text(settings)
    timings = read_configuration(file).worker
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, started=False) as scene:
        await scene.start_app(frozenset({Part.BOT}))
        database = Database(database_url)
        url, effects = scene.effects.url, scene.effects
        effects.hold("slow")
        effects.hold("send")
        send = tool("send", "http_request", {"method": "POST", "url": f"{url}/send"})
        scene.model.add(planned(fetch("slow", f"{url}/slow"), send))
        async with (
            greenlight_worker(scene, file) as one,
            greenlight_worker(scene, file) as other,
            scene.asked("read and send") as observer,
        ):
            for process in (one, other):
                await until(partial(is_alive, database, process.pid))
            await observer.until(lambda seen: bool(seen.cards()), "the card", timeout_seconds=GUARD_SECONDS)
            await scene.click(observer, "Ada", "approved")
            await asyncio.gather(effects.reached("slow"), effects.reached("send"))
            first, second = (one, other) if await is_run_by(database, one.pid) else (other, one)
            [(killed_at,)] = await rows(database, "SELECT now()")
            first.kill()
            await first.wait()
            await until(partial(is_run_by, database, second.pid))
            [dead] = await rows(database, _WORKERS, pid=first.pid)
            [successor] = await rows(database, _WORKERS, pid=second.pid)
            [lease] = await rows(database, _LEASE)
            tell(killed_at, dead, lease.taken_at)
            assert (dead.dead_at - dead.heartbeat_at).total_seconds() < timings.stall, "missed by its lock"
            assert dead.dead_at <= dead.buried_at <= lease.taken_at, "fenced before it is handed on"
            assert (successor.dead_at, lease.worker) == (None, successor.id)
            effects.let_go("slow")
            effects.let_go("send")
            await observer.until(lambda seen: seen.says("Outcome unknown"), "the question what became of it")
            await scene.click(observer, "Ada", "happened")
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
        await database.close()
        assert effects.calls == {"slow": 2, "send": 1}
    return timings


@pytest.mark.chaos
async def test_a_stopped_worker_sends_nothing_when_it_goes_on_after_its_successor_did(
    database_url: URL, tmp_path: Path
) -> None:
    """It is stopped between `started` and the send, which Slack put off; "Run again" has been pressed since."""
    file = tmp_path / "greenlight.toml"
    file.write_text(SILENT_SOON)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}, started=False) as scene:
        await scene.start_app(frozenset({Part.BOT}))
        database = Database(database_url)
        scene.model.add(planned(post("send", "only once")))
        async with (
            greenlight_worker(scene, file) as one,
            greenlight_worker(scene, file) as other,
            scene.asked("send") as observer,
        ):
            for process in (one, other):
                await until(partial(is_alive, database, process.pid))
            await observer.until(lambda seen: bool(seen.cards()), "the card", timeout_seconds=GUARD_SECONDS)
            await scene.people.act("faults", method="chat.postMessage", status=429, retry_after=PUT_OFF_SECONDS)
            await scene.click(observer, "Ada", "approved")
            await until(partial(is_put_off, scene))
            first = one if await is_run_by(database, one.pid) else other
            first.send_signal(signal.SIGSTOP)
            await observer.until(
                lambda seen: seen.says("Outcome unknown"), "the question", timeout_seconds=GUARD_SECONDS
            )
            await scene.click(observer, "Ada", "again")
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer", timeout_seconds=GUARD_SECONDS)
            first.send_signal(signal.SIGCONT)
            async with asyncio.timeout(GUARD_SECONDS):
                await first.wait()
        await database.close()
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["only once"]


async def is_put_off(scene: AppScene) -> bool:
    """Return whether Slack has refused a message for now."""
    refusals: Mapping[str, int] = (await scene.people.dump())["refusals"]
    return any(refusal.startswith("chat.postMessage") for refusal in refusals)


async def is_alive(database: Database, pid: int) -> bool:
    """Return whether the process has registered as a worker."""
    return bool(await rows(database, _WORKERS, pid=pid))


async def is_run_by(database: Database, pid: int) -> bool:
    """Return whether the process holds a thread's lease."""
    query = "SELECT 1 FROM leases JOIN workers ON workers.id = leases.worker WHERE pid = :pid"
    return bool(await rows(database, query, pid=pid))


def tell(killed_at: datetime, dead: Row[Any], taken_at: datetime) -> None:
    """Print what a quiet machine keeps to."""
    silent = (dead.dead_at - dead.heartbeat_at).total_seconds()
    taken = (taken_at - killed_at).total_seconds()
    print(f"killed: declared dead after {silent:.1f} s of silence, its thread taken over {taken:.1f} s after its death")
