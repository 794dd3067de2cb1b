"""Slack's tools over the wire: what the author of a call may see, and what became of a channel that was asked for."""

import itertools
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.redaction import SECRETS
from agent.tool import CallContext, Colour, Tool, TooLate, uptime_seconds
from agent.tools.call import call_tool
from bot.slack.client import WebApi, open_client, sending_checks
from bot.slack.membership import Principals
from bot.tools.catalogue import SLACK_TOOLS, slack_tools
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from tests.fakes.slack_scene import People

MANIFEST = Path(__file__).resolve().parents[2] / "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The tools, called as the agent calls them, in a workspace where the app has its manifest's scopes."""

    tools: tuple[Tool, ...]
    people: People

    async def outcome(
        self, tool_name: str, author: str, /, not_after: Callable[[], float] = lambda: math.inf, **arguments: Any
    ) -> Succeeded | Failed:
        context = CallContext(
            thread=ThreadId("T0LOCAL:C0OPS:1.0"),
            node=NodeId("n"),
            author=UserId(author),
            idempotency_key=Digest("d" * 64),
            not_after=not_after,
        )
        tool = next(tool for tool in self.tools if tool.name == tool_name)
        return await call_tool(tool, context, arguments)

    async def call(self, tool_name: str, author: str = "U0ADA", /, **arguments: Any) -> Mapping[str, Any]:
        outcome = await self.outcome(tool_name, author, **arguments)
        assert isinstance(outcome, Succeeded), outcome
        assert isinstance(outcome.value, Mapping)
        return outcome.value

    async def refused(self, tool_name: str, author: str = "U0ADA", /, **arguments: Any) -> str:
        outcome = await self.outcome(tool_name, author, **arguments)
        assert isinstance(outcome, Failed), outcome
        return outcome.error


@pytest.fixture
async def caller() -> AsyncGenerator[Caller]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        Workspace(app=InstalledApp.from_manifest(MANIFEST), rate_limits=False) as place,
        aiohttp.ClientSession(timeout=timeout, trace_configs=[sending_checks()]) as session,
    ):
        api = WebApi(open_client(place.bot_token, base_url=place.api_url, session=session))
        yield Caller(tools=slack_tools(api, Principals(api)), people=People(place, session))


def test_reading_is_green_and_changing_is_red(caller: Caller) -> None:
    colours = {str(tool.name): tool.colour for tool in caller.tools}
    assert set(colours) == SLACK_TOOLS
    assert colours["slack_read_channel"] is colours["slack_find_users"] is Colour.GREEN
    assert colours["slack_post_message"] is colours["slack_create_channel"] is Colour.RED
    assert not [
        tool.name for tool in caller.tools if tool.colour is Colour.RED and (tool.retryable or tool.cache_seconds)
    ]


def after_looks(looks: int) -> Callable[[], float]:
    """Return a deadline that has passed at every look but the first ones."""
    seen = itertools.count()
    return lambda: math.inf if next(seen) < looks else uptime_seconds() - 1


RED_CALLS: Mapping[str, Mapping[str, Any]] = {
    "slack_post_message": {"channel": "#ops", "text": "hello"},
    "slack_create_channel": {"name": "new"},
    "slack_delete_message": {"channel": "#ops"},
    "slack_archive_channel": {"channel": "made"},
    "slack_update_message": {"channel": "#ops", "text": "other words"},
    "slack_pin_message": {"channel": "#ops"},
    "slack_unpin_message": {"channel": "#ops"},
    "slack_upload_file": {"channel": "#ops", "name": "a.txt", "content": "text"},
    "slack_delete_file": {"channel": "#ops"},
    "slack_set_topic": {"channel": "#ops", "topic": "Other things"},
    "slack_invite_to_channel": {"channel": "#partners", "users": ["U0LINUS"]},
    "slack_remove_from_channel": {"channel": "#partners", "users": ["U0LINUS"]},
}


async def red_call(caller: Caller, tool: str) -> Mapping[str, Any]:
    """Return the arguments of a call that would have an effect; what it is to take back is there."""
    args = dict(RED_CALLS[tool])
    if tool in ("slack_delete_message", "slack_update_message", "slack_pin_message", "slack_unpin_message"):
        args["ts"] = str((await caller.call("slack_post_message", channel="#ops", text="hello"))["ts"])
    match tool:
        case "slack_archive_channel":
            await caller.call("slack_create_channel", name=args["channel"])
        case "slack_unpin_message":
            await caller.call("slack_pin_message", **args)
        case "slack_delete_file":
            args["file"] = (await caller.call("slack_upload_file", **RED_CALLS["slack_upload_file"]))["file"]
        case "slack_remove_from_channel":
            await caller.call("slack_invite_to_channel", **args)
        case _:
            pass
    return args


