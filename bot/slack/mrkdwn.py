"""Slack's mrkdwn as plain words for a model: entities unescaped, people, channels and groups by name (pure)."""

import re
from collections.abc import Iterator, Mapping

from bot.payloads import unescaped

_REFERENCE = re.compile(r"<([^<>]+)>")
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)")


def people_in(mrkdwn: str) -> Iterator[str]:
    """Yield the ids of the people that a text mentions."""
    return (found[1] for found in _PERSON.finditer(mrkdwn))


def plain_words(mrkdwn: str, names: Mapping[str, str]) -> str:
    """Return the text as a person sees it. `names` is user id -> name; others keep the name in the text, or the id."""
    parts = enumerate(_REFERENCE.split(mrkdwn))  # words and references take turns
    return "".join(_reference(part, names) if at % 2 else unescaped(part) for at, part in parts)


def _reference(inside: str, names: Mapping[str, str]) -> str:
    target, bar, label = inside.partition("|")
    label = unescaped(label)
    match target[0]:
        case "@":
            return f"@{names.get(target[1:]) or label or target[1:]}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return _special(target[1:], label)
        case _:
            address = unescaped(target.removeprefix("mailto:"))
            return f"{label} ({address})" if bar and label not in ("", address) else address


def _special(target: str, label: str) -> str:
    kind, _, value = target.partition("^")
    match kind:
        case "date":
            return label or value
        case "subteam":
            return label or f"@{value}"
        case _:
            return f"@{kind}"
