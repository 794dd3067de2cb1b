"""Messages and commands reach the inbox once, and nobody's words are lost or misused."""

import json
from collections.abc import AsyncGenerator

import pytest

from bot import wording
from bot.ports import Kind
from tests.fakes.slack_scene import Scene
from tests.fakes.slack_scene import scene as opened_scene


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with opened_scene() as one:
        yield one


async def _reacted(scene: Scene, ts: str, channel: str = "ops") -> None:
    await scene.people.until(
        lambda dump: any(
            message["ts"] == ts and any(reaction["name"] == "eyes" for reaction in message.get("reactions", []))
            for message in dump["channels"][channel]["messages"]
        )
    )


async def test_mention_is_stored_once_although_it_arrives_twice(scene: Scene) -> None:
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our *three* services & post to #incidents")
    await _reacted(scene, ts)
    await scene.people.until(lambda _: True)
    await scene.settled()
    (stored,) = scene.rows.inbox
    assert stored.kind is Kind.MENTION
    assert stored.thread == f"T0LOCAL:C0OPS:{ts}"
    assert stored.author == "U0ADA"
    assert stored.text == "check our *three* services & post to #incidents"


async def test_reply_in_engaged_thread_needs_no_mention(scene: Scene) -> None:
    root = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await _reacted(scene, root)
    reply = await scene.people.write("Grace", "ops", "and the database?", thread_ts=root)
    await _reacted(scene, reply)
    assert [message.text for message in scene.rows.inbox] == ["check our services", "and the database?"]
    assert {message.thread for message in scene.rows.inbox} == {f"T0LOCAL:C0OPS:{root}"}
    assert scene.rows.inbox[1].kind is Kind.REPLY
    assert scene.rows.inbox[1].author == "U0GRACE"


async def test_status_of_a_request_that_no_worker_took_yet_is_not_that_nothing_runs(scene: Scene) -> None:
    root = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await _reacted(scene, root)
    await scene.people.write("Ada", "ops", "!status", thread_ts=root)
    dump = await scene.people.until(lambda dump: "bot_id" in dump["channels"]["ops"]["messages"][-1])
    assert dump["channels"]["ops"]["messages"][-1]["text"] == wording.NOT_BEGUN
    assert [message.text for message in scene.rows.inbox] == ["check our services"]


async def test_talk_that_is_not_for_us_starts_nothing(scene: Scene) -> None:
    root = await scene.people.write("Ada", "ops", "lunch?")
    await scene.people.write("Grace", "ops", "yes", thread_ts=root)
    mine = await scene.people.write("Ada", "ops", "@Greenlight hello there")
    await _reacted(scene, mine)
    assert [message.text for message in scene.rows.inbox] == ["hello there"]


async def test_direct_message_is_a_request_and_opens_its_own_thread(scene: Scene) -> None:
    first = await scene.people.write("Ada", "@app", "what is our error rate?")
    second = await scene.people.write("Ada", "@app", "something else")
    follow = await scene.people.write("Ada", "@app", "per service, please", thread_ts=first)
    await scene.people.until(lambda _: len(scene.rows.inbox) == 3)
    assert {message.ts: message.thread.rpartition(":")[2] for message in scene.rows.inbox} == {
        first: first,
        second: second,
        follow: first,
    }
    assert {message.kind for message in scene.rows.inbox} == {Kind.DIRECT}


@pytest.mark.parametrize(
    ("user", "channel", "words"),
    [("Gus", "ops", "guests can't start work"), ("Olga", "partners", "other organisations can't start work")],
)
async def test_guest_and_stranger_start_nothing_and_are_told_once(
    scene: Scene, user: str, channel: str, words: str
) -> None:
    await scene.people.write(user, channel, "@Greenlight drop the database")
    dump = await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    await scene.settled()
    (told,) = [ephemeral["message"]["text"] for ephemeral in dump["ephemerals"]]
    assert words in told
    assert scene.rows.inbox == []


async def test_edit_and_deletion_of_a_message_start_nothing(scene: Scene) -> None:
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await _reacted(scene, ts)
    await scene.people.act("messages/edit", user="Ada", channel="ops", ts=ts, text="@Greenlight delete everything")
    await scene.people.act("messages/delete", user="Ada", channel="ops", ts=ts)
    other = await scene.people.write("Ada", "ops", "@Greenlight check the database")
    await _reacted(scene, other)
    assert [message.text for message in scene.rows.inbox] == ["check our services", "check the database"]


async def test_event_is_not_acked_until_its_row_is_committed(scene: Scene) -> None:
    scene.rows.down = True
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await scene.people.until(lambda _: True)
    assert scene.rows.inbox == []
    scene.rows.down = False
    await _reacted(scene, ts)
    assert [message.text for message in scene.rows.inbox] == ["check our services"]


