"""Requests, channels and memberships that disappear while work runs: the requester hears of it, nothing is lost."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, direct_messages, leaks, states, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post, tool

ADA, GRACE, LINUS, GUEST, OLGA = "U0ADA", "U0GRACE", "U0LINUS", "U0GUEST", "U0OTHER"


def says(text: str) -> Script:
    """Return a planner that answers once without a plan."""
    return Script(role="planner", answer=json.dumps({"op": "reply", "text": text}), times=1)


@asynccontextmanager
async def parked(scene: AppScene, *, channel: str = "ops") -> AsyncGenerator[ThreadObserver]:
    """Have Ada ask for one post to #incidents, and wait for its card."""
    scene.model.add(planned(post("tell", "hello")))
    async with scene.asked("tell them", channel=channel) as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        yield observer


@asynccontextmanager
async def at_work(scene: AppScene) -> AsyncGenerator[ThreadObserver]:
    """Have Ada ask for a page that does not come before it is let go, and wait for the board."""
    scene.effects.hold("a")
    scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
    async with scene.asked("fetch a") as observer:
        await scene.effects.reached("a")
        await observer.until(lambda seen: bool(seen.boards()), "the board")
        yield observer


async def test_deleted_request_without_any_reply_is_told_to_the_requester(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        planning = asyncio.Event()

        def stalls(_: ModelRequest) -> Stall:
            planning.set()
            return Stall()

        scene.model.add(Script(role="planner", answer=stalls, times=1))
        async with scene.asked("fetch a") as observer:
            await planning.wait()
            await scene.people.act("messages/delete", user="Ada", channel="ops", ts=observer.thread_ts)
            scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
            await scene.stop_app()
            await scene.start_app()
            (told,) = await direct_messages(scene, ADA)
        assert "was deleted" in told


async def test_request_deleted_after_its_board_stood_is_answered_all_the_same(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, parked(scene) as observer:
        await scene.people.act("messages/delete", user="Ada", channel="ops", ts=observer.thread_ts)
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered, "the answer")
        assert len(await scene.people.messages("incidents")) == 1


async def test_archived_channel_is_told_to_the_requester_and_work_goes_on_when_it_is_back(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, at_work(scene) as observer:
        await scene.people.act("channels", channel="ops", is_archived=True)
        scene.effects.let_go("a")
        (told,) = await direct_messages(scene, ADA)
        assert "can no longer write in <#C0OPS>" in told
        await scene.people.act("channels", channel="ops", is_archived=False)
        scene.model.add(says("ANSWER two"))
        await scene.people.post("Ada", "ops", "and now?", thread_ts=observer.thread_ts)
        await observer.until(lambda seen: seen.says("ANSWER", '"name": "a"'), "the first answer, late")
        await observer.until(lambda seen: seen.says("ANSWER two"), "the second answer")


async def test_thread_found_closed_at_the_very_end_shows_the_rest_by_itself_once_it_is_open_again(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, at_work(scene) as observer:
        await scene.people.act("members", channel="ops", member="Greenlight", remove=True)
        scene.effects.let_go("a")
        await direct_messages(scene, ADA)
        await run_ended(scene)
        assert not answered(observer)
        await scene.people.act("members", channel="ops", member="Greenlight")
        await observer.until(answered, "the answer, though nobody wrote or clicked")


async def run_ended(scene: AppScene) -> None:
    """Return once no worker runs a thread any more."""
    database = Database(scene.url)
    async with asyncio.timeout(60):
        while True:
            async with database.begin() as connection:
                ended = await connection.execute(text("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL"))
                leases = await connection.execute(text("SELECT count(*) FROM leases"))
                if ended.scalar_one() and not leases.scalar_one():
                    break
            await asyncio.sleep(0.05)
    await database.close()


async def test_app_removed_from_the_channel_is_told_to_the_requester(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene, at_work(scene):
        await scene.people.act("members", channel="ops", member="Greenlight", remove=True)
        scene.effects.let_go("a")
        (told,) = await direct_messages(scene, ADA)
        assert "can no longer write in <#C0OPS>" in told


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("#finance", "failed: i'm not in that channel"),
        ("C0OLDOPS", "failed: that channel is archived"),
        ("#nowhere", "failed: there is no such channel, or i can't see it"),
        ("C0NOWHERE", "failed: there is no such channel, or i can't see it"),
        ("#leads", "failed: that isn't allowed"),
    ],
)
async def test_post_where_nobody_can_post_fails_in_words_and_nobody_is_asked(
    database_url: URL, tmp_path: Path, channel: str, words: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello", channel)))
        async with scene.asked("tell them", by="Linus") as observer:
            await observer.until(answered, "the answer")
            assert words in states(observer)["tell"]
            assert leaks(observer) == []
        assert await requests_asked(scene) == 0


async def test_other_calls_that_cannot_succeed_ask_nobody_either(database_url: URL, tmp_path: Path) -> None:
    def one_host(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"hosts": ["example.com"]}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=one_host) as scene:
        send = {"method": "POST", "url": "https://example.org/", "text": "x"}
        make = tool("make", "slack_create_channel", {"name": "incidents"})
        scene.model.add(planned(make, tool("send", "http_request", send), post("long", "&" * 3000)))
        async with scene.asked("do it") as observer:
            await observer.until(answered, "the answer")
            assert "failed: that name is taken" in states(observer)["make"]
            assert "failed: that address isn't on the list of this tool" in states(observer)["send"]
            assert "failed: the text is too long" in states(observer)["long"]
        assert await requests_asked(scene) == 0


async def test_people_are_asked_when_slack_does_not_say_whether_the_channel_is_there(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="conversations.list", error="internal_error", times=1)
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            assert observer.says("I couldn't read it")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says("channel: #incidents"), "the card that knows the channel")
            assert await scene.people.messages("incidents") == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        assert len(await scene.people.messages("incidents")) == 1


async def requests_asked(scene: AppScene) -> int:
    """Return how many requests to people were ever stored."""
    database = Database(scene.url)
    async with database.begin() as connection:
        asked = (await connection.execute(text("SELECT count(*) FROM approvals"))).scalar_one()
    await database.close()
    return int(asked)


async def test_click_where_the_app_was_removed_says_so_and_counts_once_it_is_back(
    database_url: URL, tmp_path: Path
) -> None:
    anyone = {"slack_post_message": {"self_approval": True}}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals=anyone) as scene:
        scene.model.add(planned(post("tell", "hello", "#incidents")))
        async with scene.asked("tell them", channel="leads") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.act("members", channel="leads", member="Greenlight", remove=True)
            await scene.click(observer, "Grace", "approved")
            told = (await whispers(scene, GRACE))[-1]
            assert "I'm no longer in this channel" in told
            assert "join" not in told
            await scene.people.act("members", channel="leads", member="Greenlight")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
