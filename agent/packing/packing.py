"""Split or package: which steps of a plan run together as one script, and why the others do not. Pure.

The four rules: a chain of green steps that no other step needs becomes one Package;
the consumers of one step stay apart, and so do the sources of one step, which may begin a Package
itself; anything denser is left to the DAG. A red step is never packed, nor a script that calls red tools.

A Package keeps the id of its last step, the only one that others may refer to. It waits for what
its first step waited for, so it starts as early as that one did, and nothing gets a new order.
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.ids import NodeId, ToolName
from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.packing.script_checks import BRIDGES, is_dense, parsed
from agent.packing.script_writer import CannotPack, fitness, packed_script
from agent.plan.file_names import FILES_WRITE, file_read_by
from agent.plan.operations import (
    Add,
    Cancel,
    Dependency,
    Node,
    NodeKind,
    On,
    Operation,
    PackedStep,
    canonical_json,
    nodes_added,
    operation_json,
)
from agent.tool import Colour, Registry, asks_inside, colour_of
from sandbox.script import Json

STEPS = 8
"""The most steps of one Package: steps that run together also fail and are retried together."""

_ARROW = " → "


class Reason(StrEnum):
    """Why two steps that follow each other stay apart."""

    RED = "a step that asks a person first stays alone"
    FAN_OUT = "several steps need its result, and they run at the same time"
    JOIN = "it joins several sources, which stay apart"
    OTHERWISE = "it runs when something failed or merely ended"
    OBSERVED = "another step waits for its failure or its end"
    CHECKED = "its result is held against a schema before others see it"
    PACKED = "one of them is packed already"
    CANCELLED = "one of them is withdrawn"
    KEPT = "one of them may be at work already"
    SUBAGENT = "a subagent is no part of a script"
    TEMPLATE = "it becomes one step for each item of a list"
    CONDITION = "it runs only on a condition"
    UNWRITABLE = "it cannot stand inside a longer script"
    FULL = "the package would become too large"
    CHOICE = "it takes the result of whichever of several steps ran"
    FILE = "it reads a file by its name"
    REACHES_OUT = "its script could ask hosts that only another step may ask"


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """A chain that became one Package."""

    #: In the order they run. The last gives the Package its id.
    steps: tuple[NodeId, ...]

    def __str__(self) -> str:
        return "packed: " + " -> ".join(self.steps)


@dataclass(frozen=True, kw_only=True)
class Split:
    """`after` stays a node of its own although it follows `before`."""

    before: NodeId
    after: NodeId
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        more = f" ({self.detail})" if self.detail else ""
        return f"apart: {self.before} -> {self.after}: {self.reason.value}{more}"


@dataclass(frozen=True, kw_only=True)
class Packing:
    """The packed plan, and what was decided: every fusion, and a reason for each edge that stayed."""

    operations: tuple[Operation, ...]
    fusions: tuple[Fusion, ...] = ()
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TurnPacking:
    """The decisions for all plans of a turn, each fusion and each split once."""

    fusions: tuple[Fusion, ...] = ()
    splits: tuple[Split, ...] = ()

    def merged(self, fusions: Iterable[Fusion], splits: Iterable[Split]) -> "TurnPacking":
        """Add what was decided; a plan that was packed again after a crash adds nothing."""
        return TurnPacking(
            fusions=tuple(dict.fromkeys((*self.fusions, *fusions))),
            splits=tuple(dict.fromkeys((*self.splits, *splits))),
        )


def packing_json(packing: TurnPacking) -> Mapping[str, Json]:
    """Return the decisions as JSON."""
    return {
        "fusions": [list(fusion.steps) for fusion in packing.fusions],
        "splits": [[split.before, split.after, split.reason.name, split.detail] for split in packing.splits],
    }


def packing_from_json(value: Mapping[str, Any]) -> TurnPacking:
    """Return what `packing_json` wrote; splits for a reason of another version are left out."""
    return TurnPacking(
        fusions=tuple(Fusion(steps=tuple(steps)) for steps in value.get("fusions", ())),
        splits=tuple(
            Split(before=before, after=after, reason=Reason[reason], detail=detail)
            for before, after, reason, detail in value.get("splits", ())
            if reason in Reason.__members__
        ),
    )


def pack(
    operations: Sequence[Operation],
    registry: Registry,
    *,
    keep: Collection[NodeId] = (),
    limits: PlanLimits = DEFAULT_LIMITS,
) -> Packing:
    """Return a valid plan with its chains fused. Packing the result again changes nothing.

    The operations come in an order in which every dependency comes before its dependent, and are
    returned in one. Nodes that are only referred to may be finished or at work elsewhere. `keep`
    are nodes that stay as they are. All operations have one author: a script runs with one person's rights.
    """
    nodes = dict(nodes_added(operations))
    cancelled = frozenset(operation.id for operation in operations if isinstance(operation, Cancel))
    chains = _Chains(nodes, registry, cancelled, frozenset(keep), limits)
    packages: dict[NodeId, Node] = {}
    inner: set[NodeId] = set()
    for node in nodes:
        if node in inner or node in packages:
            continue
        chain, package = chains.longest_from(node)
        if package is not None:
            packages[package.id] = package
            inner.update(chain[:-1])
    packed = tuple(
        Add(node=packages.get(operation.node.id, operation.node)) if isinstance(operation, Add) else operation
        for operation in operations
        if not (isinstance(operation, Add) and operation.node.id in inner)
    )
    fusions = tuple(Fusion(steps=tuple(step.id for step in package.packed)) for package in packages.values())
    return Packing(operations=packed, fusions=fusions, splits=tuple(chains.splits(packages)))


def packed_ids(nodes: Collection[Node]) -> Mapping[NodeId, NodeId]:
    """Return step -> Package for the steps whose own ids nothing can refer to any more."""
    return {step.id: node.id for node in nodes for step in node.packed if step.id != node.id}


def only_calls(node: Node) -> bool:
    """Return whether a Package's script only calls tools. No rewrite can repair it then."""
    return bool(node.packed) and all(step.tool is not None for step in node.packed)


