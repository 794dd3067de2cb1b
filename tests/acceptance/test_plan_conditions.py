"""Comparisons decide which steps run, a later step reads whichever branch ran, and a parked run keeps all that."""

import json
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from sandbox.script import Json
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post, results_told

DEEP: Json = {"gt": ["${queue#/depth}", 1000]}


def queue(depth: int) -> dict[str, Json]:
    """Return a script that finds the depth of the queue, and its hosts."""
    found = {"depth": depth, "name": "jobs", "hosts": [{"name": "a", "load": 9}, {"name": "b", "load": 2}]}
    return package("queue", f"def main(inputs):\n    return {found!r}\n")


def branches(url: str) -> list[dict[str, Json]]:
    """Return `if depth > 1000: drain ... else: look ...`, and a post about whichever ran."""
    script = "def main(inputs):\n    return {{'words': '{0}'}}\n"
    return [
        package("drain", script.format("drained"), inputs={"queue": "${queue}"}, when=DEEP),
        package("look", script.format("looked at"), inputs={"queue": "${queue}"}, when={"not": DEEP}),
        fetch("deep", f"{url}/deep", when={"all": [DEEP, {"in": ["job", "${queue#/name}"]}]}),
        post("tell", "queue ${drain|look#/words}"),
    ]


def card(observer: ThreadObserver) -> str:
    """Return the ts of the one open card."""
    [seen] = observer.cards()
    return str(seen.message["ts"])


@pytest.mark.parametrize(("depth", "ran", "left_out"), [(5000, "drain", "look"), (10, "look", "drain")])
async def test_one_branch_runs_and_a_red_step_takes_its_result_also_after_a_restart(
    database_url: URL, tmp_path: Path, depth: int, ran: str, left_out: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(queue(depth), *branches(scene.effects.url)))
        async with scene.asked("drain the queue if it is deep") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card of the post")
            words = {"drain": "queue drained", "look": "queue looked at"}[ran]
            assert words in json.dumps(observer.cards()[0].message)
            await observer.until(lambda seen: "isn't needed" in states(seen).get(left_out, ""), "the other left out")
            await scene.stop_app()
            await scene.start_app()
            await scene.people.click("Grace", observer.channel, card(observer), "decide_approved")
            await observer.until(answered, "the answer")
            seen = states(observer)
            assert "complete" in seen[ran]
            assert "“title of queue” showed it isn't needed" in seen[left_out]
            assert [str(one["text"]) for one in await scene.people.messages("incidents")] == [words]
        assert dict(scene.effects.calls) == ({"deep": 1} if ran == "drain" else {})


async def test_a_comparison_that_makes_no_sense_fails_the_step_and_never_runs_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                queue(5000),
                fetch("text", f"{url}/text", when={"gt": ["${queue#/name}", 5]}),
                fetch("gone", f"{url}/gone", when={"any": [{"eq": ["${queue#/depht}", 1]}, "${queue}"]}),
                post("behind", "never", depends_on=["text"]),
                fetch("rescue", f"{url}/rescue", depends_on=[{"id": "gone", "on": "failed"}]),
            )
        )
        async with scene.asked("check the queue") as observer:
            await observer.until(answered, "the answer")
            seen = states(observer)
            assert "its condition compares values that cannot be compared" in seen["text"]
            assert "didn't have the expected shape" in seen["gone"]
            assert "skipped" in seen["behind"]
            assert not observer.cards()
        told = results_told(scene.model.requests_of("conclude")[0])
        assert "a text and a number have no order" in json.dumps(told["text"])
        assert dict(scene.effects.calls) == {"rescue": 1}


async def test_each_item_of_a_list_is_compared_by_itself(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        busy: Json = {"all": [{"ge": ["${item#/load}", 5]}, {"not_in": ["${item#/name}", ["z"]]}]}
        ask = fetch("ask", scene.effects.url + "/${item#/name}", for_each="${queue#/hosts}", when=busy)
        scene.model.add(planned(queue(1), ask))
        async with scene.asked("look at the busy hosts") as observer:
            await observer.until(answered, "the answer")
            assert "isn't needed" in states(observer)["ask-1"]
        assert dict(scene.effects.calls) == {"a": 1}


async def test_a_tree_that_is_none_is_refused_with_its_place_and_written_again(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(queue(1), fetch("a", f"{url}/a", when={"any": [{"more": ["${queue#/depth}", 0]}]})))
        scene.model.add(planned(fetch("a", f"{url}/a", when={"any": [{"gt": ["${queue#/depth}", 0]}]})))
        async with scene.asked("check the queue") as observer:
            await observer.until(answered, "the answer")
        [_, again] = scene.model.requests_of("planner")[:2]
        assert "/when/any/0" in again.last
        assert "a condition has no 'more'" in again.last
        assert dict(scene.effects.calls) == {"a": 1}
