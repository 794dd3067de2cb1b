"""What happens in a run, as noted for people: changes of nodes, package attempts, calls."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from agent.ids import NodeId, UserId
from agent.lifecycle import NodeState, Outcome
from agent.plan import Node
from agent.tools.registry import Colour


@dataclass(frozen=True, kw_only=True)
class NodePlanned:
    """A node entered the plan."""

    turn: int
    node: Node
    colour: Colour
    author: UserId
    at: datetime


@dataclass(frozen=True, kw_only=True)
class NodeChanged:
    """A node's state moved. Noting the same state again changes nothing, its time included.

    `outcome` is set exactly when `state` is final. `detail` is one short line for the board.
    """

    node: NodeId
    state: NodeState
    at: datetime
    outcome: Outcome | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class AttemptEnded:
    """One attempt of a package ended. `attempt` counts from 1; `kind` is a sandbox outcome kind."""

    node: NodeId
    attempt: int
    kind: str
    code: str
    error: str
    traceback: str
    milliseconds: float
    at: datetime


RunEvent: TypeAlias = NodePlanned | NodeChanged | AttemptEnded
