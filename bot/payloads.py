"""Slack's payloads as types: read by hand, tolerant of anything strange, never raising.

A reader returns None for what is not for us: bots' messages, edits, deletions, malformed bodies.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from agent.ids import ApprovalId, ChannelId, UserId
from agent.ports import Decision

Payload: TypeAlias = Mapping[str, Any]
"""A body as bolt parsed it: outside data, typed by the readers of `payloads` and `stop_payloads` and nowhere else."""


_NOTHING: Payload = {}


def text_in(payload: Payload, key: str) -> str:
    """Return the text at `key`."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def part_in(payload: Payload, key: str) -> Payload:
    """Return the object at `key`."""
    return _mapping(payload.get(key))


def first_in(payload: Payload, key: str) -> Payload:
    """Return the first object of the list at `key`."""
    return next(_parts(payload, key), _NOTHING)


def _parts(payload: Payload, key: str) -> Iterator[Payload]:
    value = payload.get(key)
    return map(_mapping, cast("list[object]", value)) if isinstance(value, list) else iter(())


def _mapping(value: object) -> Payload:
    return cast("Payload", value) if isinstance(value, Mapping) else _NOTHING


ACTION_PREFIX = "decide_"
"""An `action_id` is this and the decision's word; the button's value is `version:question`."""


DETAILS_ACTION = "script_details"
"""What the `action_id` of a board's button or menu for a script begins with; the value is the node."""


ATTEMPT_ACTION = "script_attempt"
"""What the `action_id` of a modal's button for an attempt begins with; the value is its number."""


_REFERENCE = re.compile(r"<((?:[#@!]|[A-Za-z][A-Za-z0-9+.-]*:)[^<>\s][^<>]*)>")
"""Slack's own `<...>`; a command's text may hold angle brackets of the person's, which stay."""


_PLAIN_SUBTYPES = frozenset({"", "file_share", "thread_broadcast"})


_DIRECT_CHANNEL_TYPES = frozenset({"im"})


@dataclass(frozen=True, kw_only=True)
class MessageEvent:
    """A person's message, as `app_mention` or `message` tells it.

    `thread_ts` is None for a top-level message. `raw` is the text as Slack sent it.
    """

    app: str
    event_id: str
    channel: ChannelId
    direct: bool
    mention: bool
    ts: str
    thread_ts: str | None
    user: UserId
    raw: str

    @property
    def root_ts(self) -> str:
        """The timestamp of the thread's root: the message's own when it opens one."""
        return self.thread_ts or self.ts


@dataclass(frozen=True, kw_only=True)
class DetailsClick:
    """Somebody wants to read about a script: the board's button or menu names the node."""

    trigger_id: str
    user: UserId
    channel: ChannelId
    root_ts: str
    node: str


@dataclass(frozen=True, kw_only=True)
class AttemptClick:
    """Somebody wants to read another attempt in the modal they have open. `shown` is its private metadata."""

    user: UserId
    view_id: str
    shown: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Command:
    """A slash command. It carries no thread."""

    app: str
    trigger_id: str
    channel: ChannelId
    user: UserId
    raw: str


@dataclass(frozen=True, kw_only=True)
class Click:
    """A click on one of a card's buttons: which question, at which version, and what was chosen."""

    question: ApprovalId
    version: int
    decision: Decision
    user: UserId
    channel: ChannelId
    message_ts: str
    thread_ts: str | None
    response_url: str


def read_message(body: Payload) -> MessageEvent | None:
    """Read an `event_callback` of type `app_mention` or `message`."""
    event = part_in(body, "event")
    kind = text_in(event, "type")
    if kind not in {"app_mention", "message"} or text_in(event, "subtype") not in _PLAIN_SUBTYPES:
        return None
    if event.get("bot_id") or event.get("bot_profile"):
        return None
    channel, ts, user = text_in(event, "channel"), text_in(event, "ts"), text_in(event, "user")
    event_id = text_in(body, "event_id")
    if not (channel and ts and user and event_id):
        return None
    return MessageEvent(
        app=text_in(body, "api_app_id"),
        event_id=event_id,
        channel=ChannelId(channel),
        direct=text_in(event, "channel_type") in _DIRECT_CHANNEL_TYPES or channel.startswith("D"),
        mention=kind == "app_mention",
        ts=ts,
        thread_ts=text_in(event, "thread_ts") or None,
        user=UserId(user),
        raw=text_in(event, "text"),
    )