def test_every_red_tool_of_slack_is_held_to_the_deadline(caller: Caller) -> None:
    assert {str(tool.name) for tool in caller.tools if tool.colour is Colour.RED} == set(RED_CALLS)


@pytest.mark.parametrize("tool", RED_CALLS)
@pytest.mark.parametrize("looks", [0, 1], ids=["before it connects", "before its bytes go out"])
async def test_nothing_is_sent_once_another_process_may_have_the_thread(caller: Caller, tool: str, looks: int) -> None:
    args = await red_call(caller, tool)
    before = await caller.people.dump()
    with pytest.raises(TooLate):
        await caller.outcome(tool, "U0ADA", not_after=after_looks(looks), **args)
    assert (await caller.people.dump())["channels"] == before["channels"]


async def test_a_call_that_slack_put_off_is_held_to_the_deadline_again(caller: Caller) -> None:
    await caller.people.act("faults", method="chat.postMessage", status=429)
    with pytest.raises(TooLate):
        await caller.outcome("slack_post_message", "U0ADA", not_after=after_looks(2), **RED_CALLS["slack_post_message"])
    assert await caller.people.messages() == []


LAST_STEPS: Mapping[str, str] = {
    "slack_delete_message": "chat.delete",
    "slack_archive_channel": "conversations.archive",
    "slack_update_message": "chat.update",
    "slack_pin_message": "pins.add",
    "slack_unpin_message": "pins.remove",
    "slack_upload_file": "files.completeUploadExternal",
    "slack_delete_file": "files.delete",
    "slack_set_topic": "conversations.setTopic",
    "slack_invite_to_channel": "conversations.invite",
    "slack_remove_from_channel": "conversations.kick",
}


@pytest.mark.parametrize("tool", LAST_STEPS)
async def test_a_lost_answer_leaves_the_outcome_open_and_is_never_tried_again(caller: Caller, tool: str) -> None:
    args = await red_call(caller, tool)
    method = LAST_STEPS[tool]
    before = (await caller.people.calls()).get(method, 0)
    await caller.people.act("faults", method=method, status=503, after=True)
    assert await caller.refused(tool, **args) == "outcome_unknown"
    assert (await caller.people.calls())[method] == before + 1


@pytest.mark.parametrize("tool", LAST_STEPS)
async def test_what_slack_refuses_has_its_code_and_no_effect(caller: Caller, tool: str) -> None:
    args = await red_call(caller, tool)
    before = (await caller.people.dump())["channels"]
    await caller.people.act("faults", method=LAST_STEPS[tool], error="restricted_action")
    assert await caller.refused(tool, **args) == "restricted_action"
    assert (await caller.people.dump())["channels"] == before


async def test_a_message_is_deleted_once_and_then_it_is_gone(caller: Caller) -> None:
    args = await red_call(caller, "slack_delete_message")
    assert (await caller.call("slack_delete_message", **args))["ts"] == args["ts"]
    assert await caller.people.messages() == []
    assert await caller.refused("slack_delete_message", **args) == "message_not_found"


async def test_a_deadline_that_passes_while_people_are_invited_leaves_the_outcome_open(caller: Caller) -> None:
    failed = await caller.outcome("slack_create_channel", "U0ADA", not_after=after_looks(2), name="new")
    assert isinstance(failed, Failed)
    assert failed.error == "outcome_unknown"


async def test_channel_is_read_oldest_first_with_names_for_mentions(caller: Caller) -> None:
    first = await caller.people.write("U0GRACE", "ops", "payments < 1 % & falling, @Ada")
    await caller.people.write("U0ADA", "ops", "on it", thread_ts=first)
    await caller.people.write("U0LINUS", "ops", "me too")
    read = await caller.call("slack_read_channel", channel="#ops")
    assert read["channel"] == {"id": "C0OPS", "name": "ops"}
    assert read["truncated"] is False
    asked, helped = read["messages"]
    assert asked["author"] == {"id": "U0GRACE", "name": "Grace Hopper"}
    assert asked["text"] == "payments < 1 % & falling, @Ada Lovelace"
    assert (asked["ts"], asked["replies"]) == (first, 1)
    assert helped["text"] == "me too"


