"""How work begins: mentions, commands, direct messages; who may ask, and what a hostile request cannot do."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from infra.dev.local_slack.state.errors import ControlError
from infra.dev.scripted_model.script import Script
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, whispers
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, planned, post

ADA, GRACE, LINUS, GUEST, OLGA = "U0ADA", "U0GRACE", "U0LINUS", "U0GUEST", "U0OTHER"


def says(text: str) -> Script:
    """Return a planner that answers once without a plan."""
    return Script(role="planner", answer=json.dumps({"op": "reply", "text": text}), times=1)


async def test_empty_request_is_answered_with_a_hint_to_the_sender_alone(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene, scene.asked("  ") as observer:
        (told,) = await whispers(scene, ADA)
        assert "Tell me what you need" in told
        assert observer.words() == []
        assert scene.model.requests == []


async def test_request_of_40000_characters_is_planned_whole_and_answered(database_url: URL, tmp_path: Path) -> None:
    text = "check it, " * 3998
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        async with scene.asked(text) as observer:
            await observer.until(answered, "the answer")
            await scene.people.post("Ada", "ops", "and again?", thread_ts=observer.thread_ts)
            scene.model.add(says("ANSWER again"))
            await observer.until(lambda seen: seen.says("ANSWER again"), "the follow-up is answered")
        assert text.strip() in scene.model.requests_of("planner")[0].last
        assert (await scene.people.read("calls"))["complaints"] == []


async def test_hostile_mrkdwn_pings_nobody_and_breaks_nothing(database_url: URL, tmp_path: Path) -> None:
    evil = "<!channel> <!here> <@U0GRACE> </text>\u202e *x* ```\n# h\n> q <https://evil.example|click> &lt;!channel&gt;"
    async with app_scene(database_url, tmp_path, [ENDS]) as scene:
        titled = fetch("a", f"{scene.effects.url}/a") | {"title": evil[:140]}
        scene.model.add(planned(titled, post("tell", evil) | {"title": evil[:140]}))
        scene.model.add(concludes(f"ANSWER {evil}"))
        async with scene.asked(evil) as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            written = [
                text
                for sighting in observer.sightings
                if sighting.message.get("bot_id")
                for text in mrkdwn(sighting.message)
            ]
        (posted,) = await scene.people.messages("incidents")
        assert "<!channel>" not in posted["text"]
        assert len(written) > 5
        assert not [text for text in written if "<!channel>" in text or "<!here>" in text or "<@U0GRACE> </" in text]


def mrkdwn(value: Any) -> list[str]:
    """Return every text that Slack would read for mentions and links; rich text's is literal."""
    match value:
        case {"type": "mrkdwn" | "markdown", "text": str(text)}:
            return [text]
        case {"type": "message", "text": str(text)}:
            return [text, *mrkdwn(value.get("blocks", []))]
        case dict():
            return [text for part in value.values() for text in mrkdwn(part)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case list():
            return [text for part in value for text in mrkdwn(part)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case _:
            return []


async def test_guest_and_stranger_are_refused_privately(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        await scene.people.post("Gus", "ops", "@Greenlight do it")
        await scene.people.post("Olga", "partners", "@Greenlight do it")
        assert "guests can't start work" in (await whispers(scene, GUEST))[0]
        assert "other organisations can't start work" in (await whispers(scene, OLGA))[0]
        assert scene.model.requests == []


async def test_command_in_a_channel_the_app_is_not_in_is_refused_privately(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, []) as scene:
        await scene.people.command("Ada", "finance", "/greenlight", "check it")
        await scene.people.wait_for(lambda dump: "I'm not in this channel" in json.dumps(dump["ephemerals"]))
        assert scene.model.requests == []


async def test_reply_written_before_the_request_is_stored_is_not_overheard(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.act("faults", method="users.info", delay_seconds=2.0)
        scene.model.add(Script(role="planner", answer=json.dumps({"op": "reply", "text": "heard"})))
        async with scene.asked("first") as observer:
            ts = await scene.people.post("Grace", "ops", "and this", thread_ts=observer.thread_ts)
            await scene.people.wait_for(lambda dump: "eyes" in json.dumps(reactions(dump, ts)))


def reactions(dump: dict[str, Any], ts: str) -> Any:
    """Return the reactions of a message in #ops."""
    return [message.get("reactions") for message in dump["channels"]["ops"]["messages"] if message["ts"] == ts]


async def test_a_mention_delivered_as_two_events_and_again_is_one_request(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        await scene.people.act("deliveries", match="app_mention", repeat=3)
        async with scene.asked("once please") as observer:
            await observer.until(answered_and_done, "the answer")
        assert len(scene.model.requests_of("planner")) == 1
        assert scene.effects.calls == {"a": 1}
        assert len(observer.words()) == 2  # the board and the answer


async def test_the_board_is_one_message_edited_in_place(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(*(fetch(f"n{number}", f"{url}/n{number}") for number in range(12))))
        async with scene.asked("twelve things") as observer:
            await observer.until(answered_and_done, "the answer")
        assert len({board.message["ts"] for board in observer.boards()}) == 1
        assert (await scene.people.read("calls"))["complaints"] == []


async def test_slash_command_opens_a_thread_and_is_refused_inside_one(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        assert await scene.people.command("Ada", "ops", "/greenlight", "fetch a")
        told = await scene.people.wait_for(lambda told: "ANSWER" in json.dumps(told["channels"]["ops"]["messages"]))
        roots = [message for message in told["channels"]["ops"]["messages"] if "asked" in str(message.get("text"))]
        assert len(roots) == 1
        with pytest.raises(ControlError):
            await scene.people.command("Ada", "ops", "/greenlight", "x", thread_ts=roots[0]["ts"])


async def test_direct_message_is_a_request(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        await scene.people.post("Ada", "@app", "fetch a")
        await scene.people.wait_for(lambda told: "ANSWER" in json.dumps(told["channels"]))


async def test_help_and_status_are_told_to_the_asker_alone(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.command("Ada", "ops", "/greenlight", "status")
            await scene.people.command("Ada", "ops", "/greenlight", "help")
            told = await scene.people.wait_for(lambda told: len(told["ephemerals"]) >= 2)
        mine = [json.dumps(ephemeral["message"]) for ephemeral in told["ephemerals"] if ephemeral["user"] == "U0ADA"]
        assert any("tell them" in text for text in mine)
        assert any("/greenlight" in text for text in mine)
