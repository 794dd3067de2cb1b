"""Fan-out: the nodes that a template with `for_each` becomes once its list is known. Pure.

An item's node refers to its place in the list (`${list#/items/3/name}`), it does not copy the value: its
card still shows where the arguments came from, and the same list always gives the same nodes.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from agent.ids import NodeId
from agent.plan.conditions import Condition, about_item, condition_words
from agent.plan.json_values import truncated
from agent.plan.operations import Node, references_of
from agent.plan.references import PointerMissing, Reference, at_pointer, pieces, with_texts
from sandbox.script import Json

MOST_TEMPLATE_ID = 58
"""How long a template's id may be, so that its items' ids are ids too."""

_TITLE_CHARACTERS = 150
_INDEX = re.compile(r"0|[1-9][0-9]*")
_OWN = re.compile(r"\$\$\{|\$\{(item|index)(?:#([^{}]*))?\}")


def item_id(template: NodeId, index: int) -> NodeId:
    """Return the id of the node for the item of that number, from 0."""
    return NodeId(f"{template}-{index}")


def template_of(id: NodeId) -> NodeId | None:
    """Return the template that would give an item this id, None when none would."""
    template, _, index = id.rpartition("-")
    return NodeId(template) if template and _INDEX.fullmatch(index) else None


def shown_title(node: Node) -> str:
    """Return the title as people read it: before a template knows its items, a place for one is a `…`."""
    return _OWN.sub(lambda found: "…" if found[1] else found[0], node.title) if node.for_each else node.title


def unfolds(node: Node) -> str:
    """Return the list and the condition of a node as drawings show them, "" for a node without them."""
    words = [f"for each of {node.for_each[2:-1]}"] if node.for_each else []
    return ", ".join([*words, f"only if {condition_words(node.when)}"] if node.when else words)


def items_of(template: Node, values: Sequence[Json]) -> tuple[Node, ...]:
    """Return the template's nodes, one for each value of its list."""
    [source] = pieces(template.for_each)
    assert isinstance(source, Reference)  # noqa: S101 -- read so
    return tuple(_item(template, source, index, values) for index in range(len(values)))


def _item(template: Node, source: Reference, index: int, values: Sequence[Json]) -> Node:
    at = replace(source, pointer=f"{source.pointer}/{index}")

    placed: dict[str, Any] = {
        name: _placed_text(value, at, index) if isinstance(value, str) else _placed_values(value, at, index)
        for name, value in references_of(template).items()
    }
    placed["files"] = tuple(placed["files"])
    placed["for_each"] = placed["name"] = ""
    placed["when"] = _placed_condition(template.when, at, index) if about_item(template.when) else ""
    title = _title(template.title, index, values)
    return replace(template, **placed, id=item_id(template.id, index), title=title, item_of=template.id)


def _placed_condition(condition: Condition, at: Reference, index: int) -> Condition:
    """Return the condition with every reference to the item as one into the list, and the index as a number."""
    if isinstance(condition, str):
        own = _OWN.fullmatch(condition)
        # A number alone is no condition, but this is the same.
        return {"ne": [index, 0]} if own and own[1] == "index" else _placed_text(condition, at, index)
    [(name, inside)] = condition.items()
    match name:
        case "not":
            return {name: _placed_condition(cast("Condition", inside), at, index)}
        case "all" | "any":
            return {name: [_placed_condition(term, at, index) for term in cast("Sequence[Condition]", inside)]}
        case _:
            return {name: _placed_values(inside, at, index)}


def _placed_values(value: Json, at: Reference, index: int) -> Any:
    """Return the value with every reference to the item as one into the list, and the index as a number."""

    def placed(text: str) -> Json:
        return index if text == "${index}" else _placed_text(text, at, index)

    return with_texts(value, placed)


def _placed_text(text: str, at: Reference, index: int) -> str:
    """Return the text with every reference to the item as one into the list."""
    return _OWN.sub(lambda found: _written(found, at, index), text)


def _written(found: re.Match[str], at: Reference, index: int) -> str:
    match found[1]:
        case "item":
            return str(replace(at, pointer=at.pointer + (found[2] or "")))
        case "index":
            return str(index)
        case _:
            return found[0]


def _title(title: str, index: int, values: Sequence[Json]) -> str:
    """Return the title with its places for the item filled in, or with the item's number when it has none."""
    filled = _OWN.sub(lambda found: _shown_value(found, index, values), title)
    if filled == title:
        filled = f"{truncated(title, _TITLE_CHARACTERS - 16)} ({index + 1} of {len(values)})"
    return " ".join(filled.split())[:_TITLE_CHARACTERS] or title


def _shown_value(found: re.Match[str], index: int, values: Sequence[Json]) -> str:
    if found[1] == "index":
        return str(index)
    if found[1] != "item":
        return found[0]
    try:
        value = at_pointer(values[index], found[2] or "")
    except PointerMissing:
        return "?"
    return truncated(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 60)
