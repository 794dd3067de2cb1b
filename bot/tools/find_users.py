"""The green `slack_find_users`: people by name, and who is in a channel."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.ids import Tenant, ToolName, thread_parts
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.errors import SlackRefused, SlackUnreachable
from bot.payloads import mapping
from bot.slack.channels import Channels
from bot.slack.membership import MembershipStatus, Principals, membership_of
from sandbox.script import Json

CACHE_SECONDS = 300.0
"""People and memberships seldom change, and Slack allows `users.list` 20 times a minute for the whole app."""

MOST_FOUND = 100
_DEFAULT_FOUND = 20

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "maxLength": 200,
            "description": "Part of a name, a @handle or a title, or a user id; empty for everybody.",
        },
        "channel": {"type": "string", "minLength": 1, "description": "Only people in this channel: #name or id."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": _DEFAULT_FOUND},
    },
    "required": ["query"],
    "additionalProperties": False,
}


def slack_find_users(principals: Principals, channels: Channels) -> Tool:
    """Return the tool."""
    return Tool(
        name=ToolName("slack_find_users"),
        description="Find people in Slack. Returns users [{id, name, handle, real_name, title, standing: member, guest "
        "or outsider, timezone}] and truncated. Apps and people who left are not listed.",
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=_Finder(principals, channels).call,
        personal=True,
        retryable=True,
        cache_seconds=CACHE_SECONDS,
    )


class _Finder:
    def __init__(self, principals: Principals, channels: Channels) -> None:
        self._principals = principals
        self._channels = channels

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Find; best matches first."""
        try:
            people: Iterable[Mapping[str, Any]] = await self._principals.everybody()
            if (wanted := arguments.get("channel")) is not None:
                channel = await self._channels.readable(str(wanted), context)
                members = {member async for member in self._principals.members(channel.id)}
                people = [person for person in people if person.get("id") in members]
        except SlackUnreachable as error:
            raise ToolError("unreachable", "Slack did not answer") from error
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to show people: {error.code}") from error
        limit = arguments.get("limit", _DEFAULT_FOUND)
        assert isinstance(limit, int)  # noqa: S101 - the arguments' schema says so
        found = matching(people, str(arguments["query"]), thread_parts(context.thread).tenant)
        return {"users": found[:limit], "truncated": len(found) > limit}


def matching(people: Iterable[Mapping[str, Any]], query: str, tenant: Tenant) -> list[Json]:
    """Return the people whose id, handle, names or title hold every word of `query`: whole names first (pure)."""
    asked = query.strip().removeprefix("@").casefold()
    words = asked.split()
    found: list[tuple[bool, str, Json]] = []  # not the whole name, real name, person
    for person in people:
        status = membership_of(person, tenant)
        if status in (MembershipStatus.GONE, MembershipStatus.BOT):
            continue
        shown = _shown(person, status)
        texts = [str(shown[key]).casefold() for key in ("id", "name", "handle", "real_name", "title")]
        if all(any(word in text for text in texts) for word in words):
            found.append((bool(asked) and asked not in texts, str(shown["real_name"]).casefold(), shown))
    return [shown for _, _, shown in sorted(found, key=lambda match: match[:2])]


def _shown(person: Mapping[str, Any], status: MembershipStatus) -> dict[str, Json]:
    profile = mapping(person.get("profile"))
    handle = str(person.get("name") or "")
    real = str(person.get("real_name") or profile.get("real_name") or handle)
    return {
        "id": str(person.get("id", "")),
        "name": str(profile.get("display_name") or real),
        "handle": handle,
        "real_name": real,
        "title": str(profile.get("title") or ""),
        "standing": status.value,
        "timezone": str(person.get("tz") or ""),
    }