async def test_thread_is_read_with_its_root(caller: Caller) -> None:
    root = await caller.people.write("U0GRACE", "ops", "payments is down")
    for number in range(3):
        await caller.people.write("U0ADA", "ops", f"step {number}", thread_ts=root)
    whole = await caller.call("slack_read_channel", channel="C0OPS", thread_ts=root)
    assert [message["text"] for message in whole["messages"]] == ["payments is down", "step 0", "step 1", "step 2"]
    newest = await caller.call("slack_read_channel", channel="C0OPS", thread_ts=root, limit=2)
    assert [message["text"] for message in newest["messages"]] == ["step 1", "step 2"]
    assert newest["truncated"] is True


async def test_limit_keeps_the_newest_and_says_so(caller: Caller) -> None:
    for number in range(5):
        await caller.people.write("U0ADA", "ops", f"line {number}")
    read = await caller.call("slack_read_channel", channel="ops", limit=2)
    assert [message["text"] for message in read["messages"]] == ["line 3", "line 4"]
    assert read["truncated"] is True


async def test_since_leaves_out_what_is_older(caller: Caller) -> None:
    await caller.people.write("U0ADA", "ops", "now")
    assert len((await caller.call("slack_read_channel", channel="ops", since="2020-01-01T00:00:00Z"))["messages"]) == 1
    assert (await caller.call("slack_read_channel", channel="ops", since="2099-01-01"))["messages"] == []
    assert await caller.refused("slack_read_channel", channel="ops", since="yesterday") == "bad_arguments"


async def test_large_channel_is_cut_to_what_a_model_can_take(caller: Caller) -> None:
    for _ in range(100):
        await caller.people.write("U0ADA", "ops", "x" * 3900)
    read = await caller.call("slack_read_channel", channel="ops", limit=200)
    assert 60 <= len(read["messages"]) < 70
    assert read["truncated"] is True


@pytest.mark.parametrize(
    ("channel", "author", "code"),
    [
        ("#leads", "U0LINUS", "not_allowed"),
        ("G0LEADS", "U0LINUS", "not_allowed"),
        ("#incidents", "U0GUEST", "not_allowed"),
        ("#incidents", "U0OTHER", "not_allowed"),
        ("#finance", "U0ADA", "not_in_channel"),
        ("#nowhere", "U0ADA", "channel_not_found"),
    ],
)
async def test_channel_is_closed_to_those_who_may_not_read_it(
    caller: Caller, channel: str, author: str, code: str
) -> None:
    assert await caller.refused("slack_read_channel", author, channel=channel) == code


async def test_channel_is_found_by_its_name_as_of_now_and_all_are_listed_once(caller: Caller) -> None:
    channels = caller.people.workspace.backend.team.channels
    posted = await caller.call("slack_post_message", channel="#incidents", text="one")
    await caller.people.act("faults", method="conversations.list", error="ratelimited", times=1)
    for text in ("two", "three"):
        assert (await caller.call("slack_post_message", channel="#incidents", text=text))["channel"] == posted[
            "channel"
        ]
    channels[posted["channel"]].name, channels["C0GENERAL"].name = "old-incidents", "incidents"
    assert await caller.refused("slack_post_message", channel="#incidents", text="four") == "ratelimited"
    assert (await caller.call("slack_post_message", channel="#incidents", text="four"))["channel"] == "C0GENERAL"
    channels["C0GENERAL"].is_archived = True
    assert await caller.refused("slack_post_message", channel="#incidents", text="five") == "channel_not_found"


async def test_private_channel_is_open_to_its_members(caller: Caller) -> None:
    await caller.people.write("U0ADA", "leads", "for the leads")
    read = await caller.call("slack_read_channel", "U0GRACE", channel="#leads")
    assert [message["text"] for message in read["messages"]] == ["for the leads"]


async def test_someone_elses_direct_messages_are_closed(caller: Caller) -> None:
    dump = await caller.people.dump()
    channel = next(channel["id"] for channel in dump["channels"].values() if channel.get("user") == "U0GRACE")
    assert await caller.refused("slack_read_channel", "U0ADA", channel=channel) == "not_allowed"
    assert (await caller.call("slack_read_channel", "U0GRACE", channel=channel))["messages"] == []


