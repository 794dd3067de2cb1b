"""A thread as a model is reminded of it: earlier turns as a dialogue, the plan as nodes with their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.dialogue import Said
from agent.ids import NodeId
from agent.lifecycle import NodeState, Outcome, state_of
from agent.plan import Add, LoggedOperation, Node
from agent.ports import Message, NodeStanding, PastTurn

_PAST_CHARACTERS = 32 * 1024
"""The most that earlier turns come to; the oldest are left out first."""


@dataclass(frozen=True, kw_only=True)
class ShownNode:
    """A node as a model sees it."""

    node: Node
    state: NodeState
    outcome: Outcome | None = None


def shown_nodes(logged: Sequence[LoggedOperation], standings: Mapping[NodeId, NodeStanding]) -> Sequence[ShownNode]:
    """Return every node of the log with what is known of it, in log order."""
    unknown = NodeStanding(state=NodeState.PLANNED)
    return [
        ShownNode(
            node=each.operation.node,
            state=standings.get(each.operation.node.id, unknown).state,
            outcome=standings.get(each.operation.node.id, unknown).outcome,
        )
        for each in logged
        if isinstance(each.operation, Add)
    ]


def standings_of(outcomes: Mapping[NodeId, Outcome]) -> Mapping[NodeId, NodeStanding]:
    """Return where finished nodes stand."""
    return {node: NodeStanding(state=state_of(each), outcome=each) for node, each in outcomes.items()}


def past_dialogue(past: Sequence[PastTurn]) -> Sequence[Said]:
    """Return earlier turns, oldest first, as alternating human and ai messages."""
    dialogue: list[Said] = []
    left = _PAST_CHARACTERS
    for turn in reversed(past):
        request = request_text(turn.requests)
        left -= len(request) + len(turn.answer)
        if left < 0:
            break
        dialogue[:0] = (Said(by="human", text=request), Said(by="ai", text=turn.answer or "(no answer)"))
    return dialogue


def present_dialogue(messages: Sequence[Message], replies: Sequence[str]) -> Sequence[Said]:
    """Return what this turn was asked so far, for messages that arrive while its plan is running."""
    if not messages:
        return []
    said = "\n\n".join(each for each in replies if each) or "(planned; see the plan so far)"
    return [Said(by="human", text=request_text(messages)), Said(by="ai", text=said)]


def request_text(messages: Sequence[Message]) -> str:
    """Return one message's text as it is, or several as a list with their authors."""
    if len(messages) == 1:
        return messages[0].text
    return "\n".join(f"- <@{each.author}>: " + each.text.replace("\n", "\n  ") for each in messages)