def read_details_click(body: Payload) -> DetailsClick | None:
    """Read a `block_actions` payload of a board's button or menu for a script."""
    action = first_in(body, "actions")
    container, message = part_in(body, "container"), part_in(body, "message")
    node = text_in(action, "value") or text_in(part_in(action, "selected_option"), "value")
    channel = text_in(part_in(body, "channel"), "id") or text_in(container, "channel_id")
    ts = text_in(container, "message_ts") or text_in(message, "ts")
    root_ts = text_in(container, "thread_ts") or text_in(message, "thread_ts") or ts
    user, trigger = text_in(part_in(body, "user"), "id"), text_in(body, "trigger_id")
    if not text_in(action, "action_id").startswith(DETAILS_ACTION) or not (node and channel and root_ts):
        return None
    if not (user and trigger):
        return None
    return DetailsClick(trigger_id=trigger, user=UserId(user), channel=ChannelId(channel), root_ts=root_ts, node=node)


def read_attempt_click(body: Payload) -> AttemptClick | None:
    """Read a `block_actions` payload of a modal's button for an attempt."""
    action, view = first_in(body, "actions"), part_in(body, "view")
    number, user = text_in(action, "value"), text_in(part_in(body, "user"), "id")
    if not text_in(action, "action_id").startswith(ATTEMPT_ACTION) or not (number.isascii() and number.isdigit()):
        return None
    if not (user and (view_id := text_in(view, "id"))):
        return None
    return AttemptClick(
        user=UserId(user), view_id=view_id, shown=text_in(view, "private_metadata"), attempt=int(number)
    )


def read_command(body: Payload) -> Command | None:
    """Read a slash command's form."""
    channel, user, trigger = text_in(body, "channel_id"), text_in(body, "user_id"), text_in(body, "trigger_id")
    if not (channel and user and trigger):
        return None
    return Command(
        app=text_in(body, "api_app_id"),
        trigger_id=trigger,
        channel=ChannelId(channel),
        user=UserId(user),
        raw=text_in(body, "text"),
    )


def read_click(body: Payload) -> Click | None:
    """Read a `block_actions` payload of one of our decision buttons; None for any other button."""
    action = first_in(body, "actions")
    chosen = _decision(text_in(action, "action_id"))
    version, separator, question = text_in(action, "value").partition(":")
    user = part_in(body, "user")
    container = part_in(body, "container")
    channel = text_in(part_in(body, "channel"), "id") or text_in(container, "channel_id")
    user_id = text_in(user, "id")
    if chosen is None or not separator or not question or not version.isascii() or not version.isdigit():
        return None
    if not (channel and user_id):
        return None
    return Click(
        question=ApprovalId(question),
        version=int(version),
        decision=chosen,
        user=UserId(user_id),
        channel=ChannelId(channel),
        message_ts=text_in(container, "message_ts") or text_in(part_in(body, "message"), "ts"),
        thread_ts=text_in(container, "thread_ts") or text_in(part_in(body, "message"), "thread_ts") or None,
        response_url=text_in(body, "response_url"),
    )


def button_value(question: ApprovalId, version: int) -> str:
    """Return what a button carries: which question at which version, and no authority."""
    return f"{version}:{question}"


def mentions(raw: str, user: UserId) -> bool:
    """Tell whether Slack's text mentions this user."""
    return re.search(_mention_of(user), raw) is not None


def request_text(raw: str, bot: UserId) -> str:
    """Return what the person wrote as plain text, without the mention of the app.

    Links and channels are unfolded (`<#C1|ops>` -> `#ops`, `<https://x|label>` -> `label (https://x)`),
    Slack's three entities decoded. Mentions of people stay `<@U1>`: they are ids, not words.
    """
    without = re.sub(rf"[ \t]*{_mention_of(bot)}[ \t]*[:,]?[ \t]*", " ", raw)
    return html.unescape(_REFERENCE.sub(_unfolded, without)).strip()


