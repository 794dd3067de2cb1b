"""The red `slack_post_message`."""

import re
from collections.abc import Mapping, Sequence

from agent.ids import ChannelId, ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import MessagePreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from bot.elements import escaped
from bot.errors import SlackRefused, SlackUnreachable
from bot.payloads import unescaped
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import Channel
from bot.tools.messages import POSTED
from sandbox.script import Json

MOST_CHARACTERS = 4000
"""Slack cuts a longer text into several messages."""

_ANYWHERE = "chat:write.public"
"""The scope with which an app writes in public channels that it has not joined."""

_LINK = re.compile(r"<(https?://[^<>|\s]+(?:\|[^<>]*)?)>")


def slack_post_message(api: WebApi, channels: Channels) -> Tool:
    """Return the tool."""
    poster = _Poster(api, channels)
    return Tool(
        name=ToolName("slack_post_message"),
        description="Post a message to a Slack channel. The text is Slack mrkdwn: *bold*, _italic_, `code`, "
        "<https://example.com|link>, lines starting with a bullet. Mentions and broadcasts are posted as plain words.",
        arguments={
            "type": "object",
            "properties": {
                "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
                "text": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS},
            },
            "required": ["channel", "text"],
            "additionalProperties": False,
        },
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_inverse),
        preview=_preview,
        call=poster.call,
        check=poster.check,
        precondition=poster.state,
        targets=("channel",),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    channel, text = str(arguments["channel"]), str(arguments["text"])
    return [MessagePreview(covers=("channel", "text"), channel=channel, text=text)]


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    """Return the call that deletes the message."""
    if not isinstance(output, Mapping) or not output.get("ts"):
        return None
    place: dict[str, Json] = {name: str(output.get(name)) for name in ("channel", "ts")}
    return InverseCall(tool=ToolName("slack_delete_message"), args=place)


def neutralised(text: str) -> str:
    """Return mrkdwn in which only links still work: no mention, broadcast or channel reference."""
    parts = _LINK.split(text)
    return "".join(f"<{part}>" if at % 2 else escaped(part) for at, part in enumerate(parts))


def as_written(mrkdwn: str) -> str | None:
    """Return the text for which the tool posts this mrkdwn; None: for none."""
    text = unescaped(mrkdwn)
    return text if text and neutralised(text) == mrkdwn and len(mrkdwn) <= MOST_CHARACTERS else None


def posted_text(arguments: Mapping[str, Json]) -> str:
    """Return the mrkdwn to post.

    Raises:
        ToolError: it is too long.
    """
    text = neutralised(str(arguments.get("text", "")))
    if len(text) > MOST_CHARACTERS:
        raise ToolError("text_too_long", f"the text has more than {MOST_CHARACTERS} characters")
    return text


class _Poster:
    def __init__(self, api: WebApi, channels: Channels) -> None:
        self._api = api
        self._channels = channels

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse a text that is too long, and a channel in which the app or the author may not write."""
        posted_text(arguments)
        channel = await self._channels.writable(str(arguments.get("channel", "")), context)
        if channel.archived:
            raise ToolError("is_archived", "that channel is archived")
        if not channel.has_app and _ANYWHERE not in (await self._api.granted_scopes() or {_ANYWHERE}):
            raise ToolError("not_in_channel", "the app is not in that channel; somebody has to invite it")

    async def state(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Return what a person wants to know of the channel: which it is, and who reads there."""
        channel = await self._channel(context, arguments)
        return {
            "channel": f"#{channel.name}" if channel.name else str(channel.id),
            "id": channel.id,
            "public": channel.public,
            "archived": channel.archived,
            "shared_with_others": channel.shared,
        }

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Post; a Slack refusal, a missing right or a lost answer is a ToolError."""
        text = posted_text(arguments)
        channel = await self._channel(context, arguments)
        return await self._post(channel.id, text, context)

    async def _channel(self, context: CallContext, arguments: Mapping[str, Json]) -> Channel:
        try:
            return await self._channels.writable(str(arguments.get("channel", "")), context)
        except SlackUnreachable as error:
            raise ToolError("slack_unreachable", "Slack did not answer; nothing was posted") from error
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to show the channel: {error.code}") from error

    async def _post(self, channel: ChannelId, text: str, context: CallContext) -> Json:
        key: dict[str, Json] = {"event_type": POSTED, "event_payload": {"key": context.idempotency_key}}
        try:
            posted = await self._api.write_once(
                "chat.postMessage",
                before_sending=context.check_not_late,
                channel=channel,
                text=text,
                metadata=key,
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to post: {error.code}") from error
        except SlackUnreachable as error:
            raise ToolError(OUTCOME_UNKNOWN, "Slack's answer was lost; the message may stand or not") from error
        return {"channel": str(posted.get("channel", channel)), "ts": str(posted.get("ts", ""))}
