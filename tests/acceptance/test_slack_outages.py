"""Slack that limits, fails, drops connections or refuses a message: nothing is lost, nothing is posted twice."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

import bot.slack.socket_mode
import sandbox.background_task
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, direct_messages, done, leaks, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post


async def told_once(scene: AppScene, observer: ThreadObserver) -> None:
    """Hold that the thread has one board, one card, one answer, and #incidents one post."""
    assert len({board.message["ts"] for board in observer.boards()}) == 1
    assert len(observer.words()) == 3, observer.words()
    assert len(await scene.people.messages("incidents")) == 1


async def asks_and_posts(scene: AppScene, *faults: Mapping[str, Any]) -> None:
    """Run a whole request with these faults of the Web API, and see that everything is told once."""
    for fault in faults:
        await scene.people.act("faults", **fault)
    scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "hello")))
    async with scene.asked("fetch and tell") as observer:
        await observer.until(lambda seen: bool(seen.cards()), "the card")
        await observer.until(lambda seen: "complete" in states(seen).get("a", ""), "the first step done")
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered, "the answer")
        await told_once(scene, observer)
        assert leaks(observer) == []


async def test_rate_limited_calls_wait_and_nothing_is_lost(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await asks_and_posts(
            scene,
            {"method": "users.info", "status": 429, "retry_after": 1},
            {"method": "reactions.add", "status": 429, "retry_after": 1},
            {"method": "chat.postMessage", "status": 429, "retry_after": 1, "times": 2},
            {"method": "chat.update", "status": 429, "retry_after": 1, "times": 2},
        )


@pytest.mark.parametrize("after", [False, True], ids=["before it acted", "after it acted"])
async def test_internal_errors_of_slack_lose_nothing_and_double_nothing(
    database_url: URL, tmp_path: Path, after: bool
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        for fault in ("chat.postMessage", "chat.update"):
            await scene.people.act("faults", method=fault, status=500, times=4, after=after)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await observer.until(answered, "the answer")
            await observer.until(done, "the board's end")
            said = [words for words in observer.words() if "ANSWER" in words]
            assert len(said) == 1 or after
            assert leaks(observer) == []


async def test_connections_that_slack_drops_lose_nothing(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await asks_and_posts(
            scene,
            {"method": "users.info", "status": 0},
            {"method": "chat.postMessage", "status": 0},
            {"method": "chat.update", "status": 0},
        )


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 0},
        {"status": 503},
        {"status": 503, "body": "upstream connect error", "content_type": "text/plain"},
        {"body": '{"ok": tr'},
        {"body": "[1]"},
    ],
    ids=["none", "503", "503 in plain words", "half JSON", "a list"],
)
async def test_post_whose_answer_was_lost_is_asked_about_and_never_made_twice(
    database_url: URL, tmp_path: Path, answer: Mapping[str, Any]
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()) and "tell" in states(seen), "the card and the board")
            await scene.people.act("faults", method="chat.postMessage", after=True, **answer)
            await scene.click(observer, "Grace", "approved")
            await observer.until(
                lambda seen: any(words_of(card.message, "Outcome unknown") for card in seen.cards()), "the question"
            )
            assert len(await scene.people.messages("incidents")) == 1
            await observer.until(lambda seen: "outcome unknown" in states(seen)["tell"], "the board")
            await scene.click(observer, "Grace", "happened")
            await observer.until(answered, "the answer")
            await observer.until(done, "the board's end")
            assert leaks(observer) == []
        assert len(await scene.people.messages("incidents")) == 1


async def test_not_in_channel_is_told_to_the_requester_and_shown_later(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="chat.postMessage", error="not_in_channel")
        scene.effects.hold("a")  # still at work when the thread is found closed
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await scene.people.wait_for(lambda told: "can no longer write in" in json.dumps(told["channels"]))
            assert "can no longer write in <#C0OPS>" in (await direct_messages(scene, "U0ADA"))[0]
            scene.effects.let_go("a")
            await observer.until(answered, "the answer")


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"])
@pytest.mark.parametrize("which", [0, 1], ids=["board", "answer"])
async def test_message_slack_does_not_take_is_told_in_plain_words(
    database_url: URL, tmp_path: Path, error: str, which: int
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="chat.postMessage", error=error, skip=which)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            assert any(words_of(sighting.message, "in plain words") for sighting in observer.sightings)
            await observer.until(lambda seen: seen.says("done: 1 step"), "the board's end")
        assert scene.effects.calls == {"a": 1}


def words_of(message: Mapping[str, Any], words: str) -> bool:
    return words in json.dumps(message)


@pytest.mark.parametrize("abrupt", [False, True], ids=["refresh", "abrupt"])
async def test_dropped_socket_is_opened_again_and_no_message_is_lost(
    database_url: URL, tmp_path: Path, abrupt: bool
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "hello")))
        async with scene.asked("fetch and tell") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.act("sockets/disconnect", abrupt=abrupt)
            scene.model.add(planned(fetch("b", f"{scene.effects.url}/b")))
            await scene.people.post("Ada", "ops", "and b", thread_ts=observer.thread_ts)
            await connected(scene)
            await scene.people.act("clock", seconds=60)  # when Slack delivers again
            await scene.effects.reached("b")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        assert scene.effects.calls == {"a": 1, "b": 1}


async def connected(scene: AppScene) -> None:
    """Return once the app's socket is open (again)."""
    async with asyncio.timeout(60):
        while not (await scene.people.read("calls"))["connections"]:  # noqa: ASYNC110 -- nobody is told of sockets
            await asyncio.sleep(0.1)


async def test_event_delivered_three_times_under_two_ids_is_one_request(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("deliveries", match="app_mention", repeat=1, fresh_id=True)
        await scene.people.act("deliveries", match="message", repeat=1)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("once please") as observer:
            await observer.until(answered, "the answer")
            assert len(observer.words()) == 2
        assert len(scene.model.requests_of("planner")) == 1
        assert scene.effects.calls == {"a": 1}


async def test_acknowledgement_that_was_lost_costs_no_second_run(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("deliveries", match="*", times=2, ignore_ack=True)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("once please") as observer:
            await observer.until(answered, "the answer")
        assert len(scene.model.requests_of("planner")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503, "body": "upstream connect error", "content_type": "text/plain"},
        {"body": '{"ok": tr'},
        {"body": ""},
        {"body": "[]"},
    ],
    ids=["503 in plain words", "half JSON", "nothing", "a list"],
)
async def test_app_hears_again_after_reconnects_were_answered_oddly(
    database_url: URL, tmp_path: Path, answer: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.slack.socket_mode, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(sandbox.background_task, "LONGEST_PAUSE_SECONDS", 0.05)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        opened = scene.workspace.backend.calls["apps.connections.open"]
        await scene.people.act("faults", method="apps.connections.open", times=1000, **answer)
        await scene.people.act("sockets/disconnect", abrupt=True)
        async with asyncio.timeout(60):
            while scene.workspace.backend.calls["apps.connections.open"] < opened + 10:  # noqa: ASYNC110 -- no event
                await asyncio.sleep(0.02)
        await scene.people.act("faults", clear=True)
        await connected(scene)
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked("fetch a") as observer:
            await observer.until(answered, "the answer")
