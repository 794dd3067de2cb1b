"""Slack as a tool: the red `slack_post_message`."""

import re
from collections.abc import Mapping
from typing import Any, cast

from slack_sdk.web.async_client import AsyncWebClient

from agent.ids import ChannelId, ToolName, thread_parts
from agent.tools.registry import CallContext, Colour, Tool, ToolError
from bot.blocks.elements import escaped
from bot.errors import SlackRefused, SlackUnreachable
from bot.principals import Principals
from bot.web_api import WebApi
from sandbox.script import Json

MOST_CHARACTERS = 4000
"""Slack cuts a longer text into several messages."""

_LINK = re.compile(r"<(https?://[^<>|\s]+(?:\|[^<>]*)?)>")


def slack_post_message(client: AsyncWebClient) -> Tool:
    """Return the tool. `client` must not retry (`open_client(..., retries=False)`): a lost answer may hide a post."""
    api = WebApi(client)
    poster = _Poster(api, Principals(api))
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
    def __init__(self, api: WebApi, principals: Principals) -> None:
        self._api = api
        self._principals = principals

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Post; a Slack refusal, a missing right or a lost answer is a ToolError."""
        text = str(arguments.get("text", ""))
        if len(neutralised(text)) > MOST_CHARACTERS:
            raise ToolError("text_too_long", f"the text has more than {MOST_CHARACTERS} characters")
        try:
            channel = await self._channel(str(arguments.get("channel", "")), context)
        except SlackUnreachable as error:
            raise ToolError("slack_unreachable", "Slack did not answer; nothing was posted") from error
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to show the channel: {error.code}") from error
        return await self._post(channel, neutralised(text), context)

    async def _post(self, channel: ChannelId, text: str, context: CallContext) -> Json:
        key: dict[str, Json] = {"event_type": "greenlight_post", "event_payload": {"key": context.idempotency_key}}
        try:
            posted = await self._api.write("chat.postMessage", channel=channel, text=text, metadata=key)
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to post: {error.code}") from error
        except SlackUnreachable as error:
            raise ToolError("outcome_unknown", "Slack's answer was lost; the message may stand or not") from error
        return {"channel": str(posted.get("channel", channel)), "ts": str(posted.get("ts", ""))}

    async def _channel(self, wanted: str, context: CallContext) -> ChannelId:
        """Return the channel's id, if the author of the call may write there too."""
        found = await self._find(wanted)
        if found is None:
            raise ToolError("channel_not_found", f"there is no channel {wanted!r} that the app can see")
        channel = ChannelId(str(found.get("id", "")))
        public = found.get("is_channel") is True and found.get("is_private") is False
        here = channel == thread_parts(context.thread).channel
        if not (public or here or await self._principals.in_channel(channel, context.author)):
            raise ToolError("not_allowed", "the person who asked for this is not in that channel")
        return channel

    async def _find(self, wanted: str) -> Mapping[str, Any] | None:
        name = wanted.removeprefix("#")
        if re.fullmatch(r"[CGD][A-Z0-9]+", name):
            try:
                found = (await self._api.read("conversations.info", channel=name)).get("channel")
            except SlackRefused as error:
                if error.code == "channel_not_found":
                    return None
                raise
            return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else None
        channels = self._api.pages(
            "conversations.list", "channels", types="public_channel,private_channel", exclude_archived=True
        )
        async for channel in channels:
            if isinstance(channel, Mapping) and cast("Mapping[str, Any]", channel).get("name") == name:
                return cast("Mapping[str, Any]", channel)
        return None
