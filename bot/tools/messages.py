"""Messages that tools change, found for the author of a call: any that stands there, or one that the app posted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.tool import CallContext, ToolError
from bot.elements import shortened
from bot.errors import SlackRefused
from bot.payloads import mapping
from bot.slack.channels import Channels
from bot.slack.client import WebApi, objects_in
from bot.slack.membership import Channel, Principals
from bot.tools.refusals import looking
from sandbox.script import Json

POSTED = "greenlight_post"
"""The type of the metadata of a message that `slack_post_message` posted."""

PLACE: Mapping[str, Json] = {
    "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
    "ts": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$", "description": "ts of the message"},
}
"""The arguments that name a message."""

_NO_REPLY = frozenset({"thread_not_found", "message_not_found"})

_SHOWN_CHARACTERS = 300
"""Of the message, on the card and in the state that is compared."""


@dataclass(frozen=True, kw_only=True)
class FoundMessage:
    """A message as Slack has it."""

    channel: Channel
    ts: str
    #: Slack's mrkdwn.
    text: str
    #: Slack's message object.
    whole: Mapping[str, Any]

    @property
    def state(self) -> Mapping[str, Json]:
        """What a person wants to know of it: where it stands, its words, and who answered."""
        replies = self.whole.get("reply_count")
        return {
            "channel": f"#{self.channel.name}" if self.channel.name else str(self.channel.id),
            "text": shortened(self.text, _SHOWN_CHARACTERS),
            "replies": replies if isinstance(replies, int) else 0,
        }


class Messages:
    """Finds messages where the author of a call may write, always as of now."""

    def __init__(self, api: WebApi, principals: Principals, channels: Channels) -> None:
        self._api = api
        self._principals = principals
        self._channels = channels

    async def standing(self, context: CallContext, arguments: Mapping[str, Json]) -> FoundMessage:
        """Return the message that `PLACE` names, in a thread or not.

        Raises:
            ToolError: it is gone, or the author may not write there.
        """
        channel = await self._channel(context, arguments)
        ts = str(arguments["ts"])
        with looking("show the message"):
            found = await self._in_channel(channel, ts) or await self._in_thread(channel, ts)
        return _found(channel, ts, found)

    async def posted(
        self, context: CallContext, arguments: Mapping[str, Json], *, code: str, words: str
    ) -> FoundMessage:
        """Return the message that `PLACE` names, if `slack_post_message` posted it.

        Raises:
            ToolError: it is gone, or the author may not write there; with this code and these words, it is somebody
                else's, a card or an answer.
        """
        channel = await self._channel(context, arguments)
        ts = str(arguments["ts"])
        with looking("show the message"):
            message = _found(channel, ts, await self._in_channel(channel, ts))
            us = await self._principals.identity()
        ours = message.whole.get("bot_id") == us.bot
        if not ours or mapping(message.whole.get("metadata")).get("event_type") != POSTED:
            raise ToolError(code, words)
        return message

    async def _channel(self, context: CallContext, arguments: Mapping[str, Json]) -> Channel:
        with looking("show the channel"):
            return await self._channels.writable(str(arguments["channel"]), context)

    async def _in_channel(self, channel: Channel, ts: str) -> Mapping[str, Any] | None:
        page = await self._api.read(
            "conversations.history",
            channel=channel.id,
            oldest=ts,
            latest=ts,
            inclusive=True,
            limit=1,
            include_all_metadata=True,
        )
        return _with_ts(page, ts)

    async def _in_thread(self, channel: Channel, ts: str) -> Mapping[str, Any] | None:
        """Return the reply at a timestamp: a channel's history holds none."""
        try:
            page = await self._api.read(
                "conversations.replies", channel=channel.id, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=1
            )
        except SlackRefused as error:
            if error.code not in _NO_REPLY:
                raise
            return None
        return _with_ts(page, ts)


def _found(channel: Channel, ts: str, message: Mapping[str, Any] | None) -> FoundMessage:
    if message is None or message.get("subtype") == "tombstone":
        raise ToolError("message_not_found", "that message is gone")
    return FoundMessage(channel=channel, ts=ts, text=str(message.get("text") or ""), whole=message)


def _with_ts(page: Mapping[str, Any], ts: str) -> Mapping[str, Any] | None:
    return next((message for message in objects_in(page, "messages") if message.get("ts") == ts), None)
