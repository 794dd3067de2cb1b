"""One conclusion after a plan: the model answers, plans on, or asks, in one call."""

import json
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.scripted_model.script import Cut, Failure, ModelRequest, Reply, Script, Text
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, done, leaks, states
from tests.acceptance.plans import ANSWERS, fetch, goes_on, lines, planned, post, results_told

PLAIN = "didn't write an answer"


def roles(requests: list[ModelRequest]) -> list[str]:
    return [request.role for request in requests]


async def test_a_plan_and_its_answer_are_two_calls(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), fetch("b", f"{scene.effects.url}/b")))
        async with scene.asked("look at both") as observer:
            await observer.until(lambda seen: answered(seen) and done(seen), "the answer")
            assert roles(scene.model.requests) == ["planner", "conclude"]
            [request] = scene.model.requests_of("conclude")
            assert set(results_told(request)) == {"a", "b"}
            assert request.last.count('"body": {"name": "a"') == 1, "what it needs is in it once"


async def test_a_request_that_needs_no_work_is_answered_by_the_first_call_alone(
    database_url: URL, tmp_path: Path
) -> None:
    reply = Script(role="planner", answer='{"op":"reply","text":"I read and post for you."}\n')
    async with app_scene(database_url, tmp_path, [reply]) as scene, scene.asked("what can you do?") as observer:
        await observer.until(lambda seen: seen.says("I read and post for you"), "the reply")
        assert roles(scene.model.requests) == ["planner"]


async def test_a_conclusion_plans_on_from_what_was_found_and_the_next_one_answers(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        further = [fetch("more", f"{url}/more"), post("tell", "found ${more#/body/name}")]
        for script in (planned(fetch("first", f"{url}/first")), goes_on(*further), ANSWERS):
            scene.model.add(script)
        async with scene.asked("look, and look further") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            assert roles(scene.model.requests) == ["planner", "conclude"]
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert roles(scene.model.requests) == ["planner", "conclude", "conclude"]
            first, second = scene.model.requests_of("conclude")
            assert list(results_told(second)) == ["first", "more", "tell"]
            assert second.last.startswith(first.last.partition("\n\n## Task")[0]), "what was found begins alike"


async def test_a_conclusion_asks_and_the_words_of_a_person_go_on(database_url: URL, tmp_path: Path) -> None:
    asks = Script(role="conclude", answer=lines([{"op": "ask", "question": "Which region do you mean?"}]), times=1)
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        further = planned(fetch("north", f"{url}/north"), contains="the north")
        for script in (planned(fetch("first", f"{url}/first"), contains="look at"), further, asks, ANSWERS):
            scene.model.add(script)
        async with scene.asked("look at my region") as observer:
            await observer.until(lambda seen: seen.says("Which region do you mean?"), "the question")
            assert not answered(observer)
            await scene.people.post("Ada", "ops", "the north", thread_ts=observer.thread_ts)
            await observer.until(answered, "the answer")
            assert roles(scene.model.requests) == ["planner", "conclude", "planner", "conclude"]


def says(text: str) -> Script:
    """Return a conclusion in the plan language."""
    return Script(role="conclude", answer=text, times=1)


async def test_a_conclusion_in_python_plans_on_with_its_reason_after_a_plan_in_json(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        python = f'''# the first page names others
more = http_get(url="{url}/more")  # Look further
if more.body.name == "more":
    slack_post_message(channel="#incidents", text=f"found {{more.body.name}}")  # Tell it
'''
        json_again = goes_on(fetch("last", f"{url}/last"))
        for script in (planned(fetch("first", f"{url}/first")), says(python), json_again, ANSWERS):
            scene.model.add(script)
        async with scene.asked("look, and look further") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            await scene.people.post("Grace", "ops", "@Greenlight !explain", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("planned anew: the first page names others"), "the reason")
        assert roles(scene.model.requests) == ["planner", "conclude", "conclude", "conclude"]
        assert list(results_told(scene.model.requests[-1])) == ["first", "more", "slack_post_message_1", "last"]
        assert dict(scene.effects.calls) == {"first": 1, "more": 1, "last": 1}
        assert [str(message["text"]) for message in await scene.people.messages("incidents")] == ["found more"]


async def test_a_conclusion_in_python_asks(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        scene.model.add(planned(fetch("first", f"{scene.effects.url}/first"), contains="look at"))
        scene.model.add(says('ask("Which region do you mean?")\n'))
        async with scene.asked("look at my region") as observer:
            await observer.until(lambda seen: seen.says("Which region do you mean?"), "the question")
            assert not answered(observer)


async def test_operations_with_a_fault_go_back_once_and_run_only_when_all_are_right(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        half = goes_on(fetch("good", f"{url}/good"), {**fetch("bad", f"{url}/bad"), "tool": "fly"})
        right = goes_on(fetch("good", f"{url}/good"), fetch("bad", f"{url}/bad"))
        for script in (planned(fetch("first", f"{url}/first")), half, right, ANSWERS):
            scene.model.add(script)
        async with scene.asked("look") as observer:
            await observer.until(answered, "the answer")
            _, again, _ = scene.model.requests_of("conclude")
            faults = again.last.partition("## Faults\n")[2].partition("\n\n## ")[0]
            assert json.loads(faults)["code"] == "unknown_tool"
            assert dict(scene.effects.calls) == {"first": 1, "good": 1, "bad": 1}


@pytest.mark.parametrize(
    "said",
    [
        "All is well, and here is why.",
        "ANSWER\n",
        Failure(status=500, message="x"),
        Cut(after="ANSWER\nAll is w"),
        Text(text="ANSWER\nAll is w", finish_reason="length"),
    ],
    ids=["no first line", "no text", "down", "dies", "cut off"],
)
async def test_a_conclusion_that_cannot_be_used_is_told_honestly_with_the_results(
    database_url: URL, tmp_path: Path, said: str | Reply
) -> None:
    async with app_scene(database_url, tmp_path, [Script(role="conclude", answer=said)]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("look") as observer:
            await observer.until(lambda seen: seen.says(PLAIN) and done(seen), "the honest end")
            assert observer.says("**Title of a**: done")
            assert not observer.says("All is w")
            assert leaks(observer) == []
            assert set(roles(scene.model.requests)) == {"planner", "conclude"}
            if isinstance(said, str):
                assert len(scene.model.requests_of("conclude")) == 2, "once, and once again with what was wrong"


async def test_each_persons_part_is_concluded_with_their_rights_and_the_answer_is_written_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        scene.effects.hold("slow")
        graces = Script(role="conclude", contains="look there", answer=lines([post("tell", "for Grace")]), times=1)
        for script in (
            planned(fetch("slow", f"{url}/slow"), contains="look here"),
            planned(fetch("there", f"{url}/there"), contains="look there"),
            graces,
            ANSWERS,
        ):
            scene.model.add(script)
        async with scene.asked("look here") as observer:
            await scene.effects.reached("slow")
            await scene.people.post("Grace", "ops", "look there", thread_ts=observer.thread_ts)
            await scene.effects.reached("there")
            scene.effects.let_go("slow")
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            assert "U0GRACE" in json.dumps(observer.cards()[0].message)
            await scene.click(observer, "Linus", "approved")
            await observer.until(answered, "the answer")
            assert roles(scene.model.requests)[-3:] == ["conclude", "conclude", "answer"]
            assert len([word for word in observer.words() if word.startswith("ANSWER")]) == 1
            assert set(states(observer)) == {"slow", "there", "tell"}
