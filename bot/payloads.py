"""Slack's payloads as types: outside data becomes typed here, once.

`X.read(body)` returns None for what is not for us (bots' messages, edits, malformed bodies) and never raises.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.approval import NEEDS_WORDS, Decision
from agent.ids import ApprovalId, ChannelId, UserId

Payload: TypeAlias = Mapping[str, Any]
"""A body as bolt parsed it."""

ACTION_PREFIX = "decide_"
"""An `action_id` on a card is this and the decision's word; the button's value is `version:approval`."""

GROUP_ACTION = "decide_all"
"""An `action_id` on a card with several requests is this, `_` and the decision's word; the value lists
`version:approval` of each request that was open."""

FORM_ACTION = "decision_form"
"""Begins the `action_id` of a card's button or menu that opens a form; the value is `form version:approval`."""

FORM_CALLBACK = "decision_form"
"""The `callback_id` of a form is this, `_` and the form's word."""

FORM_INPUT = "value"
"""The `action_id` of each input of a form; its block's id says which it is."""

DETAILS_ACTION = "script_details"
"""Begins the `action_id` of a board's button or menu for a script; the value is the node."""

ATTEMPT_ACTION = "script_attempt"
"""Begins the `action_id` of a modal's button for an attempt; the value is its number."""

SHOW_ACTION = "show_confidential"
"""The `action_id` of a card's button for confidential values; the value is that of the others."""

FILES_ACTION = "thread_files"
"""The `action_id` of a board's button for the thread's files."""

FILES_PAGE_ACTION = "files_page"
"""Begins the `action_id` of a modal's button for another page; the value is the last file before it, or `-`."""

FILE_SHOW_ACTION = "file_show"
"""Begins the `action_id` of a modal's button that shows a file's beginning; the value is its name."""

FILE_POST_ACTION = "file_post"
"""The same of a button that posts a file in its thread."""
CONNECT_ACTION = "connect_account"
"""The `action_id` of a card's button by which the author connects an account; the value is that of the others."""

LINK_ACTION = "link_account"
"""Begins the `action_id` of a button for a link to connect an account; the value is the provider."""

DISCONNECT_ACTION = "disconnect_account"
"""Begins the `action_id` of a button that disconnects one of the clicker's own accounts; the value is the provider."""

SET_ACTION = "set_result"
"""The `action_id` of a board's button that opens the form in which a result is set; the value is the turn."""

SET_CALLBACK = "set_result"
"""The `callback_id` of that form."""

UNDO_ACTION = "undo_run"
"""The `action_id` of a board's button that undoes what a run changed; the value is the turn."""

SAVE_ACTION = "save_runbook"
"""The `action_id` of a board's button that keeps a run as a draft of a runbook; the value is the turn."""

FEEDBACK_ACTION = "feedback"
"""Begins the `action_id` of an answer's two buttons, `feedback_up` and `feedback_down`; the value is the turn."""

FEEDBACK_CALLBACK = "feedback"
"""The `callback_id` of the form for the reason of a thumbs-down."""

STOP_ACTION = "stop_run"
"""Begins the `action_id` of a Stop button; the value is the thread."""

STOP_SHORTCUT = "stop_work_here"
"""The `callback_id` of the manifest's message shortcut."""

RULE_ACTION = "rule"
"""Begins the `action_id` of a button about a standing rule: `rule_make` with a request's id, `rule_revoke_N` with the
rule's."""

RULE_CALLBACK = "rule"
"""The `callback_id` of the modal in which a rule is made."""

_CLICKABLE = frozenset(Decision) - {Decision.PENDING, Decision.EXPIRED, Decision.WITHDRAWN} - NEEDS_WORDS


class Form(StrEnum):
    """What a person can do on a card besides pressing a button that decides."""

    EDIT = "edit"
    COMMENT = "comment"
    CHANGES = "changes"
    BY_HAND = "by_hand"
    #: No form: it says, or no longer says, who looks at the request.
    CLAIM = "claim"
    #: Every open request of the thread.
    ALL = "all"
    #: The answer to a tool that asks.
    INPUT = "input"


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
    #: Lets the app search with the writer's rights for some minutes.
    search_token: Annotated[str, At("event.assistant_thread.action_token", "event.action_token")] = Field(
        default="", repr=False
    )

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


