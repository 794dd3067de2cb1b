"""A plan is repaired, taken up again after a break, cut at its limit, or refused in plain words."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from agent.errors import TurnError
from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.demo_scripts import demo_scripts
from infra.dev.scripted_model.script import (
    CONTEXT_TOO_LONG,
    Cut,
    Endless,
    Failure,
    Reply,
    Rubbish,
    Script,
    Stall,
    Text,
)
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, leaks, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, planned, tool


async def test_a_plan_beyond_the_limit_runs_as_far_as_it_fits_and_the_person_is_told(
    database_url: URL, tmp_path: Path
) -> None:
    def few(table: dict[str, Any]) -> None:
        table["limits"] = {"nodes_per_turn": 2}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=few) as scene:
        url = scene.effects.url
        whole = lines([fetch(f"n{number}", f"{url}/n{number}") for number in range(4)])
        scene.model.add(Script(role="planner", answer=whole, times=3))
        scene.model.add(planned(fetch("rest", f"{url}/n2")))
        async with scene.asked("do it all") as observer:
            await observer.until(
                lambda seen: seen.says(wording.turn_error(TurnError.PLAN_TOO_LARGE)), "why it is not all"
            )
            assert observer.says("ANSWER", "n0", "n1")
            assert not observer.says("too_many_nodes")
            assert scene.effects.calls == {"n0": 1, "n1": 1}
            await scene.people.post("Ada", observer.channel, "and the rest", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("ANSWER", "n2"), "the rest, asked for as it said")


MODEL_AWAY = "couldn't reach the language model"


def planner(answer: Reply | str, times: int | None = None) -> Script:
    return Script(role="planner", answer=answer, times=times)


def impatient(table: dict[str, object]) -> None:
    """Give the model a second of silence and six in all."""
    table["model"] = {"silence_seconds": 1.0, "total_seconds": 6.0}


async def ends_in(observer: ThreadObserver, *words: str) -> None:
    """See these words in the thread, and nothing that only machines should read."""
    await observer.until(lambda seen: seen.says(*words), f"the words {words}")
    assert leaks(observer) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Failure(status=500, message="out of memory"), MODEL_AWAY, id="down"),
        pytest.param(Failure(status=401, message="bad key sk-123"), MODEL_AWAY, id="refuses the key"),
        pytest.param(Failure(status=429, message="slow down", retry_after_seconds=0.1), "is too busy", id="overloaded"),
        pytest.param(Stall(), "taking too long to answer", id="silent"),
        pytest.param(Rubbish(), MODEL_AWAY, id="rubbish bytes"),
        pytest.param("Sure! I would be happy to help.", "couldn't turn this into a plan", id="rubbish words"),
        pytest.param('{"op":"add","id":1,"kind":[]}\n{"op":', "couldn't turn this into a plan", id="rubbish plan"),
        pytest.param(Text(text='{"op":"add"', finish_reason="length"), MODEL_AWAY, id="cut off"),
        pytest.param(Endless(piece="and so on " * 400), "couldn't turn this into a plan", id="never stops"),
        pytest.param(CONTEXT_TOO_LONG, "more than the language model can read", id="context exceeded"),
    ],
)
async def test_planner_that_fails_ends_in_words_and_the_next_request_works(
    database_url: URL, tmp_path: Path, answer: Reply | str, words: str
) -> None:
    async with app_scene(database_url, tmp_path, [], configuration=impatient) as scene:
        scene.model.add(Script(role="planner", contains="hopeless", answer=answer))
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), contains="good"))
        scene.model.add(ENDS)
        scene.model.add(ANSWERS)
        async with scene.asked("something hopeless") as observer:
            await ends_in(observer, words)
            asked = len(scene.model.requests)
            await scene.people.post("Ada", "ops", "something good", thread_ts=observer.thread_ts)
            await observer.until(answered, "the next answer")
            assert asked <= 9  # bounded: repairs, and the client's own tries
            assert leaks(observer) == []


async def test_plan_that_broke_off_half_way_is_taken_up_again(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planner(Cut(after=lines([fetch("a", f"{url}/a")]) + '{"op":"add","id":"b"'), times=1))
        scene.model.add(planned(fetch("b", f"{url}/b")))
        async with scene.asked("a and b") as observer:
            await observer.until(answered, "the answer")
            assert set(states(observer)) == {"a", "b"}
        assert scene.effects.calls == {"a": 1, "b": 1}


async def test_plan_that_keeps_breaking_off_shows_what_ran_and_says_so(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planner(Cut(after=lines([fetch("a", f"{scene.effects.url}/a")]))))
        async with scene.asked("a and b") as observer:
            await ends_in(observer, MODEL_AWAY)
            assert observer.says("Title of a", "done")
        assert scene.effects.calls == {"a": 1}


async def test_plan_with_a_tool_that_does_not_exist_ends_in_words_without_its_codes(
    database_url: URL, tmp_path: Path
) -> None:
    wrong = lines([tool("a", "drop_database", {})])
    async with app_scene(database_url, tmp_path, [planner(wrong)]) as scene, scene.asked("do it") as observer:
        await ends_in(observer, "couldn't turn this into a plan")
        assert not observer.says("drop_database")
        assert not observer.says("unknown_tool")


async def test_an_invalid_plan_goes_back_with_its_faults_and_is_repaired(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned({"op": "add", "id": "x", "kind": "tool", "title": "X", "tool": "no_such_tool", "args": {}})
        )
        scene.model.add(planned(fetch("x", f"{scene.effects.url}/x")))
        async with scene.asked("do x") as observer:
            await observer.until(answered_and_done, "the answer")
        first, second = scene.model.requests_of("planner")
        assert "## Faults" not in first.last
        assert '"unknown_tool"' in second.last
        assert '"/tool"' in second.last
        assert scene.effects.calls == {"x": 1}


async def test_a_plan_still_invalid_after_two_repairs_ends_in_plain_words(database_url: URL, tmp_path: Path) -> None:
    wrong = Script(role="planner", answer='{"op":"add","id":"a","kind":"tool","title":"A","tool":"nope","args":{}}')
    async with app_scene(database_url, tmp_path, [wrong]) as scene, scene.asked("do x") as observer:
        await observer.until(lambda seen: seen.says("couldn't turn this into a plan"), "plain words")
        assert len(scene.model.requests_of("planner")) == 3
        assert not any("Traceback" in words or "unknown_tool" in words for words in observer.words())


async def test_the_scripted_model_that_does_not_understand_says_what_it_can_do(
    database_url: URL, tmp_path: Path
) -> None:
    async with (
        app_scene(database_url, tmp_path, demo_scripts(None)) as scene,
        scene.asked("write me a poem about sheep") as observer,
    ):
        await observer.until(lambda seen: seen.says("scripted model", "check"), "what it can do")
