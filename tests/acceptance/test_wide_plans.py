"""A wide plan runs all at once, as far as its tools and hosts bear it, and leaves room there for other threads."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.scripted_model.script import Script, Stall
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned
from tests.acceptance.roles import subagent

BOUND = 8


def fetches(scene: AppScene, name: str, count: int) -> list[dict[str, Json]]:
    """Return so many steps that do not wait for each other; all of them ask the server for this name."""
    return [fetch(f"{name}_{number}", f"{scene.effects.url}/{name}?{number}") for number in range(count)]


async def test_steps_of_a_wide_plan_all_run_at_once(database_url: URL, tmp_path: Path) -> None:
    def wide(table: dict[str, object]) -> None:
        table["limits"] = {"calls_per_host": 400}
        tools: Any = table["tools"]
        tools["http_get"]["timeout_seconds"] = 120  # the first ones wait until the last one is there

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=wide) as scene:
        scene.effects.hold("part")
        scene.model.add(planned(*fetches(scene, "part", 100)))
        async with scene.asked("fetch the parts") as observer:
            await scene.effects.reached("part", 100)
            assert scene.effects.most_at_once == 100
            scene.effects.let_go("part")
            await observer.until(answered, "the answer")


@pytest.mark.parametrize("bound", ["calls_per_host", "calls_per_tool"])
async def test_a_wide_plan_leaves_room_for_another_thread_where_calls_are_bounded(
    database_url: URL, tmp_path: Path, bound: str
) -> None:
    def bounded(table: dict[str, object]) -> None:
        table["limits"] = {bound: BOUND}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded) as scene:
        scene.effects.hold("part")
        scene.model.add(planned(*fetches(scene, "part", 3 * BOUND), contains="the parts"))
        scene.model.add(planned(fetch("other", f"{scene.effects.url}/other"), contains="the other"))
        async with scene.asked("fetch the parts") as wide:
            await scene.effects.reached("part", BOUND // 2)
            async with scene.asked("fetch the other") as other:
                await other.until(answered, "the answer beside the wide plan")
            assert scene.effects.calls["part"] == BOUND // 2
            scene.effects.let_go("part")
            await wide.until(answered, "the answer")
        assert scene.effects.calls["part"] == 3 * BOUND
        assert scene.effects.most_at_once <= BOUND


async def test_subagents_of_a_wide_plan_leave_room_for_another_thread_where_model_calls_are_bounded(
    database_url: URL, tmp_path: Path
) -> None:
    def bounded(table: dict[str, object]) -> None:
        table["limits"] = {"model_calls_at_once": BOUND}

    silent = Script(role="researcher", answer=Stall(after=""))
    async with app_scene(database_url, tmp_path, [silent, ENDS, ANSWERS], configuration=bounded) as scene:
        lots = [subagent(f"look{number}", "researcher", f"Look at {number}") for number in range(3 * BOUND)]
        scene.model.add(planned(*lots, contains="everything"))
        scene.model.add(planned(fetch("other", f"{scene.effects.url}/other"), contains="the other"))
        async with scene.asked("look at everything") as wide:
            at_work = scene.model.requests_of
            await wide.until(lambda _: len(at_work("researcher")) >= BOUND // 2, "as many calls as a thread may have")
            async with scene.asked("fetch the other") as other:
                await other.until(answered, "the answer beside the wide plan")
            assert len(at_work("researcher")) == BOUND // 2
