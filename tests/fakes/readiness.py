"""Readiness from its definition: what the frontier, which updates it edge by edge, must agree with."""

from collections.abc import Mapping

from agent.ids import NodeId
from agent.plan.dependencies import Blocked, NodeReadiness, Readiness
from agent.plan.operations import Node
from agent.plan.outcomes import Outcome, Succeeded, satisfies


def readiness(node: Node, outcomes: Mapping[NodeId, Outcome]) -> NodeReadiness:
    """Return whether a node can start, must wait or is blocked, given everything that has ended so far."""
    waiting = False
    for dependency in node.depends_on:
        outcome = outcomes.get(dependency.node)
        if outcome is None:
            waiting = True
        elif not satisfies(outcome, dependency.on):
            return Blocked(because=dependency.node)
    for choice in node.choices:
        ended = [outcomes[other] for other in choice if other in outcomes]
        if len(ended) == len(choice) and not any(isinstance(outcome, Succeeded) for outcome in ended):
            return Blocked(because=choice[0])
    return Readiness.WAITING if waiting else Readiness.READY
