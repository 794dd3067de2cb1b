"""What a Slack client makes of the text a person types: names become ids, and the text becomes rich text."""

from __future__ import annotations

import re

from infra.workspace.payload import JsonObject
from infra.workspace.team import Team

_NAME = re.compile(r"(?<![\w<])([@#])([A-Za-z0-9_-]+)")
_ENTITY = re.compile(
    r"<@(?P<user>[UW]\w+)>|<#(?P<channel>[CG]\w+)\|[^>]*>|<!subteam\^(?P<group>S\w+)>|<!(?P<broadcast>here|channel|everyone)>"
)
_BROADCASTS = ("here", "channel", "everyone")


def message_text(team: Team, typed: str) -> str:
    """Typed text as the message stores it: & < > escaped, @Name, #channel and @group as entities.

    An entity the person already wrote out (`<@U123>`) stays, as it does when a client's completion put it there.
    """
    kept: list[str] = []
    position = 0
    for entity in _ENTITY.finditer(typed):
        kept += [_resolved(team, typed[position : entity.start()]), entity.group()]
        position = entity.end()
    return "".join([*kept, _resolved(team, typed[position:])])


def rich_text(text: str) -> list[JsonObject]:
    """The rich_text block that a client sends along with a message."""
    elements: list[JsonObject] = []
    position = 0
    for entity in _ENTITY.finditer(text):
        if before := text[position : entity.start()]:
            elements.append({"type": "text", "text": _unescaped(before)})
        position = entity.end()
        found = {key: value for key, value in entity.groupdict().items() if value}
        match found:
            case {"user": user}:
                elements.append({"type": "user", "user_id": user})
            case {"channel": channel}:
                elements.append({"type": "channel", "channel_id": channel})
            case {"group": group}:
                elements.append({"type": "usergroup", "usergroup_id": group})
            case _:
                elements.append({"type": "broadcast", "range": found["broadcast"]})
    if rest := text[position:]:
        elements.append({"type": "text", "text": _unescaped(rest)})
    return [
        {"type": "rich_text", "block_id": "typed", "elements": [{"type": "rich_text_section", "elements": elements}]}
    ]


def _resolved(team: Team, text: str) -> str:
    def entity(match: re.Match[str]) -> str:
        sign, name = match.groups()
        if sign == "#":
            channel = team.channel_named(name)
            return f"<#{channel.id}|{channel.name}>" if channel else match.group()
        if name in _BROADCASTS:
            return f"<!{name}>"
        if group := next((group for group in team.usergroups.values() if group.handle == name), None):
            return f"<!subteam^{group.id}>"
        person = team.person_named(name)
        return f"<@{person.id}>" if person else match.group()

    return _NAME.sub(entity, text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