class CardClick(FromSlack):
    """A click on an element of a card."""

    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    message_ts: Annotated[str, At("container.message_ts", "message.ts")] = ""
    thread_ts: Annotated[str | None, At("container.thread_ts", "message.thread_ts")] = None
    response_url: ResponseUrl = ""


class Click(CardClick):
    """A click on one of a card's buttons."""

    action: Annotated[
        str,
        At("actions.0.action_id"),
        Field(pattern=f"^{ACTION_PREFIX}({'|'.join(sorted(decision.value for decision in _CLICKABLE))})$"),
    ]
    value: Annotated[str, At("actions.0.value"), Field(pattern="^[0-9]{1,40}:.")]

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


class GroupClick(CardClick):
    """A click that decides all open requests of a card with several."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{GROUP_ACTION}_(approved|rejected)$")]
    value: Annotated[str, At("actions.0.value"), Field(pattern="^[0-9]{1,40}:.")]

    @property
    def clicks(self) -> Sequence[Click]:
        """The same as clicks on each request's own button."""
        action = f"{ACTION_PREFIX}{self.action.removeprefix(f'{GROUP_ACTION}_')}"
        same = self.model_dump(exclude={"action", "value"})
        return [Click.model_validate({**same, "action": action, "value": value}) for value in self.value.split(",")]


class ShowClick(FromSlack):
    """A click on a card's button for confidential values."""

    action: Annotated[Literal["show_confidential"], At("actions.0.action_id")]
    trigger_id: Trigger
    value: Annotated[str, At("actions.0.value"), Field(pattern="^[0-9]{1,40}:.")]
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]

    @property
    def approval(self) -> ApprovalId:
        """Whose values are asked for."""
        return ApprovalId(self.value.partition(":")[2])

    @property
    def version(self) -> int:
        """The version of the request that the card showed."""
        return int(self.value.partition(":")[0])


class ConnectClick(CardClick):
    """A click on a card's button for an account."""

    action: Annotated[Literal["connect_account"], At("actions.0.action_id")]
    value: Annotated[str, At("actions.0.value"), Field(pattern="^[0-9]{1,40}:.")]

    @property
    def answer(self) -> "Answer":
        """The answer that nobody gives here, for which the person must be the same."""
        version, _, approval = self.value.partition(":")
        return Answer(
            approval=ApprovalId(approval),
            version=int(version),
            decision=Decision.DECLINED,
            user=self.user,
            channel=self.channel,
            message_ts=self.message_ts,
            thread_ts=self.thread_ts,
            response_url=self.response_url,
        )


