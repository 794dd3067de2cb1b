"""Tools and random plans for the tests of planning: valid by construction, and ways to spoil them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from hypothesis import strategies as st

from agent.ids import NodeId, ToolName
from agent.plan.operations import Add, Node
from agent.plan.references import pointer_token
from agent.plan.templates import template_of
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_language.reader import PythonReader
from agent.reading.validation import Fault
from agent.tool import CallContext, Colour, Registry, Tool
from sandbox.script import Json


async def _never(context: CallContext, args: Mapping[str, Json]) -> Json:
    raise AssertionError("a plan is checked, not run")


def tool(
    name: str, colour: Colour = Colour.GREEN, properties: Mapping[str, Json] | None = None, *required: str
) -> Tool:
    """Return a tool that only has a description."""
    schema: dict[str, Json] = {
        "type": "object",
        "properties": properties or {},
        "required": list(required),
        "additionalProperties": False,
    }
    return Tool(name=ToolName(name), description=f"does {name}", arguments=schema, colour=colour, call=_never)


REGISTRY = Registry(
    [
        tool("fetch", Colour.GREEN, {"url": {"type": "string", "minLength": 1}, "tries": {"type": "integer"}}, "url"),
        tool("look", Colour.GREEN, {"page": {"type": "integer", "minimum": 0}}),
        tool("post", Colour.RED, {"channel": {"type": "string"}, "text": {"type": "string"}}, "channel", "text"),
    ]
)

SCRIPT = "def main(inputs):\n    return tools.look(page=0)\n"

_TAILS = st.text("abcxyz_09-", min_size=1, max_size=6)
# An id that ends in a number is refused beside the template whose item it could be.
_NAMES = _TAILS.map(lambda tail: f"n{tail}").filter(lambda name: template_of(NodeId(name)) is None)
_TITLES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
)
"""JSON that passes the bounds on numbers and depth; its texts may hold NUL and lone surrogates."""

Written = dict[str, Any]
"""An operation as a model writes it."""


@st.composite
def plans(draw: st.DrawFn, least: int = 1, most: int = 8) -> list[Written]:
    """Draw a valid plan of adds in an order in which every dependency stands first."""
    names = draw(st.lists(_NAMES, min_size=least, max_size=most, unique=True))
    return [draw(_unfolding(draw(_node(name, names[:index])), names[:index])) for index, name in enumerate(names)]


@st.composite
def _unfolding(draw: st.DrawFn, written: Written, earlier: list[str]) -> Written:
    """Give every third node that may refer to others a condition, a list to go through, or both."""
    keys = draw(st.sampled_from([[], [], [], ["when"], ["for_each"], ["for_each", "when"]])) if earlier else []
    found = {key: f"${{{draw(st.sampled_from(earlier))}#/{key}}}" for key in keys}
    if "for_each" in keys and draw(st.booleans()):
        found |= {"title": "Go through ${item#/a} (${index})", "when": "${item#/ok}"}
    if "when" in found and draw(st.booleans()):
        found["when"] = draw(_trees(found["when"]))
    return written | found


def _trees(reference: str) -> st.SearchStrategy[Any]:
    """Draw conditions with comparisons about a reference."""
    values = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab$", max_size=3) | st.just(reference)
    names = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in"])
    comparison = _object_of(names, st.tuples(st.just(reference), values).map(list))
    tree = comparison
    for _ in range(3):
        joined = _object_of(st.sampled_from(["all", "any"]), st.lists(tree, min_size=1, max_size=3))
        tree = comparison | _object_of(st.just("not"), tree | st.just(reference)) | joined
    return tree


def _object_of(names: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw objects of one key."""
    return st.tuples(names, values).map(lambda pair: dict([pair]))


@st.composite
def _node(draw: st.DrawFn, id: str, earlier: list[str]) -> Written:
    needs = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True)) if earlier else []
    dependencies: list[Any] = [
        draw(st.sampled_from([need, {"id": need}, {"id": need, "on": "failed"}, {"id": need, "on": "finished"}]))
        for need in needs
    ]
    written: Written = {"op": "add", "id": id, "title": draw(_TITLES)}
    if dependencies:
        written["depends_on"] = dependencies
    named = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=2, unique=True)) if earlier else []
    reference = f"${{{'|'.join(named)}#/a~1b/0}}" if named and draw(st.booleans()) else None
    match draw(st.sampled_from(["fetch", "post", "package"])):
        case "fetch":
            args: Written = {"url": reference or "http://x/$${y}"}
            if reference:
                args["tries"] = reference
            return {**written, "kind": "tool", "tool": "fetch", "args": args}
        case "post":
            return {**written, "kind": "tool", "tool": "post", "args": {"channel": "#a", "text": f"got {reference}!"}}
        case _:
            inputs = {"deep": [{"x": reference}]} if reference else {}
            return {**written, "kind": "package", "code": SCRIPT, "tools": ["look"], "inputs": inputs}


def places_in(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (JSON pointer, value) for every place inside a JSON value, itself first."""
    yield pointer, value
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from places_in(inner, f"{pointer}/{pointer_token(key)}")
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from places_in(inner, f"{pointer}/{index}")


def json_lines(plan: list[Written]) -> str:
    """Write a plan as a model is asked to: one operation per line."""
    return "".join(json.dumps(operation) + "\n" for operation in plan)


def admitted(text: str) -> tuple[list[Node], list[Fault]]:
    """Return the nodes that a plan gets of a text in the plan language, and the faults."""
    builder = PlanBuilder(registry=REGISTRY, known={})
    reader = PythonReader(REGISTRY, builder)
    made: list[Node] = []
    found: list[Fault] = []
    for item in (*reader.feed(text), *reader.finish()):
        if isinstance(item, Placed):
            admission = builder.offer(item)
            made += [operation.node for operation in admission.admitted if isinstance(operation, Add)]
            found += admission.faults
        elif isinstance(item, Fault):
            builder.refuse(item)
            found.append(item)
    return made, [*found, *builder.close()]
