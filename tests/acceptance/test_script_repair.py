"""Broken scripts repair themselves: in view, within their attempts, without asking a tool twice, over a restart."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL

from agent.plan.outcomes import Failed, Succeeded
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.monty import MontySandbox, monty_binary
from sandbox.pool import PoolSize
from sandbox.script import Json, Limits
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done
from tests.acceptance.broken_scripts import GOOD, HOPELESS, REPAIRABLE, RESULT, Broken, script
from tests.acceptance.plans import ANSWERS, ENDS, package, planned
from tests.acceptance.plans import package as package_of
from tests.fakes.docker_engine import built_image, docker_sandbox, engine_or_skip
from tests.fakes.packages import Rig, fenced, repair
from tests.fakes.packages import package as package_node
from tests.fakes.planning import PlanningWorld, planning_world


async def test_a_crashed_package_is_rewritten_in_view_and_its_calls_replayed(database_url: URL, tmp_path: Path) -> None:
    crashes = (
        "def main(inputs):\n    got = tools.http_get(url=inputs['url'])\n    return {'name': got['body']['nome']}\n"
    )
    mended = crashes.replace("nome", "name")
    repairs = Script(role="repair", answer=f"```python\n{mended}```")
    async with app_scene(database_url, tmp_path, [repairs, ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(package("pack", crashes, tools=["http_get"], inputs={"url": f"{scene.effects.url}/once"}))
        )
        async with scene.asked("run the script") as observer:
            await observer.until(answered_and_done, "the answer")
            seen = " ".join(look.text for look in observer.tasks()["pack"])
        assert "attempt 1 crashed: KeyError" in seen
        assert "attempt 2 worked" in seen
        assert scene.effects.calls == {"once": 1}
        (request,) = scene.model.requests_of("repair")
        assert "KeyError" in request.last


pytestmark = pytest.mark.asyncio(loop_scope="module")


Outcome = Mapping[str, Any]


@pytest_asyncio.fixture(
    loop_scope="module", scope="module", params=["monty", pytest.param("docker", marks=pytest.mark.docker)]
)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The sandbox's name; for docker, its image is there."""
    if request.param == "docker":
        engine = await engine_or_skip()
        await built_image(engine)
        await engine.close()
    yield request.param


PATIENT = Limits(wall_seconds=30.0, memory_bytes=96 * 1024 * 1024, output_kill_bytes=1_000_000)


SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "additionalProperties": {"type": "integer"},
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def containers() -> AsyncIterator[DockerSandbox]:
    async with docker_sandbox(DockerSettings(limits=PATIENT, pool=PoolSize(ready=3, idle_ready=3))) as opened:
        yield opened


def answers(case: Broken) -> list[Any]:
    """The model's rewrites in turn; the last one again for whatever else it is asked."""
    first = [repair(fenced(rewrite), times=1) for rewrite in case.rewrites[:-1]]
    return [*first, repair(fenced(case.rewrites[-1]))]


def rig(world: PlanningWorld, sandbox: Any, case: Broken) -> Rig:
    """A node executor with the case's limits, on which its package can be performed."""
    return Rig(world, sandbox, limits=replace(PATIENT, **case.limits))  # pyright: ignore[reportArgumentType] -- ints stay ints


@pytest.mark.docker
@pytest.mark.parametrize("case", REPAIRABLE)
async def test_broken_script_repairs_itself_and_asks_no_tool_twice(containers: DockerSandbox, case: str) -> None:
    broken = REPAIRABLE[case]
    async with planning_world(*answers(broken)) as world:
        on = rig(world, containers, broken)
        assert await on.perform(package_node(broken.code, broken.tools, result_schema=SCHEMA)) == Succeeded(
            value=RESULT
        )
        assert tuple(attempt.kind for attempt in on.attempts) == broken.kinds, on.attempts
        assert on.attempts[0].error.startswith(broken.error)
        assert on.attempts[-1].code == GOOD
        asked = on.pages.asked
        assert len(asked) == len(set(asked)), "a green tool was called twice with equal arguments"
        assert {0, 1, 2} <= set(asked)


