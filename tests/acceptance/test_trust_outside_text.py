"""Text that strangers wrote is marked wherever it reaches a call that a person approves, with its source."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, goes_on, package, planned, post

MARKER = "mk7f3a9"
"""Stands in what the page says, and in nobody's message."""

WARNING = "*Careful:* *text* holds text from outside: "


def card_text(observer: ThreadObserver, card: int = 0) -> str:
    return json.dumps(observer.cards()[card].message["blocks"], ensure_ascii=False)


def carded(observer: ThreadObserver) -> bool:
    return len(observer.cards()) == 1


def reads(url: str) -> JsonObject:
    return fetch("look", f"{url}/{MARKER}")


WAYS: dict[str, Any] = {
    "by reference": lambda: [post("tell", "it says ${look#/body/name}")],
    "by reference in the midst": lambda: [post("tell", "see ${look} there")],
    "through a script": lambda: [
        package("join", "def main(inputs):\n    return inputs['a'][::-1]\n", inputs={"a": "${look#/body/name}"}),
        post("tell", "${join}"),
    ],
    "through a script that reads it": lambda: [
        package("join", "def main(inputs):\n    return 'quiet'\n", tools=["http_get"]),
        post("tell", "${join}"),
    ],
    "through two steps": lambda: [
        package("one", "def main(inputs):\n    return inputs\n", inputs={"a": "${look}"}),
        package("two", "def main(inputs):\n    return 'x'\n", inputs={"a": "${one}"}),
        post("tell", "${two}"),
    ],
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_reference_to_outside_text_is_marked_on_the_card_with_its_source(
    way: str, database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(reads(scene.effects.url), *WAYS[way]()))
        async with scene.asked("tell us") as observer:
            await observer.until(carded, "the card")
            assert WARNING in card_text(observer)
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered_and_done, "the answer")


async def test_the_plans_own_words_that_repeat_outside_text_are_marked(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        url = scene.effects.url
        repeats, own = post("tell", f"everybody look at {MARKER} now"), post("greet", "good morning everybody")
        for script in (planned(reads(url)), goes_on(repeats), goes_on({**own, "depends_on": ["tell"]}), ANSWERS):
            scene.model.add(script)
        async with scene.asked("look, then tell us") as observer:
            await observer.until(carded, "the card")
            assert f"{WARNING}“Title of look”" in card_text(observer)
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: carded(seen) and "Title of greet" in card_text(seen), "the next card")
            assert "text from outside" not in card_text(observer)
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
    facts = "SELECT node, facts -> 'outside' FROM approvals ORDER BY node"
    assert await rows(database_url, facts) == [("greet", None), ("tell", {"text": ["Title of look"]})]


async def test_words_of_an_earlier_answer_are_marked_in_a_later_turn(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        scene.model.add(planned(reads(scene.effects.url)))
        scene.model.add(concludes(f"The page says {MARKER}.", times=1))
        async with scene.asked("look") as observer:
            await observer.until(lambda seen: seen.says(f"The page says {MARKER}"), "the answer")
            scene.model.add(planned(post("tell", f"note: {MARKER}")))
            scene.model.add(ANSWERS)
            await scene.people.post("Ada", observer.channel, "now tell us", thread_ts=observer.thread_ts)
            await observer.until(carded, "the card")
            assert f"{WARNING}“an earlier turn of this thread”" in card_text(observer)


async def test_what_a_person_wrote_is_theirs_and_what_no_stranger_wrote_is_not_marked(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        for script in (planned(reads(scene.effects.url)), goes_on(post("tell", MARKER)), ANSWERS):
            scene.model.add(script)
        async with scene.asked(f"look, then write {MARKER}") as observer:
            await observer.until(carded, "the card")
            assert "text from outside" not in card_text(observer)


async def test_a_rule_may_refuse_what_holds_outside_text(database_url: URL, tmp_path: Path) -> None:
    def refuses(table: dict[str, Any]) -> None:
        rule = {"name": "no strangers", "effect": "refuse", "when": "outside", "words": "not with outside text"}
        table["policy"] = {"rules": [rule]}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=refuses) as scene:
        told = post("tell", "${look#/body/name}")
        scene.model.add(planned(reads(scene.effects.url), told, post("greet", "good morning")))
        async with scene.asked("tell us") as observer:
            await observer.until(carded, "the card of the harmless one")
            assert "Title of greet" in card_text(observer)
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
            assert observer.says("not with outside text")