async def test_event_is_delivered_again_when_slack_cannot_say_who_wrote_it(scene: Scene) -> None:
    await scene.people.act("faults", method="users.info", error="fatal_error")
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await _reacted(scene, ts)
    assert len(scene.rows.inbox) == 1


async def test_repeated_delivery_is_one_request(scene: Scene) -> None:
    await scene.people.act("deliveries", match="app_mention", repeat=2)
    await scene.people.act("deliveries", match="message", repeat=1, fresh_id=True)
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await _reacted(scene, ts)
    await scene.settled()
    assert len(scene.rows.inbox) == 1


async def test_mention_without_words_is_answered_with_what_to_do(scene: Scene) -> None:
    await scene.people.write("Ada", "ops", "@Greenlight")
    dump = await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    assert [ephemeral["message"]["text"] for ephemeral in dump["ephemerals"]] == [wording.ASK_FOR_SOMETHING]
    assert scene.rows.inbox == []


@pytest.mark.parametrize(("channel", "text"), [("@app", "Help"), ("ops", "@Greenlight help")])
async def test_word_help_is_answered_and_starts_nothing(scene: Scene, channel: str, text: str) -> None:
    await scene.people.write("Ada", channel, text)
    dump = await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    await scene.settled()
    (told,) = dump["ephemerals"]
    assert told["user"] == "U0ADA"
    assert "/greenlight status" in str(told["message"]["blocks"])
    assert scene.rows.inbox == []


async def test_command_opens_a_thread_with_the_request(scene: Scene) -> None:
    acted = await scene.people.act(
        "commands", user="Ada", channel="ops", command="/greenlight", text="check <our> services"
    )
    assert acted["acknowledged"]
    await scene.people.until(lambda _: bool(scene.rows.inbox))
    opening = (await scene.people.messages())[-1]
    assert opening["text"] == "<@U0ADA> asked: check &lt;our&gt; services"
    (stored,) = scene.rows.inbox
    assert (stored.thread, stored.ts) == (f"T0LOCAL:C0OPS:{opening['ts']}", opening["ts"])
    assert (stored.author, stored.text, stored.kind) == ("U0ADA", "check <our> services", Kind.COMMAND)


async def test_command_in_a_channel_without_us_is_refused_with_words(scene: Scene) -> None:
    await scene.people.act("commands", user="Ada", channel="finance", command="/greenlight", text="check")
    await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    assert await scene.people.whispers("U0ADA") == [wording.COMMAND_NEEDS_ROOM]
    assert scene.rows.inbox == []


async def test_command_of_a_guest_is_refused_and_posts_nothing(scene: Scene) -> None:
    before = len(await scene.people.messages())
    await scene.people.act("commands", user="Gus", channel="ops", command="/greenlight", text="check")
    await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    assert "guests can't start work" in (await scene.people.whispers("U0GUEST"))[0]
    assert len(await scene.people.messages()) == before


async def test_command_takes_its_opening_back_when_it_cannot_be_stored(scene: Scene) -> None:
    before = len(await scene.people.messages())
    scene.rows.down = True
    await scene.people.act("commands", user="Ada", channel="ops", command="/greenlight", text="check")
    await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    assert await scene.people.whispers("U0ADA") == [wording.SOMETHING_WENT_WRONG]
    assert len(await scene.people.messages()) == before


@pytest.mark.parametrize("text", ["", "help"])
async def test_help_is_for_the_caller_alone(scene: Scene, text: str) -> None:
    await scene.people.act("commands", user="Ada", channel="ops", command="/greenlight", text=text)
    dump = await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    (told,) = dump["ephemerals"]
    assert told["user"] == "U0ADA"
    assert "/greenlight status" in str(told["message"]["blocks"])


async def test_reconnects_after_the_socket_is_sent_away(scene: Scene) -> None:
    await scene.people.act("sockets/disconnect")
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await _reacted(scene, ts)
    assert len(scene.rows.inbox) == 1


@pytest.mark.parametrize("error", ["missing_scope", "invalid_auth", "access_denied"])
async def test_person_whom_slack_does_not_let_us_look_up_reads_so_in_the_thread(
    scene: Scene, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    await scene.people.act("faults", method="users.info", error=error, times=100)
    ts = await scene.people.write("Ada", "ops", "@Greenlight check our services")
    await scene.people.until(lambda dump: wording.CANNOT_TELL_WHO in json.dumps(dump["channels"]["ops"]["messages"]))
    await scene.settled()
    assert [message["text"] for message in await scene.people.thread(ts)] == [wording.CANNOT_TELL_WHO]
    assert scene.rows.inbox == []
    assert f"users.info: {error}" in caplog.text
