"""Reads one JSON object as an operation of a plan, every field typed, or says where it is wrong.

`agent/plan/operations.py` defines the types of a node's fields. This file adds the rest: limits, required fields,
unknown fields, implied dependencies, and faults in words that a model can act on.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TypeAlias

from pydantic import ValidationError

from agent.ids import Digest, NodeId, ToolName
from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.packing.packed_claim import holds
from agent.plan.json_values import json_issue_in, truncated
from agent.plan.operations import (
    WRITTEN_FIELDS,
    Add,
    Cancel,
    Dependency,
    Node,
    NodeKind,
    On,
    Operation,
    PackedStep,
    canonical_json,
    node_from_json,
)
from agent.plan.references import NODE_ID, OF_ITEM, BadReference, Reference, pieces, pointer_token, strings_in
from agent.plan.templates import MOST_TEMPLATE_ID
from agent.reading.validation import Fault, FaultCode
from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The planner's answer to the person without a plan. It is no operation."""

    text: str


@dataclass(frozen=True, kw_only=True)
class NeedTools:
    """The planner's request to be shown more tools. It is no operation."""

    #: What they must do, in words, or their names.
    need: str


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A question to the person, instead of an answer or a plan. It is no operation."""

    question: str


Read: TypeAlias = Operation | Reply | Ask | NeedTools | Fault

_ALLOWED = {
    kind: frozenset({"op", *(name for name, mark in WRITTEN_FIELDS.items() if kind in mark.kinds)}) for kind in NodeKind
}
_NEEDED = {kind: name for name, mark in WRITTEN_FIELDS.items() if mark.needed for kind in mark.kinds}
_REFERRING = tuple(name for name, mark in WRITTEN_FIELDS.items() if mark.refers)
_TYPES = {"string_type": "a text", "bool_type": "true or false", "dict_type": "an object", "tuple_type": "a list"}
"""Type of pydantic's error -> how a fault names the type that the field must have."""


def read_operation(
    written: Mapping[str, Json], line: int | None, limits: PlanLimits = DEFAULT_LIMITS, *, printed: bool = False
) -> Read:
    """Return the operation, reply, question or request for tools, or the first fault.

    A key whose value is null counts as absent. `printed`: it may be from a plan that we printed, in which a package
    names its packed steps.
    """
    fields = {key: value for key, value in written.items() if value is not None}
    try:
        _check_values(fields, limits)
        return _operation(fields, limits, printed=printed)
    except _Wrong as wrong:
        name = fields.get("id")
        node = truncated(name, 64) if isinstance(name, str) else ""
        return Fault(code=wrong.code, message=wrong.message, line=line, node=node, pointer=wrong.pointer)


