"""Operations, nodes and the append-only log they form: the plan.

The JSON form (DESIGN section 10) is read by `draft.py` and written by `operation_json`. Keys are
only ever added.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, assert_never

from agent.ids import Digest, NodeId, ToolName, UserId
from sandbox.script import Json


class NodeKind(StrEnum):
    """What a node runs: one tool call, one script, or a role-specialised model."""

    TOOL = "tool"
    PACKAGE = "package"
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
    """A planned node that became a part of a package; `tool` is None when it was a script.

    `digest` is the node's own: it tells the same step said once more from another one of that name.
    """

    id: NodeId
    title: str
    tool: ToolName | None = None
    digest: Digest | None = None


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step of the plan. Fields that its kind does not use stay empty.

    `depends_on` also holds the dependencies implied by references in `args`, `inputs` and
    `instruction`, in the order: written ones first, then implied ones by first appearance.
    With `for_each`, a reference to a list, the node is a template: it becomes one node for each item, whose
    `item_of` names it, and its own result is the list of theirs. With `when`, a reference, it is skipped
    when that value is empty, zero, false or null.
    `packed` are the steps a package was made of by `packaging.py`, in the order they run; the last
    one gave it its id.
    """

    id: NodeId
    kind: NodeKind
    title: str
    depends_on: tuple[Dependency, ...] = ()
    require_human_approval: bool = False
    tool: ToolName | None = None
    args: Mapping[str, Json] = field(default_factory=dict[str, Json])
    code: str = ""
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    tools: tuple[ToolName, ...] = ()
    result_schema: Mapping[str, Json] | None = None
    role: str = ""
    instruction: str = ""
    packed: tuple[PackedStep, ...] = ()
    for_each: str = ""
    when: str = ""
    item_of: NodeId | None = None


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
    """Leave a node out whose condition did not hold, because of what `because` returned. Only the engine adds it."""

    id: NodeId
    because: NodeId
    why: str


Operation: TypeAlias = Add | Cancel | Skip


@dataclass(frozen=True, kw_only=True)
class LoggedOperation:
    """An operation as stored: `seq` orders the thread's log without gaps, from 1.

    `author` is the sender of the message that caused it: its node runs with that person's rights.
    `turn` counts the thread's runs from 1.
    """

    seq: int
    turn: int
    author: UserId
    operation: Operation


def operation_json(operation: Operation) -> dict[str, Json]:
    """Return the operation's JSON form; empty fields are left out."""
    match operation:
        case Add(node=node):
            return {"op": "add", **_node_json(node)}
        case Cancel(id=id, why=why):
            return {"op": "cancel", "id": id, "why": why}
        case Skip(id=id, because=because, why=why):
            return {"op": "skip", "id": id, "because": because, "why": why}
        case _:
            assert_never(operation)


def _node_json(node: Node) -> dict[str, Json]:
    optional: dict[str, Json] = {
        "tool": node.tool,
        "args": node.args or None,
        "depends_on": [_dependency_json(each) for each in node.depends_on] or None,
        "require_human_approval": node.require_human_approval or None,
        "code": node.code or None,
        "inputs": node.inputs or None,
        "tools": list(node.tools) or None,
        "result_schema": node.result_schema,
        "role": node.role or None,
        "instruction": node.instruction or None,
        "packed": [_step_json(each) for each in node.packed] or None,
        "for_each": node.for_each or None,
        "when": node.when or None,
        "item_of": node.item_of,
    }
    kept = {key: value for key, value in optional.items() if value is not None}
    return {"id": node.id, "kind": node.kind.value, "title": node.title, **kept}


def _step_json(step: PackedStep) -> Json:
    optional: dict[str, Json] = {"tool": step.tool, "digest": step.digest}
    return {"id": step.id, "title": step.title} | {key: each for key, each in optional.items() if each is not None}


def _dependency_json(dependency: Dependency) -> Json:
    if dependency.on is On.SUCCEEDED:
        return dependency.node
    return {"id": dependency.node, "on": dependency.on.value}


def operation_from_json(value: Mapping[str, Json]) -> Operation:
    """Read what `operation_json` wrote: a stored operation, trusted. Written plans are read by `reading.py`.

    Raises:
        ValueError, KeyError: it is no operation.
    """
    match value["op"]:
        case "add":
            return Add(node=_node_from_json(value))
        case "cancel":
            return Cancel(id=NodeId(str(value["id"])), why=str(value["why"]))
        case "skip":
            because = NodeId(str(value["because"]))
            return Skip(id=NodeId(str(value["id"])), because=because, why=str(value["why"]))
        case other:
            raise ValueError(f"not an operation: {other!r}")


def _node_from_json(value: Mapping[str, Json]) -> Node:
    schema = value.get("result_schema")
    return Node(
        id=NodeId(str(value["id"])),
        kind=NodeKind(value["kind"]),
        title=str(value["title"]),
        depends_on=tuple(_dependency_from_json(each) for each in _sequence(value.get("depends_on"))),
        require_human_approval=bool(value.get("require_human_approval", False)),
        tool=None if value.get("tool") is None else ToolName(str(value["tool"])),
        args=_mapping(value.get("args")),
        code=str(value.get("code", "")),
        inputs=_mapping(value.get("inputs")),
        tools=tuple(ToolName(str(each)) for each in _sequence(value.get("tools"))),
        result_schema=None if schema is None else _mapping(schema),
        role=str(value.get("role", "")),
        instruction=str(value.get("instruction", "")),
        packed=tuple(_step_from_json(_mapping(each)) for each in _sequence(value.get("packed"))),
        for_each=str(value.get("for_each", "")),
        when=str(value.get("when", "")),
        item_of=None if value.get("item_of") is None else NodeId(str(value["item_of"])),
    )


def _step_from_json(value: Mapping[str, Json]) -> PackedStep:
    tool, digest = value.get("tool"), value.get("digest")
    return PackedStep(
        id=NodeId(str(value["id"])),
        title=str(value["title"]),
        tool=None if tool is None else ToolName(str(tool)),
        digest=None if digest is None else Digest(str(digest)),
    )


def _dependency_from_json(value: Json) -> Dependency:
    if isinstance(value, Mapping):
        return Dependency(node=NodeId(str(value["id"])), on=On(value["on"]))
    return Dependency(node=NodeId(str(value)))


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def canonical_json(value: Json) -> str:
    """Return the one spelling of a value: sorted keys, no spaces, UTF-8 kept, NaN refused.

    Raises:
        ValueError: the value holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Json) -> Digest:
    """Return the SHA-256 of the value's canonical JSON."""
    return Digest(hashlib.sha256(canonical_json(value).encode()).hexdigest())


def node_digest(node: Node) -> Digest:
    """Return the digest that ties a task's name and a ledger row to this very node."""
    return digest_of(_node_json(node))


def nodes_added(operations: Sequence[Operation]) -> Mapping[NodeId, Node]:
    """Return node id -> node for every add, in log order."""
    return {each.node.id: each.node for each in operations if isinstance(each, Add)}
