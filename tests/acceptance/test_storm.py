"""Nothing is lost and nothing happens twice while processes die: `make chaos KILLS=n SEED=n`."""

import asyncio
import json
import os
import random
import tempfile
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from agent.errors import StoreUnavailable
from infra.db.database import Database
from infra.db.embedded_postgres import hold_postgres
from infra.db.migrate import migrate
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.scripted_model.server import MODEL_NAME, ScriptedModel
from tests.acceptance.app_fixture import MANIFEST
from tests.acceptance.effects import EffectServer
from tests.chaos import audit
from tests.chaos.audit import wrong_ends
from tests.chaos.containers import open_containers
from tests.chaos.people import People
from tests.chaos.storm import Storm, operations, scripts, write_configuration

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))


KILLS = int(os.environ.get("KILLS") or 200)


JOBS = 20


SHORT_BLOWS = 12


RETRY_DELAYS_SECONDS = (0.0, 10.0, 120.0)
"""Slack's three retries, sooner than its own (0, 60, 300 s): the last comes after the storm, within our patience."""


PATIENCE_SECONDS = 180.0
"""After the storm only what is lost does not move for this long, however slow the machine is."""


async def test_nothing_is_lost_and_nothing_happens_twice_in_a_short_storm() -> None:
    await weather(SHORT_BLOWS, SEED)


@pytest.mark.chaos
async def test_nothing_is_lost_and_nothing_happens_twice_in_a_long_storm() -> None:
    blows, seed = KILLS, SEED
    while blows > 0:
        await weather(min(blows, 40), seed)
        blows, seed = blows - 40, seed + 1


ENDED = {
    "a3": "succeeded",
    "b3": "succeeded",
    "r3": "succeeded",
    "s3": "rejected",
    "c3": "succeeded",
    "p3": "succeeded",
}
"""How the nodes of job 3 end when people approve its first red call and reject its second."""


CHOSEN = {"red-3-1": "approved", "red-3-2": "rejected"}


def test_the_audit_finds_nothing_where_each_node_ended_as_planned_and_decided() -> None:
    assert list(wrong_ends(operations(3, "http://effects"), CHOSEN, ENDED)) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"p3": "failed: internal"}, "p3 is failed: internal, not succeeded", id="a failure"),
        pytest.param({"b3": "skipped"}, "b3 is skipped, not succeeded", id="skipped without a cause"),
        pytest.param({"c3": "cancelled"}, "c3 is cancelled, not succeeded", id="cancelled by nobody"),
        pytest.param({"a3": "unknown"}, "a3 is unknown, not succeeded", id="unknown"),
        pytest.param({"r3": "failed: outcome_unknown"}, "r3 is failed: outcome_unknown, not succeeded", id="given up"),
        pytest.param({"s3": "succeeded"}, "s3 is succeeded, not rejected", id="done though rejected"),
        pytest.param({"z9": "succeeded"}, "z9 is in no plan", id="in no plan"),
    ],
)
def test_the_audit_names_a_node_that_ended_without_a_cause(wrong: Mapping[str, str], words: str) -> None:
    assert list(wrong_ends(operations(3, "http://effects"), CHOSEN, {**ENDED, **wrong})) == [words]


def test_the_audit_names_a_node_that_is_missing_or_never_asked() -> None:
    ended = {node: state for node, state in ENDED.items() if node != "p3"}
    assert list(wrong_ends(operations(3, "http://effects"), {"red-3-1": "approved"}, ended)) == [
        "s3 is rejected, not ended only after people decided",
        "p3 is not there, not succeeded",
    ]


def test_the_audit_lets_what_needs_a_rejected_call_be_skipped_and_nothing_else() -> None:
    chosen = {**CHOSEN, "red-3-1": "rejected"}
    ended = {**ENDED, "r3": "rejected", "c3": "skipped"}
    assert list(wrong_ends(operations(3, "http://effects"), chosen, ended)) == []
    assert list(wrong_ends(operations(3, "http://effects"), chosen, {**ended, "c3": "succeeded"})) == [
        "c3 is succeeded, not skipped"
    ]


async def test_the_audit_of_a_storm_fails_on_a_wrong_end_in_the_rows(database_url: URL) -> None:
    database = Database(database_url)
    async with EffectServer() as effects, WorkspaceClient(effects.url) as client:
        people = People(client, effects, random.Random(0))  # noqa: S311 - chooses nothing here
        people.threads[1] = "1.1"
        async with database.begin() as connection:
            for node, outcome in (("a1", {"state": "succeeded"}), ("b1", {"state": "failed", "error": "internal"})):
                values = {"node": node, "state": outcome["state"], "outcome": json.dumps(outcome)}
                await connection.execute(_NODE, values)
        found = await audit.violations(database, people)
    await database.close()
    assert "b1 is failed: internal, not succeeded" in found
    assert not [words for words in found if words.startswith("a1")]


_NODE = text("""
    INSERT INTO nodes (tenant, thread, node, turn, title, kind, colour, author, state, depends_on, outcome,
        planned_at, changed_at)
    VALUES ('T1', 'T1:C1:1.1', :node, 1, '', 'tool', 'green', 'U1', :state, '[]', CAST(:outcome AS json), now(), now())
""")


async def weather(blows: int, seed: int) -> None:
    """Run all jobs through one storm, then look at what came of them."""
    async with storm_scene(seed) as (storm, people, database):
        await _live_through(storm, people, database, blows)
        await aftermath(storm, people, database)
        assert all(storm.deaths().values())


STEADY_SECONDS = 180.0


STEADY_JOBS = 50


