"""Slack's payloads are read tolerantly: what is strange is not for us, and never raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.approval import Decision
from agent.ids import ApprovalId, UserId
from bot.payloads import (
    STOP_SHORTCUT,
    Click,
    Command,
    MessageEvent,
    SessionStop,
    StopClick,
    StopShortcut,
    button_value,
    mentions,
    request_text,
)

BOT = UserId("U0BOT")

MENTION: dict[str, Any] = {
    # the shape of https://docs.slack.dev/reference/events/app_mention
    "token": "x",
    "team_id": "T1",
    "api_app_id": "A1",
    "event": {
        "type": "app_mention",
        "user": "U1",
        "text": "<@U0BOT> check it",
        "ts": "1515449522.000016",
        "channel": "C1",
        "event_ts": "1515449522000016",
    },
    "type": "event_callback",
    "event_id": "Ev1",
    "event_time": 1515449522000016,
}
CLICK: dict[str, Any] = {
    "type": "block_actions",
    "user": {"id": "U1", "username": "ada", "team_id": "T2"},
    "team": {"id": "T1"},
    "container": {"type": "message", "message_ts": "2.0", "channel_id": "C1", "thread_ts": "1.0"},
    "channel": {"id": "C1", "name": "ops"},
    "message": {"ts": "2.0", "thread_ts": "1.0"},
    "response_url": "https://hooks.example/1",
    "actions": [{"type": "button", "action_id": "decide_approved", "value": "3:q:1"}],
}

SHORTCUT: dict[str, Any] = {
    # the shape of https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload
    "type": "message_action",
    "callback_id": "stop_work_here",
    "trigger_id": "13345224609.8534564800.6f8ab1f53e13d0cd15f96106292d5536",
    "message_ts": "2.0",
    "response_url": "https://hooks.example/1",
    "team": {"id": "T1", "domain": "example"},
    "channel": {"id": "C1", "name": "ops"},
    "user": {"id": "U1", "name": "ada"},
    "message": {"type": "message", "user": "U2", "ts": "2.0", "thread_ts": "1.0", "text": "working on it"},
}


def event(**changes: Any) -> dict[str, Any]:
    return MENTION | {"event": MENTION["event"] | changes}


def test_mention_opens_a_thread_at_its_own_message() -> None:
    read = MessageEvent.read(MENTION)
    assert read is not None
    assert (read.root_ts, read.mention, read.direct, read.event_id) == ("1515449522.000016", True, False, "Ev1")


def test_reply_belongs_to_the_root_of_its_thread() -> None:
    read = MessageEvent.read(event(type="message", thread_ts="1.0"))
    assert read is not None
    assert (read.root_ts, read.mention) == ("1.0", False)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "message", "subtype": "message_changed"},
        {"type": "message", "subtype": "message_deleted"},
        {"type": "message", "subtype": "channel_join"},
        {"subtype": "bot_message", "bot_id": "B1"},
        {"bot_id": "B1"},
        {"bot_profile": {"id": "B1"}},
        {"type": "reaction_added"},
        {"user": None},
        {"channel": {"id": "C1"}},
        {"ts": 1.5},
    ],
    ids=str,
)
def test_what_is_no_persons_message_is_not_for_us(changes: dict[str, Any]) -> None:
    assert MessageEvent.read(event(**changes)) is None


def test_click_names_approval_version_and_choice() -> None:
    read = Click.read(CLICK)
    assert read is not None
    assert (read.approval, read.version, read.decision) == ("q:1", 3, Decision.APPROVED)
    assert (read.user, read.channel, read.message_ts, read.thread_ts) == ("U1", "C1", "2.0", "1.0")


@pytest.mark.parametrize(
    "action",
    [
        {"action_id": "approved", "value": "1:q"},
        {"action_id": "decide_pending", "value": "1:q"},
        {"action_id": "decide_expired", "value": "1:q"},
        {"action_id": "decide_approved", "value": "q"},
        {"action_id": "decide_approved", "value": "-1:q"},
        {"action_id": "decide_approved", "value": "²:q"},
        {"action_id": "decide_approved", "value": "1:"},
        {"action_id": "decide_approved"},
    ],
    ids=str,
)
def test_strange_button_is_no_click(action: dict[str, Any]) -> None:
    assert Click.read(CLICK | {"actions": [action]}) is None


def test_button_carries_approval_and_version_and_nothing_else() -> None:
    value = button_value(ApprovalId("a:b"), 7)
    read = Click.read(CLICK | {"actions": [{"action_id": "decide_rejected", "value": value}]})
    assert read is not None
    assert (read.approval, read.version) == ("a:b", 7)


def test_shortcut_names_the_thread_of_its_message() -> None:
    read = StopShortcut.read(SHORTCUT)
    assert read is not None
    assert (read.channel, read.root_ts, read.thread_ts, read.user) == ("C1", "1.0", "1.0", "U1")


def test_shortcut_on_a_message_outside_any_thread_names_the_message() -> None:
    read = StopShortcut.read(SHORTCUT | {"message": {"ts": "2.0"}})
    assert read is not None
    assert (read.root_ts, read.thread_ts) == ("2.0", None)


@pytest.mark.parametrize("missing", ["callback_id", "trigger_id", "channel", "user"])
def test_strange_shortcut_is_none(missing: str) -> None:
    assert StopShortcut.read({key: value for key, value in SHORTCUT.items() if key != missing}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(
    [
        "event",
        "type",
        "user",
        "channel",
        "ts",
        "actions",
        "container",
        "event_id",
        "channel_id",
        "trigger_id",
        "user_id",
        "message",
        "callback_id",
    ]
)


@given(body=st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON)))
def test_no_payload_makes_a_reader_raise(body: dict[str, Any]) -> None:
    MessageEvent.read(body)
    Command.read(body)
    Click.read(body)
    SessionStop.read(body)
    StopClick.read(body)
    StopShortcut.read(body | {"callback_id": STOP_SHORTCUT})


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<@U0BOT> check it", "check it"),
        ("<@U0BOT|greenlight>: check it", "check it"),
        ("please, <@U0BOT>, check it", "please, check it"),
        ("check it <@U0BOT>", "check it"),
        ("<@U0BOT>\n1. a\n2. b", "1. a\n2. b"),
        ("post to <#C1|incidents>", "post to #incidents"),
        ("post to <#C1|>", "post to <#C1|>"),
        ("ask <@U2|grace> and <@U3>", "ask <@U2> and <@U3>"),
        ("see <https://a.example/x?y=1&amp;z=2>", "see https://a.example/x?y=1&z=2"),
        ("see <https://a.example|the page>", "see the page (https://a.example)"),
        ("see <http://a.example|a.example>", "see http://a.example"),
        ("<!here> and <!subteam^S1|@oncall>", "@here and @oncall"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("keep <this> as it is", "keep <this> as it is"),
        ("keep &nbsp; and &#38; as they are", "keep &nbsp; and &#38; as they are"),
        pytest.param("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";", id="a number that no integer holds"),
        pytest.param("a" + " " * 39_000 + "b", "a" + " " * 39_000 + "b", id="39,000 spaces"),
        ("<@U0BOT>", ""),
    ],
)
def test_request_is_what_the_person_wrote(raw: str, text: str) -> None:
    assert request_text(raw, BOT) == text


def test_mention_of_another_is_none_of_ours() -> None:
    assert mentions("hey <@U0BOT>", BOT)
    assert mentions("hey <@U0BOT|greenlight>", BOT)
    assert not mentions("hey <@U0BOTTOM> and U0BOT", BOT)
