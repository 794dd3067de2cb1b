"""Slack's own clients (slack_sdk, slack_bolt) against the local workspace, over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.models.blocks import PlanBlock, RichTextBlock, RichTextSectionElement, SectionBlock, TaskCardBlock
from slack_sdk.models.blocks.block_elements import RichTextElementParts
from slack_sdk.web.async_client import AsyncWebClient

from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.errors import ControlError

# slack_sdk's and slack_bolt's own annotations are partly bare dicts:
# pyright: reportUnknownMemberType=false, reportUnusedFunction=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

OPS = "C0OPS"
Body = dict[str, Any]


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace(retry_delays=(0.05, 0.05)) as running:
        yield running


@pytest.fixture
async def people(workspace: Workspace) -> AsyncIterator[WorkspaceClient]:
    async with WorkspaceClient(workspace.base_url) as client:
        yield client


@pytest.fixture
def web(workspace: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)


class BoltApp:
    """A Bolt app that keeps what it hears."""

    def __init__(self, workspace: Workspace, web: AsyncWebClient) -> None:
        self.app = AsyncApp(client=web, token=workspace.bot_token)
        self.heard: asyncio.Queue[Body] = asyncio.Queue()
        self.handler = AsyncSocketModeHandler(self.app, workspace.app_token, web_client=web)

        @self.app.event("app_mention")
        async def mentioned(body: Body) -> None:
            await self.heard.put(body)

        @self.app.event("message")
        async def said(body: Body) -> None:
            await self.heard.put(body)


@pytest.fixture
async def bolt(workspace: Workspace, web: AsyncWebClient) -> AsyncIterator[BoltApp]:
    app = BoltApp(workspace, web)
    await app.handler.connect_async()
    yield app
    await app.handler.close_async()


async def test_auth_test_names_the_bot(web: AsyncWebClient) -> None:
    told = await web.auth_test()
    assert (told["team_id"], told["bot_id"]) == ("T0LOCAL", "B0GREENLIGHT")


async def test_mention_arrives_twice_with_different_event_ids(bolt: BoltApp, people: WorkspaceClient) -> None:
    ts = await people.post("Ada", "#ops", "@Greenlight hello")
    bodies = [await asyncio.wait_for(bolt.heard.get(), 30) for _ in range(2)]
    assert {body["event"]["type"] for body in bodies} == {"app_mention", "message"}
    assert len({body["event_id"] for body in bodies}) == 2
    assert {body["event"]["ts"] for body in bodies} == {ts}
    assert bodies[0]["event"]["text"] == "<@U0GREENLIGHT> hello"


async def test_click_reaches_the_app_and_its_answer_reaches_the_message(
    bolt: BoltApp, web: AsyncWebClient, people: WorkspaceClient
) -> None:
    clicked: asyncio.Queue[Body] = asyncio.Queue()

    @bolt.app.action("approve")
    async def approve(ack: Any, body: Body, respond: Any) -> None:
        await ack()
        await respond(text="approved", replace_original=True)
        await clicked.put(body)

    button: Body = {
        "type": "button",
        "text": {"type": "plain_text", "text": "Approve"},
        "action_id": "approve",
        "value": "42:1",
        "style": "primary",
    }
    root = await people.post("Ada", "#ops", "please")
    posted = await web.chat_postMessage(
        channel=OPS,
        thread_ts=root,
        text="May I?",
        blocks=[{"type": "actions", "block_id": "ask", "elements": [button]}],
    )
    assert await people.click("Grace", "#ops", str(posted["ts"]), "approve")
    body = await asyncio.wait_for(clicked.get(), 30)
    assert body["user"]["id"] == "U0GRACE"
    assert body["actions"][0] | {"action_ts": "x"} == button | {"block_id": "ask", "action_ts": "x"}
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": OPS,
        "is_ephemeral": False,
        "thread_ts": root,
    }
    replaced = (await people.messages("ops", thread_ts=root))[1]
    assert (replaced["text"], replaced.get("blocks")) == ("approved", None)
    with pytest.raises(ControlError, match="action_not_found"):
        await people.click("Grace", "#ops", str(posted["ts"]), "approve")


async def test_slash_command_is_answered_and_refused_in_a_thread(bolt: BoltApp, people: WorkspaceClient) -> None:
    @bolt.app.command("/greenlight")
    async def helped(ack: Any, command: Body) -> None:
        await ack(f"you said {command['text']}")

    assert await people.command("Ada", "#ops", "/greenlight", "help")
    whispered = (await people.dump())["ephemerals"]
    assert [(one["user"], one["message"]["text"]) for one in whispered] == [("U0ADA", "you said help")]
    root = await people.post("Ada", "#ops", "a root")
    with pytest.raises(ControlError, match="command_in_thread"):
        await people.command("Ada", "#ops", "/greenlight", "help", thread_ts=root)


async def test_modal_opens_collects_and_closes(bolt: BoltApp, web: AsyncWebClient, people: WorkspaceClient) -> None:
    submitted: asyncio.Queue[Body] = asyncio.Queue()
    why = {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Why?"}}
    why["element"] = {"type": "plain_text_input", "action_id": "text"}
    modal = {
        "type": "modal",
        "callback_id": "reject",
        "title": {"type": "plain_text", "text": "Reject"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "blocks": [why],
    }

    @bolt.app.command("/greenlight")
    async def opened(ack: Any, body: Body, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal)
        await ack()

    @bolt.app.view("reject")
    async def rejected(ack: Any, body: Body, view: Body) -> None:
        if view["state"]["values"]["why"]["text"]["value"] == "no":
            await ack(response_action="errors", errors={"why": "Say more."})
        else:
            await ack()
            await submitted.put(body)

    assert await people.command("Ada", "#ops", "/greenlight", "reject")
    empty = await people.act("views/submit", user="Ada", values={})
    assert empty["errors"] == {"why": "Please complete this required field."}
    short = await people.act("views/submit", user="Ada", values={"why": {"text": {"value": "no"}}})
    assert short["errors"] == {"why": "Say more."}
    done = await people.act("views/submit", user="Ada", values={"why": {"text": {"value": "too risky"}}})
    assert done["accepted"]
    assert (await asyncio.wait_for(submitted.get(), 30))["type"] == "view_submission"
    assert (await people.dump())["views"] == {}


async def test_unacknowledged_event_comes_again_with_the_same_event_id(bolt: BoltApp, people: WorkspaceClient) -> None:
    await people.act("deliveries", match="message", ignore_ack=True)
    await people.post("Ada", "#ops", "once")
    first = await asyncio.wait_for(bolt.heard.get(), 30)
    second = await asyncio.wait_for(bolt.heard.get(), 30)
    assert first["event_id"] == second["event_id"]


async def test_sockets_come_back_after_a_refresh(bolt: BoltApp, people: WorkspaceClient) -> None:
    await people.act("sockets/disconnect", reason="refresh_requested")
    await people.post("Ada", "#ops", "still there?")
    assert (await asyncio.wait_for(bolt.heard.get(), 30))["event"]["text"] == "still there?"


async def test_rate_limit_handler_waits_and_succeeds(web: AsyncWebClient, people: WorkspaceClient) -> None:
    web.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    await people.act("faults", method="chat.postMessage", status=429, retry_after=1)
    assert (await web.chat_postMessage(channel=OPS, text="after the wait"))["ok"]
    assert (await people.read("calls"))["calls"]["chat.postMessage"] == 2


async def test_models_of_the_sdk_are_accepted(web: AsyncWebClient, people: WorkspaceClient) -> None:
    details = RichTextBlock(
        elements=[RichTextSectionElement(elements=[RichTextElementParts.Text(text="three checks")])]
    )
    task = TaskCardBlock(task_id="a", title="Check the services", status="in_progress", details=details)
    plan = PlanBlock(title="Working", tasks=[task])
    await web.chat_postMessage(channel=OPS, text="board", blocks=[plan, SectionBlock(text="*bold*")])
    [posted] = await people.messages("ops")
    assert [block["type"] for block in posted["blocks"]] == ["plan", "section"]


async def test_stream_helper_streams_and_stops(web: AsyncWebClient, people: WorkspaceClient) -> None:
    root = await people.post("Ada", "#ops", "tell me")
    stream = await web.chat_stream(
        channel=OPS, thread_ts=root, recipient_team_id="T0LOCAL", recipient_user_id="U0ADA", buffer_size=4
    )
    await stream.append(markdown_text="**hello** ")
    assert stream.ts is not None
    with pytest.raises(SlackApiError, match="streaming_state_conflict"):
        await web.chat_update(channel=OPS, ts=stream.ts, text="no")
    await stream.append(markdown_text="world")
    await stream.stop()
    answer = (await people.messages("ops", thread_ts=root))[1]
    assert (answer["text"], answer["blocks"][0]["type"]) == ("**hello** world", "markdown")
    assert (await web.chat_update(channel=OPS, ts=stream.ts, text="changed"))["ok"]


async def test_stream_ends_after_five_minutes(web: AsyncWebClient, people: WorkspaceClient) -> None:
    root = await people.post("Ada", "#ops", "tell me")
    stream = await web.chat_stream(
        channel=OPS, thread_ts=root, recipient_team_id="T0LOCAL", recipient_user_id="U0ADA", buffer_size=1
    )
    await stream.append(markdown_text="one")
    await people.act("clock", seconds=301)
    with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
        await stream.append(markdown_text="two")
    assert stream.ts is not None
    assert (await web.chat_update(channel=OPS, ts=stream.ts, text="the whole answer"))["ok"]


async def test_file_upload_v2_shares_the_file(web: AsyncWebClient, people: WorkspaceClient) -> None:
    root = await people.post("Ada", "#ops", "a file, please")
    told = await web.files_upload_v2(filename="report.txt", content="all is well", channel=OPS, thread_ts=root)
    shared = (await people.messages("ops", thread_ts=root))[1]["files"][0]
    assert (shared["title"], shared["size"]) == ("report.txt", len("all is well"))
    assert told["ok"]


async def test_pins_topics_members_and_files_are_changed_by_the_clients_own_methods(
    web: AsyncWebClient, people: WorkspaceClient
) -> None:
    ts = await people.post("Ada", "#ops", "the plan")
    assert (await web.pins_add(channel=OPS, timestamp=ts))["ok"]
    with pytest.raises(SlackApiError, match="already_pinned"):
        await web.pins_add(channel=OPS, timestamp=ts)
    assert (await web.pins_remove(channel=OPS, timestamp=ts))["ok"]
    await web.conversations_setTopic(channel=OPS, topic="An outage")
    assert (await people.dump())["channels"]["ops"]["topic"]["value"] == "An outage"
    await web.conversations_invite(channel="C0PARTNERS", users=["U0LINUS"])
    assert (await web.conversations_kick(channel="C0PARTNERS", user="U0LINUS"))["ok"]
    await web.files_upload_v2(filename="report.txt", content="all is well", channel=OPS)
    file = str((await people.messages("ops"))[-1]["files"][0]["id"])
    assert (await web.files_delete(file=file))["ok"]


async def test_each_event_brings_the_right_to_search_for_its_author(
    bolt: BoltApp, web: AsyncWebClient, people: WorkspaceClient
) -> None:
    await people.post("Ada", "#ops", "@Greenlight where are the pears?")
    bodies = [await asyncio.wait_for(bolt.heard.get(), 20) for _ in range(2)]
    tokens = [body["event"]["assistant_thread"]["action_token"] for body in bodies]
    assert len(set(tokens)) == 2
    for token in tokens:
        told = await web.api_call("assistant.search.context", json={"query": "pears", "action_token": token})
        results: Body = told.get("results", {})
        [hit] = results["messages"]
        assert (hit["author_user_id"], hit["channel_id"], hit["is_author_bot"]) == ("U0ADA", OPS, False)