@pytest.mark.chaos
@pytest.mark.parametrize(("seconds", "at_least"), [(10.0, STEADY_JOBS // 2), (2.0, 1)], ids=["10 s", "2 s"])
async def test_threads_are_answered_while_a_process_is_killed_every_so_often(seconds: float, at_least: int) -> None:
    async with storm_scene(SEED) as (storm, people, database):
        storm.calm_down()
        async with _while_here(storm.keep_running(), people.watch(), people.decide(), storm.containers.watch()):
            async with asyncio.TaskGroup() as group:
                group.create_task(storm.kill_every(seconds, STEADY_SECONDS))
                for _ in range(STEADY_JOBS):
                    await people.ask_one_more()
                    await asyncio.sleep(STEADY_SECONDS / 2 / STEADY_JOBS)
            answered = STEADY_JOBS - len(people.unanswered())
            print(f"{answered:5} of {STEADY_JOBS} threads answered in {STEADY_SECONDS:.0f} s, a kill every {seconds} s")
            await _until_all_is_done(storm, people, database)
        await aftermath(storm, people, database)
        assert answered >= at_least


@asynccontextmanager
async def storm_scene(seed: int) -> AsyncGenerator[tuple[Storm, People, Database]]:
    """Open all that a storm rages over, and its people; its processes are not started yet."""
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
            open_containers() as containers,
        ):
            environment = {
                "DATABASE_URL": postgres.url().set(drivername="postgresql").render_as_string(hide_password=False),
                "SLACK_BOT_TOKEN": workspace.bot_token,
                "SLACK_APP_TOKEN": workspace.app_token,
                "SLACK_API_URL": workspace.api_url,
                "OPENAI_API_KEY": "scripted",
                "OPENAI_BASE_URL": await model.start(),
                "GREENLIGHT_MODEL": MODEL_NAME,
                "GREENLIGHT_CONFIG": str(write_configuration(folder, containers.sandbox)),
                "CHAOS_DEATHS": str(folder / "deaths"),
                "CHAOS_LOG": os.environ.get("CHAOS_LOG") or str(folder / "log"),
            }
            people = People(client, effects, rng)
            storm = Storm(environment=environment, postgres=postgres, people=client, containers=containers, rng=rng)
            try:
                yield storm, people, database
            finally:
                await storm.end()
                await database.close()


async def aftermath(storm: Storm, people: People, database: Database) -> None:
    """End all processes in order, and look at what the storm left."""
    codes = await storm.end()
    _tell(storm.done)
    _tell({f"died {point}": count for point, count in storm.deaths().items()})
    _tell(await audit.outcomes(database))
    _tell({f"clicks on {len(people.decided)} questions": people.clicks, "jobs": len(people.threads)})
    _tell({f"containers seen (sandbox: {storm.containers.sandbox})": len(storm.containers.seen)})
    assert list(await audit.violations(database, people)) == []
    assert list(await audit.orphans(database)) == []
    assert await storm.containers.left() == {}
    assert codes == [0, 0, 0, 0]


def _tell(counts: Mapping[str, int]) -> None:
    for what, count in sorted(counts.items()):
        print(f"{count:5} {what}", flush=True)


@contextmanager
def _open_folder() -> Generator[Path]:
    """Give a folder that the database's own user can get through."""
    with tempfile.TemporaryDirectory(prefix="greenlight-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def _live_through(storm: Storm, people: People, database: Database, blows: int) -> None:
    async with _while_here(storm.keep_running(), people.watch(), people.decide(), storm.containers.watch()):
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.rage(blows))
            for _ in range(JOBS):
                await people.ask_one_more()
                await asyncio.sleep(storm.rng.uniform(0, blows / JOBS / 2))
        try:
            async with _while_it_moves(storm, people, database):
                await storm.bring_to_every_point(people.keep_busy)
        except TimeoutError:
            unfinished = await audit.unfinished(database)
            print(await storm.whereabouts())
            raise AssertionError(f"deaths: {storm.deaths()}; {storm.armed()}; left undone: {unfinished}") from None
        storm.calm_down()
        await storm.people.act("faults", clear=True)
        await _until_all_is_done(storm, people, database)


async def _until_all_is_done(storm: Storm, people: People, database: Database) -> None:
    left: object = None
    orphans: object = None
    try:
        async with _while_it_moves(storm, people, database):
            while True:
                with suppress(StoreUnavailable):
                    left = await audit.unfinished(database)
                    orphans = await storm.orphaned_containers()
                    if not left and not orphans and not people.open_cards() and not people.unanswered():
                        return
                await asyncio.sleep(0.5)
    except TimeoutError:
        print(await storm.whereabouts())
        raise AssertionError(
            f"left undone: {left}; without an answer: { {job: people.reads(job) for job in people.unanswered()} }; "
            f"cards: {people.open_cards()}; "
            f"containers of the dead: {orphans}"
        ) from None


@asynccontextmanager
async def _while_it_moves(storm: Storm, people: People, database: Database) -> AsyncGenerator[None]:
    """Raise TimeoutError when nothing has come nearer to its end for a while."""

    async def watch() -> None:
        seen: object = None
        while True:
            with suppress(StoreUnavailable):
                at_its_end = (storm.deaths().total(), len(people.decided), await audit.ended_nodes(database))
                if at_its_end != seen:
                    seen = at_its_end
                    limit.reschedule(asyncio.get_running_loop().time() + PATIENCE_SECONDS)
            await asyncio.sleep(1.0)

    async with asyncio.timeout(PATIENCE_SECONDS) as limit, _while_here(watch()):
        yield


@asynccontextmanager
async def _while_here(*loops: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
