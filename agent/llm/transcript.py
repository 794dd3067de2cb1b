"""A thread as a model is reminded of it: earlier turns as a dialogue, the plan as nodes with their results."""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from agent.ids import NodeId, UserId
from agent.plan.operations import Add, LoggedOperation, Node, nodes_added
from agent.plan.outcomes import NodeState, NodeStatus, Outcome, Succeeded, state_of
from agent.ports import ChatMessage, Message, PastTurn

Names: TypeAlias = Mapping[str, str]
"""Id of a person or channel -> name."""

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)>|<#([CG][A-Z0-9]+)>")
_NAME_CHARACTERS = 80
_NO_NAMES: Names = {}


@dataclass(frozen=True, kw_only=True)
class ShownNode:
    """A node as a model sees it. `earlier`: of an earlier turn, so its result is shown by reference."""

    node: Node
    state: NodeState
    outcome: Outcome | None = None
    earlier: bool = False


def shown_nodes(
    logged: Sequence[LoggedOperation], standings: Mapping[NodeId, NodeStatus], turn: int = 0
) -> Sequence[ShownNode]:
    """Return every node of the log with what is known of it, in log order. Those before `turn` are earlier ones."""
    unknown = NodeStatus(state=NodeState.PLANNED)
    return [
        ShownNode(
            node=each.operation.node,
            state=standings.get(each.operation.node.id, unknown).state,
            outcome=standings.get(each.operation.node.id, unknown).outcome,
            earlier=each.turn < turn,
        )
        for each in logged
        if isinstance(each.operation, Add)
    ]


def standings_of(outcomes: Mapping[NodeId, Outcome]) -> Mapping[NodeId, NodeStatus]:
    """Return where finished nodes stand."""
    return {node: NodeStatus(state=state_of(each), outcome=each) for node, each in outcomes.items()}


def by_author(messages: Sequence[Message]) -> Mapping[UserId, Sequence[Message]]:
    """Return author -> their messages in order; who wrote first comes first."""
    found: dict[UserId, list[Message]] = {}
    for each in messages:
        found.setdefault(each.author, []).append(each)
    return found


def ended_otherwise(logged: Sequence[LoggedOperation], standings: Mapping[NodeId, NodeStatus]) -> AbstractSet[NodeId]:
    """Return the nodes that ended without success: to add one of them once more is to try it again, under a new id."""
    outcomes = {node: each.outcome for node, each in standings.items()}
    added = nodes_added([each.operation for each in logged])
    return {each for each in added if not isinstance(outcomes.get(each), Succeeded | None)}


def turns_dialogue(past: Sequence[PastTurn], names: Names = _NO_NAMES) -> Sequence[ChatMessage]:
    """Return earlier turns, oldest first, as alternating human and ai messages."""
    dialogue: list[ChatMessage] = []
    for turn in past:
        said = turn.answer or "\n\n".join(each for each in turn.replies if each) or "(no answer)"
        dialogue += (ChatMessage(by="human", text=request_text(turn.requests, names)), ChatMessage(by="ai", text=said))
    return dialogue


def present_dialogue(
    messages: Sequence[Message], replies: Sequence[str], names: Names = _NO_NAMES
) -> Sequence[ChatMessage]:
    """Return what this turn was asked so far, for messages that arrive while its plan is running."""
    if not messages:
        return []
    said = "\n\n".join(each for each in replies if each) or "(planned; see the plan so far)"
    return [ChatMessage(by="human", text=request_text(messages, names)), ChatMessage(by="ai", text=said)]


def request_text(messages: Sequence[Message], names: Names = _NO_NAMES) -> str:
    """Return one message's text as it is, or several as a list with their authors."""
    if len(messages) == 1:
        return named(messages[0].text, names)
    return "\n".join(
        f"- {named(f'<@{each.author}>', names)}: " + named(each.text, names).replace("\n", "\n  ") for each in messages
    )


def mentioned(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the ids of the people and channels that messages mention, authors first, each once."""
    written = (found[1] or found[2] for each in messages for found in _MENTION.finditer(each.text))
    yield from dict.fromkeys([*(each.author for each in messages), *written])


def named(text: str, names: Names) -> str:
    """Return the text with names beside the ids: `<@U1>` becomes `<@U1|Ada>`, `<#C1>` becomes `#ops`."""

    def put(found: re.Match[str]) -> str:
        # A name is somebody's own words: it must not end the mention, nor the line.
        name = re.sub(r"[\s<>|\"\\]+", " ", names.get(found[1] or found[2], "")).strip()[:_NAME_CHARACTERS]
        if not name:
            return found[0]
        return f"<@{found[1]}|{name}>" if found[1] else f"#{name}"

    return _MENTION.sub(put, text) if names else text
