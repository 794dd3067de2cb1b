"""The Web API's strictness over HTTP: tokens, scopes, channels, threads, other people's messages, rate limits."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp

Json = dict[str, Any]
Api = Callable[..., Awaitable[Json]]


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace(rate_limits=False) as running:
        yield running


@pytest.fixture
async def people(workspace: Workspace) -> AsyncIterator[WorkspaceClient]:
    async with WorkspaceClient(workspace.base_url) as client:
        yield client


async def call(workspace: Workspace, method: str, *, token: str | None = None, **arguments: Any) -> Json:
    """Call a method with a JSON body; the answer with its HTTP status as `http`."""
    headers = {"Authorization": f"Bearer {workspace.bot_token if token is None else token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(workspace.api_url + method, json=arguments, headers=headers) as response,
    ):
        return {**await response.json(), "http": response.status, "retry_after": response.headers.get("Retry-After")}


@pytest.fixture
def api(workspace: Workspace) -> Api:
    async def bound(method: str, **arguments: Any) -> Json:
        return await call(workspace, method, **arguments)

    return bound


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("auth.test", "", "not_authed"),
        ("auth.test", "xoxb-stolen", "invalid_auth"),
        ("auth.test", "xoxb-local-0000000000-greenlight", "invalid_auth"),
        ("auth.test", "the app's", "not_allowed_token_type"),
        ("apps.connections.open", "xapp-local-0000000000-greenlight", "invalid_auth"),
        ("apps.connections.open", "the bot's", "not_allowed_token_type"),
        ("chat.teleport", "the bot's", "unknown_method"),
    ],
)
async def test_wrong_token_or_method_is_refused(workspace: Workspace, method: str, token: str, error: str) -> None:
    real = {"the app's": workspace.app_token, "the bot's": workspace.bot_token}
    assert (await call(workspace, method, token=real.get(token, token)))["error"] == error


def test_each_start_has_tokens_of_its_own() -> None:
    first, second = Workspace(), Workspace()
    tokens = {first.bot_token, first.app_token, second.bot_token, second.app_token}
    assert len(tokens) == 4
    assert all(len(token) > 40 for token in tokens)


async def test_form_body_with_token_is_accepted_too(workspace: Workspace) -> None:
    form = {"token": workspace.bot_token, "channel": "C0OPS", "text": "by form"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{workspace.api_url}chat.postMessage", data=form) as got,
    ):
        assert (await got.json())["ok"]


async def test_missing_scope_names_what_is_needed() -> None:
    app = replace(InstalledApp(), scopes=frozenset({"chat:write"}))
    async with Workspace(app=app) as workspace:
        told = await call(workspace, "users.info", user="U0ADA")
    assert (told["error"], told["needed"], told["provided"]) == ("missing_scope", "users:read", "chat:write")


async def test_addresses_are_hidden(api: Api) -> None:
    assert "email" not in (await api("users.info", user="U0ADA"))["user"]["profile"]


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0NOWHERE", "channel_not_found"),
        ("#nowhere", "channel_not_found"),
        ("C0FINANCE", "not_in_channel"),
        ("C0OLDOPS", "is_archived"),
    ],
)
async def test_post_where_the_app_may_not_is_refused(api: Api, channel: str, error: str) -> None:
    assert (await api("chat.postMessage", channel=channel, text="x"))["error"] == error


async def test_private_channel_without_the_app_cannot_be_seen(api: Api, people: WorkspaceClient) -> None:
    await people.act("members", channel="leads", member="Greenlight", remove=True)
    assert (await api("conversations.info", channel="G0LEADS"))["error"] == "channel_not_found"
    assert (await api("chat.postMessage", channel="G0LEADS", text="x"))["error"] == "channel_not_found"


@pytest.mark.parametrize("channel", ["C0OPS", "#ops", "ops"])
async def test_channel_is_found_by_id_and_name(api: Api, channel: str) -> None:
    assert (await api("chat.postMessage", channel=channel, text="x"))["channel"] == "C0OPS"


async def test_post_to_a_person_reaches_their_direct_message(api: Api) -> None:
    assert (await api("chat.postMessage", channel="U0ADA", text="x"))["channel"] == "D0ADA"


async def test_invalid_blocks_tell_where(api: Api) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    told = await api("chat.postMessage", channel="C0OPS", text="x", blocks=[section])
    assert told["error"] == "invalid_blocks"
    line = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    assert told["response_metadata"]["messages"] == [f"[ERROR] {line}"]
    assert told["errors"] == [line]


async def test_thread_hangs_on_a_root_only(api: Api, people: WorkspaceClient) -> None:
    root = await people.post("Ada", "#ops", "root")
    reply = await people.post("Ada", "#ops", "reply", thread_ts=root)
    assert (await api("chat.postMessage", channel="C0OPS", text="x", thread_ts=root))["ok"]
    for wrong in (reply, "1.000001"):
        assert (await api("chat.postMessage", channel="C0OPS", text="x", thread_ts=wrong))[
            "error"
        ] == "invalid_thread_ts"
    replies = await api("conversations.replies", channel="C0OPS", ts=root)
    assert [message["text"] for message in replies["messages"]] == ["root", "reply", "x"]
    assert replies["messages"][0]["reply_count"] == 2
    history = await api("conversations.history", channel="C0OPS")
    assert [message["text"] for message in history["messages"]] == ["root"]


async def test_only_the_apps_own_messages_can_be_changed_or_deleted(api: Api, people: WorkspaceClient) -> None:
    theirs = await people.post("Ada", "#ops", "mine")
    ours = (await api("chat.postMessage", channel="C0OPS", text="ours"))["ts"]
    assert (await api("chat.update", channel="C0OPS", ts=theirs, text="x"))["error"] == "cant_update_message"
    assert (await api("chat.delete", channel="C0OPS", ts=theirs))["error"] == "cant_delete_message"
    assert (await api("chat.update", channel="C0OPS", ts="1.000001", text="x"))["error"] == "message_not_found"
    assert (await api("chat.update", channel="C0OPS", ts=ours, text="changed"))["ok"]
    assert (await api("chat.delete", channel="C0OPS", ts=ours))["ok"]
    assert (await api("chat.delete", channel="C0OPS", ts=ours))["error"] == "message_not_found"


async def test_update_keeps_what_it_does_not_give(api: Api) -> None:
    divider = [{"type": "divider"}]
    posted = await api("chat.postMessage", channel="C0OPS", text="a", blocks=divider)
    changed = await api("chat.update", channel="C0OPS", ts=posted["ts"], text="b")
    assert (changed["text"], [block["type"] for block in changed["message"]["blocks"]]) == ("b", ["divider"])
    cleared = await api("chat.update", channel="C0OPS", ts=posted["ts"], text="c", blocks=[])
    assert "blocks" not in cleared["message"]


async def test_ephemeral_is_for_members_and_in_no_history(api: Api, people: WorkspaceClient) -> None:
    assert (await api("chat.postEphemeral", channel="C0OPS", user="U0ADA", text="psst"))["ok"]
    stranger = await api("chat.postEphemeral", channel="C0OPS", user="U0OTHER", text="psst")
    assert stranger["error"] == "user_not_in_channel"
    assert (await api("conversations.history", channel="C0OPS"))["messages"] == []
    assert [one["user"] for one in (await people.dump())["ephemerals"]] == ["U0ADA"]


async def test_reactions_are_counted_once(api: Api, people: WorkspaceClient) -> None:
    ts = await people.post("Ada", "#ops", "hello")
    where = {"channel": "C0OPS", "timestamp": ts, "name": "eyes"}
    assert (await api("reactions.add", **where))["ok"]
    assert (await api("reactions.add", **where))["error"] == "already_reacted"
    [message] = await people.messages("ops")
    assert message["reactions"] == [{"name": "eyes", "users": ["U0GREENLIGHT"], "count": 1}]


async def test_members_come_page_by_page(api: Api) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = await api("conversations.members", channel="C0OPS", limit=2, cursor=cursor)
        seen += page["members"]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert seen == ["U0ADA", "U0GRACE", "U0LINUS", "U0GUEST", "U0GREENLIGHT"]
    assert (await api("conversations.members", channel="C0OPS", cursor="nonsense"))["error"] == "invalid_cursor"


async def test_people_and_groups_are_told(api: Api) -> None:
    assert (await api("users.info", user="U0GUEST"))["user"]["is_restricted"]
    other = (await api("users.info", user="U0OTHER"))["user"]
    assert (other["is_stranger"], other["team_id"]) == (True, "T0OTHER")
    assert (await api("usergroups.users.list", usergroup="S0ONCALL"))["users"] == ["U0GRACE", "U0LINUS"]
    assert (await api("users.info", user="U0NOBODY"))["error"] == "user_not_found"


async def test_post_past_the_burst_is_rate_limited(workspace: Workspace, people: WorkspaceClient) -> None:
    await people.act("switches", rate_limits=True)
    answers = [await call(workspace, "chat.postMessage", channel="C0OPS", text="x") for _ in range(12)]
    refused = [answer for answer in answers if not answer["ok"]]
    assert {(answer["http"], answer["error"]) for answer in refused} == {(429, "ratelimited")}
    assert all(int(answer["retry_after"]) >= 1 for answer in refused)
    assert (await call(workspace, "chat.postMessage", channel="C0INCIDENTS", text="x"))["ok"]


async def test_agent_sessions_can_be_missing(api: Api, people: WorkspaceClient) -> None:
    root = await people.post("Ada", "#ops", "root")
    where = {"channel_id": "C0OPS", "thread_ts": root}
    assert (await api("agents.sessions.setStatus", status="processing", **where))["status"] == "processing"
    assert (await api("agents.sessions.setStatus", status="dreaming", **where))["error"] == "invalid_arguments"
    await people.act("switches", agent_sessions=False)
    assert (await api("agents.sessions.setStatus", status="active", **where))["error"] == "unknown_method"


async def test_fault_after_the_effect_loses_only_the_answer(api: Api, people: WorkspaceClient) -> None:
    await people.act("faults", method="chat.postMessage", status=500, after=True)
    assert (await api("chat.postMessage", channel="C0OPS", text="there all the same"))["http"] == 500
    assert [message["text"] for message in await people.messages("ops")] == ["there all the same"]


async def test_faults_bite_as_often_as_told_and_after_what_they_skip(api: Api, people: WorkspaceClient) -> None:
    await people.act("faults", method="auth.test", error="account_inactive", times=2, skip=1)
    assert [(await api("auth.test")).get("error") for _ in range(4)] == [
        None,
        "account_inactive",
        "account_inactive",
        None,
    ]


async def test_upload_of_another_length_is_refused(workspace: Workspace, api: Api) -> None:
    told = await api("files.getUploadURLExternal", filename="a.txt", length="5")
    async with aiohttp.ClientSession() as session:
        async with session.post(told["upload_url"], data=b"toolong") as answer:
            assert answer.status == 400
        assert (await api("files.completeUploadExternal", files=[{"id": told["file_id"]}]))["error"] == "file_not_found"
        async with session.post(told["upload_url"], data=b"right") as answer:
            assert answer.status == 200
        done = await api("files.completeUploadExternal", files=[{"id": told["file_id"]}], channel_id="C0OPS")
        address = done["files"][0]["url_private"]
        async with session.get(address) as answer:
            assert answer.status == 403
        async with session.get(address, headers={"Authorization": f"Bearer {workspace.bot_token}"}) as answer:
            assert await answer.read() == b"right"


async def test_a_canvas_is_seen_where_it_is_shared_and_the_app_is_a_member(
    api: Api, workspace: Workspace, people: WorkspaceClient
) -> None:
    file = await people.pinned_canvas("Ada", "ops", "Steps", "1. Look")
    [pin] = (await api("pins.list", channel="C0OPS"))["items"]
    assert (pin["type"], pin["created_by"], pin["message"]["files"][0]["id"]) == ("message", "U0ADA", file)
    told = (await api("files.info", file=file))["file"]
    assert (told["title"], told["mimetype"], told["size"]) == ("Steps", "application/vnd.slack-docs", 7)
    assert (told["channels"], told["groups"], told["ims"]) == (["C0OPS"], [], [])
    assert (await api("canvases.getContent", canvas_id=file, content_type="markdown"))["content"] == "1. Look"
    assert (await api("canvases.getContent", canvas_id=file, content_type="html"))["error"] == "invalid_arguments"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {workspace.bot_token}"}) as session,
        session.get(told["url_private"]) as answer,
    ):
        assert answer.status == 404, "there a canvas is HTML, which nothing here makes"
    await people.act("canvases", user="Ada", channel="ops", title="Steps", text="2. Stop", file=file, tab=True)
    assert (await api("files.info", file=file))["file"]["updated"] > told["updated"]
    properties = (await api("conversations.info", channel="C0OPS"))["channel"]["properties"]
    assert properties["tabs"] == [{"type": "canvas", "data": {"file_id": file}}]
    hidden = (await people.act("canvases", user="Ada", channel="finance", title="Pay", text="x"))["file"]
    assert (await api("files.info", file=hidden))["error"] == "file_not_found"
    assert (await api("canvases.getContent", canvas_id=hidden))["error"] == "canvas_not_found"


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
async def test_other_origins_are_kept_out(workspace: Workspace, headers: dict[str, str]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{workspace.base_url}/control/messages", json={}, headers=headers) as answer,
    ):
        assert answer.status == 403


async def test_pins_are_added_and_taken_back_once(api: Api, people: WorkspaceClient) -> None:
    ts = await people.post("Ada", "#ops", "the plan")
    place = {"channel": "C0OPS", "timestamp": ts}
    assert (await api("pins.add", **place))["ok"]
    assert (await api("pins.add", **place))["error"] == "already_pinned"
    [message] = (await api("conversations.history", channel="C0OPS"))["messages"]
    assert (message["pinned_to"], message["pinned_info"]["pinned_by"]) == (["C0OPS"], "U0GREENLIGHT")
    assert (await api("pins.remove", **place))["ok"]
    assert (await api("pins.remove", **place))["error"] == "no_pin"
    assert "pinned_to" not in (await api("conversations.history", channel="C0OPS"))["messages"][0]


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("pins.add", {"channel": "C0OPS"}, "no_item_specified"),
        ("pins.add", {"channel": "C0OPS", "timestamp": "1.000001"}, "message_not_found"),
        ("pins.add", {"channel": "C0FINANCE", "timestamp": "1.000001"}, "not_in_channel"),
        ("pins.list", {"channel": "C0FINANCE"}, "not_in_channel"),
        ("files.info", {"file": "F0NOBODY"}, "file_not_found"),
        ("canvases.getContent", {"canvas_id": "F0NOBODY"}, "canvas_not_found"),
        ("conversations.setTopic", {"channel": "C0OPS", "topic": "x" * 251}, "too_long"),
        ("conversations.setTopic", {"channel": "C0FINANCE", "topic": "x"}, "not_in_channel"),
        ("conversations.setTopic", {"channel": "C0OLDOPS", "topic": "x"}, "is_archived"),
        ("conversations.kick", {"channel": "C0GENERAL", "user": "U0ADA"}, "cant_kick_from_general"),
        ("conversations.kick", {"channel": "C0OPS", "user": "U0GREENLIGHT"}, "cant_kick_self"),
        ("conversations.kick", {"channel": "C0OPS", "user": "U0NOBODY"}, "user_not_found"),
        ("conversations.kick", {"channel": "C0PARTNERS", "user": "U0LINUS"}, "not_in_channel"),
        ("files.delete", {"file": "F0NOBODY"}, "file_not_found"),
        ("assistant.search.context", {"action_token": "1.2.3"}, "missing_query"),
        ("assistant.search.context", {"query": "x" * 1001}, "query_too_long"),
        ("assistant.search.context", {"query": "x"}, "invalid_action_token"),
        ("assistant.search.context", {"query": "x", "action_token": "1.2.3"}, "invalid_action_token"),
        ("assistant.search.context", {"query": "x", "channel_types": "public_channel,im"}, "missing_scope"),
        ("assistant.search.context", {"query": "x", "content_types": "files"}, "missing_scope"),
    ],
)
async def test_what_slack_refuses_is_refused_with_its_code(
    api: Api, method: str, arguments: dict[str, Any], error: str
) -> None:
    assert (await api(method, **arguments))["error"] == error


@pytest.mark.parametrize(
    "method",
    [
        "pins.add",
        "pins.remove",
        "pins.list",
        "conversations.kick",
        "files.delete",
        "files.info",
        "canvases.getContent",
        "assistant.search.context",
    ],
)
async def test_new_scopes_are_asked_for(method: str) -> None:
    app = replace(InstalledApp(), scopes=frozenset({"chat:write"}))
    async with Workspace(app=app) as workspace:
        where = {"channel": "C0OPS", "timestamp": "1.0", "user": "U0ADA", "file": "F1", "query": "x"}
        assert (await call(workspace, method, **where))["error"] == "missing_scope"


async def test_topic_is_escaped_and_told_in_the_channel(api: Api, people: WorkspaceClient) -> None:
    told = await api("conversations.setTopic", channel="C0OPS", topic="up & <down>")
    assert told["channel"]["topic"]["value"] == "up &amp; &lt;down&gt;"
    [message] = await people.messages("ops")
    assert (message["subtype"], message["topic"]) == ("channel_topic", "up &amp; &lt;down&gt;")
    assert (await api("pins.add", channel="C0OPS", timestamp=message["ts"]))["error"] == "not_pinnable"


async def test_who_was_invited_is_told_with_the_inviter_and_can_be_removed(api: Api, people: WorkspaceClient) -> None:
    assert (await api("conversations.invite", channel="C0PARTNERS", users="U0LINUS"))["ok"]
    [joined] = await people.messages("partners")
    assert (joined["subtype"], joined["user"], joined["inviter"]) == ("channel_join", "U0LINUS", "U0GREENLIGHT")
    assert (await api("conversations.kick", channel="C0PARTNERS", user="U0LINUS"))["ok"]
    assert "U0LINUS" not in (await api("conversations.members", channel="C0PARTNERS"))["members"]


async def test_a_message_can_be_changed_only_while_the_team_allows_it(api: Api, people: WorkspaceClient) -> None:
    ts = (await api("chat.postMessage", channel="C0OPS", text="ours"))["ts"]
    await people.act("switches", edit_seconds=60)
    assert (await api("chat.update", channel="C0OPS", ts=ts, text="changed"))["ok"]
    await people.act("clock", seconds=61)
    assert (await api("chat.update", channel="C0OPS", ts=ts, text="late"))["error"] == "edit_window_closed"


async def test_a_search_sees_public_channels_as_the_person_does(
    workspace: Workspace, api: Api, people: WorkspaceClient
) -> None:
    for channel in ("finance", "leads", "ops", "old-ops"):
        await people.act("channels", channel=channel)
        await people.post("Ada", channel, f"pears of {channel}")
    await people.act("channels", channel="old-ops", is_archived=True)
    await api("chat.postMessage", channel="C0OPS", text="pears of an app")

    async def found(user: str, **more: Any) -> list[str]:
        token = workspace.backend.tickets.new_action_token(user)
        told = await api("assistant.search.context", query="Pears", action_token=token, **more)
        return [hit["content"] for hit in told["results"]["messages"]]

    assert await found("U0LINUS") == ["pears of ops", "pears of finance"]
    assert await found("U0GUEST") == ["pears of ops"]
    assert await found("U0ADA", include_bots=True, limit=1) == ["pears of an app"]
    assert "pears of old-ops" in await found("U0ADA", include_archived_channels=True)
    assert await found("U0ADA", before=1) == []
    await people.act("switches", search=False)
    assert (await api("assistant.search.context", query="x"))["error"] == "feature_not_enabled"


async def test_the_right_to_search_ends(workspace: Workspace, api: Api, people: WorkspaceClient) -> None:
    token = workspace.backend.tickets.new_action_token("U0ADA")
    assert (await api("assistant.search.context", query="x", action_token=token))["ok"]
    await people.act("clock", seconds=601)
    told = await api("assistant.search.context", query="x", action_token=token)
    assert told["error"] == "invalid_action_token"


async def test_a_file_that_is_deleted_leaves_no_message_of_its_own(
    workspace: Workspace, api: Api, people: WorkspaceClient
) -> None:
    async def shared(**more: Any) -> str:
        place = await api("files.getUploadURLExternal", filename="a.txt", length=4)
        async with aiohttp.ClientSession() as session, session.post(place["upload_url"], data=b"text") as answer:
            assert answer.status == 200
        await api("files.completeUploadExternal", files=[{"id": place["file_id"]}], channel_id="C0OPS", **more)
        return str(place["file_id"])

    alone, below = await shared(), await shared(initial_comment="as you asked")
    theirs = (await people.act("uploads", user="Ada", name="b.txt", base64="dGV4dA=="))["file"]["id"]
    await people.act("messages", user="Ada", channel="ops", text="", files=[theirs])
    for file, error in ((alone, None), (below, None), (below, "file_not_found"), (theirs, "cant_delete_file")):
        assert (await api("files.delete", file=file)).get("error") == error
    kept = [
        (message["text"], [file.get("mode") for file in message["files"]]) for message in await people.messages("ops")
    ]
    assert kept == [("as you asked", ["tombstone"]), ("", ["hosted"])]
