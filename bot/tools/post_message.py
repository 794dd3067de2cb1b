"""The red `slack_post_message`."""

import re
from collections.abc import Mapping

from agent.ids import ChannelId, ToolName
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.blocks.elements import escaped
from bot.errors import SlackRefused, SlackUnreachable
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from sandbox.script import Json

MOST_CHARACTERS = 4000
"""Slack cuts a longer text into several messages."""

_LINK = re.compile(r"<(https?://[^<>|\s]+(?:\|[^<>]*)?)>")


def slack_post_message(api: WebApi, channels: Channels) -> Tool:
    """Return the tool."""
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
        call=_Poster(api, channels).call,
    )


def neutralised(text: str) -> str:
    """Return mrkdwn in which only links still work: no mention, broadcast or channel reference."""
    parts = _LINK.split(text)
    return "".join(f"<{part}>" if at % 2 else escaped(part) for at, part in enumerate(parts))


class _Poster:
    def __init__(self, api: WebApi, channels: Channels) -> None:
        self._api = api
        self._channels = channels

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Post; a Slack refusal, a missing right or a lost answer is a ToolError."""
        text = str(arguments.get("text", ""))
        if len(neutralised(text)) > MOST_CHARACTERS:
            raise ToolError("text_too_long", f"the text has more than {MOST_CHARACTERS} characters")
        try:
            channel = await self._channels.writable(str(arguments.get("channel", "")), context)
        except SlackUnreachable as error:
            raise ToolError("slack_unreachable", "Slack did not answer; nothing was posted") from error
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to show the channel: {error.code}") from error
        return await self._post(channel.id, neutralised(text), context)

    async def _post(self, channel: ChannelId, text: str, context: CallContext) -> Json:
        key: dict[str, Json] = {"event_type": "greenlight_post", "event_payload": {"key": context.idempotency_key}}
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
