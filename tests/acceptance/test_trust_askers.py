"""Whose word counts: who wrote what a red step was planned after has asked for it, and does not approve it alone."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import URL

from agent.approval import ApprovalKind, Refusal
from bot import wording
from bot.payloads import Form
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows, states, whispers
from tests.acceptance.forms import open_form, picked, submit
from tests.acceptance.plans import ANSWERS, ENDS, fetch, goes_on, planned, post, tool

ASKED_TOO = wording.refusal(Refusal.ASKED_TOO, ApprovalKind.APPROVE)


async def says(scene: AppScene, observer: ThreadObserver, who: str, words: str) -> None:
    await scene.people.post(who, observer.channel, words, thread_ts=observer.thread_ts)


async def until_asked(observer: ThreadObserver, title: str) -> None:
    await observer.until(lambda seen: any(title in str(card.message["blocks"]) for card in seen.cards()), "the card")


async def posted(scene: AppScene) -> list[str]:
    return [str(message["text"]) for message in await scene.people.messages("incidents")]


async def test_who_wrote_in_the_thread_before_a_step_was_planned_has_asked_for_it_and_cannot_approve_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), contains="look at it"))
        scene.model.add(planned(post("tell", "hello"), contains="now tell them"))
        async with scene.asked("look at it, and later tell #incidents hello", by="Linus") as observer:
            await observer.until(answered_and_done, "the first answer")
            await says(scene, observer, "Ada", "now tell them")
            await until_asked(observer, "Title of tell")
            assert observer.says("but not <@U0ADA>, <@U0LINUS>")
            await scene.click(observer, "Linus", "approved")
            assert ASKED_TOO in (await whispers(scene, "U0LINUS"))[-1]
            await scene.click(observer, "Grace", "approved")
            await scene.people.wait_for(lambda dump: '"text": "hello"' in json.dumps(dump["channels"]["incidents"]))
    refused = "SELECT by, details ->> 'why' FROM audit WHERE event = 'refused'"
    assert await rows(database_url, refused) == [("U0LINUS", "asked_too")]


async def test_who_asked_too_may_still_say_no(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), contains="look at it"))
        scene.model.add(planned(post("tell", "hello"), contains="now tell them"))
        async with scene.asked("look at it", by="Linus") as observer:
            await observer.until(answered_and_done, "the first answer")
            await says(scene, observer, "Ada", "now tell them")
            await until_asked(observer, "Title of tell")
            await scene.click(observer, "Linus", "rejected")
            await observer.until(lambda seen: seen.says("Rejected", "U0LINUS"), "the no")
        assert await posted(scene) == []


async def test_what_is_written_after_a_step_was_planned_has_not_asked_for_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.effects.hold("look")
        tell = post("tell", "hello", depends_on=["look"])
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), tell, contains="tell them"))
        scene.model.add(planned(fetch("more", f"{scene.effects.url}/more"), contains="how far"))
        async with scene.asked("look, then tell them") as observer:
            await observer.until(lambda seen: "tell" in states(seen), "the plan")
            await says(scene, observer, "Grace", "how far are you?")
            async with asyncio.timeout(30):
                while not await rows(database_url, "SELECT id FROM inbox WHERE author = 'U0GRACE'"):
                    await rows(database_url, "SELECT pg_sleep(0.05)")
            scene.effects.let_go("look")
            await until_asked(observer, "Title of tell")
            assert not observer.says("but not <@U0ADA>,")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says("Approved", "U0GRACE"), "the approval")
            await observer.until(answered_and_done, "the answer")
        assert await posted(scene) == ["hello"]


async def test_words_to_a_decision_have_asked_for_what_is_planned_after_them(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello"), contains="tell them"))
        scene.model.add(planned(post("kinder", "hello dears"), contains="in kinder words"))
        async with scene.asked("tell them") as observer:
            await until_asked(observer, "Title of tell")
            view = await open_form(scene, observer, "Linus", Form.COMMENT)
            values = {"decision": picked("rejected", view, "decision"), "words": "say it nicely"}
            assert await submit(scene, "Linus", values) == {}
            await observer.until(answered, "the first answer")
            await says(scene, observer, "Ada", "again, in kinder words")
            await until_asked(observer, "Title of kinder")
            assert observer.says("but not <@U0ADA>, <@U0LINUS>")
            await scene.click(observer, "Linus", "approved")
            assert ASKED_TOO in (await whispers(scene, "U0LINUS"))[-1]
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says("Approved", "U0GRACE"), "the approval")


async def test_where_people_may_approve_what_they_asked_for_so_may_who_asked_too(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), contains="look at it"))
        scene.model.add(planned(post("tell", "hello"), contains="now tell them"))
        async with scene.asked("look at it", by="Linus") as observer:
            await observer.until(answered_and_done, "the first answer")
            await says(scene, observer, "Ada", "now tell them")
            await until_asked(observer, "Title of tell")
            await scene.click(observer, "Linus", "approved")
            await observer.until(lambda seen: seen.says("Approved", "U0LINUS"), "the approval")


@pytest.mark.parametrize(("asker", "may_read"), [("Grace", True), ("Linus", False)])
async def test_what_was_read_with_one_persons_rights_is_read_again_with_the_rights_of_who_asks_next(
    asker: str, may_read: bool, database_url: URL, tmp_path: Path
) -> None:
    def leads(name: str) -> JsonObject:
        return tool(name, "slack_read_channel", {"channel": "#leads"})

    def tell(name: str, read: str) -> JsonObject:
        return post(name, f"they say ${{{read}#/messages/0/text}}")

    again = goes_on(leads("again"), tell("tell2", "again"), contains="with another person's rights")
    async with app_scene(database_url, tmp_path, [ENDS, again, ANSWERS]) as scene:
        await scene.people.post("Grace", "leads", "numbers for the leads")
        scene.model.add(planned(leads("read"), contains="read it"))
        scene.model.add(planned(tell("tell", "read"), contains="now tell them"))
        async with scene.asked("read it", by="Ada") as observer:
            await observer.until(answered_and_done, "the first answer")
            await says(scene, observer, asker, "now tell them")
            await observer.until(
                lambda seen: bool(seen.cards()) or seen.says("that isn't allowed"), "the end of the second reading"
            )
            assert states(observer)["tell"].startswith("error")
            assert bool(observer.cards()) is may_read
            shown = json.dumps([card.message["blocks"] for card in observer.cards()])
            assert ("numbers for the leads" in shown) is may_read
