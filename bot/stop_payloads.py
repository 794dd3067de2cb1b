"""The payloads that ask for a stop, as types: Slack's Stop button, our own buttons, the shortcut on a message.

A reader returns None for what is not for us, and never raises.
"""

from dataclasses import dataclass

from agent.ids import ChannelId, UserId
from bot.payload_fields import Payload, first_in, part_in, text_in

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
