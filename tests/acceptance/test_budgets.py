"""The board says what a run has taken; where a budget is used up, the thread is asked whether to go on."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import Script
from infra.dev.scripted_model.server import MODEL_NAME
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, done, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post

ASKED = "The budget is used up"


def priced(table: dict[str, object]) -> None:
    table["prices"] = {"currency": "EUR", "models": {MODEL_NAME: {"input": 100, "output": 1000}}}


def bounded(run: Mapping[str, float] = {}, thread: Mapping[str, float] = {}) -> Callable[[dict[str, object]], None]:
    """Return a configuration with these budgets."""

    def configure(table: dict[str, object]) -> None:
        priced(table)
        table["sandbox"] = "monty"
        table["plan"] = {"pack": False}
        table["budgets"] = {"run": dict(run), "thread": dict(thread)}

    return configure


def questions(observer: ThreadObserver) -> list[str]:
    """Return the ts of the open questions about a budget."""
    return [str(card.message["ts"]) for card in observer.cards() if ASKED in json.dumps(card.message)]


async def say(scene: AppScene, observer: ThreadObserver, decision: str = "go_on", who: str = "Grace") -> None:
    """Answer the question about the budget, once it is asked."""
    await observer.until(lambda seen: bool(questions(seen)), "the question")
    (question,) = questions(observer)
    await scene.people.click(who, observer.channel, question, f"decide_{decision}")
    await observer.until(lambda seen: question not in questions(seen), "the question decided")


async def go_on_until(scene: AppScene, observer: ThreadObserver, end: Callable[[ThreadObserver], bool]) -> None:
    """Let it go on as often as it asks."""
    await observer.until(lambda seen: bool(questions(seen)) or end(seen), "a question or the end")
    while not end(observer):
        await say(scene, observer)
        await observer.until(lambda seen: bool(questions(seen)) or end(seen), "a question or the end")


async def test_the_board_says_time_tokens_and_cost_across_a_restart(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=priced) as scene:
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), post("tell", "hello")))
        async with scene.asked("look, then tell") as observer:
            await observer.until(lambda seen: seen.says("of work so far · 1 model call ·", "EUR"), "the footer so far")
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: answered(seen) and seen.says("Took", "2 model calls"), "the whole footer")
            board = next(words for words in observer.words() if "2 model calls" in words)
        told = re.search(r"Took [\d.]+ (?:ms|s|min).* · 2 model calls · ([\d,]+) tokens · EUR (\d+\.\d+)", board)
        assert told is not None, board
        heard = sum(-(-len(message.text) // 4) for request in scene.model.requests for message in request.messages)
        assert heard < int(told[1].replace(",", "")) < heard + 1000
        assert float(told[2]) > heard * 100 / 1_000_000


@pytest.mark.parametrize(
    ("budget", "says", "may_start"),
    [
        ({"model_calls": 1}, ["1 of 1 model calls"], {"one", "two"}),
        ({"tokens": 1}, ["of 1 tokens"], {"one"}),
        ({"cost": 0.000001}, ["of EUR 0.000001 for models"], {"one"}),
        ({"minutes": 0.0001}, ["of 6 ms of work"], set[str]()),
        ({"nodes": 1}, ["1 of 1 steps"], {"one"}),
    ],
    ids=["model calls", "tokens", "cost", "time", "nodes"],
)
async def test_a_used_up_budget_starts_nothing_and_asks_once_and_a_word_goes_on(
    database_url: URL, tmp_path: Path, budget: Mapping[str, float], says: list[str], may_start: set[str]
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded(run=budget)) as scene:
        look = fetch("two", f"{scene.effects.url}/two", depends_on=["one"])
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one"), look))
        if may_start:
            scene.effects.hold("one")
        async with scene.asked("look twice") as observer:
            if may_start:  # it ends once the planner's call is counted: steps begin while a plan still streams
                await observer.until(lambda seen: seen.says("1 model call"), "the call on the board")
                scene.effects.let_go("one")
            await observer.until(lambda seen: seen.says(ASKED, "This run has taken", *says), "the question")
            assert set(scene.effects.calls) <= may_start
            assert not scene.model.requests_of("conclude")
            await go_on_until(scene, observer, answered)
            assert dict(scene.effects.calls) == {"one": 1, "two": 1}
            assert observer.says("Going on with the same amount again", "U0GRACE")


async def test_stopping_at_the_question_says_what_was_done_and_what_was_not(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded(run={"nodes": 1})) as scene:
        later = fetch("two", f"{scene.effects.url}/two", depends_on=["one"])
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one"), later))
        async with scene.asked("look twice") as observer:
            await say(scene, observer, "stop", "Ada")
            await observer.until(
                lambda seen: seen.says("Stopped.", "What wasn't done", "two") and done(seen), "the end"
            )
            assert set(scene.effects.calls) == {"one"}
            assert len(scene.model.requests) == 1


async def test_a_stop_ends_planning_that_waits_for_its_budget_while_steps_are_at_work(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded(run={"model_calls": 1})
    ) as scene:
        scene.effects.hold("one")
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one")))
        async with scene.asked("look") as observer:
            await scene.effects.reached("one")
            await scene.people.post("Ada", observer.channel, "look again", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: bool(questions(seen)), "the question before the second plan")
            await scene.people.post("Ada", observer.channel, "!stop", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("Stopped.", "What wasn't done") and done(seen), "the end")
            assert not questions(observer)
        assert len(scene.model.requests) == 1


async def test_what_nobody_allows_in_time_ends_there_and_says_so(database_url: URL, tmp_path: Path) -> None:
    def soon(table: dict[str, object]) -> None:
        bounded(run={"nodes": 1})(table)
        table["limits"] = {"approval_hours": 2 / 3600}
        table["worker"] = {"sweep": 0.2}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=soon) as scene:
        later = fetch("two", f"{scene.effects.url}/two", depends_on=["one"])
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one"), later))
        scene.model.add(planned(fetch("three", f"{scene.effects.url}/three"), contains="look again"))
        async with scene.asked("look twice") as observer:
            await observer.until(lambda seen: bool(questions(seen)), "the question")
            await observer.until(lambda seen: seen.says("Stopped: nobody decided in time") and done(seen), "the end")
            await observer.until(lambda seen: seen.says(ASKED, "Expired", "Nothing more will start"), "the card's end")
            assert observer.says("What was done", "one")
            assert observer.says("What wasn't done", "two")
            assert not questions(observer)
            await scene.people.post("Ada", observer.channel, "look again", thread_ts=observer.thread_ts)
            await scene.effects.reached("three")
        assert dict(scene.effects.calls) == {"one": 1, "three": 1}
        assert len(scene.model.requests_of("planner")) == 2


async def test_the_words_of_a_stop_take_the_question_back(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded(run={"model_calls": 1})
    ) as scene:
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one")))
        async with scene.asked("look") as observer:
            await observer.until(lambda seen: bool(questions(seen)), "the question before the answer")
            await scene.people.post("Ada", observer.channel, "!stop", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("Stopped.", "What was done") and done(seen), "the end")
            assert not questions(observer)
            assert observer.says("Withdrawn")


async def test_a_question_survives_a_restart_and_what_is_said_or_approved_meanwhile_waits_for_its_answer(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded(run={"nodes": 1})) as scene:
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one"), post("tell", "hello")))
        scene.model.add(planned(fetch("three", f"{scene.effects.url}/three"), contains="once more"))
        scene.effects.hold("one")
        async with scene.asked("look and tell") as observer:
            await scene.effects.reached("one")
            await observer.until(lambda seen: len(seen.cards()) == 1, "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: bool(questions(seen)), "the question")
            scene.effects.let_go("one")
            await observer.until(lambda seen: states(seen)["one"].startswith("complete"), "the end of what ran")
            await scene.people.post("Ada", observer.channel, "look once more", thread_ts=observer.thread_ts)
            await scene.stop_app()
            await scene.start_app()
            assert not await scene.people.messages("incidents")
            assert len(questions(observer)) == 1
            await say(scene, observer)
            await go_on_until(scene, observer, answered)
            assert dict(scene.effects.calls) == {"one": 1, "three": 1}
            assert [str(message["text"]) for message in await scene.people.messages("incidents")] == ["hello"]


async def test_a_threads_budget_counts_what_its_earlier_runs_took(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], configuration=bounded(thread={"model_calls": 3})
    ) as scene:
        scene.model.add(planned(fetch("one", f"{scene.effects.url}/one")))
        scene.model.add(planned(fetch("two", f"{scene.effects.url}/two"), contains="again"))
        async with scene.asked("look") as observer:
            await observer.until(answered, "the first answer")
            await scene.people.post("Ada", observer.channel, "look again", thread_ts=observer.thread_ts)
            await observer.until(
                lambda seen: seen.says(ASKED, "This thread has taken 3 of 3 model calls"), "the question"
            )
            assert dict(scene.effects.calls) == {"one": 1, "two": 1}
            await say(scene, observer)
            await observer.until(lambda seen: sum("ANSWER" in word for word in seen.words()) == 2, "the second answer")
            assert len(scene.model.requests) == 4


async def test_a_script_is_not_repaired_until_somebody_lets_it_go_on(database_url: URL, tmp_path: Path) -> None:
    mended = Script(role="repair", answer="```python\ndef main(inputs):\n    return 'mended'\n```", times=1)
    budget = bounded(run={"model_calls": 1})
    async with app_scene(database_url, tmp_path, [mended, ENDS, ANSWERS], configuration=budget) as scene:
        scene.model.add(planned(package("count", "def main(inputs):\n    return 1 // 0\n")))
        async with scene.asked("count") as observer:
            await observer.until(lambda seen: bool(questions(seen)), "the question")
            assert not scene.model.requests_of("repair")
            await scene.stop_app()
            await scene.start_app()
            await go_on_until(scene, observer, answered)
            assert observer.says("ANSWER", "mended")
            assert len(scene.model.requests_of("repair")) == 1