class _Wrong(Exception):
    """Ends the reading of an operation; never leaves this file."""

    def __init__(self, code: FaultCode, pointer: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer
        self.message = message


def _check_values(fields: Mapping[str, Json], limits: PlanLimits) -> None:
    if issue := json_issue_in(fields, limits.depth, strict_text=True):
        raise _Wrong(FaultCode.BAD_VALUE, issue.pointer, issue.message)
    size = len(canonical_json(fields).encode())
    if size > limits.operation_bytes:
        message = f"the operation has {size} bytes, more than {limits.operation_bytes}"
        raise _Wrong(FaultCode.TOO_LARGE, "", message)


def _operation(fields: Mapping[str, Json], limits: PlanLimits, *, printed: bool) -> Operation | Reply | Ask | NeedTools:
    match fields.get("op"):
        case "add":
            if not printed or fields.get("kind") != NodeKind.PACKAGE or "packed" not in fields:
                return Add(node=_node(fields, limits))
            node = _node({key: value for key, value in fields.items() if key != "packed"}, limits)
            return Add(node=replace(node, packed=_packed(fields, node, limits)))
        case "cancel":
            _refuse_others(fields, frozenset({"op", "id", "why"}), "cancel")
            return Cancel(id=_id(fields), why=_text(fields, "why"))
        case "reply":
            _refuse_others(fields, frozenset({"op", "text"}), "reply")
            return Reply(text=_needed_text(fields, "text"))
        case "tools":
            _refuse_others(fields, frozenset({"op", "need"}), "request for tools")
            return NeedTools(need=_needed_text(fields, "need"))
        case "ask":
            _refuse_others(fields, frozenset({"op", "question"}), "ask")
            return Ask(question=_needed_text(fields, "question"))
        case _:
            raise _Wrong(FaultCode.BAD_OP, "/op", "'op' must be 'add', 'cancel' or 'reply'")


def _node(fields: Mapping[str, Json], limits: PlanLimits) -> Node:
    kind = _kind(fields)
    _refuse_others(fields, _ALLOWED[kind], f"{kind.value} node")
    name = _id(fields)
    _needed_text(fields, _NEEDED[kind])
    _check_sizes(fields, limits)
    title = _shown(_text(fields, "title"), limits.title_characters) or name
    try:
        node = node_from_json({**fields, "title": title, "depends_on": _dependencies(fields)})
    except ValidationError as error:
        raise _mistyped(error) from None
    return replace(node, tools=tuple(dict.fromkeys(node.tools))) if node.tools else node


def _mistyped(error: ValidationError) -> _Wrong:
    """Return the first thing that the types of a node's fields say is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    pointer = "".join(f"/{part}" for part in first["loc"]) + first.get("ctx", {}).get("pointer", "")
    words = _TYPES.get(first["type"])
    message = first["msg"] if words is None else f"{first['loc'][-1]!r} must be {words}"
    return _Wrong(FaultCode.BAD_FIELD, pointer, message)


def _check_sizes(fields: Mapping[str, Json], limits: PlanLimits) -> None:
    if len(canonical_json(_object(fields, "result_schema"))) > limits.schema_bytes:
        raise _Wrong(FaultCode.TOO_LARGE, "/result_schema", f"more than {limits.schema_bytes} characters of schema")
    if len(_text(fields, "instruction")) > limits.instruction_characters:
        raise _Wrong(FaultCode.TOO_LARGE, "/instruction", f"more than {limits.instruction_characters} characters")


def _kind(fields: Mapping[str, Json]) -> NodeKind:
    try:
        return NodeKind(_text(fields, "kind"))
    except ValueError:
        raise _Wrong(FaultCode.BAD_KIND, "/kind", "'kind' must be 'tool', 'package' or 'subagent'") from None


def _id(fields: Mapping[str, Json]) -> NodeId:
    written = _needed_text(fields, "id")
    if "for_each" in fields and len(written) > MOST_TEMPLATE_ID:
        raise _Wrong(
            FaultCode.BAD_FIELD, "/id", f"the id of a node with for_each has {MOST_TEMPLATE_ID} characters at most"
        )
    if not NODE_ID.fullmatch(written):
        raise _Wrong(FaultCode.BAD_FIELD, "/id", "an id is 1 to 64 letters, digits, '_' or '-', first no '_' or '-'")
    return NodeId(written)


def _dependencies(fields: Mapping[str, Json]) -> tuple[Dependency, ...]:
    """Return the written dependencies, then those that references imply."""
    found: dict[NodeId, Dependency] = {}
    for at, dependency in _written_dependencies(fields):
        if found.setdefault(dependency.node, dependency) != dependency:
            raise _Wrong(FaultCode.BAD_FIELD, at, f"{dependency.node!r} is named twice with different 'on'")
    own = OF_ITEM if "for_each" in fields else frozenset[NodeId]()
    written = frozenset(found)
    for at, text in strings_in({name: fields[name] for name in _REFERRING if name in fields}):
        try:
            implied = [edge for piece in pieces(text) if isinstance(piece, Reference) for edge in _implied(piece, own)]
        except BadReference as error:
            raise _Wrong(FaultCode.BAD_REFERENCE, at, str(error)) from None
        for edge in implied:
            # A reference to the node itself needs its success, also where another one could do without it.
            if edge.node not in found or (edge.node not in written and edge.on is On.SUCCEEDED):
                found[edge.node] = edge
    return tuple(found.values())


def _implied(reference: Reference, own: AbstractSet[NodeId]) -> Sequence[Dependency]:
    """Return the dependencies of a reference. Of several nodes only one has to succeed: all must have ended.

    `own` are the names that a template gives to its item.

    Raises:
        BadReference: an item stands among several nodes.
    """
    if not reference.others:
        return () if reference.node in own else (Dependency(node=reference.node),)
    if not own.isdisjoint(reference.nodes):
        raise BadReference(str(reference))
    return tuple(Dependency(node=node, on=On.FINISHED) for node in reference.nodes)


def _written_dependencies(fields: Mapping[str, Json]) -> Iterator[tuple[str, Dependency]]:
    for index, item in enumerate(_list(fields, "depends_on")):
        at = f"/depends_on/{index}"
        match item:
            case str():
                yield at, Dependency(node=_dependency_id(item, at))
            case Mapping() if item.keys() <= {"id", "on"}:
                on = item.get("on")
                try:
                    wanted = On.SUCCEEDED if on is None else On(str(on))
                except ValueError:
                    message = "'on' must be 'succeeded', 'failed' or 'finished'"
                    raise _Wrong(FaultCode.BAD_FIELD, f"{at}/on", message) from None
                yield at, Dependency(node=_dependency_id(item.get("id"), f"{at}/id"), on=wanted)
            case _:
                raise _Wrong(FaultCode.BAD_FIELD, at, 'a dependency is "id" or {"id": ..., "on": ...}')


def _dependency_id(written: Json, at: str) -> NodeId:
    if not isinstance(written, str) or not NODE_ID.fullmatch(written):
        raise _Wrong(FaultCode.BAD_FIELD, at, "a dependency names a node's id")
    return NodeId(written)


def _packed(fields: Mapping[str, Json], node: Node, limits: PlanLimits) -> tuple[PackedStep, ...]:
    steps = tuple(_packed_steps(fields, limits))
    if not holds(node.id, node.code, steps):
        message = "this script is none that packing writes for these steps; leave 'packed' out"
        raise _Wrong(FaultCode.BAD_FIELD, "/packed", message)
    return steps


def _packed_steps(fields: Mapping[str, Json], limits: PlanLimits) -> Iterator[PackedStep]:
    for index, step in enumerate(_list(fields, "packed")):
        at = f"/packed/{index}"
        if not isinstance(step, Mapping):
            raise _Wrong(FaultCode.BAD_FIELD, at, "a packed step is an object")
        name, title = step.get("id"), step.get("title", "")
        tool, digest = step.get("tool"), step.get("digest")
        if not isinstance(name, str) or not NODE_ID.fullmatch(name):
            raise _Wrong(FaultCode.BAD_FIELD, f"{at}/id", "a packed step names a node's id")
        if not isinstance(title, str) or not all(text is None or isinstance(text, str) for text in (tool, digest)):
            raise _Wrong(FaultCode.BAD_FIELD, at, "a packed step's title, tool and digest are texts")
        yield PackedStep(
            id=NodeId(name),
            title=_shown(title, limits.title_characters) or name,
            tool=ToolName(tool) if isinstance(tool, str) else None,
            digest=Digest(digest) if isinstance(digest, str) else None,
        )


def _shown(text: str, characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"


def _refuse_others(fields: Mapping[str, Json], allowed: frozenset[str], what: str) -> None:
    # An unknown key may be a misspelt `depends_on`: to ignore it could run a step too early.
    for key in fields:
        if key not in allowed:
            names = ", ".join(sorted(allowed))
            message = f"a {what} has no {truncated(key, 64)!r}; it may have: {names}"
            raise _Wrong(FaultCode.UNKNOWN_FIELD, f"/{pointer_token(truncated(key, 64))}", message)


def _needed_text(fields: Mapping[str, Json], key: str) -> str:
    text = _text(fields, key)
    if not text.strip():
        raise _Wrong(FaultCode.MISSING_FIELD, f"/{key}", f"{key!r} is missing or empty")
    return text


def _text(fields: Mapping[str, Json], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise _not_a(key, "a text")
    return value


def _object(fields: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    value = fields.get(key, {})
    if not isinstance(value, Mapping):
        raise _not_a(key, "an object")
    return value


def _list(fields: Mapping[str, Json], key: str) -> Sequence[Json]:
    value = fields.get(key, [])
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _not_a(key, "a list")
    return value


def _not_a(key: str, words: str) -> _Wrong:
    return _Wrong(FaultCode.BAD_FIELD, f"/{key}", f"{key!r} must be {words}")