async def test_lost_answer_to_a_read_is_tried_again(caller: Caller) -> None:
    await caller.people.write("U0ADA", "ops", "still here")
    await caller.people.act("faults", method="conversations.history", status=503)
    assert len((await caller.call("slack_read_channel", channel="ops"))["messages"]) == 1


async def test_people_are_found_by_part_of_a_name(caller: Caller) -> None:
    found = await caller.call("slack_find_users", query="hopper")
    assert found == {
        "users": [
            {
                "id": "U0GRACE",
                "name": "Grace",
                "handle": "Grace",
                "real_name": "Grace Hopper",
                "title": "",
                "standing": "member",
                "timezone": "Etc/UTC",
            }
        ],
        "truncated": False,
    }


async def test_people_of_a_channel_are_listed_to_its_members(caller: Caller) -> None:
    found = await caller.call("slack_find_users", "U0GRACE", query="", channel="#leads")
    assert [user["id"] for user in found["users"]] == ["U0ADA", "U0GRACE"]
    assert await caller.refused("slack_find_users", "U0LINUS", query="", channel="#leads") == "not_allowed"


async def test_channel_is_made_with_the_author_and_the_invited_in_it(caller: Caller) -> None:
    made = await caller.call("slack_create_channel", name="incident-42", private=True, invite=["U0GRACE", "U0ADA"])
    assert made["invited"] == ["U0ADA", "U0GRACE"]
    channel = (await caller.people.dump())["channels"]["incident-42"]
    assert channel["id"] == made["channel"]
    assert channel["is_private"]
    assert {"U0ADA", "U0GRACE"} < set(channel["members"])


async def test_refused_invitation_does_not_undo_the_channel(caller: Caller) -> None:
    made = await caller.call("slack_create_channel", name="war-room", invite=["U0NOBODY"])
    assert made["invited"] == ["U0ADA"]
    assert made["not_invited"] == [{"user": "U0NOBODY", "error": "user_not_found"}]


@pytest.mark.parametrize(
    ("author", "name", "code"),
    [("U0GUEST", "mine", "not_allowed"), ("U0ADA", "ops", "name_taken"), ("U0ADA", "Not A Name", "bad_arguments")],
)
async def test_channel_that_cannot_be_made_is_told(caller: Caller, author: str, name: str, code: str) -> None:
    assert await caller.refused("slack_create_channel", author, name=name) == code


@pytest.mark.parametrize(
    "answer",
    [{"status": 0}, {"body": "ok", "content_type": "text/plain"}, {"body": "[1]"}, {"body": '{"ok": true}'}],
    ids=str,
)
async def test_lost_answer_to_a_creation_is_never_tried_again(caller: Caller, answer: Mapping[str, Any]) -> None:
    await caller.people.act("faults", method="conversations.create", after=True, **answer)
    assert await caller.refused("slack_create_channel", name="once") == "outcome_unknown"
    assert "once" in (await caller.people.dump())["channels"]
    assert (await caller.people.calls())["conversations.create"] == 1


async def test_a_message_is_changed_only_while_it_says_what_the_caller_knows(caller: Caller) -> None:
    posted = await caller.call("slack_post_message", channel="#ops", text="a < b & <https://example.com|c>")
    changed = {**posted, "text": "over & done", "replaces": "a < b & <https://example.com|c>"}
    assert (await caller.call("slack_update_message", **changed))["text"] == "over & done"
    assert await caller.refused("slack_update_message", **changed) == "changed_since"
    [message] = await caller.people.messages()
    assert (message["text"], "edited" in message) == ("over &amp; done", True)


async def test_a_message_that_the_team_no_longer_lets_change_stays(caller: Caller) -> None:
    posted = await caller.call("slack_post_message", channel="#ops", text="hello")
    await caller.people.act("switches", edit_seconds=1)
    await caller.people.act("clock", seconds=60)
    assert await caller.refused("slack_update_message", **posted, text="late") == "edit_window_closed"


