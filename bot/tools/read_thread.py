"""The green `slack_read_thread`: one thread from its start, page by page, for those who may read there."""

from collections.abc import Mapping
from typing import Any

from agent.ids import ToolName, thread_parts
from agent.tool import CallContext, Colour, Tool
from bot.slack.channels import Channels
from bot.slack.client import WebApi, next_cursor, objects_in
from bot.slack.membership import Channel, Principals
from bot.tools.messages import PLACE
from bot.tools.read_channel import MOST_MESSAGES, fitting, shown_messages
from bot.tools.refusals import reading
from sandbox.script import Json

_DEFAULT_MESSAGES = 100
_PAGES = 20

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        **PLACE,
        "ts": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$", "description": "ts of the thread's first message"},
        "after": {
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+$",
            "description": "Only replies after this ts: next of the page before.",
        },
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_MESSAGES, "default": _DEFAULT_MESSAGES},
    },
    "required": ["channel", "ts"],
    "additionalProperties": False,
}


def slack_read_thread(api: WebApi, principals: Principals, channels: Channels) -> Tool:
    """Return the tool."""
    return Tool(
        name=ToolName("slack_read_thread"),
        description="Read a Slack thread from its start, or on from a reply, oldest first. Returns channel {id, name}, "
        "messages [{ts, at, author: {id, name}, text, reactions, files}] and next (the ts to read on after; missing at "
        "the end). Names stand for mentions; keys without a value are left out.",
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        returns_outside_text=True,
        call=_Reader(api, principals, channels).call,
        personal=True,
        timeout_seconds=60.0,
        retryable=True,
    )


class _Reader:
    def __init__(self, api: WebApi, principals: Principals, channels: Channels) -> None:
        self._api = api
        self._principals = principals
        self._channels = channels

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Read a page; what does not fit is left for the next."""
        limit = arguments.get("limit", _DEFAULT_MESSAGES)
        assert isinstance(limit, int)  # noqa: S101 - the arguments' schema says so
        after = None if arguments.get("after") is None else str(arguments["after"])
        with reading():
            channel = await self._channels.readable(str(arguments["channel"]), context)
            found, more = await self._replies(channel, str(arguments["ts"]), after, limit)
            messages = await shown_messages(self._principals, found, thread_parts(context.thread).tenant)
        kept = fitting(messages, newest=False)
        page: dict[str, Json] = {"channel": {"id": channel.id, "name": channel.name}, "messages": kept}
        if more or len(kept) < len(messages):
            page["next"] = str(found[len(kept) - 1].get("ts"))
        return page

    async def _replies(
        self, channel: Channel, root: str, after: str | None, limit: int
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Return the thread's next messages, oldest first, and whether there are more."""
        found: dict[str, Mapping[str, Any]] = {}
        cursor: str | None = None
        for _ in range(_PAGES):
            # One more than wanted: the root comes with each page, also with those that begin after a reply.
            page = await self._api.read(
                "conversations.replies",
                channel=channel.id,
                ts=root,
                oldest=after,
                limit=limit + 1 - len(found),
                cursor=cursor,
            )
            for message in objects_in(page, "messages"):
                if after is None or float(str(message.get("ts") or 0)) > float(after):
                    found[str(message.get("ts"))] = message
            cursor = next_cursor(page)
            if cursor is None or len(found) >= limit:
                break
        return list(found.values())[:limit], cursor is not None or len(found) > limit