@pytest.mark.docker
@pytest.mark.parametrize("case", HOPELESS)
async def test_script_that_cannot_be_repaired_fails_with_its_story(containers: DockerSandbox, case: str) -> None:
    broken = HOPELESS[case]
    async with planning_world(*answers(broken)) as world:
        on = rig(world, containers, broken)
        outcome = await on.perform(package_node(broken.code, broken.tools))
        assert isinstance(outcome, Failed)
        assert outcome.error == broken.error, outcome
        assert tuple(attempt.kind for attempt in on.attempts) == broken.kinds
        asked = on.pages.asked
        assert len(asked) == len(set(asked))
        if len(broken.kinds) > 1:
            for number, kind in enumerate(broken.kinds, start=1):
                assert f"Attempt {number}, {kind}: " in outcome.message
            assert "No further attempt: " in outcome.message
        else:
            assert "Not repaired: " in outcome.message


async def test_script_beyond_montys_dialect_is_told_so_and_rewritten() -> None:
    sandbox = MontySandbox(monty_binary())
    lazy = script("def each():\n    yield from lines\nreturn count(each())")
    async with planning_world(repair(fenced(GOOD))) as world:
        on = Rig(world, sandbox)
        assert await on.perform(package_node(lazy)) == Succeeded(value=RESULT)
        assert [attempt.kind for attempt in on.attempts] == ["error", "ok"]
        assert "Unsupported" in on.attempts[0].error
        assert "yield" in on.crashes()[0]["Outcome"]
        assert len(on.pages.asked) == 3
    await sandbox.close()


COUNTING = """\
def main(inputs):
    first = tools.http_get(url=inputs["url"])["body"]
    return {"calls": first["calls"], "kind": first["kinds"]}
"""


COUNTED = COUNTING.replace('first["kinds"]', '"mended"')


async def test_restart_in_the_middle_of_a_repair_loses_no_attempt_and_details_outlive_it(
    database_url: URL, tmp_path: Path
) -> None:
    """The worker stops while the model is asked; the next one asks again, and calls no tool again."""
    asked = asyncio.Event()

    def unheard(request: ModelRequest) -> Stall:
        asked.set()
        return Stall()

    def monty(table: dict[str, object]) -> None:
        table["sandbox"] = "monty"

    scripts = [
        Script(role="repair", answer=unheard, times=1),
        repair(fenced(COUNTED)),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts, configuration=monty) as scene:
        inputs = {"url": f"{scene.effects.url}/page"}
        scene.model.add(planned(package_of("count", COUNTING, tools=["http_get"], inputs=inputs)))
        await repaired_over_a_restart(scene, asked)


async def repaired_over_a_restart(scene: AppScene, asked: asyncio.Event) -> None:
    """Ask, restart the app while the model is silent, and read the details after another restart."""
    async with scene.asked("count") as observer:
        await asked.wait()
        await scene.stop_app()
        await scene.start_app()
        await observer.until(answered, "the answer")
        assert scene.effects.calls == {"page": 1}
        assert [request.role for request in scene.model.requests].count("repair") == 2
        assert '"kind": "mended"' in str(observer.words())
        await scene.stop_app()
        await scene.start_app()
        board = next(message for message in await scene.people.messages("ops") if "script_details_0" in str(message))
        await scene.people.click("Grace", "ops", str(board["ts"]), "script_details_0")
        assert COUNTED.strip() in await modal(scene, "U0GRACE")
        await scene.people.act("views/act", user="Grace", action_id="script_attempt_1")
        assert "KeyError" in await modal(scene, "U0GRACE", "Attempt 1 of 2")


async def modal(scene: AppScene, user: str, having: str = "The script") -> str:
    """Return the words of the modal this person has open, once it has these in it; blocks are joined by lines."""

    def opened(dump: Mapping[str, Any]) -> list[Any]:
        return [view for view in dump["views"].get(user, []) if having in str(view["blocks"])]

    [view] = opened(await scene.people.wait_for(lambda dump: bool(opened(dump))))
    return str(view["blocks"]).replace("\\\\n", "\\n").encode().decode("unicode_escape")