def _mention_of(user: UserId) -> str:
    return rf"<@{re.escape(user)}(?:\|[^<>]*)?>"


def _unfolded(match: re.Match[str]) -> str:
    target, _, label = match[1].partition("|")
    if target.startswith("#"):
        return f"#{label}" if label else match[0]
    if target.startswith("@"):
        return f"<{target}>"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    return target if not label or label in target else f"{label} ({target})"


def _decision(action_id: str) -> Decision | None:
    word = action_id.removeprefix(ACTION_PREFIX)
    clickable = {
        Decision.APPROVED,
        Decision.REJECTED,
        Decision.AGAIN,
        Decision.HAPPENED,
        Decision.GIVE_UP,
        Decision.MORE,
        Decision.ACCEPT,
        Decision.STOP,
        Decision.GO_ON,
    }
    return next((each for each in clickable if action_id != word and each.value == word), None)


STOP_ACTION = "stop_run"
"""What the `action_id` of a Stop button begins with; its value is the thread."""


STOP_SHORTCUT = "stop_work_here"
"""The `callback_id` of the manifest's message shortcut."""


@dataclass(frozen=True, kw_only=True)
class SessionStop:
    """Somebody pressed Slack's own Stop button of a thread in which the app is at work."""

    app: str
    event_id: str
    channel: ChannelId
    thread_ts: str
    user: UserId


@dataclass(frozen=True, kw_only=True)
class StopClick:
    """A click on a Stop button that `/greenlight stop` offered. `thread` is what the button says."""

    app: str
    trigger_id: str
    thread: str
    user: UserId
    response_url: str


@dataclass(frozen=True, kw_only=True)
class StopShortcut:
    """Somebody chose the shortcut on a message. `root_ts` is the root of the message's thread, or the message itself.

    `thread_ts` is None for a message outside any thread: there an answer cannot be put into one.
    """

    app: str
    trigger_id: str
    channel: ChannelId
    root_ts: str
    thread_ts: str | None
    user: UserId
    response_url: str


def read_session_stop(body: Payload) -> SessionStop | None:
    """Read an `event_callback` of type `agent_session_stopped`."""
    event = part_in(body, "event")
    channel, thread_ts, user = text_in(event, "channel"), text_in(event, "thread_ts"), text_in(event, "user")
    event_id = text_in(body, "event_id")
    if text_in(event, "type") != "agent_session_stopped" or not (channel and thread_ts and user and event_id):
        return None
    return SessionStop(
        app=text_in(body, "api_app_id"),
        event_id=event_id,
        channel=ChannelId(channel),
        thread_ts=thread_ts,
        user=UserId(user),
    )


def read_stop_click(body: Payload) -> StopClick | None:
    """Read a `block_actions` payload of a Stop button."""
    action = first_in(body, "actions")
    thread, user, trigger = text_in(action, "value"), text_in(part_in(body, "user"), "id"), text_in(body, "trigger_id")
    if not text_in(action, "action_id").startswith(STOP_ACTION) or not (thread and user and trigger):
        return None
    return StopClick(
        app=text_in(body, "api_app_id"),
        trigger_id=trigger,
        thread=thread,
        user=UserId(user),
        response_url=text_in(body, "response_url"),
    )


def read_stop_shortcut(body: Payload) -> StopShortcut | None:
    """Read a `message_action` payload of our shortcut."""
    message = part_in(body, "message")
    channel, ts = text_in(part_in(body, "channel"), "id"), text_in(message, "ts") or text_in(body, "message_ts")
    user, trigger = text_in(part_in(body, "user"), "id"), text_in(body, "trigger_id")
    if text_in(body, "callback_id") != STOP_SHORTCUT or not (channel and ts and user and trigger):
        return None
    thread_ts = text_in(message, "thread_ts") or None
    return StopShortcut(
        app=text_in(body, "api_app_id"),
        trigger_id=trigger,
        channel=ChannelId(channel),
        root_ts=thread_ts or ts,
        thread_ts=thread_ts,
        user=UserId(user),
        response_url=text_in(body, "response_url"),
    )
