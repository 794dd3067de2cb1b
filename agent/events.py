"""What happens in a run, as noted for people: how its plan was packed, changes of nodes, package attempts, calls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from agent.ids import Digest, NodeId, UserId
from agent.packing.packing import Fusion, Split
from agent.plan.operations import Node
from agent.plan.outcomes import NodeState, Outcome
from agent.tool import Colour
from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class NodePlanned:
    """A node entered the plan."""

    turn: int
    node: Node
    colour: Colour
    author: UserId
    at: datetime


@dataclass(frozen=True, kw_only=True)
class PlanPacked:
    """A plan, or what was added to it, was packed: what became one, and why the rest stays apart."""

    turn: int
    fusions: tuple[Fusion, ...]
    splits: tuple[Split, ...]


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


_NO_CALL = Digest("")


@dataclass(frozen=True, kw_only=True)
class SummarizedCall:
    """A tool call of a script as it is told afterwards: `args` is JSON, shortened."""

    tool: str
    args: str
    ok: bool
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class RecordedAnswer:
    """What a green tool answered: `call` is the canonical JSON of tool and arguments."""

    call: str
    value: Json


@dataclass(frozen=True, kw_only=True)
class AttemptEnded:
    """One attempt of a package ended. `attempt` counts from 1; `kind` is a sandbox outcome kind.

    Every text is shortened and can be stored; `logs` are the end of what was printed. `of` is the very
    call the attempt belongs to: the package with these inputs. `answers` are what tools answered for
    the first time in this attempt, kept for the next one, also by another process.
    """

    node: NodeId
    attempt: int
    kind: str
    code: str
    error: str
    traceback: str
    milliseconds: float
    at: datetime
    logs: str = ""
    calls: tuple[SummarizedCall, ...] = ()
    of: Digest = _NO_CALL
    answers: tuple[RecordedAnswer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FoldedChange:
    """All changes of one node in a batch."""

    #: The last state, with the time and outcome of its first note and the detail of its last.
    last: NodeChanged
    #: When the node first ran in this batch.
    ran_at: datetime | None


def folded(changes: Iterable[NodeChanged]) -> Mapping[NodeId, FoldedChange]:
    """Return the changes of each node as one."""
    nodes: dict[NodeId, FoldedChange] = {}
    for change in changes:
        before = nodes.get(change.node)
        last, ran_at = change, change.at if change.state is NodeState.RUNNING else None
        if before is not None:
            ran_at = before.ran_at or ran_at
            if before.last.state is change.state:
                last = replace(before.last, detail=change.detail)
        nodes[change.node] = FoldedChange(last=last, ran_at=ran_at)
    return nodes


RunEvent: TypeAlias = NodePlanned | PlanPacked | NodeChanged | AttemptEnded
