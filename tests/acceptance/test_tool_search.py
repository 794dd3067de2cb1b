"""500 tools over the wire: a request shows the likely ones, the model asks for others, and the prompt stays short."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

import infra.wiring
from agent.llm.tool_search import ALL_SHOWN
from agent.planning.lookups import TOOL_REQUESTS
from agent.tool import Tool
from infra.dev.scripted_model.script import Script
from infra.dev.scripted_model.wire import prompt_text
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, planned, results_told, tool
from tests.bench import tool_search
from tests.bench.figure import missed
from tests.fakes.public_tools import SEED, public_set
from tests.fakes.tokens import count_tokens

RAIN = "Can you tell me if it will rain in Vancouver?"
NEED: dict[str, Json] = {"op": "tools", "need": "the weather of a city on a day, such as Weather_1_GetWeather"}
WEATHER = tool("weather", "Weather_1_GetWeather", {"city": "Vancouver"})


@dataclass(kw_only=True)
class Offered:
    """How many tools of the public set alone there are at the next start; None: all of it beside our own."""

    most: int | None = None


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch) -> Offered:
    """Add the public tools to our own."""
    enabled, offered = infra.wiring.enabled, Offered()

    def with_public(tools: Iterable[Tool], disabled: frozenset[str]) -> Sequence[Tool]:
        public = public_set().tools
        if offered.most is None:
            return [*enabled(tools, disabled), *public]
        return random.Random(SEED).sample(public, offered.most)  # noqa: S311 -- reproducible, not secret

    monkeypatch.setattr(infra.wiring, "enabled", with_public)
    return offered


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


async def test_conclusion_is_shown_tools_twice_at_most_and_runs_what_it_found(
    database_url: URL, tmp_path: Path
) -> None:
    asks = ['tools("the weather of a city")', 'tools("Weather_1_GetWeather")']
    runs = 'weather = Weather_1_GetWeather(city="Vancouver")  # Look up the weather'
    async with app_scene(database_url, tmp_path, [ENDS]) as scene:
        scene.model.add(planned(fetch("page", f"{scene.effects.url}/page")))
        for said in (*asks, runs):
            scene.model.add(Script(role="conclude", answer=said, times=1))
        for _ in range(TOOL_REQUESTS + 1):
            scene.model.add(Script(role="conclude", answer=asks[0], times=1))
        scene.model.add(ANSWERS)
        async with scene.asked("look at the page") as observer:
            await observer.until(answered, "the answer")
            assert "complete" in states(observer)["weather"]
        concluded = scene.model.requests_of("conclude")
        shown = ['{"name": "Weather_1_GetWeather"' in request.last for request in concluded[: len(asks) + 1]]
        assert not shown[0]
        assert any(shown)
        refused = [request for request in concluded if "no more tools are shown" in request.last]
        assert refused == concluded[-1:], "asked for once too often: it is told so, and answers"
        assert len(concluded) == len(asks) + 1 + TOOL_REQUESTS + 2
        assert len({request.system for request in scene.model.requests}) == 1


async def test_prompts_over_the_wire_stay_short_from_30_tools_to_500(
    database_url: URL, tmp_path: Path, offered: Offered
) -> None:
    replies = Script(role="planner", answer=lines([{"op": "reply", "text": "I see."}]))
    requests = [request.text for request in public_set().requests[:3]]
    async with app_scene(database_url, tmp_path, [replies], started=False) as scene:
        for most in (ALL_SHOWN, len(public_set().tools)):
            offered.most = most
            await scene.start_app()
            for request in requests:
                async with scene.asked(request) as observer:
                    await observer.until(lambda seen: seen.says("I see."), "the reply")
            await scene.stop_app()
        read = [count_tokens(prompt_text(request)) for request in scene.model.requests_of("planner")]
        few, many = read[: len(requests)], read[len(requests) :]
        assert len(few) == len(many) == len(requests)
        assert scene.model.requests[0].system.count('"colour": "green"') == ALL_SHOWN
        assert "There are 500 tools." in scene.model.requests[-1].system
        assert sum(many) <= 1.3 * sum(few)


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
    shown = {name: float(str(figure["value"])) for name, figure in measured.items()}
    assert shown["right tools shown whole"] >= 96
    assert shown["right tools shown with their arguments"] >= 97
    assert shown["the same after two requests in the same words"] >= 98