class _Chains:
    """Finds chains in one plan."""

    def __init__(
        self,
        nodes: Mapping[NodeId, Node],
        registry: Registry,
        cancelled: AbstractSet[NodeId],
        keep: AbstractSet[NodeId],
        limits: PlanLimits,
    ) -> None:
        self._nodes = nodes
        self._registry = registry
        self._cancelled = cancelled
        self._keep = keep
        self._limits = limits
        self._consumers: dict[NodeId, list[NodeId]] = {node: [] for node in nodes}
        self._observed: set[NodeId] = set()
        for node in nodes.values():
            for dependency in node.depends_on:
                self._consumers.setdefault(dependency.node, []).append(node.id)
                if dependency.on is not On.SUCCEEDED:
                    self._observed.add(dependency.node)
        self._apart: dict[NodeId, tuple[Reason, str] | None] = {}

    def longest_from(self, head: NodeId) -> tuple[Sequence[NodeId], Node | None]:
        """Return the longest chain that begins with `head`, and the Package it becomes, if it becomes one."""
        path = self._path(head)
        for length in range(len(path), 1, -1):
            chain = path[:length]
            if self._is_closed(chain) and (package := self._package(chain)) is not None:
                return chain, package
        return (head,), None

    def _path(self, head: NodeId) -> tuple[NodeId, ...]:
        """Follow the plan from `head` while the next step waits for nothing else than `head` does."""
        path = [head]
        if self._alone(head) is not None:
            return (head,)
        while len(path) < STEPS and not self._ends_chain(path[-1]):
            given = {*(Dependency(node=step) for step in path), *self._nodes[head].depends_on}
            followers = (
                consumer
                for consumer in self._consumers[path[-1]]
                if self._alone(consumer) is None and given.issuperset(self._nodes[consumer].depends_on)
            )
            if (following := next(followers, None)) is None:
                break
            path.append(following)
        return tuple(path)

    def _is_closed(self, chain: Sequence[NodeId]) -> bool:
        """Return whether no step outside needs an inner one, and none waits for the last one's failure.

        If an inner step failed, the last one would be skipped; as a Package it fails.
        """
        members = frozenset(chain)
        return chain[-1] not in self._observed and all(members.issuperset(self._consumers[step]) for step in chain[:-1])

    def _package(self, chain: Sequence[NodeId]) -> Node | None:
        steps = [self._nodes[step] for step in chain]
        script = packed_script(steps)
        if isinstance(script, CannotPack):
            return None
        last = steps[-1]
        package = Node(
            id=last.id,
            kind=NodeKind.PACKAGE,
            title=self._title(steps),
            depends_on=_outside(steps),
            code=script.code,
            inputs=script.inputs,
            tools=script.tools,
            result_schema=last.result_schema,
            packed=tuple(
                PackedStep(id=step.id, title=step.title, tool=step.tool, digest=step.digest, name=step.name)
                for step in steps
            ),
            name=last.name,
        )
        return package if self._fits(package) else None

    def _title(self, steps: Sequence[Node]) -> str:
        title = _ARROW.join(step.title for step in steps)
        return title if len(title) <= self._limits.title_characters else steps[-1].title

    def _fits(self, package: Node) -> bool:
        if is_dense(package.code):
            return False
        size = len(canonical_json(operation_json(Add(node=package))).encode())
        return len(package.code.encode()) <= self._limits.code_bytes and size <= self._limits.operation_bytes

    def _ends_chain(self, id: NodeId) -> bool:
        return self._nodes[id].result_schema is not None

    def _alone(self, id: NodeId) -> tuple[Reason, str] | None:
        """Return why a node is in no chain, whatever comes before or after it, or None."""
        if id not in self._apart:
            self._apart[id] = self._why_alone(self._nodes[id])
        return self._apart[id]

    def _why_alone(self, node: Node) -> tuple[Reason, str] | None:
        holds = {
            Reason.SUBAGENT: node.kind is NodeKind.SUBAGENT,
            Reason.RED: colour_of(node, self._registry) is not Colour.GREEN or asks_inside(node, self._registry),
            Reason.PACKED: node.packed,
            Reason.TEMPLATE: node.for_each or node.item_of is not None,
            Reason.CONDITION: node.when,
            Reason.CHOICE: node.choices,
            # In a script it would be a call that finds the name while it runs: other rights, and another step's file.
            Reason.FILE: file_read_by(node) is not None,
            Reason.REACHES_OUT: not _keeps_to_its_tools(node, self._registry),
            Reason.CANCELLED: node.id in self._cancelled,
            Reason.KEPT: node.id in self._keep,
        }
        if (reason := next((reason for reason, is_so in holds.items() if is_so), None)) is not None:
            return reason, ""
        refused = fitness(node)
        return None if refused is None else (Reason.UNWRITABLE, refused.why)

    def splits(self, packages: Mapping[NodeId, Node]) -> Iterator[Split]:
        """Yield the reason for every edge of the plan that is not inside a Package, in plan order."""
        home = {step.id: package.id for package in packages.values() for step in package.packed}
        for node in self._nodes.values():
            for dependency in node.depends_on:
                before = dependency.node
                inside = before in home and home[before] == home.get(node.id)
                if before in self._nodes and not inside:
                    reason, detail = self._reason(dependency, node)
                    yield Split(before=before, after=node.id, reason=reason, detail=detail)

    def _reason(self, dependency: Dependency, after: Node) -> tuple[Reason, str]:
        before = dependency.node
        if (alone := self._alone(after.id) or self._alone(before)) is not None:
            return alone
        if dependency.on is not On.SUCCEEDED:
            return Reason.OTHERWISE, ""
        if len(self._consumers[before]) > 1:
            return Reason.FAN_OUT, ""
        if len(after.depends_on) > 1:
            return Reason.JOIN, ""
        if self._ends_chain(before):
            return Reason.CHECKED, ""
        return (Reason.OBSERVED if after.id in self._observed else Reason.FULL), ""


def _keeps_to_its_tools(node: Node, registry: Registry) -> bool:
    """Return whether a script certainly calls only the tools it declares, and none that leads out.

    Packed with other steps, it could call theirs, too.
    """
    if node.kind is not NodeKind.PACKAGE or not any(bridge in node.code for bridge in BRIDGES):
        return True
    module = parsed(node.code)
    if module is None or any(tool.egress is not None for tool in map(registry.find, node.tools) if tool is not None):
        return False
    bridges = [part for part in ast.walk(module) if isinstance(part, ast.Name) and part.id in BRIDGES]
    calls = [part for part in ast.walk(module) if isinstance(part, ast.Attribute) and part.value in bridges]
    return len(bridges) == len(calls) and all(ToolName(call.attr) in (*node.tools, FILES_WRITE) for call in calls)


def _outside(steps: Sequence[Node]) -> tuple[Dependency, ...]:
    inner = {step.id for step in steps}
    return tuple(dict.fromkeys(edge for step in steps for edge in step.depends_on if edge.node not in inner))
