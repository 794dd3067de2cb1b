"""Tools in a real run: the author's rights, what asks first, what is refused, and a tool that breaks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, leaks, states
from tests.acceptance.clicks import open_calls
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, post, results_told, tool


async def results(
    scene: AppScene, *operations: Mapping[str, Json], by: str = "Ada", approve: int = 0
) -> Mapping[str, Any]:
    """Have a person ask for a plan, approve its cards, and return node id -> result as the model was told."""
    scene.model.add(planned(*operations))
    async with scene.asked("do it", by=by) as observer:
        if approve:
            await observer.until(lambda seen: len(open_calls(seen)) == approve, "the calls")
            for call in open_calls(observer):
                await scene.people.click(
                    "Grace", observer.channel, call.card, "decide_approved", block_id=call.block_id
                )
        await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
    return results_told(scene.model.requests_of("conclude")[-1])


async def test_a_plan_reads_a_channel_with_the_rights_of_the_person_who_asked(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.post("Grace", "leads", "numbers for the leads")
        read = tool("read", "slack_read_channel", {"channel": "#leads"})
        assert "numbers for the leads" in json.dumps(await results(scene, read, by="Ada"))
        told = json.dumps(await results(scene, read, by="Linus"))
        assert "numbers for the leads" not in told
        assert "not_allowed" in told


async def test_what_one_person_read_is_not_put_into_a_step_of_another(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.post("Grace", "leads", "numbers for the leads")
        read = tool("read", "slack_read_channel", {"channel": "#leads"})
        counted = package("counted", "def main(inputs):\n    return inputs['all']", inputs={"all": "${read}"})
        scene.model.add(planned(read, counted, contains="read it"))
        leaked = [
            post("tell", "they say ${counted#/messages/0/text}", channel="#general"),
            post("each", "one", channel="#general", for_each="${read#/messages}"),
            post("when", "some", channel="#general", when="${counted#/messages}"),
        ]
        scene.model.add(planned(*leaked, contains="tell all"))
        scene.model.add(planned(post("own", "${counted#/messages/0/text}", channel="#general"), contains="tell mine"))
        async with scene.asked("read it") as observer:
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            await scene.people.post("Linus", "ops", "tell all", thread_ts=observer.thread_ts)
            leaks_of = ("tell", "each", "when")
            await observer.until(
                lambda seen: all(states(seen).get(node, "").startswith("error") for node in leaks_of), "all refused"
            )
            assert observer.says("it needs what was read with somebody else's rights")
            await scene.people.post("Ada", "ops", "tell mine", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: bool(seen.cards()), "the card of Ada's own step")
            assert "numbers for the leads" in json.dumps(observer.cards()[0].message["blocks"])


async def test_a_plan_asks_before_it_creates_a_channel_and_before_it_sends_a_request(
    database_url: URL, tmp_path: Path
) -> None:
    def with_http_request(table: dict[str, object]) -> None:
        table["tools"] = {"http_request": {"hosts": ["127.0.0.1"], "allow_private": True}, "host_metrics": {}}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_http_request) as scene:
        told = await results(
            scene,
            tool("measure", "host_metrics", {}),
            tool("make", "slack_create_channel", {"name": "incident-7"}),
            tool("deploy", "http_request", {"method": "POST", "url": f"{scene.effects.url}/deploy", "json": {}}),
            approve=2,
        )
        assert scene.effects.calls == {"deploy": 1}
        assert "U0ADA" in (await scene.people.dump())["channels"]["incident-7"]["members"]
        assert set(told) == {"measure", "make", "deploy"}


async def test_a_private_address_is_refused_unless_the_configuration_allows_it(
    database_url: URL, tmp_path: Path
) -> None:
    def public_only(table: dict[str, object]) -> None:
        table["tools"] = {"http_get": {}}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=public_only) as scene:
        told = await results(scene, fetch("inside", f"{scene.effects.url}/secret"))
        assert "private_address" in json.dumps(told)
        assert not scene.effects.calls


async def test_a_disabled_tool_is_not_offered_to_the_model(database_url: URL, tmp_path: Path) -> None:
    def without_posting(table: dict[str, object]) -> None:
        table["tools"] = {"host_metrics": {}, "disabled": ["slack_post_message"]}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=without_posting) as scene:
        await results(scene, tool("measure", "host_metrics", {}))
        offered = scene.model.requests_of("planner")[0].system
        assert "slack_read_channel" in offered
        assert "slack_post_message" not in offered


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "failed: the tool broke"),
        ("hangs", "failed: it took too long"),
        ("too_much", "failed: the tool returned too much"),
        ("not_a_number", "failed: the tool returned something i can't store"),
        ("no_json", "failed: the tool returned something i can't store"),
    ],
)
@pytest.mark.usefixtures("broken_tools")
async def test_broken_tool_fails_its_step_in_words_and_the_rest_goes_on(
    database_url: URL, tmp_path: Path, name: str, words: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                tool("bad", name, {}),
                fetch("aside", f"{url}/aside"),
                fetch("behind", f"{url}/behind", depends_on=["bad"]),
                fetch("instead", f"{url}/instead", depends_on=[{"id": "bad", "on": "failed"}]),
            )
        )
        async with scene.asked("do it") as observer:
            await observer.until(answered, "the answer")
            assert words in states(observer)["bad"]
            assert "skipped" in states(observer)["behind"]
            assert leaks(observer) == []
            assert not observer.says("hunter2")
        assert scene.effects.calls == {"aside": 1, "instead": 1}
        assert not any("hunter2" in request.last for request in scene.model.requests)
