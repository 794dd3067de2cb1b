"""The red `slack_delete_message`: takes a message back that `slack_post_message` posted, and no other."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import FieldsPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from bot.blocks.elements import shortened
from bot.errors import SlackRefused, SlackUnreachable
from bot.payloads import mapping, unescaped
from bot.slack.channels import Channels
from bot.slack.client import WebApi, objects_in
from bot.slack.membership import Channel
from bot.tools.post_message import MOST_CHARACTERS, POSTED, neutralised
from sandbox.script import Json

_SHOWN_CHARACTERS = 300
"""Of the message, on the card and in the state that is compared."""

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
        "ts": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$", "description": "ts of the message"},
    },
    "required": ["channel", "ts"],
    "additionalProperties": False,
}


def slack_delete_message(api: WebApi, channels: Channels) -> Tool:
    """Return the tool."""
    deleter = _Deleter(api, channels)
    return Tool(
        name=ToolName("slack_delete_message"),
        description="Delete a message that this app posted to a Slack channel for somebody. Returns channel and ts.",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse, before=deleter.text),
        preview=_preview,
        call=deleter.call,
        check=deleter.check,
        precondition=deleter.state,
        targets=("channel", "ts"),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    fields = (("Channel", str(arguments["channel"])), ("Message", str(arguments["ts"])))
    return [FieldsPreview(covers=("channel", "ts"), name="Delete a message", fields=fields)]


def _inverse(_context: CallContext, arguments: Mapping[str, Json], _output: Json, before: Json) -> Inverse:
    """Return the call that posts the same text again, if it would be the same."""
    if not isinstance(before, str):
        return None
    text = unescaped(before)
    if not text or neutralised(text) != before or len(before) > MOST_CHARACTERS:
        return None
    return InverseCall(tool=ToolName("slack_post_message"), args={"channel": str(arguments["channel"]), "text": text})


class _Deleter:
    def __init__(self, api: WebApi, channels: Channels) -> None:
        self._api = api
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a message that is gone, or that the tool did not post."""
        await self._message(context, arguments)

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the message: where it stands, its words, and who answered."""
        channel, message = await self._message(context, arguments)
        replies = message.get("reply_count")
        return {
            "channel": f"#{channel.name}" if channel.name else str(channel.id),
            "text": shortened(str(message.get("text") or ""), _SHOWN_CHARACTERS),
            "replies": replies if isinstance(replies, int) else 0,
        }

    async def text(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return the message's text as Slack has it."""
        _, message = await self._message(context, arguments)
        return str(message.get("text") or "")

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Delete; a Slack refusal, a missing right or a lost answer is a ToolError."""
        channel, message = await self._message(context, arguments)
        ts = str(message.get("ts"))
        try:
            await self._api.write_once("chat.delete", before_sending=context.check_not_late, channel=channel.id, ts=ts)
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to delete the message: {error.code}") from error
        except SlackUnreachable as error:
            raise ToolError(OUTCOME_UNKNOWN, "Slack's answer was lost; the message may stand or not") from error
        return {"channel": str(channel.id), "ts": ts}

    async def _message(self, context: CallContext, arguments: Mapping[str, Json]) -> tuple[Channel, Mapping[str, Any]]:
        """Return the message and its channel.

        Raises:
            ToolError: it is gone, was posted by somebody else, or as a card or an answer; or the author has no right.
        """
        ts = str(arguments["ts"])
        try:
            channel = await self._channels.writable(str(arguments["channel"]), context)
            page = await self._api.read(
                "conversations.history",
                channel=channel.id,
                oldest=ts,
                latest=ts,
                inclusive=True,
                limit=1,
                include_all_metadata=True,
            )
        except SlackUnreachable as error:
            raise ToolError("slack_unreachable", "Slack did not answer; nothing was deleted") from error
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to show the message: {error.code}") from error
        found = next((message for message in objects_in(page, "messages") if message.get("ts") == ts), None)
        if found is None or found.get("subtype") == "tombstone":
            raise ToolError("message_not_found", "that message is gone")
        if mapping(found.get("metadata")).get("event_type") != POSTED or not found.get("bot_id"):
            raise ToolError("cant_delete_message", "only messages that slack_post_message posted are deleted")
        return channel, found
