"""The kill switch: an admin stops changes at once, cards say so, and what was approved goes on once it is lifted."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows, states, whispers
from tests.acceptance.clicks import late_click
from tests.acceptance.plans import ANSWERS, ENDS, planned, post, tool

BOT, WORKER = frozenset({Part.BOT}), frozenset({Part.WORKER})
FROZEN_WORDS = "An admin has frozen changes, so this won't run"


async def command(scene: AppScene, who: str, words: str) -> str:
    """Have a person use the command in #ops; return what only they read."""
    user = f"U0{who.upper()}"
    before = len(await whispers(scene, user, 0))
    await scene.people.command(who, "ops", "/greenlight", words)
    return await whispered(scene, user, before + 1)


async def whispered(scene: AppScene, user: str, count: int = 1) -> str:
    """Return the last of so many things that only this person was told."""
    return str(json.loads((await whispers(scene, user, count))[-1])["text"])


def buttons(observer: ThreadObserver, card: int = 0) -> str:
    return json.dumps([block for block in observer.cards()[card].message["blocks"] if block["type"] == "actions"])


@pytest.mark.parametrize(
    ("words", "what", "scope"),
    [("freeze", "all changes", "workspace"), ("freeze #ops", "changes from <#C0OPS>", "channel")],
    ids=["workspace", "channel"],
)
async def test_a_freeze_stops_what_waits_cards_say_so_and_it_is_decided_again_afterwards(
    words: str, what: str, scope: str, database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            card = observer.cards()[0].message
            value = json.loads(buttons(observer))[0]["elements"][0]["value"]
            assert await command(scene, "Ada", words) == wording.frozen(what, new=True)
            await observer.until(lambda seen: seen.says(FROZEN_WORDS), "the card's word")
            assert "decide_approved" not in buttons(observer)
            assert "decide_rejected" in buttons(observer)
            await late_click(scene, observer, str(card["ts"]), value)  # a client that still shows the button
            assert await whispered(scene, "U0LINUS") == wording.FROZEN_CLICK
            assert await command(scene, "Ada", words) == wording.frozen(what, new=False)
            assert await scene.people.messages("incidents") == []
            assert await command(scene, "Ada", f"un{words}") == wording.lifted(what, new=True, left=[])
            await observer.until(lambda seen: "decide_approved" in buttons(seen), "the button")
            assert not observer.says(FROZEN_WORDS)
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]
    changes = await rows(database_url, "SELECT event, by, details ->> 'scope' FROM audit WHERE thread = '' ORDER BY id")
    assert changes == [("frozen", "U0ADA", scope), ("lifted", "U0ADA", scope)]


async def test_an_approved_call_that_waits_for_its_turn_is_held_over_a_restart_and_then_runs_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], started=False) as scene:
        await scene.start_app(BOT)
        await scene.start_app(WORKER)
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says("Approved"), "the decision")
            await command(scene, "Ada", "freeze")
            for _ in range(2):
                await scene.start_app(WORKER)
                await observer.until(lambda seen: seen.says(FROZEN_WORDS), "the card's word")
                await _idle(scene)
                assert await scene.people.messages("incidents") == []
                assert not answered(observer)
                await scene.stop_app()
            assert await rows(database_url, "SELECT count(*) FROM ledger") == [(0,)]
            await scene.start_app(WORKER)
            await command(scene, "Ada", "unfreeze")
            await observer.until(answered_and_done, "the answer")
            assert not observer.says(FROZEN_WORDS)
        assert [message["text"] for message in await scene.people.messages("incidents")] == ["hello"]
    assert await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'started'") == [(1,)]


async def _idle(scene: AppScene) -> None:
    """Return once no job of the worker waits or runs."""

    async def busy() -> int:
        query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        return int((await rows(scene.url, query))[0][0])

    while await busy():
        await scene.people.wait_for(lambda _: True)


@pytest.mark.parametrize(
    ("words", "what"),
    [("freeze http_request", "changes by `http_request`"), ("freeze #incidents", "changes from <#C0INCIDENTS>")],
    ids=["tool", "channel"],
)
async def test_a_freeze_of_a_tool_or_a_channel_leaves_the_rest_alone(
    words: str, what: str, database_url: URL, tmp_path: Path
) -> None:
    def requests(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"known": {"effects": "http://127.0.0.1"}, "allow_private": True}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=requests) as scene:
        assert await command(scene, "Ada", words) == wording.frozen(what, new=True)
        assert wording.frozen_now([what]) in await command(scene, "Grace", "status")
        send = tool("send", "http_request", {"method": "POST", "url": f"{scene.effects.url}/sent", "text": "x"})
        scene.model.add(planned(send, post("tell", "hello")))
        by_tool = "http_request" in words
        async with scene.asked("do both") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 2, "the cards")
            assert observer.says(FROZEN_WORDS) is by_tool
            for card in range(2):
                if "decide_approved" in buttons(observer, card):
                    await scene.click(observer, "Grace", "approved", card=card)
            await observer.until(lambda seen: "done" in str(seen.tasks().get("tell")), "the other change")
            assert scene.effects.calls["sent"] == 0 or not by_tool
            if by_tool:
                await command(scene, "Ada", words.replace("freeze", "unfreeze"))
                await observer.until(lambda seen: not seen.says(FROZEN_WORDS), "the card without the word")
                await scene.click(
                    observer, "Grace", "approved", card=0 if "decide_approved" in buttons(observer, 0) else 1
                )
            await observer.until(answered_and_done, "the answer")
            assert "complete" in states(observer)["send"]
        assert scene.effects.calls["sent"] == 1


@pytest.mark.parametrize(
    ("who", "words", "told"),
    [
        ("Grace", "freeze", wording.FREEZE_ADMINS_ONLY),
        ("Grace", "unfreeze", wording.FREEZE_ADMINS_ONLY),
        ("Ada", "freeze http_requets", wording.FREEZE_USAGE),
        ("Ada", "freeze #nowhere", wording.FREEZE_USAGE),
        ("Ada", "Freeze everything now", wording.FREEZE_USAGE),
        ("Linus", "freeze", wording.frozen("all changes", new=True)),
    ],
    ids=["no admin", "no admin lifts", "misspelt tool", "no channel", "more words", "named in the settings"],
)
async def test_who_may_freeze_and_how(who: str, words: str, told: str, database_url: URL, tmp_path: Path) -> None:
    def linus(table: dict[str, Any]) -> None:
        table["freeze"] = {"admins": ["U0LINUS"]}

    async with app_scene(database_url, tmp_path, [], configuration=linus) as scene:
        assert await command(scene, who, words) == told
        assert scene.model.requests == []
    frozen = await rows(database_url, "SELECT count(*) FROM freezes")
    assert frozen == [(int("Frozen" in told),)]


async def test_nobody_freezes_while_slack_does_not_say_who_they_are(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        await scene.people.act("faults", method="users.info", error="fatal_error", count=20)
        assert await command(scene, "Ada", "freeze") == wording.SLACK_DID_NOT_ANSWER
    assert await rows(database_url, "SELECT count(*) FROM freezes") == [(0,)]