async def test_who_came_by_themselves_after_an_invitation_is_not_removed(caller: Caller) -> None:
    users = ["U0LINUS", "U0GUEST"]
    invited = await caller.call("slack_invite_to_channel", channel="#partners", users=[*users, "U0GRACE"])
    assert (invited["invited"], invited["already_there"]) == (users, ["U0GRACE"])
    team = caller.people.workspace.backend.team
    (left,) = [one for one in team.channels["C0PARTNERS"].messages.values() if one.user == "U0GUEST"]
    left.inviter = None
    remove = {"channel": "#partners", "users": users}
    assert await caller.refused("slack_remove_from_channel", **remove) == "not_invited"
    removed = await caller.call("slack_remove_from_channel", channel="#partners", users=["U0LINUS"])
    assert (removed["removed"], removed["not_removed"]) == (["U0LINUS"], [])
    again = await caller.refused("slack_remove_from_channel", channel="#partners", users=["U0LINUS"])
    assert again == "user_not_in_channel"


async def test_people_whom_slack_keeps_in_a_channel_keep_no_others_there(caller: Caller) -> None:
    users = ["U0LINUS", "U0GUEST"]
    await caller.call("slack_invite_to_channel", channel="#partners", users=users)
    await caller.people.act("faults", method="conversations.kick", error="restricted_action")
    removed = await caller.call("slack_remove_from_channel", channel="#partners", users=users)
    assert removed["removed"] == ["U0GUEST"]
    assert removed["not_removed"] == [{"user": "U0LINUS", "error": "restricted_action"}]


async def test_an_uploaded_text_holds_no_secret_and_is_as_long_as_slack_was_told(caller: Caller) -> None:
    SECRETS.learn("KEY", "k3y-0123456789")
    content = {"said": "the key is k3y-0123456789"}
    told = await caller.call("slack_upload_file", channel="#ops", name="a.json", content=content)
    (file,) = caller.people.workspace.backend.team.files.values()
    assert file.content == b'{\n  "said": "the key is [secret KEY]"\n}'
    assert told["bytes"] == file.length


async def test_a_comment_above_a_file_mentions_nobody(caller: Caller) -> None:
    words = "for <!channel> & <@U0ADA>"
    await caller.call("slack_upload_file", channel="#ops", name="a.txt", content="text", comment=words)
    [message] = await caller.people.messages()
    assert message["text"] == "for &lt;!channel&gt; &amp; &lt;@U0ADA&gt;"


async def test_a_file_in_a_thread_that_is_not_there_is_refused(caller: Caller) -> None:
    where = {"channel": "#ops", "thread_ts": "1.000001", "name": "a.txt", "content": "text"}
    assert await caller.refused("slack_upload_file", **where) == "thread_not_found"


async def test_a_thread_whose_replies_are_long_is_read_in_pages_without_a_gap(caller: Caller) -> None:
    root = await caller.people.write("U0ADA", "ops", "root")
    for number in range(80):
        await caller.people.write("U0ADA", "ops", f"{number} " + "x" * 3900, thread_ts=root)
    read: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await caller.call("slack_read_thread", channel="#ops", ts=root, limit=200, **after)
        read += [message["text"].partition(" ")[0] for message in page["messages"]]
        if "next" not in page:
            break
        after = {"after": page["next"]}
    assert read == ["root", *map(str, range(80))]
    assert await caller.refused("slack_read_thread", channel="#ops", ts="1.000001") == "thread_not_found"


async def test_nothing_is_searched_without_the_right_of_the_person_who_asks(caller: Caller) -> None:
    assert await caller.refused("slack_search", query="pears") == "no_search_token"
    assert "assistant.search.context" not in await caller.people.calls()


async def test_a_topic_that_stands_already_is_not_set_again(caller: Caller) -> None:
    topic = {"channel": "#ops", "topic": "A & B"}
    for _ in range(2):
        assert (await caller.call("slack_set_topic", **topic))["topic"] == "A & B"
    assert (await caller.people.calls())["conversations.setTopic"] == 1
    assert await caller.refused("slack_set_topic", **topic, replaces="B & A") == "changed_since"


async def test_a_reply_is_pinned_too(caller: Caller) -> None:
    root = await caller.people.write("U0ADA", "ops", "root")
    reply = await caller.people.write("U0ADA", "ops", "the point", thread_ts=root)
    place = {"channel": "#ops", "ts": reply}
    assert (await caller.call("slack_pin_message", **place))["ts"] == reply
    assert await caller.refused("slack_pin_message", **place) == "already_pinned"
