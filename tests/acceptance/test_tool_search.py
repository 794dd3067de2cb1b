"""500 tools over the wire: a request shows the likely ones, the model asks for others, and the prompt stays short."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

import infra.wiring
from agent.tool import Tool
from infra.dev.scripted_model.script import Script
from infra.tools.catalogue import ToolsConfig
from infra.tools.files import ThreadFiles
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, lines, planned, results_told, tool
from tests.bench import tool_search
from tests.bench.figure import missed
from tests.fakes.public_tools import public_set

RAIN = "Can you tell me if it will rain in Vancouver?"
NEED: dict[str, Json] = {"op": "tools", "need": "the weather of a city on a day, such as Weather_1_GetWeather"}
WEATHER = tool("weather", "Weather_1_GetWeather", {"city": "Vancouver"})


@pytest.fixture(autouse=True)
def public_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the public tools to the catalogue."""
    catalogue = infra.wiring.open_tools

    @asynccontextmanager
    async def with_public(config: ToolsConfig, files: ThreadFiles | None = None) -> AsyncGenerator[tuple[Tool, ...]]:
        async with catalogue(config, files) as tools:
            yield (*tools, *public_set().tools)

    monkeypatch.setattr(infra.wiring, "open_tools", with_public)


def schemas_shown(scene: AppScene) -> list[bool]:
    """Return for each request to the planner whether it shows the weather's schema."""
    return ['{"name": "Weather_1_GetWeather"' in request.last for request in scene.model.requests_of("planner")]


async def test_model_asks_for_a_tool_and_runs_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(NEED))
        scene.model.add(planned(WEATHER))
        async with scene.asked(RAIN) as observer:
            await observer.until(answered, "the answer")
            assert "complete" in states(observer)["weather"]
        first, second = scene.model.requests_of("planner")
        assert schemas_shown(scene) == [False, True]
        assert ", Weather_1_GetWeather," in first.system, "every tool is known by name"
        assert first.system == second.system
        assert second.messages[: len(first.messages)] == first.messages, "what was said before is said again alike"
        told = results_told(scene.model.requests_of("conclude")[0])
        assert told["weather"] == {"tool": "Weather_1_GetWeather", "args": {"city": "Vancouver"}}


async def test_follow_up_is_shown_what_the_plan_uses_under_the_same_system_message(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(WEATHER, contains="rain"))
        scene.model.add(Script(role="planner", answer=lines([{**WEATHER, "id": "later"}]), times=1))
        async with scene.asked(RAIN) as observer:
            await observer.until(answered, "the answer")
            await scene.people.post("Ada", observer.channel, "and the day after?", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: "complete" in states(seen).get("later", ""), "the second answer")
        assert schemas_shown(scene) == [False, True]
        assert len({request.system for request in scene.model.requests_of("planner")}) == 1


async def test_tool_of_another_meaning_is_found_by_vectors_and_by_words_alone_without_them(
    database_url: URL, tmp_path: Path
) -> None:
    def vectors(table: dict[str, object]) -> None:
        table["model"] = {"embeddings": "some-vectors"}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=vectors) as scene:
        for _ in range(2):
            scene.model.add(planned(WEATHER))
        async with scene.asked(RAIN) as observer:
            await observer.until(answered, "the answer")
        assert schemas_shown(scene) == [False], "the server makes no vectors, and the request is planned all the same"
        assert scene.model.embedded
        scene.model.vectors = lambda text: [float("it will rain" in text or "Weather_1" in text), 0.5]
        await scene.stop_app()
        await scene.start_app()
        async with scene.asked(RAIN) as observer:
            await observer.until(answered, "the answer")
        assert schemas_shown(scene) == [False, True]


async def test_public_requests_find_their_tools_in_a_prompt_that_stays_short() -> None:
    measured = {str(figure["name"]): figure async for figure in tool_search.figures()}
    assert not [figure for figure in measured.values() if missed(figure)]
    assert float(str(measured["right tools shown by name or whole"]["value"])) >= 98
    assert float(str(measured["right tools shown whole"]["value"])) >= 95
