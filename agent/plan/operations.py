"""Operations, nodes and the append-only log they form: the plan.

`Node` is the one definition of a node's fields. Its types say how a field is checked and printed, and `Written` who
writes it and what it may hold; reading, printing, digests and templates follow from that.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import Annotated, TypeAlias, TypeVar, assert_never

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetPydanticSchema,
    PlainSerializer,
    StrictBool,
    TypeAdapter,
    ValidationInfo,
    WrapSerializer,
)
from pydantic_core import PydanticCustomError, core_schema

from agent.ids import Digest, NodeId, ToolName, UserId
from agent.plan.conditions import Condition, condition_issue, is_one_reference
from agent.plan.references import OF_ITEM, references_in
from sandbox.script import Json

_T = TypeVar("_T")


class NodeKind(StrEnum):
    """The kind of work a node does."""

    #: One tool call.
    TOOL = "tool"
    #: One script.
    PACKAGE = "package"
    #: A model with a role of its own.
    SUBAGENT = "subagent"


class On(StrEnum):
    """Which end of a dependency lets its dependent run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """An edge: `node` must end as `on` says before the dependent runs."""

    node: NodeId
    on: On = On.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class PackedStep:
    """A planned node that became a part of a package."""

    id: NodeId
    title: str
    #: None for a script.
    tool: ToolName | None = None
    #: The digest of the planned node. It tells a repetition of the step from another node of that name.
    digest: Digest | None = None
    #: The planned node's `name`.
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class HandedFile:
    """A file that a lead gives to a worker whole."""

    #: `TURN/NODE/NAME`.
    name: str
    #: Of its content then, which no later file of that name changes.
    digest: Digest
    #: In bytes.
    size: int


@dataclass(frozen=True, kw_only=True)
class Written:
    """Marks a field of a node that plans write. Only the engine sets the others."""

    #: The kinds of nodes that have the field.
    kinds: frozenset[NodeKind] = frozenset(NodeKind)
    #: A node of these kinds is refused without the field.
    needed: bool = False
    #: The field may hold references. Each of them is a dependency.
    refers: bool = False
    #: The field is part of the node's work: nodes that differ in it do different things.
    work: bool = True


def _dependency(value: Json | Dependency) -> Dependency:
    match value:
        case Dependency():
            return value
        case Mapping():
            return Dependency(node=NodeId(str(value["id"])), on=On(value["on"]))
        case _:
            return Dependency(node=NodeId(str(value)))


def _dependency_json(dependency: Dependency) -> object:
    if dependency.on is On.SUCCEEDED:
        return dependency.node
    return {"id": dependency.node, "on": dependency.on.value}


def _tool_name(value: object) -> object:
    if not isinstance(value, str) or not value:
        raise _bad_field("a tool's name is a text")
    return value


def _reference(text: str, info: ValidationInfo) -> str:
    if not is_one_reference(text):
        raise _bad_field(f"{info.field_name!r} must be one reference, such as ${{node#/list}}")
    return text


def _list_reference(text: str) -> str:
    if any(reference.node in OF_ITEM for _, reference in references_in(text)):
        raise _bad_field("a list of an item's own cannot be gone through here")
    return text


def _file(text: str) -> str:
    if any(reference.node == "index" for _, reference in references_in(text)):
        raise _bad_field("a number is no file; name it in the instruction")
    return text


def _condition(value: Condition) -> Condition:
    if (issue := condition_issue(value)) is not None:
        raise _bad_field(f"'when': {issue.message}", issue.pointer)
    return value


def _bad_field(message: str, pointer: str = "") -> PydanticCustomError:
    return PydanticCustomError("bad_field", "{message}", {"message": message, "pointer": pointer})


def _any_schema(_type: object, _handler: object) -> core_schema.CoreSchema:
    return core_schema.any_schema()


def _object_schema(_type: object, _handler: object) -> core_schema.CoreSchema:
    return core_schema.dict_schema(strict=True)


_Object: TypeAlias = Annotated[Mapping[str, Json], GetPydanticSchema(_object_schema)]
_List: TypeAlias = Annotated[tuple[_T, ...], WrapSerializer(lambda values, printed: list(printed(values)))]
_Reference: TypeAlias = Annotated[str, AfterValidator(_reference)]
_Condition: TypeAlias = Annotated[Condition, GetPydanticSchema(_any_schema), AfterValidator(_condition)]
_Dependency: TypeAlias = Annotated[Dependency, BeforeValidator(_dependency), PlainSerializer(_dependency_json)]

