"""Withdrawal: what else must go when a node is cancelled. Pure.

A node that has finished stays finished, and yet what builds on its result may be pointless by now: its
open card must not be approved any more. So a cancel is stored together with those of its dependents.
"""

from collections.abc import Mapping, Sequence

from agent.ids import NodeId
from agent.lifecycle import Succeeded
from agent.plan import Cancel, LoggedOperation, On, Operation, nodes_added
from agent.ports import NodeStanding


def with_dependents(
    operation: Operation, logged: Sequence[LoggedOperation], standings: Mapping[NodeId, NodeStanding]
) -> Sequence[Operation]:
    """Return the operation; after a cancel, also those of every unfinished node that needs its success, in plan order.

    It does not matter whether the cancelled node has finished: by the time the cancel is acted on it may have.
    """
    if not isinstance(operation, Cancel):
        return [operation]
    outcomes = {node: each.outcome for node, each in standings.items()}
    behind = dict.fromkeys([operation.id])
    # In the log a dependency stands before its dependents, so once through is enough.
    for node in nodes_added([each.operation for each in logged]).values():
        needs = any(each.node in behind and each.on is On.SUCCEEDED for each in node.depends_on)
        if needs and isinstance(outcomes.get(node.id), Succeeded | None):
            behind[node.id] = None
    unfinished = [each for each in behind if each != operation.id and outcomes.get(each) is None]
    return [operation, *(Cancel(id=each, why=operation.why) for each in unfinished)]
