"""Events of a run, noted for people: how its plan was packed, changes of nodes, attempts of packages."""

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
    """A plan, or an addition to it, was packed: which steps became one, and why the others stay apart."""

    turn: int
    fusions: tuple[Fusion, ...]
    splits: tuple[Split, ...]


@dataclass(frozen=True, kw_only=True)
class NodeChanged:
    """A node's state changed. The same state noted again keeps the time and the outcome of its first note."""

    node: NodeId
    state: NodeState
    at: datetime
    #: Set exactly when `state` is final.
    outcome: Outcome | None = None
    #: One short line for the board.
    detail: str = ""


_NO_CALL = Digest("")


@dataclass(frozen=True, kw_only=True)
class SummarizedCall:
    """A tool call of a script."""

    tool: str
    #: JSON, shortened.
    args: str
    ok: bool
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class RecordedAnswer:
    """An answer of a green tool."""

    #: The canonical JSON of tool and arguments.
    call: str
    value: Json = None
    #: How the call failed; replayed to the very same script only, which a rewrite is not.
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class AttemptEnded:
    """One attempt of a package ended. Every text is shortened and can be stored."""

    node: NodeId
    #: From 1.
    attempt: int
    #: A sandbox outcome kind.
    kind: str
    code: str
    error: str
    traceback: str
    milliseconds: float
    at: datetime
    #: The end of the printed output.
    logs: str = ""
    calls: tuple[SummarizedCall, ...] = ()
    #: The digest of the package's call: the package with these inputs.
    of: Digest = _NO_CALL
    #: Those that tools gave for the first time in this attempt. Stored for the next attempt, in any process, and for
    #: the replay of the run.
    answers: tuple[RecordedAnswer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SubagentStep:
    """A step of a subagent that ended: an answer of its model, or what it was told of one of the answer's calls."""

    node: NodeId
    #: The digest of the subagent's call: the node with these inputs.
    of: Digest
    #: The number of the model's answer, from 1.
    step: int
    #: The number of the answer's call, from 1; 0: the answer itself.
    call: int
    #: `{"text", "calls"}` of an answer, `{"text", "failed"}` of a call; with `file`, the file that the call wrote. And
    #: `seconds`: how long the subagent had worked by then.
    content: Mapping[str, Json]


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
