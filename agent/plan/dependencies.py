"""The frontier of a plan: which nodes are ready, waiting or blocked. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from agent.ids import NodeId
from agent.plan.operations import Cancel, LoggedOperation, Node, On, Operation, nodes_added
from agent.plan.outcomes import NodeState, NodeStatus, Outcome, Skipped, Succeeded, satisfies


class Readiness(Enum):
    """Whether a node that is not blocked can start."""

    READY = "ready"
    WAITING = "waiting"


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """The node can never run."""

    #: The dependency that ended otherwise than required.
    because: NodeId


NodeReadiness: TypeAlias = Readiness | Blocked


@dataclass(frozen=True)
class _Edge:
    child: NodeId
    on: On


class Frontier:
    """Which nodes of a growing plan are ready, waiting or blocked, in constant time per edge.

    Takes nodes and outcomes in any order. One unmet dependency blocks at once, whatever the others still do: a person
    sees early that the node cannot run any more, and a run parks with as little open as possible. Of several reasons
    to be blocked the first stays.
    """

    def __init__(self, outcomes: Mapping[NodeId, Outcome]) -> None:
        self._outcomes = dict(outcomes)
        self._nodes: dict[NodeId, Node] = {}
        self._edges: dict[NodeId, list[_Edge]] = {}
        self._missing: dict[NodeId, int] = {}
        self._blocked: dict[NodeId, Blocked] = {}
        self._items: dict[NodeId, Sequence[NodeId]] = {}
        self._made: dict[NodeId, list[NodeId]] = {}

    @property
    def outcomes(self) -> Mapping[NodeId, Outcome]:
        """Node id -> how it ended, earlier turns included. A live view."""
        return self._outcomes

    def __contains__(self, node: NodeId) -> bool:
        return node in self._nodes

    @property
    def unfinished(self) -> Sequence[NodeId]:
        """The nodes of the plan that have not ended, in plan order."""
        return [node for node in self._nodes if node not in self._outcomes]

    def add(self, node: Node) -> None:
        """Enter a node that is not in the plan yet."""
        self._nodes[node.id] = node
        self._missing[node.id] = 0
        if node.item_of is not None:
            self._made.setdefault(node.item_of, []).append(node.id)
        for dependency in node.depends_on:
            outcome = self._outcomes.get(dependency.node)
            if outcome is None:
                self._missing[node.id] += 1
                self._edges.setdefault(dependency.node, []).append(_Edge(node.id, dependency.on))
            elif not satisfies(outcome, dependency.on):
                self._blocked.setdefault(node.id, Blocked(because=dependency.node))
        self._block_without_choice(node)

    def recall(self, outcomes: Mapping[NodeId, Outcome]) -> None:
        """Enter how nodes of earlier turns ended, before a node that needs them is added."""
        for node, outcome in outcomes.items():
            self._outcomes.setdefault(node, outcome)

    def wait_for_items(self, template: NodeId, items: Sequence[NodeId]) -> None:
        """Make a template of the plan wait for its items' ends, too. They may enter the plan later.

        So does a script for its calls; it may come to others later.
        """
        known = self._items.get(template, ())
        new = [item for item in items if item not in known]
        self._items[template] = [*known, *new]
        for item in new:
            if item not in self._outcomes:
                self._missing[template] += 1
                self._edges.setdefault(item, []).append(_Edge(template, On.FINISHED))

    def items_of(self, template: NodeId) -> Sequence[NodeId]:
        """Return the items of a template that are in the plan, in plan order."""
        return tuple(self._made.get(template, ()))

    def finish(self, node: NodeId, outcome: Outcome) -> Sequence[NodeId]:
        """Enter how a node ended; return the dependents that no longer wait because of it."""
        self._outcomes[node] = outcome
        decided: dict[NodeId, None] = {}
        for edge in self._edges.pop(node, ()):
            waited = self.readiness(edge.child) is Readiness.WAITING
            self._missing[edge.child] -= 1
            if not satisfies(outcome, edge.on):
                self._blocked.setdefault(edge.child, Blocked(because=node))
            self._block_without_choice(self._nodes[edge.child])
            if waited and self.readiness(edge.child) is not Readiness.WAITING:
                decided[edge.child] = None
        return [child for child in decided if child not in self._outcomes]

    def _block_without_choice(self, node: Node) -> None:
        """Block a node that takes the result of whichever of several nodes succeeded, once all ended and none did."""
        if all(dependency.on is On.SUCCEEDED for dependency in node.depends_on):
            return  # cheap: such a node waits for other ends, too
        for choice in node.choices:
            ends = {other: outcome for other in choice if (outcome := self._outcomes.get(other)) is not None}
            if len(ends) == len(choice) and not any(isinstance(outcome, Succeeded) for outcome in ends.values()):
                because = next(
                    (other for other, outcome in ends.items() if not isinstance(outcome, Skipped)), choice[0]
                )
                self._blocked.setdefault(node.id, Blocked(because=because))

    def readiness(self, node: NodeId) -> NodeReadiness:
        """Return whether a node of the plan can start, must wait or is blocked."""
        if (blocked := self._blocked.get(node)) is not None:
            return blocked
        return Readiness.WAITING if self._missing[node] else Readiness.READY

    def missing(self, node: NodeId) -> NodeId:
        """Return the dependency that a waiting node waits for: one that is not in the plan, or else the first
        that has not ended."""
        awaited = [*(dependency.node for dependency in self._nodes[node].depends_on), *self._items.get(node, ())]
        unended = [dependency for dependency in awaited if dependency not in self._outcomes]
        return next((dependency for dependency in unended if dependency not in self._nodes), unended[0])

    def behind(self, node: NodeId) -> Sequence[Node]:
        """Return every node that waits for this one, directly or through others, in plan order."""
        found: set[NodeId] = set()
        heads = [node]
        while heads:
            children = {edge.child for edge in self._edges.get(heads.pop(), ())}
            heads.extend(children - found)
            found |= children
        return [self._nodes[waiting] for waiting in self.unfinished if waiting in found]


def with_dependents(
    operation: Operation, logged: Sequence[LoggedOperation], statuses: Mapping[NodeId, NodeStatus]
) -> Sequence[Operation]:
    """Return the operation; after a cancel, also those of every unfinished node that needs its success, in plan order.

    It does not matter whether the cancelled node has finished: by the time the cancel is acted on it may have.
    """
    if not isinstance(operation, Cancel):
        return [operation]
    outcomes = {node: status.outcome for node, status in statuses.items()}
    behind = dict.fromkeys([operation.id])
    # In the log a dependency comes before its dependents, so one pass is enough.
    for node in nodes_added([entry.operation for entry in logged]).values():
        needs = any(edge.node in behind and edge.on is On.SUCCEEDED for edge in node.depends_on)
        needs = needs or any(_is_lost(choice, behind, outcomes) for choice in node.choices)
        if needs and isinstance(outcomes.get(node.id), Succeeded | None):
            behind[node.id] = None
    unfinished = [node for node in behind if node != operation.id and outcomes.get(node) is None]
    return [operation, *(Cancel(id=node, why=operation.why) for node in unfinished)]


def _is_lost(choice: Sequence[NodeId], behind: Collection[NodeId], outcomes: Mapping[NodeId, Outcome | None]) -> bool:
    """Return whether no node is left whose result stands in for those that a cancel takes back."""
    if not any(node in behind for node in choice):
        return False
    for node in choice:
        outcome = outcomes.get(node)
        if isinstance(outcome, Succeeded | None) and (node not in behind or outcome is not None):
            return node in behind  # the first that has succeeded, or still can
    return True


class PlannedNode(NamedTuple):
    """A node as `waiting_behind` reads it."""

    id: NodeId
    title: str
    state: NodeState
    depends_on: Collection[NodeId]


_UNFINISHED = frozenset({NodeState.PLANNED, NodeState.RUNNING, NodeState.ASKING, NodeState.UNKNOWN})


def waiting_behind(source: NodeId, planned: Sequence[PlannedNode]) -> tuple[str, ...]:
    """Return the titles of the unfinished nodes that depend on `source`, directly or not, in plan order."""
    behind = {source}
    while more := {node.id for node in planned if node.id not in behind and not behind.isdisjoint(node.depends_on)}:
        behind |= more
    return tuple(node.title for node in planned if node.id in behind - {source} and node.state in _UNFINISHED)