_TOOL = frozenset({NodeKind.TOOL})
_PACKAGE = frozenset({NodeKind.PACKAGE})
_SUBAGENT = frozenset({NodeKind.SUBAGENT})


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step of the plan. Fields that its kind does not have stay empty.

    To add a field, add it here. It is left out of JSON and digests while it has its default value.
    """

    #: Unique in its thread.
    id: Annotated[NodeId, Written(work=False)]
    kind: Annotated[NodeKind, PlainSerializer(str), Written()]
    #: One line for people.
    title: Annotated[str, Written(work=False)]
    #: The written dependencies, then those implied by references, by first appearance.
    depends_on: Annotated[_List[_Dependency], Written()] = ()
    #: Ask a person first even where every tool is green.
    require_human_approval: Annotated[StrictBool, Written(work=False)] = False
    tool: Annotated[ToolName | None, Written(kinds=_TOOL, needed=True)] = None
    #: The arguments of the tool call.
    args: Annotated[_Object, Written(kinds=_TOOL, refers=True)] = field(default_factory=dict[str, Json])
    #: The script, which defines `main(inputs)`.
    code: Annotated[str, Written(kinds=_PACKAGE, needed=True)] = ""
    #: The inputs of a script or subagent.
    inputs: Annotated[_Object, Written(kinds=_PACKAGE | _SUBAGENT, refers=True)] = field(
        default_factory=dict[str, Json]
    )
    #: The tools that the script or subagent may call.
    tools: Annotated[
        _List[Annotated[ToolName, BeforeValidator(_tool_name)]], Written(kinds=_PACKAGE | _SUBAGENT, work=False)
    ] = ()
    #: The JSON Schema of the result of a script or subagent.
    result_schema: Annotated[_Object | None, Written(kinds=_PACKAGE | _SUBAGENT, work=False)] = None
    #: The subagent's role, and what it is to do.
    role: Annotated[str, Written(kinds=_SUBAGENT)] = ""
    instruction: Annotated[str, Written(kinds=_SUBAGENT, needed=True, refers=True)] = ""
    #: References to results that the subagent gets whole.
    files: Annotated[_List[Annotated[_Reference, AfterValidator(_file)]], Written(kinds=_SUBAGENT, refers=True)] = ()
    #: What the subagent returns: a name, or a few words.
    expected_artifact: Annotated[str, Written(kinds=_SUBAGENT)] = ""
    #: The steps that a package was made of, in the order they run. The last one gave the package its id.
    packed: _List[PackedStep] = ()
    #: A reference to a list. The node is a template: it becomes one node for each item, and its result is the list
    #: of their results.
    for_each: Annotated[_Reference, AfterValidator(_list_reference), Written(refers=True)] = ""
    #: The node is skipped when this is not met: a reference whose value is empty, zero, false or null, or a tree.
    when: Annotated[_Condition, Written(refers=True)] = ""
    #: The template that the node is an item of.
    item_of: NodeId | None = None
    #: The node of an earlier turn whose effect this one takes back.
    undoes: NodeId | None = None
    #: Which call of its package or subagent the node is (`agent/plan/script_calls.py`); then `item_of` is that.
    position: Digest | None = None
    #: Of work that a lead hands out: what the lead, or its team, wrote. They come behind `files`.
    handed: _List[HandedFile] = ()
    #: What a person set in place of a result, as `value`: the node does nothing else than to have it. With `file` it is
    #: kept as a file, which others read by its name.
    given: _Object | None = None
    #: The node whose place it takes since a person set a result (`agent/plan/corrections.py`).
    replaces: NodeId | None = None
    #: Whether a node whose place it takes had, or may have had, an effect.
    done_before: bool = False
    #: The variable that a plan gave its result to, where that is not its id (`agent/plan/names.py`).
    name: str = ""

    @cached_property
    def digest(self) -> Digest:
        """Ties a task's name and a ledger row to this very node."""
        return digest_of(node_json(self))

    @cached_property
    def choices(self) -> tuple[tuple[NodeId, ...], ...]:
        """The nodes of each reference to whichever of several nodes succeeded."""
        written = references_in(references_of(self))
        return tuple(dict.fromkeys(reference.nodes for _, reference in written if reference.others))


