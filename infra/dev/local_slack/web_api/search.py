"""assistant.search.context: a search with the rights of the person whose message gave the app an action_token.

A bot's token searches public channels only; others need a token of the person, which this workspace gives to nobody.
"""

import re
from collections.abc import Iterator

from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import SlackError, found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.people import Kind, Person
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method, require_scope

MOST_RESULTS = 20
MOST_QUERY = 1000

_WRITTEN = (None, "file_share", "thread_broadcast")
"""Subtypes of messages that somebody wrote."""

_OF_PEOPLE = {"private_channel": "search:read.private", "mpim": "search:read.mpim", "im": "search:read.im"}
"""Kind of channel -> the scope with which a person's token searches it; no bot can have one."""


@method("assistant.search.context", Tier.SEARCH, "search:read.public")
async def search(call: Call) -> JsonObject:
    """Return the messages that hold all words of the query, the newest first."""
    backend = call.backend
    refuse_if(not backend.switches.search, "feature_not_enabled")
    query = found(call.text("query"), "missing_query")
    refuse_if(len(query) > MOST_QUERY, "query_too_long")
    for kind in call.names("channel_types"):
        if kind in _OF_PEOPLE:
            require_scope(backend.app.scopes, _OF_PEOPLE[kind])
    refuse_if(call.names("content_types") not in ([], ["messages"]), "missing_scope", needed="search:read.files")
    searcher = backend.team.people[backend.tickets.searcher(call.text("action_token") or "")]
    hits = [_hit(call, channel, message) for channel, message in _found(call, searcher, query)]
    hits.sort(key=lambda hit: str(hit["message_ts"]), reverse=call.text("sort_dir") != "asc")
    page = call.page(hits, key="messages", default=MOST_RESULTS, most=MOST_RESULTS)
    return {"results": {"messages": page["messages"]}, "response_metadata": page["response_metadata"]}


def _found(call: Call, searcher: Person, query: str) -> Iterator[tuple[Channel, Message]]:
    words = [word.casefold() for word in re.findall(r"\w+", query)]
    after, before = _moment(call, "after"), _moment(call, "before")
    for channel in call.backend.team.channels.values():
        if not _visible(channel, searcher) or (channel.is_archived and not call.flag("include_archived_channels")):
            continue
        for message in channel.messages.values():
            within = (after or 0) <= float(message.ts) <= (before or float("inf"))
            bot = message.bot_id is not None and not call.flag("include_bots")
            if (
                within
                and not bot
                and message.subtype in _WRITTEN
                and all(word in message.text.casefold() for word in words)
            ):
                yield channel, message


def _visible(channel: Channel, searcher: Person) -> bool:
    """Return whether a person finds a public channel's messages: a member of the team does in any."""
    public = not channel.is_private and not channel.is_im
    return public and (searcher.kind is Kind.MEMBER or searcher.id in channel.members)


def _moment(call: Call, name: str) -> float | None:
    text = call.text(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise SlackError("invalid_arguments", f"[ERROR] must be an integer [json-pointer:/{name}]") from None


def _hit(call: Call, channel: Channel, message: Message) -> JsonObject:
    team = call.backend.team
    author = team.people.get(message.user)
    return {
        "author_name": author.real_name if author else "",
        "author_user_id": message.user,
        "team_id": team.id,
        "channel_id": channel.id,
        "channel_name": channel.name,
        "message_ts": message.ts,
        "content": message.text,
        "is_author_bot": message.bot_id is not None,
        "permalink": f"{call.backend.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}",
    }
