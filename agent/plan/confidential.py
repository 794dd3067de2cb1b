"""Confidential arguments: which values a tool's JSON Schema marks with `"x-confidential": true`. Pure.

A place is a JSON pointer in which the token `*` stands for every key or index. Doubt hides: where a schema cannot be
followed, the whole value there is confidential.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import cast

from agent.plan.operations import canonical_json
from agent.plan.references import PointerMissing, at_pointer, pointer_token
from sandbox.script import Json

KEYWORD = "x-confidential"

EVERY = "*"
"""A token of a place that stands for every key or index."""

_MOST_SCHEMAS = 400
"""A schema with more parts, a recursive one among them, is not followed further: what lies behind is hidden."""

_SAME_PLACE = ("allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas")
_EVERY_PART = (
    *("additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames"),
    *("items", "prefixItems", "contains", "unevaluatedItems"),
)


def confidential_places(schema: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the places of a value of this schema that are confidential, sorted; `""` is the whole value."""
    return _places(canonical_json(schema)) if KEYWORD in str(schema) else ()


@lru_cache(maxsize=512)
def _places(schema: str) -> tuple[str, ...]:
    root = json.loads(schema)
    found: set[str] = set()
    waiting = deque[tuple[Json, str, frozenset[str]]]([(root, "", frozenset())])
    for _ in range(_MOST_SCHEMAS):
        if not waiting:
            break
        part, at, referred = waiting.popleft()
        if isinstance(part, Mapping) and part.get(KEYWORD) is not True:
            waiting += _parts(part, root, at, referred)
        elif isinstance(part, Mapping):
            found.add(at)
    found.update(at for _, at, _ in waiting)
    return tuple(sorted(place for place in found if not any(_covers(other, place) for other in found - {place})))


def _covers(place: str, other: str) -> bool:
    """Return whether all values at `other` lie at or within those at `place`."""
    tokens, others = place.split("/"), other.split("/")
    return len(tokens) <= len(others) and all(
        token in (EVERY, within) for token, within in zip(tokens, others, strict=False)
    )


def _parts(
    schema: Mapping[str, Json], root: Json, at: str, referred: frozenset[str]
) -> Iterator[tuple[Json, str, frozenset[str]]]:
    """Yield the schemas inside a schema, each with its place and the references that led to it at this place."""
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        yield inner, f"{at}/{pointer_token(name)}", frozenset()
    for keyword in _EVERY_PART:
        for inner in _schemas(schema.get(keyword), keyed=keyword == "patternProperties"):
            yield inner, f"{at}/{EVERY}", frozenset()
    for keyword in _SAME_PLACE:
        for inner in _schemas(schema.get(keyword), keyed=keyword == "dependentSchemas"):
            yield inner, at, referred
    for keyword in ("$ref", "$dynamicRef"):
        reference = schema.get(keyword)
        if reference is not None and reference not in referred:
            yield _referred(reference, root), at, referred | {str(reference)}


def _referred(reference: Json, root: Json) -> Json:
    """Return the schema that a reference names; one that cannot be found counts as marked."""
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
        with suppress(PointerMissing):
            return at_pointer(root, reference[1:])
    return {KEYWORD: True}


def _schemas(value: Json, *, keyed: bool) -> Sequence[Json]:
    """Return the schemas that a keyword holds: one, a list of them, or (`keyed`) an object of them."""
    if isinstance(value, Mapping):
        return tuple(value.values()) if keyed else (value,)
    return tuple(value) if isinstance(value, list | tuple) else ()


def is_confidential(name: str, places: Sequence[str]) -> bool:
    """Return whether a value at one of these places is the argument of this name, or a part of it."""
    return any(not place or place.split("/")[1] in (EVERY, pointer_token(name)) for place in places)


def redacted(value: Json, places: Sequence[str], replaced: Callable[[Json], Json]) -> Json:
    """Return a copy of `value` with what is confidential in it replaced."""
    for place in places:
        value = _replaced(value, place.split("/")[1:], replaced)
    return value


def confidential_texts(value: Json, places: Sequence[str]) -> Sequence[str]:
    """Return the texts in the confidential values; numbers as they are written."""
    found: list[Json] = []

    def keep(confidential: Json) -> Json:
        found.append(confidential)
        return confidential

    redacted(value, places, keep)
    return [text for confidential in found for text in _texts(confidential)]


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield str(value)
        case Mapping():
            for part in value.values():
                yield from _texts(part)
        case _:
            for part in value:
                yield from _texts(part)


def _replaced(value: Json, tokens: Sequence[str], replaced: Callable[[Json], Json]) -> Json:
    if not tokens:
        return replaced(value)
    first, rest = tokens[0], tokens[1:]
    name = first.replace("~1", "/").replace("~0", "~")
    match value:
        case Mapping():
            return {
                key: _replaced(inner, rest, replaced) if first == EVERY or key == name else inner
                for key, inner in value.items()
            }
        case list() | tuple():
            return [
                _replaced(inner, rest, replaced) if first == EVERY or str(index) == name else inner
                for index, inner in enumerate(cast("Sequence[Json]", value))
            ]
        case _:
            return value
