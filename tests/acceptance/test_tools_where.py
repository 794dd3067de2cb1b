"""Which tools where: channels with a list, tools of groups, in prompts, plans, at the call, in `/greenlight tools`."""

import json
from pathlib import Path

from sqlalchemy import URL

from infra.dev.scripted_model.script import Script
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post, results_told


def lists(table: dict[str, object]) -> None:
    """Leave #ops two tools, of which posting is for people on call."""
    table["channels"] = {"C0OPS": {"tools": ["http_*", "slack_post_message"]}}
    table["groups"] = {"S0ONCALL": {"tools": ["slack_post_message"]}}


async def test_a_model_sees_and_plans_only_with_the_tools_of_the_channel_and_of_who_asks(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=lists) as scene:
        scene.model.add(planned(fetch("get", f"{scene.effects.url}/a"), contains="## Faults"))
        scene.model.add(planned(post("tell", "hello", "#general"), contains="post as ada"))
        scene.model.add(planned(post("tell", "hello", "#general"), contains="again as linus"))
        async with scene.asked("post as ada") as observer:
            await observer.until(answered, "the answer")
            assert set(states(observer)) == {"get"}
        [first, second, *_] = scene.model.requests_of("planner")
        assert '"http_get"' in first.system
        assert "slack_post_message" not in first.system
        assert "slack_read_channel" not in first.system
        assert "slack_post_message" in second.messages[-1].text  # the fault names what was not there
        async with scene.asked("again as linus", by="Linus") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
        assert "slack_post_message" in scene.model.requests_of("planner")[-1].system


async def test_who_left_the_group_of_a_tool_before_the_call_changes_nothing(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=lists) as scene:
        scene.model.add(planned(post("tell", "hello", "#general")))
        async with scene.asked("post it", by="Linus") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            scene.workspace.backend.team.usergroups["S0ONCALL"].users = ["U0GRACE"]
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert states(observer)["tell"].startswith("error")
        told = json.dumps(results_told(scene.model.requests_of("conclude")[-1]))
        assert "only people of certain groups may use slack_post_message" in told
        assert "hello" not in json.dumps((await scene.people.dump())["channels"]["general"])


async def test_the_command_lists_what_the_caller_may_use_here(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=lists) as scene:
        await scene.people.command("Ada", "ops", "/greenlight", "tools")
        [ada] = await whispers(scene, "U0ADA")
        assert "http_get" in ada
        assert "slack_" not in ada
        assert "1 more is here for people of certain groups only." in ada
        await scene.people.command("Linus", "ops", "/greenlight", "tools")
        [linus] = await whispers(scene, "U0LINUS")
        assert "slack_post_message" in linus
        assert "more is here" not in linus
        await scene.people.command("Linus", "general", "/greenlight", "tools")
        there = (await whispers(scene, "U0LINUS", 2))[-1]
        assert "slack_read_channel" in there


async def test_all_calls_for_a_person_tell_their_models_the_same_tools_and_no_others(
    database_url: URL, tmp_path: Path
) -> None:
    def short(table: dict[str, object]) -> None:
        lists(table)
        table["memory"] = {"tokens": 400}

    crash = package("p", "def main(inputs):\n    return 1 / 0\n")
    scripts = [
        Script(role="repair", answer="```python\ndef main(inputs):\n    return 'mended'\n```"),
        Script(role="summary", answer="They asked a lot."),
        # Neither the conclusion nor its correction can be used: the answer is written on its own.
        Script(role="conclude", answer='{"op":"add"}'),
        Script(role="answer", answer="That is all."),
    ]
    async with app_scene(database_url, tmp_path, scripts, configuration=short) as scene:
        url = scene.effects.url
        scene.model.add(planned(crash, contains="first"))
        words = ("second", "third", "fourth", "fifth")
        for word in words:
            scene.model.add(planned(fetch(word, f"{url}/{word}"), contains=word))
        async with scene.asked("first " + "and again " * 60) as observer:
            for number, word in enumerate((*words, ""), start=1):
                await observer.until(
                    lambda seen, number=number: sum("That is all." in text for text in seen.words()) == number, word
                )
                if word:
                    text = f"{word} " + "and again " * 60
                    await scene.people.post("Ada", "ops", text, thread_ts=observer.thread_ts)
        requests = scene.model.requests
        assert {request.role for request in requests} == {"planner", "repair", "conclude", "answer", "summary"}
        assert len({request.system for request in requests}) == 1
        assert '"http_get"' in requests[0].system
        assert not [request.role for request in requests if "slack_post_message" in request.system]
