"""Turns the text that a person types into a message, as a Slack client does: names into ids, text into rich text."""

import re

from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.team import Team

_NAME = re.compile(r"(?<![\w<])([@#])([A-Za-z0-9_-]+)")
_REFERENCE = "|".join(
    [
        r"<@(?P<user>[UW]\w+)>",
        r"<#(?P<channel>[CG]\w+)\|[^<>]*+>",
        r"<!subteam\^(?P<usergroup>S\w+)>",
        r"<!(?P<broadcast>here|channel|everyone)>",
    ]
)
_TYPED = re.compile(_REFERENCE + r"|(?P<link>https?://[^\s<>|]*[^\s<>|.,;:!?)\]'\"])")
_STORED = re.compile(_REFERENCE + r"|<(?P<link>https?://[^\s<>|]+)>")
#: Kind of a reference -> the member of its rich text element.
_MEMBERS = {
    "user": "user_id",
    "channel": "channel_id",
    "usergroup": "usergroup_id",
    "broadcast": "range",
    "link": "url",
}
_BROADCASTS = ("here", "channel", "everyone")


def message_text(team: Team, typed: str) -> str:
    """Return typed text as the message stores it: & < > escaped; @Name, #channel, @group and addresses as `<...>`.

    A reference the person already wrote out (`<@U123>`) stays, as it does when a client's completion put it there.
    """
    kept: list[str] = []
    position = 0
    for found in _TYPED.finditer(typed):
        link = found.group("link")
        kept += [_resolved(team, typed[position : found.start()]), f"<{_escaped(link)}>" if link else found.group()]
        position = found.end()
    return "".join([*kept, _resolved(team, typed[position:])])


def command_text(team: Team, typed: str) -> str:
    """Return the text of a command whose manifest says should_escape: people get their handle as well."""

    def with_handle(found: re.Match[str]) -> str:
        person = team.people.get(found.group(1))
        return f"<@{found.group(1)}|{person.name.casefold()}>" if person else found.group()

    return re.sub(r"<@([UW]\w+)>", with_handle, message_text(team, typed))


def rich_text(text: str) -> list[JsonObject]:
    """Return the rich_text block that a client sends along with a message."""
    elements: list[JsonObject] = []
    position = 0
    for found in _STORED.finditer(text):
        if before := text[position : found.start()]:
            elements.append({"type": "text", "text": _unescaped(before)})
        position = found.end()
        kind = str(found.lastgroup)
        elements.append({"type": kind, _MEMBERS[kind]: _unescaped(found[kind])})
    if rest := text[position:]:
        elements.append({"type": "text", "text": _unescaped(rest)})
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}]


def _resolved(team: Team, text: str) -> str:
    def reference(found: re.Match[str]) -> str:
        sign, name = found.groups()
        if sign == "#":
            channel = team.channel_named(name)
            return f"<#{channel.id}|{channel.name}>" if channel else found.group()
        if name in _BROADCASTS:
            return f"<!{name}>"
        if group := next((group for group in team.usergroups.values() if group.handle == name), None):
            return f"<!subteam^{group.id}>"
        person = team.person_named(name)
        return f"<@{person.id}>" if person else found.group()

    return _NAME.sub(reference, _escaped(text))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
