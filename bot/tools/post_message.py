"""Slack as tools: the red `slack_post_message` here, and the list of all that there are."""

import re
from collections.abc import Mapping

from slack_sdk.web.async_client import AsyncWebClient

from agent.ids import ChannelId, ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.blocks.elements import escaped
from bot.errors import SlackRefused, SlackUnreachable
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import Principals
from bot.tools.create_channel import slack_create_channel
from bot.tools.find_users import slack_find_users
from bot.tools.read_channel import slack_read_channel
from sandbox.script import Json

SLACK_TOOLS = frozenset({"slack_read_channel", "slack_find_users", "slack_post_message", "slack_create_channel"})
"""The names of `slack_tools`."""

MOST_CHARACTERS = 4000
"""Slack cuts a longer text into several messages."""

_LINK = re.compile(r"<(https?://[^<>|\s]+(?:\|[^<>]*)?)>")


def slack_tools(client: AsyncWebClient, client_without_retries: AsyncWebClient) -> tuple[Tool, ...]:
    """Return all of Slack's tools, the green ones first. The red ones take the client that never retries."""
    return (
        slack_read_channel(client),
        slack_find_users(client),
        slack_post_message(client_without_retries),
        slack_create_channel(client_without_retries),
    )


def slack_post_message(client: AsyncWebClient) -> Tool:
    """Return the tool. `client` must not retry (`open_client(..., retries=False)`): a lost answer may hide a post."""
    api = WebApi(client)
    poster = _Poster(api, Channels(api, Principals(api)))
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
        call=poster.call,
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
            posted = await self._api.write("chat.postMessage", channel=channel, text=text, metadata=key)
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to post: {error.code}") from error
        except SlackUnreachable as error:
            raise ToolError("outcome_unknown", "Slack's answer was lost; the message may stand or not") from error
        return {"channel": str(posted.get("channel", channel)), "ts": str(posted.get("ts", ""))}