class AccountClick(FromSlack):
    """A click on a button about one of the clicker's own accounts."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^({LINK_ACTION}|{DISCONNECT_ACTION})")]
    provider: Annotated[str, At("actions.0.value"), Field(pattern="^[a-z][a-z0-9_-]{0,39}$")]
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    response_url: ResponseUrl


class FormClick(CardClick):
    """A click on a card's button or menu that opens a form."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{FORM_ACTION}")]
    value: Annotated[
        str,
        At("actions.0.value", "actions.0.selected_option.value"),
        Field(pattern=f"^({'|'.join(form.value for form in Form)}) [0-9]{{1,40}}:."),
    ]
    trigger_id: Trigger

    @property
    def form(self) -> Form:
        """The form that opens."""
        return Form(self.value.partition(" ")[0])

    def answer(self, decision: Decision) -> "Answer":
        """Return the answer that the person would give with the form."""
        version, _, approval = self.value.partition(" ")[2].partition(":")
        return Answer(
            approval=ApprovalId(approval),
            version=int(version),
            decision=decision,
            user=self.user,
            channel=self.channel,
            message_ts=self.message_ts,
            thread_ts=self.thread_ts,
            response_url=self.response_url,
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that a person gives with a form: what a `Click` says."""

    approval: ApprovalId
    #: The version of the request that the form was opened for.
    version: int
    decision: Decision
    user: UserId
    channel: ChannelId
    message_ts: str = ""
    thread_ts: str | None = None
    response_url: str = ""

    @property
    def place(self) -> str:
        """A form's private metadata: which request at which version, and which card; no authority."""
        told = [self.approval, self.version, self.channel, self.message_ts, self.thread_ts or ""]
        return json.dumps(told)


class FormSubmission(FromSlack):
    """A submitted form."""

    callback: Annotated[
        str,
        At("view.callback_id"),
        Field(pattern=f"^{FORM_CALLBACK}_({'|'.join(form.value for form in Form)})$"),
    ]
    user: Clicker
    #: `Answer.place`.
    shown: Annotated[str, At("view.private_metadata"), Field(max_length=3000)]
    #: Block id -> `FORM_INPUT` -> the input's state.
    values: Mapping[str, Any] = Field(default_factory=dict[str, Any])

    @classmethod
    def read(cls, body: Payload) -> Self | None:
        """Return the submission, or None when it is no form's of ours."""
        found = super().read(body)
        if found is None or found._place() is None:
            return None
        return found.model_copy(
            update={"values": mapping(mapping(mapping(body.get("view")).get("state")).get("values"))}
        )

    @property
    def form(self) -> Form:
        """The form."""
        return Form(self.callback.removeprefix(f"{FORM_CALLBACK}_"))

    def answer(self, decision: Decision) -> Answer:
        """Return the answer."""
        approval, version, channel, message_ts, thread_ts = self._place() or ("", 0, "", "", "")
        return Answer(
            approval=ApprovalId(approval),
            version=version,
            decision=decision,
            user=self.user,
            channel=ChannelId(channel),
            message_ts=message_ts,
            thread_ts=thread_ts or None,
        )

    def text(self, block_id: str) -> str:
        """Return what was typed into a field; empty for nothing."""
        value = self._state(block_id).get("value")
        return value if isinstance(value, str) else ""

    def chosen(self, block_id: str) -> str:
        """Return the value of the option that was chosen; empty for none."""
        value = mapping(self._state(block_id).get("selected_option")).get("value")
        return value if isinstance(value, str) else ""

    def all_chosen(self, block_id: str) -> Sequence[str]:
        """Return the values of the options that were chosen."""
        options = self._state(block_id).get("selected_options")
        values = (
            [mapping(option).get("value") for option in cast("list[object]", options)]
            if isinstance(options, list)
            else []
        )
        return [value for value in values if isinstance(value, str)]

    def _state(self, block_id: str) -> Mapping[str, Any]:
        return mapping(mapping(self.values.get(block_id)).get(FORM_INPUT))

    def _place(self) -> tuple[str, int, str, str, str] | None:
        try:
            match json.loads(self.shown):
                case [str(approval), int(version), str(channel), str(message_ts), str(thread_ts)]:
                    return approval, version, channel, message_ts, thread_ts
                case _:
                    return None
        except (ValueError, RecursionError):
            return None


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


class FilesClick(FromSlack):
    """A click on a board's button for the thread's files."""

    action: Annotated[Literal["thread_files"], At("actions.0.action_id")]
    trigger_id: Trigger
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    root_ts: Annotated[str, At("container.thread_ts", "message.thread_ts", "container.message_ts", "message.ts")]


class FilesPageClick(FromSlack):
    """A click on another page of files."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{FILES_PAGE_ACTION}_(first|next)$")]
    user: Clicker
    view_id: Annotated[str, At("view.id")]
    #: The modal's private metadata: the thread.
    shown: Annotated[str, At("view.private_metadata"), Field(pattern="^[^:]+:[^:]+:[^:]+$")]
    value: Annotated[str, At("actions.0.value")]


class FileClick(FromSlack):
    """A click on a file of the modal."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern="^file_(show|post)_[0-9]{1,3}$")]
    user: Clicker
    view_id: Annotated[str, At("view.id")]
    #: The modal's private metadata: the thread.
    shown: Annotated[str, At("view.private_metadata"), Field(pattern="^[^:]+:[^:]+:[^:]+$")]
    name: Annotated[str, At("actions.0.value")]

    @property
    def posts(self) -> bool:
        """Whether the file is to be posted, and not only shown."""
        return self.action.startswith(FILE_POST_ACTION)


class RuleClick(FromSlack):
    """A click on a button about a standing rule."""

    action: Annotated[str, At("actions.0.action_id"), Field(pattern=f"^{RULE_ACTION}_(make|revoke_[0-9]{{1,3}})$")]
    value: Annotated[str, At("actions.0.value")]
    trigger_id: Trigger
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    response_url: ResponseUrl = ""

    @property
    def revokes(self) -> bool:
        """Whether it ends a rule, and makes none."""
        return self.action != f"{RULE_ACTION}_make"


class RuleForm(FromSlack):
    """A page of the modal in which a rule is made, as it was submitted."""

    callback: Annotated[Literal["rule"], At("view.callback_id")]
    metadata: Annotated[str, At("view.private_metadata")]
    user: Clicker
    #: block id -> the value that was chosen there.
    chosen: Mapping[str, str] = {}

    @classmethod
    def read(cls, body: Payload) -> Self | None:
        """Return the page, or None when the body is something else."""
        page = super().read(body)
        state = mapping(mapping(mapping(body.get("view")).get("state")).get("values"))
        chosen = {name: _text(mapping(field), "chosen.selected_option.value") for name, field in state.items()}
        return None if page is None else page.model_copy(update={"chosen": chosen})


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


class TurnClick(FromSlack):
    """A click on a board's button about its run."""

    app: App = ""
    trigger_id: Trigger
    user: Clicker
    channel: Annotated[ChannelId, At("channel.id", "container.channel_id")]
    root_ts: Annotated[str, At("container.thread_ts", "message.thread_ts", "container.message_ts", "message.ts")]
    turn: Annotated[int, At("actions.0.value"), Field(ge=1, le=999_999_999)]
    response_url: ResponseUrl = ""


class UndoClick(TurnClick):
    """A click on a board's Undo button."""

    action: Annotated[Literal["undo_run"], At("actions.0.action_id")]


class SetClick(TurnClick):
    """A click on a board's button that opens the form in which a result is set."""

    action: Annotated[Literal["set_result"], At("actions.0.action_id")]


class SetForm(FromSlack):
    """The form in which a result is set, as it was submitted."""

    callback: Annotated[Literal["set_result"], At("view.callback_id")]
    app: App = ""
    view_id: Annotated[str, At("view.id")]
    thread: Annotated[str, At("view.private_metadata"), Field(max_length=3000)]
    user: Clicker
    step: Annotated[str, At(f"view.state.values.step.{FORM_INPUT}.selected_option.value")]
    value: Annotated[str, At(f"view.state.values.value.{FORM_INPUT}.value")]


class SaveClick(TurnClick):
    """A click on a board's button that keeps its run as a draft of a runbook."""

    action: Annotated[Literal["save_runbook"], At("actions.0.action_id")]


class FeedbackClick(TurnClick):
    """A click on an answer's thumbs up or thumbs down."""

    action: Annotated[Literal["feedback_up", "feedback_down"], At("actions.0.action_id")]

    @property
    def good(self) -> bool:
        """Whether the answer was good."""
        return self.action == f"{FEEDBACK_ACTION}_up"

    @property
    def place(self) -> str:
        """A form's private metadata: which answer it is about; no authority."""
        return f"{self.channel} {self.root_ts} {self.turn}"


class FeedbackForm(FromSlack):
    """The reason of a thumbs-down, as it was submitted."""

    callback: Annotated[Literal["feedback"], At("view.callback_id")]
    user: Clicker
    #: `FeedbackClick.place`.
    shown: Annotated[str, At("view.private_metadata"), Field(pattern=r"^[A-Z0-9]{1,40} [0-9.]{1,40} [0-9]{1,9}$")]
    reason: Annotated[str, At(f"view.state.values.reason.{FORM_INPUT}.value"), Field(max_length=3000)] = ""

    @property
    def channel(self) -> ChannelId:
        """Where the answer stands."""
        return ChannelId(self.shown.split(" ")[0])

    @property
    def root_ts(self) -> str:
        """The root of the answer's thread."""
        return self.shown.split(" ")[1]

    @property
    def turn(self) -> int:
        """Whose answer it is."""
        return int(self.shown.split(" ")[2])


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


def form_value(form: Form, approval: ApprovalId, version: int) -> str:
    """Return what a button or option carries that opens a form."""
    return f"{form.value} {button_value(approval, version)}"


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
