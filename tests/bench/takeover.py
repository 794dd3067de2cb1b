"""How long a thread waits when the worker that runs it is killed, and when it is asked for before any worker runs.

Real processes at the default settings: a bot here, and workers started as `greenlight worker`.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy import text

from infra.db.database import Database
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned
from tests.acceptance.processes import greenlight_worker
from tests.bench.figure import Figure, figure
from tests.bench.ground import fresh_database

ROUNDS = 5
PATIENCE_SECONDS = 120.0

CONFIGURATION = """
sandbox = "monty"
[tools.http_get]
hosts = ["127.0.0.1"]
allow_private = true
timeout_seconds = 120
"""

_HOLDING = text("SELECT count(*) FROM worker_sessions JOIN workers ON id = worker WHERE dead_at IS NULL")


async def figures() -> AsyncIterator[Figure]:
    """Measure starts of a worker, then kills of one beside another."""
    with fresh_database() as url, tempfile.TemporaryDirectory(prefix="greenlight-bench-") as folder:
        file = Path(folder) / "greenlight.toml"
        file.write_text(CONFIGURATION)
        async with app_scene(url, Path(folder), [ENDS, ANSWERS], approvals={}, started=False) as scene:
            await scene.start_app(frozenset({Part.BOT}))
            database = Database(url)
            starts = [await _start(scene, file, f"start{number}") for number in range(ROUNDS)]
            kills = [await _kill(scene, file, database, f"kill{number}") for number in range(ROUNDS)]
            await database.close()
    yield figure("takeover", "start of a worker to its first thread, p50", statistics.median(starts), "s")
    yield figure("takeover", "kill -9 to work going on, p50", statistics.median(kills), "s", at_most=2.0)
    yield figure("takeover", "kill -9 to work going on, longest", max(kills), "s")


async def _start(scene: AppScene, file: Path, name: str) -> float:
    """Return the seconds from a worker's start until a tool is called for a message that waited."""
    await _ask(scene, name)
    began = time.perf_counter()
    async with greenlight_worker(scene, file) as worker:
        await scene.effects.reached(name)
        seconds = time.perf_counter() - began
        worker.terminate()
        await worker.wait()
    return seconds


async def _kill(scene: AppScene, file: Path, database: Database, name: str) -> float:
    """Return the seconds from the kill of the worker that runs a thread until another has called its tool again."""
    scene.effects.hold(name)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(greenlight_worker(scene, file))
        await _ask(scene, name)
        await scene.effects.reached(name)
        await stack.enter_async_context(greenlight_worker(scene, file))
        await _until_held(database, 2)
        began = time.perf_counter()
        first.kill()
        await scene.effects.reached(name, times=2)
        seconds = time.perf_counter() - began
        scene.effects.let_go(name)
    await _until_held(database, 0)
    return seconds


async def _ask(scene: AppScene, name: str) -> None:
    scene.model.add(planned(fetch(name, f"{scene.effects.url}/{name}"), contains=f"{name}."))
    await scene.people.post("Ada", "ops", f"@Greenlight do {name}.")


async def _until_held(database: Database, workers: int) -> None:
    """Return once so many live workers hold their lock; those left by a round are declared dead first."""
    forget: Sequence[str] = ("UPDATE workers SET dead_at = now() WHERE dead_at IS NULL",) if workers == 0 else ()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with database.begin() as connection:
                for statement in forget:
                    await connection.execute(text(statement))
                if (await connection.execute(_HOLDING)).scalar_one() == workers:
                    return
            await asyncio.sleep(0.05)
