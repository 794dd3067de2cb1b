"""Slack's payloads as types: outside data becomes typed here, once.

`X.read(body)` returns None for what is not for us (bots' messages, edits, malformed bodies) and never raises.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.approval import Decision
from agent.ids import ApprovalId, ChannelId, UserId

Payload: TypeAlias = Mapping[str, Any]
"""A body as bolt parsed it."""

ACTION_PREFIX = "decide_"
"""An `action_id` on a card is this and the decision's word; the button's value is `version:approval`."""

DETAILS_ACTION = "script_details"
"""Begins the `action_id` of a board's button or menu for a script; the value is the node."""

ATTEMPT_ACTION = "script_attempt"
"""Begins the `action_id` of a modal's button for an attempt; the value is its number."""

STOP_ACTION = "stop_run"
"""Begins the `action_id` of a Stop button; the value is the thread."""

STOP_SHORTCUT = "stop_work_here"
"""The `callback_id` of the manifest's message shortcut."""

_CLICKABLE = frozenset(Decision) - {Decision.PENDING, Decision.EXPIRED, Decision.WITHDRAWN}


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value as an object, empty when it is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


class At:
    """Where a payload holds a field's text: the first of `paths` (`actions.0.value`) with a text that is not empty."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths

    def text_in(self, payload: Payload) -> str:
        """Return the text; empty when there is none."""
        return next((text for path in self.paths if (text := _text(payload, path))), "")


class FromSlack(BaseModel):
    """A payload whose fields say where their text stands; a field without a default must have one."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def read(cls, body: Payload) -> Self | None:
        """Return the payload, or None when the body is another one."""
        texts = {
            name: text
            for name, field in cls.model_fields.items()
            for at in field.metadata
            if isinstance(at, At) and (text := at.text_in(body))
        }
        try:
            return cls.model_validate(texts)
        except ValidationError:
            return None


def _text(payload: Payload, path: str) -> str:
    value: object = payload
    for step in path.split("."):
        if step == "0" and isinstance(value, list):
            value = next(iter(cast("list[object]", value)), None)
        else:
            value = mapping(value).get(step)
    return value if isinstance(value, str) else ""


App: TypeAlias = Annotated[str, At("api_app_id")]
Trigger: TypeAlias = Annotated[str, At("trigger_id")]
Clicker: TypeAlias = Annotated[UserId, At("user.id")]
ResponseUrl: TypeAlias = Annotated[str, At("response_url")]


class MessageEvent(FromSlack):
    """A person's message, as the event `app_mention` or `message` carries it."""

    app: App = ""
    event_id: Annotated[str, At("event_id")]
    type: Annotated[Literal["app_mention", "message"], At("event.type")]
    subtype: Annotated[Literal["", "file_share", "thread_broadcast"], At("event.subtype")] = ""
    channel: Annotated[ChannelId, At("event.channel")]
    channel_type: Annotated[str, At("event.channel_type")] = ""
    ts: Annotated[str, At("event.ts")]
    #: None for a top-level message.
    thread_ts: Annotated[str | None, At("event.thread_ts")] = None
    user: Annotated[UserId, At("event.user")]
    #: The text as Slack sent it.
    raw: Annotated[str, At("event.text")] = ""

    @classmethod
    def read(cls, body: Payload) -> Self | None:
        """Return the message, or None when the body is something else or a bot's."""
        event = mapping(body.get("event"))
        return None if event.get("bot_id") or event.get("bot_profile") else super().read(body)

    @property
    def mention(self) -> bool:
        """Whether Slack delivers it as a mention of the app; the same message also comes as `message`."""
        return self.type == "app_mention"

    @property
    def direct(self) -> bool:
        """Whether it was written to the app alone."""
        return self.channel_type == "im" or self.channel.startswith("D")

    @property
    def root_ts(self) -> str:
        """The timestamp of the thread's root: the message's own when it opens one."""
        return self.thread_ts or self.ts


class Command(FromSlack):
    """A slash command. It carries no thread."""

    app: App = ""
    trigger_id: Trigger
    channel: Annotated[ChannelId, At("channel_id")]
    user: Annotated[UserId, At("user_id")]
    raw: Annotated[str, At("text")] = ""


