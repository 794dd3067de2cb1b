"""The two ways in: signed HTTP, and a socket that is watched."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

import bot.slack.socket_mode
from agent.approval import Policies
from agent.ids import thread_id
from bot.app import SlackApp
from bot.errors import SlackRefused, SlackUnreachable
from bot.slack.client import open_client
from bot.slack.socket_mode import Socket
from infra.dev.local_slack.server import Workspace
from tests.fakes.bot_ports import BotRows
from tests.fakes.run_views import a_node, a_run
from tests.fakes.slack_scene import Scene
from tests.fakes.slack_scene import scene as opened_scene

SECRET = "a signing secret"


@pytest.fixture
async def workspace() -> AsyncGenerator[Workspace]:
    async with Workspace(rate_limits=False) as one:
        yield one


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as one:
        yield one


def an_app(workspace: Workspace, rows: BotRows, session: aiohttp.ClientSession) -> SlackApp:
    client = open_client(workspace.bot_token, base_url=workspace.api_url, session=session)
    return SlackApp(client, rows.ports, Policies().of, signing_secret=SECRET)


def signed(body: Mapping[str, Any], secret: str = SECRET) -> AsyncBoltRequest:
    text, now = json.dumps(body), str(int(time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=now, body=text)
    headers: dict[str, str | Sequence[str]] = {
        "content-type": "application/json",
        "x-slack-request-timestamp": now,
        "x-slack-signature": signature or "",
    }
    return AsyncBoltRequest(body=text, headers=headers)


def mention(event_id: str = "Ev1") -> dict[str, Any]:
    event = {"type": "app_mention", "user": "U0ADA", "text": "<@U0GREENLIGHT> hi", "ts": "9.000001", "channel": "C0OPS"}
    return {"type": "event_callback", "team_id": "T0LOCAL", "api_app_id": "A1", "event_id": event_id, "event": event}


async def test_signed_event_is_stored_before_the_200(workspace: Workspace, session: aiohttp.ClientSession) -> None:
    rows = BotRows()
    app = an_app(workspace, rows, session)
    response = await app.bolt.async_dispatch(signed(mention()))
    assert (response.status, len(rows.inbox)) == (200, 1)
    again = await app.bolt.async_dispatch(signed(mention()))
    assert (again.status, len(rows.inbox)) == (200, 1)
    await app.drain()


async def test_event_that_cannot_be_stored_gets_a_500_and_so_a_retry(
    workspace: Workspace, session: aiohttp.ClientSession
) -> None:
    rows = BotRows()
    rows.down = True
    response = await an_app(workspace, rows, session).bolt.async_dispatch(signed(mention()))
    assert response.status == 500


async def test_event_is_not_acked_while_the_app_cannot_learn_who_it_is(
    workspace: Workspace, session: aiohttp.ClientSession
) -> None:
    """bolt's own authorization would say 200 here, and the event would be lost."""
    rows = BotRows()
    app = an_app(workspace, rows, session)
    async with session.post(f"{workspace.base_url}/control/faults", json={"method": "auth.test", "error": "x"}):
        pass
    assert (await app.bolt.async_dispatch(signed(mention()))).status == 500
    assert (await app.bolt.async_dispatch(signed(mention()))).status == 200
    assert len(rows.inbox) == 1
    await app.drain()


async def test_wrong_signature_is_refused(workspace: Workspace, session: aiohttp.ClientSession) -> None:
    rows = BotRows()
    response = await an_app(workspace, rows, session).bolt.async_dispatch(signed(mention(), secret="another"))
    assert (response.status, rows.inbox) == (401, [])


@pytest.mark.parametrize(
    "body",
    [
        {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}},
        {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention", "user": None, "text": 5}},
        {"type": "block_actions", "actions": [{"action_id": "decide_approved", "value": None}]},
        {"type": "block_actions", "actions": [{"action_id": "decide_approved", "value": "1:q"}], "user": {}},
        {"type": "block_actions", "actions": [{"action_id": "something_else"}], "user": {"id": "U0ADA"}},
        {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_home_opened", "user": "U0ADA"}},
        {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "subtype": "message_changed"}},
        {"command": "/greenlight"},
    ],
    ids=str,
)
async def test_strange_payload_is_acked_and_starts_nothing(
    workspace: Workspace, session: aiohttp.ClientSession, body: dict[str, Any]
) -> None:
    rows = BotRows()
    app = an_app(workspace, rows, session)
    response = await app.bolt.async_dispatch(signed(body))
    await app.drain()
    assert response.status == 200
    assert (rows.inbox, rows.decided) == ([], [])


async def test_wrong_app_token_is_said_at_once(workspace: Workspace, session: aiohttp.ClientSession) -> None:
    app = an_app(workspace, BotRows(), session)
    client = open_client(workspace.bot_token, base_url=workspace.api_url, session=session)
    with pytest.raises(SlackRefused) as caught:
        async with Socket(app.bolt, "xapp-wrong", client).open():
            pass
    assert caught.value.code == "invalid_auth"


