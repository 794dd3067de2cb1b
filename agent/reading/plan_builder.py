"""Admits operations to a plan one by one, as they are written.

Whole plans and streams go the same way. An operation that needs an unknown node is held back until that node
comes; `close` returns the faults of those that still wait. So every dependency is admitted before its
dependent. Wrong input never raises; it becomes faults.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import chain

from agent.ids import NodeId
from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.packing.packing import packed_ids
from agent.packing.write_call_split import split_red
from agent.plan.file_names import file_read_by, node_of, with_turn
from agent.plan.json_values import truncated
from agent.plan.operations import Add, Cancel, Dependency, Node, NodeKind, Operation, Skip, same_work
from agent.plan.references import references_in
from agent.plan.templates import template_of
from agent.reading.egress import guarded
from agent.reading.validation import Fault, FaultCode, NodeIssue, node_issues, place_of
from agent.tool import Registry, asks_inside, tools_of_role

_NAMES_CHARACTERS = 1000


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An operation and its place in the text."""

    operation: Operation
    #: The line on which it begins, from 1.
    line: int | None = None
    #: JSON pointer into the operation -> line and column of that part, as far as the text has columns.
    place: Callable[[str], tuple[int, int]] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The result of an offer. Both are empty when the operation is held back or repeats a node."""

    #: The operations admitted now, in order.
    admitted: tuple[Operation, ...] = ()
    #: The faults of the offered operation.
    faults: tuple[Fault, ...] = ()


class PlanBuilder:
    """Admits operations to a thread's plan.

    `known` are the nodes of the thread so far. `added_before` are those that this turn added: to add exactly the
    same again is no fault and changes nothing, because a planner that starts over after a crash does it. `added`
    is the number of nodes that the turn has, items of templates included; by default those of `added_before`.
    `requested` are the hosts of the request a model plans for; None: a person wrote the plan. `repeats` says whether
    words repeat something that a node of the thread returned. `names` are those of the thread so far. `turn` is the
    number of this turn, `turns` that of each node so far; without them no node is known to have ended.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        known: Mapping[NodeId, Node],
        added_before: AbstractSet[NodeId] = frozenset(),
        packages: bool = True,
        limits: PlanLimits = DEFAULT_LIMITS,
        added: int | None = None,
        requested: AbstractSet[str] | None = None,
        repeats: Callable[[str], bool] = lambda _: False,
        names: Mapping[str, tuple[NodeId, ...]] | None = None,
        turn: int = 0,
        turns: Mapping[NodeId, int] | None = None,
    ) -> None:
        self._registry = registry
        self._requested = requested
        self._repeats = repeats
        self._names = names or {}
        self._turn = turn
        self._turns = turns or {}
        self._packages = packages
        self._limits = limits
        self._nodes = dict(known)
        self._packed = dict(packed_ids([*known.values()]))
        self._added_before = frozenset(added_before)
        self._earlier = known.keys() - self._added_before
        self._steps_before = {step.id: step for node in self._added_before for step in known[node].packed}
        self._added = len(added_before) if added is None else added
        #: The operations held back, in the order of their offers.
        self._waiting: dict[NodeId, Placed] = {}
        #: A node that is not admitted -> those that wait for it.
        self._awaited: dict[NodeId, list[NodeId]] = {}
        self._templates: set[NodeId] = set()
        #: Template -> the first node whose id is like that of one of its items.
        self._like_items: dict[NodeId, NodeId] = {}
        for node in known.values():
            self._name(node)
        self._refused: set[NodeId] = set()
        #: Nodes that were to be added again as another node: from then on nobody knows which one an id means.
        self._unclear: set[NodeId] = set()
        self._offers = 0
        self._overflow = False

    @property
    def offers(self) -> int:
        """How many operations were offered so far, refused ones included."""
        return self._offers

    def __contains__(self, id: NodeId) -> bool:
        """Return whether the thread has a node of that id, also as a step of a package."""
        return id in self._nodes or id in self._packed or id in self._waiting

    def is_own(self, id: NodeId) -> bool:
        """Return whether this turn added the node before, so that the same may be said again."""
        return id in self._added_before or id in self._steps_before

    def named(self, name: str) -> tuple[NodeId, ...] | None:
        """Return the nodes that a name of the plan so far means: several, when branches made it. None: unknown."""
        if name in self._names:
            return self._names[name]
        return (NodeId(name),) if NodeId(name) in self else None

    def offer(self, placed: Placed) -> Admission:
        """Take the next operation."""
        self._offers += 1
        match placed.operation:
            case Cancel(id=target) if target in self._refused and target not in self._nodes:
                message = f"{target!r} was not accepted, so there is nothing to cancel"
                return _refusal(placed, FaultCode.HELD_BACK, "/id", message)
            case Cancel(id=target) if target not in self._nodes:
                return _refusal(placed, FaultCode.UNKNOWN_NODE, "/id", f"{self._absent(target)} to cancel")
            case Cancel():
                return Admission(admitted=(placed.operation,))
            case Skip():
                return _refusal(placed, FaultCode.BAD_OP, "/op", "only the engine skips a node")
            case Add(node=node):
                parts = [self._guarded(part) for part in self._split(self._completed(node))]
                admissions = [self._offer_node(replace(placed, operation=Add(node=part)), part) for part in parts]
                return Admission(
                    admitted=tuple(chain.from_iterable(admission.admitted for admission in admissions)),
                    faults=tuple(chain.from_iterable(admission.faults for admission in admissions)),
                )

    def refuse(self, fault: Fault) -> None:
        """Remember the node of an operation that could not be read: those that need it are held back."""
        if fault.node:
            self._refuse(NodeId(fault.node))

    def _refuse(self, node: NodeId) -> None:
        (self._unclear if node in self else self._refused).add(node)

    def _split(self, node: Node) -> Sequence[Node]:
        """Return the node, or its parts when its script ends in a red call and nothing else is wrong with it."""
        parts = split_red(node, self._registry) if self._packages else None
        if parts is None or self._is_taken(parts.script) or self._is_taken(parts.call):
            return (node,)
        both = (parts.script, parts.call)
        return (node,) if any(self._issues(part) for part in both) else both

    def _with_role(self, node: Node) -> Node:
        """Return a subagent with what its role has where the plan says nothing: its tools, and its result's schema."""
        role = self._registry.role(node.role) if node.kind is NodeKind.SUBAGENT else None
        if role is None:
            return node
        schema = role.result_schema if node.result_schema is None else node.result_schema
        return replace(node, tools=node.tools or tools_of_role(role, self._registry), result_schema=schema)

    def _completed(self, node: Node) -> Node:
        """Return the node with what follows from what its plan wrote."""
        return self._after_file(self._with_role(node))

    def _after_file(self, node: Node) -> Node:
        """Return a node that names a file as one that waits for the file's node; those of earlier turns have ended."""
        node = with_turn(node, self._turn_of)
        maker = node_of(file_read_by(node) or "")
        if maker is None:
            return node
        if maker not in self and (template := template_of(maker)) is not None and template in self._templates:
            maker = template
        waits = any(dependency.node == maker for dependency in node.depends_on)
        if waits or self._turn_of(maker) < self._turn:
            return node
        # In front, as a written dependency would stand: so the same step is read again from how it is printed.
        return replace(node, depends_on=(Dependency(node=maker), *node.depends_on))

    def _turn_of(self, node: NodeId) -> int:
        return self._turns.get(node, self._turn)

    def _guarded(self, node: Node) -> Node:
        if self._requested is None:
            return node
        asks = guarded(node, self._registry, self._requested, self._repeats)
        return node if asks is not node and self._ran_unasked(node) else asks

    def _ran_unasked(self, node: Node) -> bool:
        """Return whether the plan has this very call, and nobody was asked: again it tells nobody anything new."""
        return node.kind is NodeKind.TOOL and any(
            (other.kind, other.tool, other.args) == (node.kind, node.tool, node.args)
            and not other.require_human_approval
            and next(references_in(dict(other.args)), None) is None
            for other in self._nodes.values()
        )

    def _is_taken(self, node: Node) -> bool:
        """Return whether the node's id is that of another one."""
        taken = node.id in self._nodes or node.id in self._waiting or node.id in self._packed
        return taken and not self.repeats(node)

    def _does_the_same(self, node: Node) -> bool:
        """Return whether the turn's node of that id does what this one would; then an id means either."""
        known = self._nodes.get(node.id)
        return known is not None and node.id not in self._earlier and same_work(known, node)

    def repeats(self, node: Node) -> bool:
        """Return whether the turn has exactly this node, or had it before it became a step of a package."""
        node = self._completed(node)
        if (step := self._steps_before.get(node.id)) is not None:
            return step.digest is None or step.digest == node.digest
        return node.id in self._added_before and self._nodes[node.id].digest == node.digest

    def _issues(self, node: Node) -> Sequence[NodeIssue]:
        return tuple(node_issues(node, self._registry, self._limits, packages=self._packages))

    def _offer_node(self, placed: Placed, node: Node) -> Admission:
        if self.repeats(node):
            return Admission()
        if self._is_taken(node):
            if not self._does_the_same(node):
                self._refuse(node.id)
            message = f"the thread already has a node {node.id!r}; choose another id"
            return _refusal(placed, FaultCode.DUPLICATE_ID, "/id", message)
        if (clash := self._clash(node)) is not None:
            self._refused.add(node.id)
            return _refusal(placed, FaultCode.DUPLICATE_ID, "/id", clash)
        if issues := self._issues(node):
            self._refused.add(node.id)
            return Admission(faults=tuple(_fault(placed, *issue) for issue in issues))
        if unclear := next((needed.node for needed in node.depends_on if needed.node in self._unclear), None):
            self._refused.add(node.id)
            message = f"not accepted, because another {unclear!r} was not; send it again with the id that it means"
            return _refusal(placed, FaultCode.HELD_BACK, place_of(node, unclear), message)
        if self._added + len(self._waiting) >= self._limits.nodes:
            self._refused.add(node.id)
            return self._too_many(placed)
        self._waiting[node.id] = placed
        self._name(node)
        return Admission(admitted=tuple(self._release(node)))

    def _clash(self, node: Node) -> str | None:
        """Return why the id would be mistaken for that of a template's item."""
        template = template_of(node.id)
        if template in self._templates:
            return f"{node.id!r} is the id of an item of {template!r}; choose another id"
        if self._has_items(node) and (item := self._like_items.get(node.id)) is not None:
            return f"{item!r} is the id of an item of {node.id!r}; choose another id"
        return None

    def _name(self, node: Node) -> None:
        """Remember the ids that the node takes away from later ones."""
        if self._has_items(node):
            self._templates.add(node.id)
        if node.item_of is None and (template := template_of(node.id)) is not None:
            self._like_items.setdefault(template, node.id)

    def _has_items(self, node: Node) -> bool:
        """Return whether a run adds nodes that are items of this one: of a list, or calls of a script or subagent."""
        return bool(node.for_each) or asks_inside(node, self._registry)

    def _too_many(self, placed: Placed) -> Admission:
        if self._overflow:
            return Admission()
        self._overflow = True
        message = f"one turn may have {self._limits.nodes} nodes; this one and those after it are left out"
        return _refusal(placed, FaultCode.TOO_MANY_NODES, "", message)

    def _release(self, node: Node) -> Iterator[Operation]:
        """Admit the node, and then those that waited for it; or let it wait."""
        if missing := self._missing(node.id):
            for awaited in missing:
                self._awaited.setdefault(awaited, []).append(node.id)
            return
        ready = [node.id]
        while ready:
            freed: set[NodeId] = set()
            for admitted in ready:
                operation = self._waiting.pop(admitted).operation
                self._nodes[admitted] = _node(operation)
                self._added += 1
                yield operation
                freed.update(waiting for waiting in self._awaited.pop(admitted, ()) if not self._missing(waiting))
            ready = [waiting for waiting in self._waiting if waiting in freed]

    def _missing(self, id: NodeId) -> Sequence[NodeId]:
        node = _node(self._waiting[id].operation)
        return [dependency.node for dependency in node.depends_on if dependency.node not in self._nodes]

    def close(self) -> Sequence[Fault]:
        """Return the faults of the operations still held back, in their order, and drop them."""
        faults: dict[NodeId, Fault] = {}
        named = self._waiting.keys() | self._refused
        for waiting, placed in self._waiting.items():
            if unknown := [missing for missing in self._missing(waiting) if missing not in named]:
                message = self._absent(unknown[0])
                pointer = place_of(_node(placed.operation), unknown[0])
                faults[waiting] = _fault(placed, FaultCode.UNKNOWN_NODE, pointer, message)
        for cycle in _cycles({waiting: self._missing(waiting) for waiting in self._waiting}):
            message = "these nodes wait for each other: " + _listed(" -> ", [*cycle, cycle[0]])
            faults.setdefault(cycle[0], _fault(self._waiting[cycle[0]], FaultCode.CYCLE, "/depends_on", message))
        for waiting, placed in self._waiting.items():
            names = _listed(", ", self._missing(waiting))
            message = f"not accepted, because {names} was not; send it again with what it needs"
            faults.setdefault(waiting, _fault(placed, FaultCode.HELD_BACK, "/depends_on", message))
        ordered = [faults[waiting] for waiting in self._waiting]
        self._refused.update(self._waiting)
        self._waiting.clear()
        return ordered

    def _absent(self, id: NodeId) -> str:
        if (package := self._packed.get(id)) is not None:
            return f"{id!r} is a step inside the package {package!r}; only the package is there"
        return f"there is no node {id!r}"


