"""The green `slack_find_users`: people by name, and who is in a channel."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from slack_sdk.web.async_client import AsyncWebClient

from agent.ids import Tenant, ToolName, UserId, thread_parts
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.errors import SlackRefused, SlackUnreachable
from bot.slack.channels import Channels
from bot.slack.client import WebApi
from bot.slack.membership import REMEMBERED_SECONDS, MembershipStatus, Principals, membership_of
from sandbox.script import Json

CACHE_SECONDS = 300.0
"""People and memberships seldom change, and Slack gives the list of people 20 times a minute to all of us."""

MOST_FOUND = 100
_PLAIN = 20
_MOST_PEOPLE = 50_000

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "maxLength": 200,
            "description": "Part of a name, a @handle or a title, or a user id; empty for everybody.",
        },
        "channel": {"type": "string", "minLength": 1, "description": "Only people in this channel: #name or id."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": _PLAIN},
    },
    "required": ["query"],
    "additionalProperties": False,
}


def slack_find_users(client: AsyncWebClient) -> Tool:
    """Return the tool."""
    api = WebApi(client)
    return Tool(
        name=ToolName("slack_find_users"),
        description="Find people in Slack. Returns users [{id, name, handle, real_name, title, standing: member, guest "
        "or outsider, timezone}] and truncated. Apps and people who left are not listed.",
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=_Finder(api, Channels(api, Principals(api))).call,
        retryable=True,
        cache_seconds=CACHE_SECONDS,
    )


class _Finder:
    """The tool's work. The list of people is remembered for a minute: Slack gives it 20 times a minute."""

    def __init__(self, api: WebApi, channels: Channels, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._channels = channels
        self._clock = clock
        self._remembered: tuple[float, list[Mapping[str, Any]]] | None = None

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Find; best matches first."""
        try:
            people: Iterable[Mapping[str, Any]] = await self._people()
            if (channel := arguments.get("channel")) is not None:
                inside = await self._inside(str(channel), context)
                people = [person for person in people if person.get("id") in inside]
        except SlackUnreachable as error:
            raise ToolError("unreachable", "Slack did not answer") from error
        except SlackRefused as error:
            raise ToolError(error.code, f"Slack refused to show people: {error.code}") from error
        limit = arguments.get("limit", _PLAIN)
        assert isinstance(limit, int)  # noqa: S101 - the arguments' schema says so
        found = matching(people, str(arguments["query"]), thread_parts(context.thread).tenant)
        return {"users": found[:limit], "truncated": len(found) > limit}

    async def _people(self) -> list[Mapping[str, Any]]:
        known = self._remembered
        if known is not None and self._clock() - known[0] < REMEMBERED_SECONDS:
            return known[1]
        people: list[Mapping[str, Any]] = []
        async for person in self._api.pages("users.list", "members"):
            if isinstance(person, Mapping) and len(people) < _MOST_PEOPLE:
                people.append(cast("Mapping[str, Any]", person))
        self._remembered = (self._clock(), people)
        return people

    async def _inside(self, wanted: str, context: CallContext) -> frozenset[UserId]:
        channel = await self._channels.readable(wanted, context)
        members = self._api.pages("conversations.members", "members", channel=channel.id)
        return frozenset([UserId(str(member)) async for member in members])


def matching(people: Iterable[Mapping[str, Any]], query: str, tenant: Tenant) -> list[Json]:
    """Return the people whose id, handle, names or title hold every word of `query`: whole names first (pure)."""
    asked = query.strip().removeprefix("@").casefold()
    words = asked.split()
    found: list[tuple[bool, str, Json]] = []  # not the whole name, real name, person
    for person in people:
        standing = membership_of(person, tenant)
        if standing in (MembershipStatus.GONE, MembershipStatus.BOT):
            continue
        told = _told(person, standing)
        texts = [str(told[key]).casefold() for key in ("id", "name", "handle", "real_name", "title")]
        if all(any(word in text for text in texts) for word in words):
            found.append((bool(asked) and asked not in texts, str(told["real_name"]).casefold(), told))
    return [told for _, _, told in sorted(found, key=lambda each: each[:2])]


def _told(person: Mapping[str, Any], standing: MembershipStatus) -> dict[str, Json]:
    given = person.get("profile")
    profile: Mapping[str, Any] = cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}
    handle = str(person.get("name") or "")
    real = str(person.get("real_name") or profile.get("real_name") or handle)
    return {
        "id": str(person.get("id", "")),
        "name": str(profile.get("display_name") or real),
        "handle": handle,
        "real_name": real,
        "title": str(profile.get("title") or ""),
        "standing": standing.value,
        "timezone": str(person.get("tz") or ""),
    }
