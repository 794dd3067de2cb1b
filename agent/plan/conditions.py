"""Conditions: the `when` of a node, as a reference or as a JSON tree, and whether it is met. Pure.

A tree is `{"all":[T,...]}`, `{"any":[T,...]}`, `{"not":T}` or a comparison `{"eq"|"ne"|"lt"|"le"|"gt"|"ge"|"in"|
"not_in":[X,Y]}`. T is a tree or one reference, which holds unless its value is empty, zero, false or null. X and Y are
JSON values with references in them, as in arguments. Nothing is evaluated as code.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TypeAlias, cast

from agent.plan.json_values import JsonIssue, truncated
from agent.plan.references import OF_ITEM, BadReference, Reference, pieces, references_in
from sandbox.script import Json

Condition: TypeAlias = str | Mapping[str, Json]
"""One reference, or a tree."""

MOST_LEVELS = 16
"""How deep a tree may be nested."""

MOST_TERMS = 256
"""How many trees and references a condition may have."""

_SYMBOLS = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "in": "in",
    "not_in": "not in",
}
_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}
_JOINS = {"all": " and ", "any": " or "}
_NAMES = ", ".join((*_JOINS, "not", *_SYMBOLS))
_NO_TERM = 'a condition is one reference, such as ${node#/field}, or an object such as {"gt":["${node#/field}",5]}'
_WORDS_CHARACTERS = 160


class Incomparable(Exception):
    """Two values of a condition have types that do not compare; the text says which."""


def condition_issue(condition: object) -> JsonIssue | None:
    """Return the first thing that is wrong with the form of a condition, or None."""
    if isinstance(condition, str):
        return None if is_one_reference(condition) else JsonIssue(pointer="", message=_NO_TERM)
    terms = 0
    # No recursion: nobody has bounded the nesting yet.
    waiting: list[tuple[str, object, int]] = [("", condition, 1)]
    while waiting:
        at, term, level = waiting.pop()
        terms += 1
        if level > MOST_LEVELS:
            return JsonIssue(pointer=at, message=f"a condition has {MOST_LEVELS} levels at most")
        if terms > MOST_TERMS:
            return JsonIssue(pointer=at, message=f"a condition has {MOST_TERMS} terms at most")
        inner = _inner_terms(term)
        if isinstance(inner, JsonIssue):
            return JsonIssue(pointer=at + inner.pointer, message=inner.message)
        waiting.extend((at + place, deeper, level + 1) for place, deeper in reversed(inner))
    return None


def is_one_reference(text: str) -> bool:
    """Return whether a text is one reference and nothing else."""
    try:
        parts = pieces(text)
    except BadReference:
        return False
    return len(parts) == 1 and isinstance(parts[0], Reference)


def _inner_terms(term: object) -> list[tuple[str, object]] | JsonIssue:
    """Return the trees and references right inside a term, each with its pointer, or what is wrong with the term."""
    if isinstance(term, str) and is_one_reference(term):
        return []
    if not isinstance(term, Mapping):
        return JsonIssue(pointer="", message=_NO_TERM)
    tree = cast("Mapping[str, object]", term)
    if len(tree) != 1:
        return JsonIssue(pointer="", message=f"an object of a condition has one key, of: {_NAMES}")
    [(name, inside)] = tree.items()
    if name == "not":
        return [("/not", inside)]
    values: list[object] = list(cast("Sequence[object]", inside)) if isinstance(inside, list | tuple) else []
    if name in _JOINS:
        if not values:
            return JsonIssue(pointer=f"/{name}", message=f"{name!r} has a list of conditions, at least one")
        return [(f"/{name}/{index}", value) for index, value in enumerate(values)]
    if name not in _SYMBOLS:
        return JsonIssue(pointer="", message=f"a condition has no {truncated(name, 64)!r}; it may have: {_NAMES}")
    if len(values) != 2:
        return JsonIssue(pointer=f"/{name}", message=f"{name!r} compares two values: [X, Y]")
    return []


def is_met(condition: Condition, value_of: Callable[[Json], Json]) -> bool:
    """Return whether a condition holds, read from left to right no further than needed, as Python would.

    `value_of` resolves the references of a value; what it raises ends the reading.

    Raises:
        Incomparable: see there. A boolean is no number; only numbers have an order among each other, and texts.
    """
    if isinstance(condition, str):
        return bool(value_of(condition))
    [(name, inside)] = condition.items()
    match name:
        case "not":
            return not is_met(cast("Condition", inside), value_of)
        case "all":
            return all(is_met(term, value_of) for term in cast("Sequence[Condition]", inside))
        case "any":
            return any(is_met(term, value_of) for term in cast("Sequence[Condition]", inside))
        case _:
            left, right = cast("Sequence[Json]", inside)
            return _compared(name, value_of(left), value_of(right))


def _compared(name: str, left: Json, right: Json) -> bool:
    match name:
        case "eq":
            return _same(left, right)
        case "ne":
            return not _same(left, right)
        case "in":
            return _contained(left, right)
        case "not_in":
            return not _contained(left, right)
        case _:
            if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
                raise Incomparable(f"{_kind(left)} and {_kind(right)} have no order ({_SYMBOLS[name]})")
            return _ORDERS[name](cast("int", left), cast("int", right))


def _same(left: Json, right: Json) -> bool:
    """Return whether two values are equal. For Python true is 1, at any depth; here it is not."""
    if left != right:  # fast: most values differ
        return False
    match left, right:
        case Mapping(), Mapping():
            return all(_same(value, right[key]) for key, value in left.items())
        case list() | tuple(), list() | tuple():
            return all(_same(one, other) for one, other in zip(left, right, strict=True))
        case _:
            return isinstance(left, bool) is isinstance(right, bool)


def _contained(part: Json, whole: Json) -> bool:
    match part, whole:
        case str(), str():
            return part in whole
        case str(), Mapping():
            return part in whole
        case _, list() | tuple():
            return any(_same(part, value) for value in whole)
        case _:
            raise Incomparable(f"{_kind(part)} cannot be looked for in {_kind(whole)}")


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "an object"
        case _:
            return "a list"


def about_item(condition: Condition) -> bool:
    """Return whether a condition is about each item of a template, not about the template as a whole."""
    return any(reference.node in OF_ITEM for _, reference in references_in(condition))


def before_items(condition: Condition) -> Condition:
    """Return what a template's condition asks before anything about an item, as an `if` around a loop does; else "".

    It decides about the template as a whole, and before its list is read: that may be there only when it is met.
    """
    if not about_item(condition):
        return condition
    match condition:
        case {"all": list() | tuple() as terms}:
            before = list(takewhile(lambda term: not about_item(term), cast("Sequence[Condition]", terms)))
            return {"all": before} if before else ""
        case _:
            return ""


def condition_words(condition: Condition) -> str:
    """Return the condition in one line for people, as Python writes it; a long one is truncated."""
    words = "".join(_words(condition, inside=""))
    return words if len(words) <= _WORDS_CHARACTERS else f"{words[: _WORDS_CHARACTERS - 1]}…"


def _words(condition: Condition, *, inside: str) -> Iterator[str]:
    if isinstance(condition, str):
        yield condition[2:-1]
        return
    [(name, value)] = condition.items()
    if name == "not":
        yield "not "
        yield from _words(cast("Condition", value), inside=name)
    elif name in _JOINS:
        terms = cast("Sequence[Condition]", value)
        joined = _JOINS[name].join("".join(_words(term, inside=name)) for term in terms)
        yield f"({joined})" if inside and len(terms) > 1 else joined
    else:
        left, right = (_value_words(side) for side in cast("Sequence[Json]", value))
        compared = f"{left} {_SYMBOLS[name]} {right}"
        yield f"({compared})" if inside == "not" else compared


def _value_words(value: Json) -> str:
    if isinstance(value, str) and is_one_reference(value):
        return value[2:-1]
    return json.dumps(value, ensure_ascii=False)
