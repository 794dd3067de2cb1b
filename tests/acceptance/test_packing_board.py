"""The board says what is packed; a red call at a script's end is split off, one that is not declared refused."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import URL

from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned

CLEAN = "def main(inputs):\n    return {'name': inputs['page']['name']}\n"


EXTRACT = "def main(inputs):\n    return [inputs['clean']['name']]\n"


def packing(*, on: bool) -> Callable[[dict[str, object]], None]:
    """Return a configuration that packs, or does not."""

    def configure(table: dict[str, object]) -> None:
        table["sandbox"] = "monty"
        table["plan"] = {"pack": on}

    return configure


def chain(scene: AppScene) -> Sequence[Mapping[str, Json]]:
    """Return `start`, the chain `fetch -> clean -> extract` behind it, and two that need its result."""
    return (
        fetch("start", f"{scene.effects.url}/start"),
        fetch("fetch", f"{scene.effects.url}/fetch", depends_on=["start"]),
        package("clean", CLEAN, inputs={"page": "${fetch#/body}"}),
        package("extract", EXTRACT, inputs={"clean": "${clean}"}),
        fetch("one", f"{scene.effects.url}/one", depends_on=["extract"]),
        fetch("two", f"{scene.effects.url}/two", depends_on=["extract"]),
    )


@pytest.mark.parametrize("on", [True, False], ids=["packed", "not packed"])
async def test_the_board_says_what_is_packed_and_what_stays_apart(
    database_url: URL,
    tmp_path: Path,
    on: bool,
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=packing(on=on)) as scene:
        scene.effects.hold("start")
        scene.model.add(planned(*chain(scene)))
        async with scene.asked("fetch, clean and extract") as observer:
            await observer.until(lambda seen: "extract" in states(seen), "the plan")
            scene.effects.let_go("start")
            await observer.until(answered, "the answer")

            assert dict(scene.effects.calls) == {"start": 1, "fetch": 1, "one": 1, "two": 1}
            seen = states(observer)
            if on:
                assert set(seen) == {"start", "extract", "one", "two"}
                assert "packed: fetch -> clean -> extract" in seen["extract"]
                apart = "Title of one, Title of two (several steps need the same result and run side by side)"
                assert observer.says("Kept apart:", apart)
            else:
                assert set(seen) == {"start", "fetch", "clean", "extract", "one", "two"}
                assert not observer.says("packed:")
                assert not observer.says("Kept apart")


async def test_a_script_that_ends_in_a_red_call_is_split_and_a_person_approves_what_it_worked_out(
    database_url: URL, tmp_path: Path
) -> None:
    code = (
        "def main(inputs):\n"
        "    seen = tools.http_get(url=inputs['url'])\n"
        "    text = 'the page is called ' + seen['body']['name']\n"
        "    return tools.slack_post_message(channel='#incidents', text=text)\n"
    )
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=packing(on=True)) as scene:
        tools = ["http_get", "slack_post_message"]
        inputs = {"url": f"{scene.effects.url}/look"}
        scene.model.add(planned(package("tell", code, tools=tools, inputs=inputs)))
        async with scene.asked("look, then tell") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 1, "the card")
            assert "the page is called look" in json.dumps(observer.cards()[0].message)
            assert not await scene.people.messages("incidents")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            [told] = await scene.people.messages("incidents")
            assert told["text"] == "the page is called look"
            assert set(states(observer)) == {"tell_script", "tell"}
            assert len(scene.model.requests_of("planner")) == 1


async def test_a_red_call_that_a_script_does_not_declare_is_refused_with_its_place(
    database_url: URL, tmp_path: Path
) -> None:
    code = "def main(inputs):\n    tools.slack_post_message(channel='#incidents', text='hello')\n    return 1\n"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=packing(on=True)) as scene:
        scene.model.add(planned(package("tell", code)))
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), contains="## Faults"))
        async with scene.asked("tell") as observer:
            await observer.until(answered, "the answer")
            faults = scene.model.requests_of("planner")[1].last.partition("## Faults")[2]
            assert all(word in faults for word in ("red_tool_in_package", "/code", "line 2", "slack_post_message"))
            assert not await scene.people.messages("incidents")
