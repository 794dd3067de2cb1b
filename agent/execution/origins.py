"""Where the arguments of a call come from: steps, people's own words, or the plan. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from agent.card_facts import Origin, OriginKind
from agent.ids import NodeId, UserId
from agent.plan.json_values import truncated
from agent.plan.references import Reference, pieces
from agent.ports import Message
from sandbox.script import Json

MOST_ARGUMENTS = 20
_MOST_ORIGINS = 4
"""Of one argument."""

_MOST_VALUES = 100
"""Of one argument that are looked up."""

_MOST_PLACES = 20
"""At which a text is looked for in a message."""

_TITLE_CHARACTERS = 80
_PLAN = Origin(kind=OriginKind.PLAN)


def origins_of(
    written: Mapping[str, Json], title: Callable[[NodeId], str], messages: Sequence[Message]
) -> dict[str, Sequence[Origin]]:
    """Return argument -> where it comes from, for the arguments of a node as its plan has them.

    `title` is that of a step; `messages` are people's in this turn. A text that stands in one of them word for word is
    theirs; whatever else the plan wrote is the plan's.
    """
    found: dict[str, Sequence[Origin]] = {}
    for name, value in islice(written.items(), MOST_ARGUMENTS):
        origins = (origin for part in islice(_parts(value), _MOST_VALUES) for origin in _origins(part, title, messages))
        if unique := tuple(dict.fromkeys(origins)):
            found[name] = unique[:_MOST_ORIGINS]
    return found


def _parts(value: Json) -> Iterator[str | Reference]:
    """Yield the literals and references of a value, in order; keys, truth values and nothing are left out."""
    match value:
        case str():
            yield from pieces(value) or ("",)
        case bool() | None:
            yield ""
        case int() | float():
            yield str(value)
        case Mapping():
            for part in value.values():
                yield from _parts(part)
        case _:
            for part in value:
                yield from _parts(part)


def _origins(part: str | Reference, title: Callable[[NodeId], str], messages: Sequence[Message]) -> Iterator[Origin]:
    if isinstance(part, Reference):
        for node in part.nodes:
            yield Origin(kind=OriginKind.STEP, what=truncated(title(node), _TITLE_CHARACTERS))
        return
    words = part.strip()
    if part and not any(map(str.isalnum, words)):
        return  # what stands between two references
    author = _said_by(words, messages) if words else None
    yield _PLAN if author is None else Origin(kind=OriginKind.PERSON, what=author)


def _said_by(words: str, messages: Sequence[Message]) -> UserId | None:
    """Return who wrote these words, as words of their own."""
    for message in messages:
        at = message.text.find(words)
        for _ in range(_MOST_PLACES):
            if at < 0:
                break
            around = message.text[max(0, at - 1) : at], message.text[at + len(words) : at + len(words) + 1]
            if not (around[0].isalnum() and words[0].isalnum()) and not (around[1].isalnum() and words[-1].isalnum()):
                return message.author
            at = message.text.find(words, at + 1)
    return None
