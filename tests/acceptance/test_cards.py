"""What a card says of what would run: ids by name, look-alikes as what they are, the code of a script."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, whispers
from tests.acceptance.plans import ANSWERS, ENDS, concludes, package, planned, post

CODE = "def main(inputs):\n    return {'total': inputs['a'] + 1}"


def card(observer: ThreadObserver) -> Mapping[str, Any]:
    """Return the newest look of the only card."""
    (only,) = observer.cards()
    return only.message


async def test_ids_in_the_arguments_stand_beside_names(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        text = "Ask U0GRACE, not U0NOBODY1, about G0LEADS"
        scene.model.add(planned(post("tell", text, channel="C0INCIDENTS")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            shown = json.dumps(card(observer)["blocks"])
            # a private channel's name is for its members
            assert 'In the arguments: C0INCIDENTS is #incidents; U0GRACE is Grace Hopper"' in shown
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert "C0INCIDENTS is #incidents" in "\n".join(observer.words())


async def test_names_stay_beside_the_ids_when_slack_no_longer_tells_them(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello", channel="C0INCIDENTS")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.act("faults", method="conversations.info", error="ratelimited", times=1000)
            assert "C0INCIDENTS is #incidents" in json.dumps(card(observer)["blocks"])
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
            assert "C0INCIDENTS is #incidents" in "\n".join(observer.words())


async def test_look_alikes_and_doubtful_hosts_show_what_they_are(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "Log in at https://p\u0430ypal.com/ \u2014 na\u00efve")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            shown = json.dumps(card(observer)["blocks"], ensure_ascii=False)
            assert "https://p\\\\u0430ypal.com (xn--pypal-4ve.com)/ \u2014 na\u00efve" in shown


async def test_a_script_that_asks_first_shows_its_code_before_and_after(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(package("sum", CODE, inputs={"a": 1}, require_human_approval=True)))
        async with scene.asked("add them up") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            shown = json.dumps(card(observer)["blocks"])
            assert json.dumps(CODE) in shown
            assert "runs exactly as shown" in shown
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert observer.says("*Approved* by <@U0GRACE>", CODE)


async def test_a_script_whose_code_cannot_be_shown_whole_cannot_be_approved(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        long = CODE + "\n" + ("# " + "\u00e9" * 20 + "\n") * 700  # each is six characters as it is sent
        scene.model.add(planned(package("sum", long, inputs={"a": 1}, require_human_approval=True)))
        async with scene.asked("add them up") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            assert "decide_approved" not in json.dumps(card(observer)["blocks"])
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")


async def test_requests_that_the_app_repeats_name_people(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        await scene.people.command("Ada", "ops", "/greenlight", "tell @Grace in #incidents")
        opened = await scene.people.wait_for(lambda dump: "decide_" in json.dumps(dump["channels"]))
        assert "tell @Grace Hopper in #incidents" in json.dumps(opened["channels"])
        await scene.people.command("Ada", "ops", "/greenlight", "status")
        told = (await whispers(scene, "U0ADA"))[-1]
        assert "tell @Grace Hopper in #incidents" in told


async def test_people_and_channels_that_a_model_mentions_stand_by_name_and_are_not_alerted(
    database_url: URL, tmp_path: Path
) -> None:
    mentions = "<@U0GRACE> in <#C0INCIDENTS>, <@U0NOBODY> in <#C0NOWHERE>, <!channel>"
    answer = concludes(f"ANSWER {mentions}")
    async with app_scene(database_url, tmp_path, [ENDS, answer]) as scene:
        reply = {"op": "reply", "text": f"I'll tell {mentions}"}
        scene.model.add(planned(reply, {**post("tell", "hello"), "title": f"Tell {mentions}"}))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            for about in ("I'll tell", "Tell", "ANSWER"):
                assert observer.says(f"{about} @Grace Hopper in #incidents, @U0NOBODY in #C0NOWHERE, <")
            assert not any("<@U0GRACE> in" in words or "<!channel>" in words for words in observer.words())