class Click(FromSlack):
    """A click on one of a card's buttons."""

    action: Annotated[
        str,
        At("actions.0.action_id"),
        Field(pattern=f"^{ACTION_PREFIX}({'|'.join(sorted(decision.value for decision in _CLICKABLE))})$"),
    ]
    value: Annotated[str, At("actions.0.value"), Field(pattern="^[0-9]{1,40}:.")]
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    message_ts: Annotated[str, At("container.message_ts", "message.ts")] = ""
    thread_ts: Annotated[str | None, At("container.thread_ts", "message.thread_ts")] = None
    response_url: ResponseUrl = ""

    @property
    def decision(self) -> Decision:
        """The answer that the button stands for."""
        return Decision(self.action.removeprefix(ACTION_PREFIX))

    @property
    def approval(self) -> ApprovalId:
        """Which request is decided."""
        return ApprovalId(self.value.partition(":")[2])

    @property
    def version(self) -> int:
        """The version of the request that the card showed."""
        return int(self.value.partition(":")[0])


class DetailsClick(FromSlack):
    """A click on the board's button or menu for a script."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{DETAILS_ACTION}")]
    trigger_id: Trigger
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    root_ts: Annotated[str, At("container.thread_ts", "message.thread_ts", "container.message_ts", "message.ts")]
    node: Annotated[str, At("actions.0.value", "actions.0.selected_option.value")]


class AttemptClick(FromSlack):
    """A click on another attempt in an open modal."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{ATTEMPT_ACTION}")]
    user: Clicker
    view_id: Annotated[str, At("view.id")]
    #: The modal's private metadata.
    shown: Annotated[str, At("view.private_metadata")] = ""
    attempt: Annotated[int, At("actions.0.value"), Field(ge=0)]


class SessionStop(FromSlack):
    """The event of Slack's own Stop button of a thread in which the app is at work."""

    app: App = ""
    event_id: Annotated[str, At("event_id")]
    type: Annotated[Literal["agent_session_stopped"], At("event.type")]
    channel: Annotated[ChannelId, At("event.channel")]
    thread_ts: Annotated[str, At("event.thread_ts")]
    user: Annotated[UserId, At("event.user")]


class StopClick(FromSlack):
    """A click on a Stop button that `/greenlight stop` offered."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{STOP_ACTION}")]
    app: App = ""
    trigger_id: Trigger
    #: What the button names; not to be trusted.
    thread: Annotated[str, At("actions.0.value")]
    user: Clicker
    response_url: ResponseUrl = ""


class StopShortcut(FromSlack):
    """The shortcut on a message."""

    callback: Annotated[Literal["stop_work_here"], At("callback_id")]
    app: App = ""
    trigger_id: Trigger
    channel: Annotated[ChannelId, At("channel.id")]
    ts: Annotated[str, At("message.ts", "message_ts")]
    #: None for a message outside any thread: there an answer cannot be put into one.
    thread_ts: Annotated[str | None, At("message.thread_ts")] = None
    user: Clicker
    response_url: ResponseUrl = ""

    @property
    def root_ts(self) -> str:
        """The root of the message's thread, or the message itself."""
        return self.thread_ts or self.ts


def button_value(approval: ApprovalId, version: int) -> str:
    """Return what a card's button carries: which request at which version, and no authority."""
    return f"{version}:{approval}"


_REFERENCE = re.compile(r"<((?:[#@!]|[A-Za-z][A-Za-z0-9+.-]*:)[^<>\s][^<>]*)>")
"""Slack's own `<...>`; a command's text may hold angle brackets of the person's, which stay."""


def mentions(raw: str, user: UserId) -> bool:
    """Return whether Slack's text mentions this user."""
    return re.search(_mention_of(user), raw) is not None


def request_text(raw: str, bot: UserId) -> str:
    """Return what the person wrote as plain text, without the mention of the app.

    Links and channels are unfolded (`<#C1|ops>` -> `#ops`, `<https://x|label>` -> `label (https://x)`),
    Slack's three entities decoded. Mentions of people stay `<@U1>`: they are ids, not words.
    """
    return unescaped(_REFERENCE.sub(_unfolded, without_mention(raw, bot))).strip()


def without_mention(raw: str, bot: UserId) -> str:
    """Return Slack's text without the mentions of the app."""
    parts = re.split(rf"{_mention_of(bot)}[ \t]*+[:,]?[ \t]*+", raw)
    return " ".join([*(part.rstrip(" \t") for part in parts[:-1]), parts[-1]]).strip()


def unescaped(text: str) -> str:
    """Undo Slack's three entities, `&amp;` last, so that `&amp;lt;` becomes `&lt;`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


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
