"""Slow models: their first word has a limit of its own, people read that they think, and slow is told as slow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.scripted_model.script import Pace, Reply, Script, Stall, Text
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, done, leaks
from tests.acceptance.plans import ANSWERS, fetch, lines, planned

AWAY = "couldn't reach the language model"


def model(**settings: object) -> Callable[[dict[str, object]], None]:
    """Return a configuration with these settings of the model."""

    def configure(table: dict[str, object]) -> None:
        table["model"] = settings

    return configure


async def test_a_model_that_thinks_longer_than_it_may_be_silent_is_waited_for_and_the_board_says_so(
    database_url: URL, tmp_path: Path
) -> None:
    patient = model(first_token_seconds=60, silence_seconds=5)
    async with app_scene(database_url, tmp_path, [], configuration=patient) as scene:
        plan = Text(text=lines([fetch("a", f"{scene.effects.url}/a")]), pace=Pace(first_seconds=13))
        scene.model.add(Script(role="planner", answer=plan))
        scene.model.add(
            Script(role="conclude", answer=Text(text="ANSWER\nANSWER at last", pace=Pace(first_seconds=13)))
        )
        async with scene.asked("think it over") as observer:
            await observer.until(lambda seen: seen.says("Thinking for 10 s: no steps yet"), "thinking, before the plan")
            await observer.until(lambda seen: seen.says("Thinking for 10 s: 1 step, done"), "thinking, about the end")
            await observer.until(lambda seen: answered(seen) and done(seen), "the answer")
            assert not observer.says("Thinking")
            assert len(scene.model.requests) == 2, "no call was given up"


@pytest.mark.parametrize("after", ["", '{"op":"add"'], ids=["no first word", "falls silent"])
async def test_a_plan_that_comes_too_late_is_told_as_slow_and_not_as_unreachable(
    database_url: URL, tmp_path: Path, after: str
) -> None:
    hasty = model(first_token_seconds=1, silence_seconds=1)
    async with app_scene(database_url, tmp_path, [ANSWERS], configuration=hasty) as scene:
        scene.model.add(Script(role="planner", answer=Stall(after=after), times=1))
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("be quick") as observer:
            await observer.until(lambda seen: seen.says("taking too long to answer"), "that it is slow")
            assert not observer.says(AWAY)
            assert leaks(observer) == []
            await scene.people.post("Ada", "ops", "try again", thread_ts=observer.thread_ts)
            await observer.until(answered, "the answer to the next request")


@pytest.mark.parametrize("said", [Stall(), Stall(after="ANSWER\nIt is")], ids=["no first word", "falls silent"])
async def test_an_answer_that_comes_too_late_costs_no_results_and_is_told_as_slow(
    database_url: URL, tmp_path: Path, said: Reply
) -> None:
    hasty = model(first_token_seconds=1, silence_seconds=1)
    late = Script(role="conclude", answer=said)
    async with app_scene(database_url, tmp_path, [late], configuration=hasty) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("be quick") as observer:
            await observer.until(lambda seen: seen.says("took too long and didn't write an answer"), "that it is slow")
            await observer.until(done, "the end")
            assert observer.says("**Title of a**: done")
            assert not observer.says("It is")


async def test_roles_are_asked_over_the_api_and_with_the_effort_of_their_settings(
    database_url: URL, tmp_path: Path
) -> None:
    told = model(
        use_responses_api={"planner": True, "answer": True}, reasoning_effort={"planner": "high", "repair": "minimal"}
    )
    async with app_scene(database_url, tmp_path, [ANSWERS], configuration=told) as scene:
        crashes = {"op": "add", "id": "p", "kind": "package", "code": "def main(inputs):\n    return 1 / 0\n"}
        scene.model.add(planned(crashes))
        scene.model.add(Script(role="repair", answer="```python\ndef main(inputs):\n    return 1\n```"))
        async with scene.asked("divide") as observer:
            await observer.until(answered, "the answer")
            assert [(request.role, request.api, request.effort) for request in scene.model.requests] == [
                ("planner", "responses", "high"),
                ("repair", "chat", "minimal"),
                ("conclude", "responses", ""),
            ]