WRITTEN_FIELDS: Mapping[str, Written] = {
    node_field.name: mark
    for node_field in fields(Node)
    for mark in getattr(node_field.type, "__metadata__", ())
    if isinstance(mark, Written)
}
"""Field -> its mark, for the fields that plans write, in the order of the definition."""

_NODE = TypeAdapter(Node)


def node_from_json(value: Mapping[str, object]) -> Node:
    """Return the node of which `value` holds the fields; other keys are passed over.

    Raises:
        pydantic.ValidationError: a field is missing or has another type.
    """
    return _NODE.validate_python(value)


def node_json(node: Node) -> dict[str, Json]:
    """Return the node's fields as plain JSON, without those that have their default value."""
    printed: dict[str, Json] = _NODE.dump_python(node, exclude_defaults=True)
    return printed


def references_of(node: Node) -> dict[str, Json]:
    """Return field -> value for every field of the node that may hold references."""
    return {name: getattr(node, name) for name, mark in WRITTEN_FIELDS.items() if mark.refers}


def call_arguments(node: Node) -> dict[str, Json]:
    """Return what the plan wrote for the node's work, with references: what a card about it shows."""
    match node.kind:
        case NodeKind.TOOL:
            return dict(node.args)
        case NodeKind.PACKAGE:
            return dict(node.inputs)
        case NodeKind.SUBAGENT:
            fields: dict[str, Json] = {"role": node.role, "instruction": node.instruction}
            fields |= {"inputs": dict(node.inputs)} if node.inputs else {}
            files: list[Json] = [*node.files, *(file.name for file in node.handed)]
            fields |= {"files": files} if files else {}
            return fields | ({"expected_artifact": node.expected_artifact} if node.expected_artifact else {})
        case _:
            assert_never(node.kind)


def same_work(one: Node, other: Node) -> bool:
    """Return whether two nodes do exactly the same, after exactly the same nodes."""
    return frozenset(one.depends_on) == frozenset(other.depends_on) and all(
        getattr(one, name) == getattr(other, name)
        for name, mark in WRITTEN_FIELDS.items()
        if mark.work and name != "depends_on"
    )


@dataclass(frozen=True, kw_only=True)
class Add:
    """Add a node to the plan."""

    node: Node


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Withdraw a node that has not finished."""

    id: NodeId
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Skip:
    """Leave out a node whose condition did not hold. Only the engine adds it."""

    id: NodeId
    #: The node whose result the condition was about.
    because: NodeId
    why: str


Operation: TypeAlias = Add | Cancel | Skip


@dataclass(frozen=True, kw_only=True)
class LoggedOperation:
    """An operation as stored."""

    #: The operation's place in the thread's log, from 1, without gaps.
    seq: int
    #: The number of the thread's run, from 1.
    turn: int
    #: The sender of the message that caused the operation. Its node runs with this person's rights.
    author: UserId
    operation: Operation


def operation_json(operation: Operation) -> dict[str, Json]:
    """Return the operation's JSON form; empty fields are left out."""
    match operation:
        case Add(node=node):
            return {"op": "add", **node_json(node)}
        case Cancel(id=id, why=why):
            return {"op": "cancel", "id": id, "why": why}
        case Skip(id=id, because=because, why=why):
            return {"op": "skip", "id": id, "because": because, "why": why}
        case _:
            assert_never(operation)


def operation_from_json(value: Mapping[str, Json]) -> Operation:
    """Return the operation that `operation_json` printed. `reading/operation_reader.py` reads what a plan writes.

    Raises:
        ValueError, KeyError: it is no operation.
    """
    match value["op"]:
        case "add":
            return Add(node=node_from_json(value))
        case "cancel":
            return Cancel(id=NodeId(str(value["id"])), why=str(value["why"]))
        case "skip":
            because = NodeId(str(value["because"]))
            return Skip(id=NodeId(str(value["id"])), because=because, why=str(value["why"]))
        case other:
            raise ValueError(f"not an operation: {other!r}")


def canonical_json(value: Json) -> str:
    """Return the one spelling of a value: sorted keys, no spaces, UTF-8 kept, NaN refused.

    Raises:
        ValueError: the value holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Json) -> Digest:
    """Return the SHA-256 of the value's canonical JSON."""
    return Digest(hashlib.sha256(canonical_json(value).encode()).hexdigest())


def nodes_added(operations: Sequence[Operation]) -> Mapping[NodeId, Node]:
    """Return node id -> node for every add, in log order."""
    return {operation.node.id: operation.node for operation in operations if isinstance(operation, Add)}
