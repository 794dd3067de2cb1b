"""The green `slack_read_channel`: a channel's or a thread's newest messages, for those who may read there."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.ids import Tenant, ToolName, UserId, thread_parts
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.elements import shortened
from bot.payloads import mapping
from bot.slack.channels import Channel, Channels
from bot.slack.client import WebApi, next_cursor, objects_in
from bot.slack.membership import Principals
from bot.slack.mrkdwn import people_in, plain_words
from bot.tools.refusals import reading
from sandbox.script import Json

MOST_MESSAGES = 200
_DEFAULT_MESSAGES = 50
_PAGES = 20
MESSAGE_CHARACTERS = 4000
RESULT_BYTES = 256 * 1024

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "minLength": 1, "description": "#name or id of the channel"},
        "thread_ts": {
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+$",
            "description": "ts of a thread's first message, to read the thread instead",
        },
        "since": {"type": "string", "description": "Only messages after this ISO 8601 time (UTC without an offset)."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_MESSAGES, "default": _DEFAULT_MESSAGES},
    },
    "required": ["channel"],
    "additionalProperties": False,
}


def slack_read_channel(api: WebApi, principals: Principals, channels: Channels) -> Tool:
    """Return the tool."""
    return Tool(
        name=ToolName("slack_read_channel"),
        description="Read the newest messages of a Slack channel, or of one thread in it, oldest first. Returns "
        "channel {id, name}, messages [{ts, at, author: {id, name}, text, thread_ts, replies, reactions, files}] and "
        "truncated (there are older ones). Names stand for mentions; keys without a value are left out.",
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
        """Read; what does not fit is the oldest."""
        limit = arguments.get("limit", _DEFAULT_MESSAGES)
        assert isinstance(limit, int)  # noqa: S101 - the arguments' schema says so
        since = moment(arguments.get("since"), "since")
        oldest = None if since is None else f"{since.timestamp():.6f}"
        root = arguments.get("thread_ts")
        with reading():
            channel = await self._channels.readable(str(arguments["channel"]), context)
            if root is None:
                found, more = await self._newest(channel, oldest, limit)
            else:
                found, more = await self._thread(channel, str(root), oldest, limit)
            messages = await shown_messages(self._principals, found, thread_parts(context.thread).tenant)
        kept = fitting(messages)
        return {
            "channel": {"id": channel.id, "name": channel.name},
            "messages": kept,
            "truncated": more or len(kept) < len(messages),
        }

    async def _newest(self, channel: Channel, oldest: str | None, limit: int) -> tuple[list[Mapping[str, Any]], bool]:
        """Return the channel's newest messages, oldest first, and whether there are older ones."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            # A workspace may give fewer than asked for (15 to apps that are sold outside the Marketplace).
            page = await self._api.read(
                "conversations.history", channel=channel.id, oldest=oldest, limit=limit - len(found), cursor=cursor
            )
            found += objects_in(page, "messages")
            cursor = next_cursor(page)
            if cursor is None or len(found) >= limit:
                break
        return found[:limit][::-1], cursor is not None or len(found) > limit

    async def _thread(
        self, channel: Channel, root: str, oldest: str | None, limit: int
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Return the thread's newest messages, oldest first. Slack gives a thread from its start."""
        replies = self._api.objects("conversations.replies", "messages", channel=channel.id, ts=root, oldest=oldest)
        # by ts, because the root comes with each page
        found = list({str(message.get("ts")): message async for message in replies}.values())
        return found[-limit:], len(found) > limit


async def shown_messages(principals: Principals, messages: Sequence[Mapping[str, Any]], tenant: Tenant) -> list[Json]:
    """Return messages as a tool's output shows them, with names for people."""
    wanted = {str(message["user"]) for message in messages if isinstance(message.get("user"), str)}
    wanted.update(user for message in messages for user in people_in(str(message.get("text") or "")))
    names = {user: (await principals.person(tenant, UserId(user))).name for user in sorted(wanted)}
    return [shown(message, names) for message in messages]


def shown(message: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """Return a message as the tool's output shows it (pure)."""
    ts = str(message.get("ts", ""))
    fields: dict[str, Json] = {
        "ts": ts,
        "at": datetime.fromtimestamp(float(ts or 0), UTC).isoformat(timespec="seconds"),
        "author": _author(message, names),
        "text": shortened(_text(message, names), MESSAGE_CHARACTERS),
    }
    if thread := message.get("thread_ts"):
        fields["thread_ts"] = str(thread)
    if isinstance(replies := message.get("reply_count"), int):
        fields["replies"] = replies
    if reactions := objects_in(message, "reactions"):
        fields["reactions"] = {str(reaction.get("name")): int(reaction.get("count") or 0) for reaction in reactions}
    if files := objects_in(message, "files"):
        fields["files"] = [str(file.get("title") or file.get("name") or file.get("id")) for file in files]
    return fields


def fitting(messages: Sequence[Json], *, newest: bool = True) -> list[Json]:
    """Return the newest or the oldest messages that fit into `RESULT_BYTES`, in their order (pure)."""
    room = RESULT_BYTES
    kept: list[Json] = []
    for message in reversed(messages) if newest else messages:
        room -= len(json.dumps(message, ensure_ascii=False).encode())
        if room < 0:
            break
        kept.append(message)
    return kept[::-1] if newest else kept


def _author(message: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    if isinstance(user := message.get("user"), str):
        return {"id": user, "name": names.get(user) or user}
    name = mapping(message.get("bot_profile")).get("name")
    return {"id": str(message.get("bot_id") or ""), "name": str(message.get("username") or name or "an app")}


def _text(message: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the text; alerts often say everything in attachments, which carry a fallback for such as us."""
    texts = [str(message.get("text") or "")]
    texts += [str(part.get("fallback") or part.get("text") or "") for part in objects_in(message, "attachments")]
    return plain_words("\n".join(text for text in texts if text), names)


def moment(time: Json, argument: str) -> datetime | None:
    """Return the time that an argument says.

    Raises:
        ToolError: it says none.
    """
    if time is None:
        return None
    try:
        read = datetime.fromisoformat(str(time))
    except ValueError:
        raise ToolError("bad_arguments", f"{argument}: {time!r} is no ISO 8601 time") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