def _listed(between: str, nodes: Sequence[NodeId]) -> str:
    return truncated(between.join(nodes), _NAMES_CHARACTERS)


def _node(operation: Operation) -> Node:
    assert isinstance(operation, Add)  # noqa: S101 -- only nodes are ever held back
    return operation.node


def _cycles(needs: Mapping[NodeId, Sequence[NodeId]]) -> Iterator[Sequence[NodeId]]:
    """Yield cycles without a common node, each along its edges from its first node in `needs`' order, until none
    is left. Depth first, in time linear in nodes and edges: a node on a cycle, or leading to none, is left out."""
    order = {node: number for number, node in enumerate(needs)}
    seen: set[NodeId] = set()
    for start in needs:
        path: dict[NodeId, Iterator[NodeId]] = {}
        if start not in seen:
            path[start] = iter(needs[start])
        while path:
            node = next(reversed(path))
            follows = next((need for need in path[node] if need in needs and (need in path or need not in seen)), None)
            if follows is None:
                del path[node]
            elif follows not in path:
                path[follows] = iter(needs[follows])
            else:
                nodes = [*path][[*path].index(follows) :]
                first = nodes.index(min(nodes, key=order.__getitem__))
                yield nodes[first:] + nodes[:first]
                for cyclic in nodes:
                    del path[cyclic]
            seen.add(node)


def _fault(placed: Placed, code: FaultCode, pointer: str, message: str) -> Fault:
    operation = placed.operation
    name = operation.node.id if isinstance(operation, Add) else operation.id
    line, column = (placed.line, None) if placed.place is None else placed.place(pointer)
    return Fault(code=code, message=message, line=line, column=column, node=name, pointer=pointer)


def _refusal(placed: Placed, code: FaultCode, pointer: str, message: str) -> Admission:
    return Admission(faults=(_fault(placed, code, pointer, message),))
