"""A request that nobody may grant where it was asked goes where somebody may: the policy's channel, or as told."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver, watching
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, whispers
from tests.acceptance.plans import ANSWERS, ENDS, planned, post

ADA, GRACE = "U0ADA", "U0GRACE"
WITH_GRACE = "D0GRACE"
ASKS_WHO = "Nobody in this conversation may approve this"


def in_channel(channel: str) -> Mapping[str, object]:
    """Return a policy with a channel, under which nobody approves their own."""
    return {"slack_post_message": {"self_approval": False, "channel": channel}}


@asynccontextmanager
async def asked(scene: AppScene, place: str = "@app", *, by: str = "Ada") -> AsyncGenerator[ThreadObserver]:
    """Have a person ask for a post to #general, and watch the thread until its card stands."""
    scene.model.add(planned(post("tell", "hello", "#general")))
    mention = "" if place == "@app" else "@Greenlight "
    written = await scene.people.act("messages", user=by, channel=place, text=f"{mention}tell them")
    async with watching(scene.people, str(written["channel"]), str(written["ts"])) as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        yield observer


async def copy_in(scene: AppScene, place: str, *words: str) -> Mapping[str, Any]:
    """Return the card of a channel (by id), once there is one with these words."""

    def cards(dump: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        (channel,) = [channel for channel in dump["channels"].values() if channel["id"] == place]
        every = [message for message in channel["messages"] if "greenlight_message" in json.dumps(message)]
        return [message for message in every if all(word in json.dumps(message["blocks"]) for word in words)]

    def there(dump: Mapping[str, Any]) -> bool:
        return any(channel["id"] == place for channel in dump["channels"].values()) and bool(cards(dump))

    return cards(await scene.people.wait_for(there))[-1]


def shown(observer: ThreadObserver) -> str:
    """Return the newest look of the only card in the thread."""
    (card,) = observer.cards()
    return json.dumps(card.message["blocks"])


async def test_card_of_a_direct_message_goes_to_the_channel_of_the_policy(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=in_channel("#incidents")) as scene:
        async with asked(scene) as observer:
            copy = await copy_in(scene, "C0INCIDENTS", "decide_approved", "hello")
            await observer.until(lambda seen: "I asked <#C0INCIDENTS>" in shown(seen), "where it waits")
            assert "decide_approved" not in shown(observer)
            assert "decide_rejected" in shown(observer)
            await scene.people.click("Ada", "C0INCIDENTS", str(copy["ts"]), "decide_approved")
            assert "You asked for this yourself" in (await whispers(scene, ADA))[0]
            await scene.people.click("Grace", "C0INCIDENTS", str(copy["ts"]), "decide_approved")
            await observer.until(lambda seen: seen.says("*Approved* by <@U0GRACE>"), "the decision in the thread")
            await observer.until(answered, "the answer")
        assert len(await scene.people.messages("general")) == 1
        locked = await copy_in(scene, "C0INCIDENTS", "*Approved* by <@U0GRACE>")
        assert "decide_" not in json.dumps(locked)
        assert not observer.says(ASKS_WHO)


@pytest.mark.parametrize("in_thread", [True, False], ids=["in the thread", "beside it"])
async def test_requester_names_a_person_who_is_asked_directly(
    database_url: URL, tmp_path: Path, in_thread: bool
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, asked(scene) as observer:
        assert ASKS_WHO in shown(observer)
        assert "decide_approved" not in shown(observer)
        await scene.people.post("Ada", "@app", "@Grace", thread_ts=observer.thread_ts if in_thread else None)
        copy = await copy_in(scene, WITH_GRACE, "decide_approved", "hello")
        await observer.until(lambda seen: "I asked <@U0GRACE>" in shown(seen), "where it waits")
        await scene.stop_app()
        await scene.start_app()
        await scene.people.click("Grace", WITH_GRACE, str(copy["ts"]), "decide_approved")
        await observer.until(answered, "the answer")
        assert observer.says("*Approved* by <@U0GRACE>")
        assert len(scene.model.requests_of("planner")) == 1
        assert len(await scene.people.messages("general")) == 1


async def test_place_that_was_named_before_a_crash_is_asked_after_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, asked(scene) as observer:
        await scene.stop_app()
        await scene.start_app(frozenset({Part.BOT}))
        await scene.people.post("Ada", "@app", "#incidents", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: seen.says("I'll ask <#C0INCIDENTS>"), "that it was taken in")
        await scene.stop_app()
        await scene.start_app()
        copy = await copy_in(scene, "C0INCIDENTS", "decide_rejected")
        await scene.people.click("Linus", "C0INCIDENTS", str(copy["ts"]), "decide_rejected")
        await observer.until(answered, "the answer")
        assert await scene.people.messages("general") == []


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("@Ada", "<@U0ADA> can't approve this"),
        ("@Gus", "<@U0GUEST> can't approve this"),
        ("#finance", "I can't ask in <#C0FINANCE>"),
        ("#old-ops", "I can't ask in <#C0OLDOPS>"),
        ("#nowhere", "I can't ask in #nowhere"),
    ],
)
async def test_requester_who_names_nobody_that_can_approve_is_told(
    database_url: URL, tmp_path: Path, named: str, words: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, asked(scene) as observer:
        await scene.people.post("Ada", "@app", named, thread_ts=observer.thread_ts)
        await observer.until(lambda seen: seen.says(words), "why not")
        assert ASKS_WHO in shown(observer)
        await scene.click(observer, "Ada", "rejected")
        await observer.until(answered, "the answer")
        assert len(scene.model.requests_of("planner")) == 1


async def test_channel_of_the_policy_that_the_app_is_not_in_leaves_the_question_to_the_requester(
    database_url: URL, tmp_path: Path
) -> None:
    async with (
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=in_channel("#finance")) as scene,
        asked(scene) as observer,
    ):
        assert ASKS_WHO in shown(observer)


async def test_private_channel_with_one_member_asks_elsewhere_and_with_two_does_not(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=in_channel("#incidents")) as scene:
        async with asked(scene, "leads") as observer:
            assert "decide_approved" in shown(observer)
        await scene.people.act("members", channel="leads", member="Grace", remove=True)
        async with asked(scene, "leads") as observer:
            await observer.until(lambda seen: "I asked <#C0INCIDENTS>" in shown(seen), "where it waits")
            assert "decide_approved" not in shown(observer)


@pytest.mark.parametrize(
    ("way", "ended"), [("rejected", "*Rejected* by <@U0ADA>"), ("stopped", "*Withdrawn*")], ids=["rejected", "stopped"]
)
async def test_request_that_ends_in_its_thread_ends_where_else_it_was_asked(
    database_url: URL, tmp_path: Path, way: str, ended: str
) -> None:
    async with (
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=in_channel("#incidents")) as scene,
        asked(scene) as observer,
    ):
        await copy_in(scene, "C0INCIDENTS", "decide_approved")
        if way == "rejected":
            await scene.click(observer, "Ada", "rejected")
        else:
            await scene.people.post("Ada", "@app", "!stop", thread_ts=observer.thread_ts)
        locked = await copy_in(scene, "C0INCIDENTS", ended)
        assert "decide_" not in json.dumps(locked)


async def test_name_alone_is_a_request_like_any_other_while_nothing_waits_for_a_place(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned({"op": "reply", "text": "REPLY"}))
        await scene.people.post("Ada", "@app", "@Grace")
        await scene.people.wait_for(lambda dump: "REPLY" in json.dumps(dump["channels"]))
