"""Calls of scripts and subagents as nodes of their own: which call one came to, and the node that it becomes. Pure.

A script may call a red tool. The call is a node, an item of its package, with exactly the script's arguments: all that
red nodes have (card, digest, ledger, policy, edits) is true of it. Once it ended the script runs again, and the call is
answered with the node's outcome. A subagent's red calls are such nodes, too, and so is work that a lead hands out.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.ids import Digest, NodeId, ToolName
from agent.plan.operations import Node, NodeKind, digest_of
from agent.plan.outcomes import Outcome, Succeeded
from agent.plan.references import with_literals
from agent.plan.templates import item_id
from sandbox.script import Json

MAY_BEGIN = Succeeded(value={"may_begin": True})
"""How the call of a subagent ends that people were asked about as a whole: they said yes, and its work begins."""

MOST_DIVERGENT_CALLS = 8
"""A package ends once its script came to other arguments than before so often: it would never come to its end."""

_TITLE_CHARACTERS = 150
_OTHER_ARGUMENTS = " (other arguments than when the script ran before)"


@dataclass(frozen=True, kw_only=True)
class ScriptCall:
    """A call that a script or subagent came to, and that becomes a node."""

    tool: ToolName
    args: Mapping[str, Json]
    #: Of a script: of tool and arguments, and of how many equal calls it had made before it in the same run, so the
    #: order in which concurrent calls arrive does not matter. Of a subagent: of its step, and the call's number in it.
    position: Digest
    #: The node that is to do the work, where a lead hands it out; its id and place are still to be filled in.
    worker: Node | None = None


@dataclass(frozen=True, kw_only=True)
class Suspended:
    """How a run of a script or subagent ended that waits for people, or for work it handed out."""

    #: The calls to ask about, in the order the script made them. None is among the decided ones.
    calls: tuple[ScriptCall, ...]
    #: The nodes of calls that an earlier run came to and this one did not, in the order they were asked.
    unreached: tuple[NodeId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DecidedCalls:
    """The calls of a package that people were asked about, and that ended."""

    #: Position -> how it ended; every value is inline, also that of an artifact, whose name is there besides.
    outcomes: Mapping[Digest, Outcome] = field(default_factory=dict[Digest, Outcome])
    #: Position -> its node, in the order they were asked.
    nodes: Mapping[Digest, Node] = field(default_factory=dict[Digest, Node])
    #: Position -> the arguments that a person put in place of a subagent's, of the calls that ran so.
    edited: Mapping[Digest, Mapping[str, Json]] = field(default_factory=dict[Digest, Mapping[str, Json]])


def position_of(tool: str, args: Mapping[str, Json], before: int) -> Digest:
    """Return the position of a call before which the script made that many equal ones."""
    return digest_of([tool, args, before])


def call_nodes(package: Node, known: Collection[Node], suspended: Suspended) -> Sequence[Node]:
    """Return a node for each call that a script came to; `known` are the nodes of its calls so far.

    A call in whose place the script made another one before, of the same tool, says so in its title.
    """
    tools = {node.id: node.tool for node in known}
    replaced = Counter(tools[node] for node in suspended.unreached)
    number = len(known)
    made: list[Node] = []
    for call in suspended.calls:
        diverges = replaced[call.tool] > 0
        replaced[call.tool] -= diverges
        made.append(_call_node(package, call, number + len(made), diverges=diverges))
    return made


def _call_node(package: Node, call: ScriptCall, number: int, *, diverges: bool) -> Node:
    placed = item_id(package.id, number)
    if call.worker is not None:
        worker = replace(call.worker, id=placed, item_of=package.id, position=call.position)
        return replace(worker, replaces=package.replaces, done_before=package.done_before)
    title = f"{package.title}: {call.tool}"
    mark = _OTHER_ARGUMENTS if diverges else ""
    return Node(
        id=placed,
        kind=NodeKind.TOOL,
        title=title[: _TITLE_CHARACTERS - len(mark)] + mark,
        tool=call.tool,
        args=with_literals(call.args),
        item_of=package.id,
        position=call.position,
        replaces=package.replaces,
        done_before=package.done_before,
    )


def divergent(nodes: Collection[Node]) -> int:
    """Return how many of a package's calls stand in the place of others."""
    return sum(node.title.endswith(_OTHER_ARGUMENTS) for node in nodes)
