"""Names: which nodes of a thread a variable of its plans means in the answers that follow. Pure.

A name that is assigned again, in a later turn or in another branch, has another node, whose id is the next free one.
From then on it means the newest, and after branches whichever of them ran.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from agent.ids import NodeId
from agent.plan.conditions import Condition
from agent.plan.operations import Add, LoggedOperation, Node
from sandbox.script import Json


def names_in(logged: Sequence[LoggedOperation]) -> Mapping[str, tuple[NodeId, ...]]:
    """Return name -> the nodes of which it is the result, as the operations of a log came."""
    meant: dict[str, tuple[NodeId, ...]] = {}
    name_of: dict[NodeId, str] = {}
    alike: dict[str, tuple[LoggedOperation, list[Condition]]] = {}
    for entry in logged:
        if not isinstance(entry.operation, Add) or entry.operation.node.item_of is not None:
            continue
        node = entry.operation.node
        if node.replaces is not None and node.replaces in name_of:
            name = name_of[node.id] = name_of[node.replaces]
            meant[name] = tuple(node.id if other == node.replaces else other for other in meant[name])
            continue
        for name, made in _names_of(node):
            name_of[made] = name
            first, conditions = alike.get(name, (entry, []))
            is_branch = conditions and (first.turn, first.author) == (entry.turn, entry.author)
            if is_branch and all(_exclude(node.when, other) for other in conditions):
                meant[name] = (*meant[name], made)
                conditions.append(node.when)
            else:
                meant[name] = (made,)
                alike[name] = (entry, [node.when])
    return meant


def _names_of(node: Node) -> Iterator[tuple[str, NodeId]]:
    """Yield the names that a node was given, with ids; what it was packed of has no result any more."""
    yield from ((step.name or step.id, step.id) for step in node.packed if step.id != node.id)
    yield node.name or node.id, node.id


def _exclude(one: Condition, other: Condition) -> bool:
    """Return whether two conditions are of different branches of an `if`: one has the negation of the other's."""
    terms, others = list(_terms(one)), list(_terms(other))
    return any({"not": term} in others for term in terms) or any({"not": term} in terms for term in others)


def _terms(condition: Condition) -> Iterator[Json]:
    match condition:
        case {"all": list() | tuple() as joined}:
            yield from chain([condition], joined)
        case "":
            return
        case _:
            yield condition