async def test_slack_that_is_not_there_is_said_at_once(workspace: Workspace, session: aiohttp.ClientSession) -> None:
    app = an_app(workspace, BotRows(), session)
    client = open_client(workspace.bot_token, base_url="http://127.0.0.1:9/api/", session=session)
    with pytest.raises(SlackUnreachable):
        async with Socket(app.bolt, workspace.app_token, client).open():
            pass


STRANGE_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "503 in plain words": {"status": 503, "body": "upstream connect error", "content_type": "text/plain"},
    "503 as a page": {"status": 503, "body": "<html>Service Unavailable</html>", "content_type": "text/html"},
    "500 in Slack's form": {"status": 500, "error": "an_error_nobody_knows"},
    "429 without a number": {"status": 429, "body": "slow down", "content_type": "text/plain"},
    "half JSON": {"body": '{"ok": tr'},
    "half a character": {"body": '{"ok": true, "url": "\\ud800"}'},
    "nothing": {"body": ""},
    "null": {"body": "null"},
    "a list": {"body": "[]"},
    "a full list": {"body": "[1]"},
    "a text": {"body": '"ok"'},
    "a number": {"body": "1"},
    "plain words": {"body": "ok", "content_type": "text/plain"},
    "packed": {"body": "ok", "content_type": "application/gzip"},
    "no type": {"body": "ok", "content_type": ""},
    "a refusal without a word": {"body": '{"ok": false}'},
    "a refusal with a number": {"body": '{"ok": false, "error": 7}'},
    "ok and nothing else": {"body": '{"ok": true}'},
    "no address": {"body": '{"ok": true, "url": 7}'},
}
"""Answers of the Web API that Slack documents nowhere."""


@pytest.mark.parametrize("answer", STRANGE_ANSWERS.values(), ids=STRANGE_ANSWERS.keys())
async def test_answer_that_is_not_slacks_counts_as_none(
    workspace: Workspace, session: aiohttp.ClientSession, answer: Mapping[str, Any]
) -> None:
    """It is no refusal: the doctor and `greenlight run` would send people to look for another token."""
    client = open_client(workspace.bot_token, base_url=workspace.api_url, session=session)
    client.retry_handlers.clear()
    socket = Socket(an_app(workspace, BotRows(), session).bolt, workspace.app_token, client)
    fault = {"method": "apps.connections.open", "times": 10, **answer}
    async with session.post(f"{workspace.base_url}/control/faults", json=fault):
        pass
    with pytest.raises(SlackUnreachable):
        async with socket.open():
            pass


async def test_stuck_socket_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.slack.socket_mode, "LOOK_SECONDS", 0.05)
    async with opened_scene() as scene:
        handler: Any = scene.socket._handler  # pyright: ignore[reportPrivateUsage] -- to break it
        handler.client.auto_reconnect_enabled = False
        handler.client.current_session_monitor.cancel()
        handler.client.message_receiver.cancel()
        await handler.client.current_session.close()
        assert not await scene.socket.is_connected()
        async with asyncio.timeout(20):
            while not await scene.socket.is_connected():  # noqa: ASYNC110 -- the SDK offers no event
                await asyncio.sleep(0.02)
        ts = await scene.people.write("Ada", "ops", "@Greenlight are you there?")
        await scene.people.until(lambda _: [message.ts for message in scene.rows.inbox] == [ts])


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with opened_scene() as one:
        yield one


async def told(scene: Scene, user: str, channel: str) -> str:
    await scene.people.act("commands", user=user, channel=channel, command="/greenlight", text="status")
    dump = await scene.people.until(lambda dump: bool(dump["ephemerals"]))
    return json.dumps(dump["ephemerals"][-1]["message"]["blocks"])


async def test_status_lists_the_callers_runs_and_the_channels(scene: Scene) -> None:
    root = await scene.people.write("Ada", "ops", "one")
    other = await scene.people.write("Grace", "incidents", "two")
    nodes = (a_node("a"),)
    scene.rows.show(a_run(thread_id("T0LOCAL", "C0OPS", root), nodes=nodes))
    scene.rows.show(a_run(thread_id("T0LOCAL", "C0INCIDENTS", other), requester="U0GRACE"))
    blocks = await told(scene, "Ada", "incidents")
    assert "*Yours*" in blocks
    assert f"/archives/C0OPS/p{root.replace('.', '')}" in blocks
    assert "*In this channel*" in blocks
    assert "<@U0GRACE>" in blocks


async def test_status_says_when_nothing_runs(scene: Scene) -> None:
    assert "Nothing is running" in await told(scene, "Ada", "ops")
