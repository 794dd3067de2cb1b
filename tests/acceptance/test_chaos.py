"""Nothing is lost and nothing happens twice while processes die: `make chaos KILLS=n SEED=n`."""

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from agent.errors import StoreUnavailable
from infra.database import Database
from infra.embedded_postgres import hold_postgres
from infra.migrate import migrate
from infra.scripted_model.server import MODEL_NAME, ScriptedModel
from infra.workspace.app import InstalledApp
from infra.workspace.client import WorkspaceClient
from infra.workspace.server import Workspace
from tests.acceptance.effects import EffectServer
from tests.acceptance.stage import MANIFEST
from tests.chaos import audit
from tests.chaos.people import People
from tests.chaos.storm import Storm, scripts, write_configuration

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
KILLS = int(os.environ.get("KILLS") or 200)
JOBS = 20
SHORT_BLOWS = 12
RETRY_DELAYS_SECONDS = (0.0, 10.0, 120.0)
"""Slack's three retries, sooner than its own (0, 60, 300 s): the last comes after the storm, within our patience."""

PATIENCE_SECONDS = 180.0
"""Only what is lost takes this long after the storm."""


async def test_nothing_is_lost_and_nothing_happens_twice_in_a_short_storm() -> None:
    await weather(SHORT_BLOWS, SEED)


@pytest.mark.chaos
async def test_nothing_is_lost_and_nothing_happens_twice_in_a_long_storm() -> None:
    blows, seed = KILLS, SEED
    while blows > 0:
        await weather(min(blows, 40), seed)
        blows, seed = blows - 40, seed + 1


async def weather(blows: int, seed: int) -> None:
    """Run all jobs through one storm, then look at what came of them."""
    print(f"SEED={seed}", flush=True)
    rng = random.Random(seed)  # noqa: S311 - chosen again from its seed
    with _open_folder() as folder, hold_postgres(folder / "data") as postgres:
        await asyncio.to_thread(migrate, postgres.url())
        database = Database(postgres.url())
        async with (
            EffectServer() as effects,
            Workspace(
                app=InstalledApp.from_manifest(MANIFEST), rate_limits=False, retry_delays=RETRY_DELAYS_SECONDS
            ) as workspace,
            WorkspaceClient(workspace.base_url) as client,
            ScriptedModel(scripts(effects.url)) as model,
        ):
            environment = {
                "DATABASE_URL": postgres.url().set(drivername="postgresql").render_as_string(hide_password=False),
                "SLACK_BOT_TOKEN": workspace.bot_token,
                "SLACK_APP_TOKEN": workspace.app_token,
                "SLACK_API_URL": workspace.api_url,
                "OPENAI_API_KEY": "scripted",
                "OPENAI_BASE_URL": await model.start(),
                "GREENLIGHT_MODEL": MODEL_NAME,
                "GREENLIGHT_CONFIG": str(write_configuration(folder)),
                "CHAOS_LOG": os.environ.get("CHAOS_LOG") or str(folder / "log"),
            }
            people = People(client, effects, rng)
            storm = Storm(environment=environment, postgres=postgres, people=client, rng=rng)
            try:
                await _live_through(storm, people, database, blows)
                codes = await storm.end()
                print("\n".join(f"{count:5} {what}" for what, count in sorted(storm.done.items())))
                for what, count in sorted((await audit.outcomes(database)).items()):
                    print(f"{count:5} {what}")
                print(f"{people.clicks:5} clicks on {len(people.decided)} questions", flush=True)
                assert list(await audit.violations(database, people, effects, JOBS)) == []
                assert codes == [0, 0, 0, 0]
            finally:
                await storm.end()
                await database.close()


@contextmanager
def _open_folder() -> Generator[Path]:
    """Give a folder that the database's own user can get through."""
    with tempfile.TemporaryDirectory(prefix="greenlight-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def _live_through(storm: Storm, people: People, database: Database, blows: int) -> None:
    async with _while_here(storm.keep_running(), people.watch(), people.decide()):
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.rage(blows))
            for job in range(JOBS):
                await people.ask(job)
                await asyncio.sleep(storm.rng.uniform(0, blows / JOBS / 2))
        storm.calm_down()
        await storm.people.act("faults", clear=True)
        await _until_all_is_done(people, database)


async def _until_all_is_done(people: People, database: Database) -> None:
    left: object = None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(StoreUnavailable):
                    left = await audit.unfinished(database)
                    if not left and not people.open_cards() and all(people.answers(job) for job in range(JOBS)):
                        return
                await asyncio.sleep(0.5)
    except TimeoutError:
        silent = [job for job in range(JOBS) if not people.answers(job)]
        raise AssertionError(
            f"left undone: {left}; without an answer: {silent}; cards: {people.open_cards()}"
        ) from None


@asynccontextmanager
async def _while_here(*loops: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(each) for each in loops]
        try:
            yield
        finally:
            for each in running:
                each.cancel()
