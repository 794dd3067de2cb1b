"""Lists and conditions: a plan that grows by what its own steps find."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from sandbox.script import Json
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.clicks import decide, open_calls
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post, results_told

OPEN: Mapping[str, object] = {}
"""Everyone in the channel may approve, the requester included."""


FINDS = (
    "def main(inputs):\n"
    "    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\n"
    "    return {'hosts': hosts, 'none': [], 'text': 'abc'}\n"
)
"""The script whose result tells which hosts there are: nobody knows it before it ran."""


def each(id: str, url: str, over: str = "${find#/hosts}", **more: Json) -> dict[str, Json]:
    """Return a template that fetches something for each host."""
    return fetch(id, url + "/${item#/name}", for_each=over, **more)


def cards(observer: ThreadObserver, words: str) -> list[str]:
    """Return the ts of the open cards that hold these words."""
    return [str(seen.message["ts"]) for seen in observer.cards() if words in json.dumps(seen.message)]


async def test_a_list_known_only_at_run_time_becomes_a_step_for_each_item(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for name in "abc":
            scene.effects.hold(name)
        counts = package("count", "def main(inputs):\n    return len(inputs['all'])", inputs={"all": "${check}"})
        check = each("check", scene.effects.url, title="Check ${item#/name}")
        scene.model.add(planned(package("find", FINDS), check, counts))
        async with scene.asked("check every host") as observer:
            for name in "abc":
                await scene.effects.reached(name)
            assert sorted(scene.effects.running) == ["a", "b", "c"]
            await observer.until(lambda seen: "check-2" in states(seen), "a step for each host on the board")
            assert [states(observer)[f"check-{number}"].split(" ", 1)[1][:7] for number in range(3)] == [
                "check a",
                "check b",
                "check c",
            ]
            assert "check …" in states(observer)["check"]
            for name in "abc":
                scene.effects.let_go(name)
            await observer.until(answered, "the answer")
        told = results_told(scene.model.requests_of("conclude")[0])
        assert told["count"] == 3
        assert dict(scene.effects.calls) == {"a": 1, "b": 1, "c": 1}


async def test_every_item_of_a_red_template_asks_by_itself_and_keeps_its_decision_over_a_restart(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        tell = post("tell", "host ${item#/name} is down", for_each="${find#/hosts}", when="${item#/down}")
        behind = fetch("behind", f"{scene.effects.url}/behind", depends_on=["tell"])
        scene.model.add(planned(package("find", FINDS), tell, behind))
        async with scene.asked("tell about every host that is down") as observer:
            await observer.until(
                lambda seen: bool(cards(seen, "host a") and cards(seen, "host c")), "a request for each"
            )
            assert len(open_calls(observer)) == 2
            await observer.until(lambda seen: "isn't needed" in states(seen).get("tell-1", ""), "b left out")
            await decide(scene, observer, "Grace", "rejected", "host a")
            await observer.until(lambda seen: "rejected" in states(seen)["tell-0"], "a rejected")
            await observer.until(lambda seen: len(open_calls(seen)) == 1, "one left")
            [open_still] = open_calls(observer, "host c")
            await scene.stop_app()
            await scene.start_app()
            assert open_calls(observer) == [open_still]
            await decide(scene, observer, "Grace", "approved", "host c")
            await observer.until(answered, "the answer")
            assert [str(one["text"]) for one in await scene.people.messages("incidents")] == ["host c is down"]
            seen = states(observer)
            assert "complete" in seen["tell-2"]
            assert "some of its steps didn't finish" in seen["tell"]
            assert "skipped" in seen["behind"]
        assert not scene.effects.calls


@pytest.mark.parametrize(
    ("over", "limits", "words"),
    [
        ("${find#/hosts}", {"fan_out": 2}, "is too long"),
        ("${find#/hosts}", {"nodes_per_turn": 5}, "would make too many steps"),
        ("${find#/text}", {}, "needs a list to go through"),
        ("${find#/nothing}", {}, "didn't have the expected shape"),
    ],
    ids=["longer than allowed", "more than a turn may have", "no list", "nothing there"],
)
async def test_what_cannot_be_gone_through_says_so_and_starts_nothing(
    database_url: URL, tmp_path: Path, over: str, limits: Mapping[str, int], words: str
) -> None:
    def limited(table: dict[str, Any]) -> None:
        table["limits"] = dict(limits)

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=limited) as scene:
        other = fetch("other", f"{scene.effects.url}/other")
        # `other` first: steps begin while the plan streams, and all three count before the list is gone through
        scene.model.add(planned(other, package("find", FINDS), each("check", scene.effects.url, over)))
        async with scene.asked("check every host") as observer:
            await observer.until(answered, "the answer")
            assert states(observer)["check"].startswith("error")
            assert words in states(observer)["check"]
        assert dict(scene.effects.calls) == {"other": 1}


async def test_an_empty_list_is_done_at_once_and_an_unmet_condition_skips_what_needs_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=OPEN) as scene:
        url = scene.effects.url
        alarm = post("alarm", "something is missing", when="${find#/none}")
        scene.model.add(
            planned(
                package("find", FINDS),
                each("check", url, "${find#/none}"),
                fetch("after", f"{url}/after", depends_on=["check"]),
                alarm,
                fetch("behind", f"{url}/behind", depends_on=["alarm"]),
                fetch("sure", f"{url}/sure", when="${find#/hosts/0/down}"),
            )
        )
        async with scene.asked("check every host") as observer:
            await observer.until(answered, "the answer")
            seen = states(observer)
            assert "“title of find” showed it isn't needed" in seen["alarm"]
            assert "skipped" in seen["behind"]
            assert not any("something is missing" in word for word in observer.words())
        assert dict(scene.effects.calls) == {"after": 1, "sure": 1}
