"""The green `slack_search`: `assistant.search.context` with the rights of the person who asked, in public channels.

Slack gives the app the right with each message that a person writes to it: an `action_token`, which lives for minutes
and is theirs. There is no other way for a bot's token to search, and with it Slack searches public channels only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent.ids import Tenant, ToolName, UserId, thread_parts
from agent.tool import CallContext, Colour, Tool, ToolError
from bot.elements import shortened
from bot.errors import SlackRefused, SlackUnreachable
from bot.payloads import mapping
from bot.ports import SearchTokens
from bot.slack.client import WebApi, next_cursor, objects_in
from bot.slack.membership import Principals
from bot.slack.mrkdwn import people_in, plain_words
from bot.tools.read_channel import MESSAGE_CHARACTERS, fitting, moment
from sandbox.script import Json

MOST_FOUND = 20
"""Slack gives no more at once."""

_REFUSALS = {
    "invalid_action_token": "Slack lets the app search for a few minutes after somebody wrote to it, and these are "
    "over; who wants to search has to write again",
    "missing_scope": "the app lacks the scope search:read.public; an admin has to install it again",
    "feature_not_enabled": "search for apps is not switched on in this workspace",
    "assistant_search_context_disabled": "Slack's search has a problem of its own just now",
    "unknown_method": "search for apps is not switched on in this workspace",
}
_CODES = {
    "invalid_action_token": "search_expired",
    "assistant_search_context_disabled": "unavailable",
    "unknown_method": "feature_not_enabled",
}

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 500, "description": "Words, or a question."},
        "since": {"type": "string", "description": "Only messages after this ISO 8601 time (UTC without an offset)."},
        "until": {"type": "string", "description": "Only messages before this time."},
        "sort": {"enum": ["relevance", "newest"], "default": "relevance"},
        "include_apps": {"type": "boolean", "default": False, "description": "Messages of apps, too."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": MOST_FOUND},
    },
    "required": ["query"],
    "additionalProperties": False,
}


def slack_search(api: WebApi, principals: Principals, tokens: SearchTokens | None) -> Tool:
    """Return the tool; without `tokens` it says that it cannot search."""
    return Tool(
        name=ToolName("slack_search"),
        description="Search the messages of all public Slack channels that the person who asked may read. Works for "
        "some minutes after they wrote. Returns messages [{channel: {id, name}, ts, at, author: {id, name}, text, "
        "link}] and truncated.",
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        returns_outside_text=True,
        call=_Searcher(api, principals, tokens).call,
        personal=True,
        retryable=True,
    )


class _Searcher:
    def __init__(self, api: WebApi, principals: Principals, tokens: SearchTokens | None) -> None:
        self._api = api
        self._principals = principals
        self._tokens = tokens

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Search with the rights of the author of the call, and no others."""
        since, until = (moment(arguments.get(name), name) for name in ("since", "until"))
        token = None if self._tokens is None else await self._tokens.find(context.thread, context.author)
        if token is None:
            raise ToolError(
                "no_search_token",
                "Slack lets the app search for a few minutes after the person who asks wrote a message to it, and "
                "there is no such message",
            )
        try:
            answer = await self._api.write(
                "assistant.search.context",
                query=str(arguments["query"]),
                action_token=token,
                channel_types="public_channel",
                content_types="messages",
                include_bots=arguments.get("include_apps") is True,
                after=None if since is None else int(since.timestamp()),
                before=None if until is None else int(until.timestamp()),
                sort="timestamp" if arguments.get("sort") == "newest" else "score",
                limit=arguments.get("limit", MOST_FOUND),
            )
            found = objects_in(mapping(answer.get("results")), "messages")
            messages = await self._shown(found, thread_parts(context.thread).tenant)
        except SlackUnreachable as error:
            raise ToolError("unreachable", "Slack did not answer") from error
        except SlackRefused as error:
            if error.code == "invalid_action_token" and self._tokens is not None:
                await self._tokens.forget(context.thread, context.author)
            words = _REFUSALS.get(error.code, f"Slack refused to search: {error.code}")
            raise ToolError(_CODES.get(error.code, error.code), words) from error
        kept = fitting(messages, newest=False)
        return {"messages": kept, "truncated": next_cursor(answer) is not None or len(kept) < len(messages)}

    async def _shown(self, found: list[Mapping[str, Any]], tenant: Tenant) -> list[Json]:
        wanted = sorted({user for hit in found for user in people_in(str(hit.get("content") or ""))})
        names = {user: (await self._principals.person(tenant, UserId(user))).name for user in wanted}
        return [_hit(hit, names) for hit in found]


def _hit(hit: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    ts = str(hit.get("message_ts") or "0")
    return {
        "channel": {"id": str(hit.get("channel_id") or ""), "name": str(hit.get("channel_name") or "")},
        "ts": ts,
        "at": datetime.fromtimestamp(float(ts), UTC).isoformat(timespec="seconds"),
        "author": {"id": str(hit.get("author_user_id") or ""), "name": str(hit.get("author_name") or "")},
        "text": shortened(plain_words(str(hit.get("content") or ""), names), MESSAGE_CHARACTERS),
        "link": str(hit.get("permalink") or ""),
    }
