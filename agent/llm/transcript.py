"""A thread as models see it: earlier turns as a dialogue, the plan as nodes with their results."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from agent.ids import NodeId, ToolName, UserId
from agent.plan.operations import Add, LoggedOperation, Node
from agent.plan.outcomes import Cancelled, Failed, NodeState, NodeStatus, Outcome, Rejected, Succeeded, state_of
from agent.plan.sources import OutputSources
from agent.ports import ChatMessage, Message, PastTurn

Names: TypeAlias = Mapping[str, str]
"""Id of a person or channel -> name."""

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)>|<#([CG][A-Z0-9]+)>")
_NAME_CHARACTERS = 80
_NO_NAMES: Names = {}


@dataclass(frozen=True, kw_only=True)
class ShownNode:
    """A node as a model sees it."""

    node: Node
    state: NodeState
    outcome: Outcome | None = None
    #: Of an earlier turn, so its result is shown by reference.
    earlier: bool = False
    #: The person whose rights its result took, where the one who asks is another: then that there is one is all they
    #: learn of it.
    withheld_by: UserId | None = None


def shown_nodes(
    logged: Sequence[LoggedOperation], statuses: Mapping[NodeId, NodeStatus], turn: int = 0
) -> Sequence[ShownNode]:
    """Return every node of the log with its status, in log order. Those of turns before `turn` are earlier ones."""
    planned = NodeStatus(state=NodeState.PLANNED)
    return [
        ShownNode(node=node, state=status.state, outcome=status.outcome, earlier=entry.turn < turn)
        for entry in logged
        if isinstance(entry.operation, Add)
        for node in [entry.operation.node]
        for status in [statuses.get(node.id, planned)]
    ]


def withheld(nodes: Sequence[ShownNode], owners: Mapping[NodeId, UserId]) -> Sequence[ShownNode]:
    """Return the nodes without the results that are other people's; `owners` is node -> whose."""
    return [replace(shown, withheld_by=owners.get(shown.node.id)) for shown in nodes]


def owners_of(
    logged: Sequence[LoggedOperation], reader: UserId, is_personal: Callable[[ToolName], bool]
) -> Mapping[NodeId, UserId]:
    """Return node -> the person whose rights its result took, of the results that `reader` may not read."""
    sources = OutputSources()
    for entry in logged:
        if isinstance(entry.operation, Add):
            sources.add(entry.author, entry.operation.node)
    found: dict[NodeId, UserId] = {}
    for entry in logged:
        if not isinstance(entry.operation, Add):
            continue
        node = entry.operation.node.id
        others = {one.author for one in sources.of(node) if one.author != reader and is_personal(one.tool)}
        if others:
            found[node] = min(others)
    return found


def statuses_of(outcomes: Mapping[NodeId, Outcome]) -> Mapping[NodeId, NodeStatus]:
    """Return the statuses of nodes that ended."""
    return {node: NodeStatus(state=state_of(outcome), outcome=outcome) for node, outcome in outcomes.items()}


def by_author(messages: Sequence[Message]) -> Mapping[UserId, Sequence[Message]]:
    """Return author -> their messages in order; the author of the first message comes first."""
    found: dict[UserId, list[Message]] = {}
    for message in messages:
        found.setdefault(message.author, []).append(message)
    return found


def turns_dialogue(past: Sequence[PastTurn], names: Names = _NO_NAMES) -> Sequence[ChatMessage]:
    """Return earlier turns, oldest first, as alternating human and ai messages."""
    return [
        message
        for turn in past
        for message in _exchange(turn.requests, turn.answer or _joined(turn.replies) or "(no answer)", names)
    ]


def present_dialogue(
    messages: Sequence[Message], replies: Sequence[str], names: Names = _NO_NAMES
) -> Sequence[ChatMessage]:
    """Return this turn's requests so far, for messages that arrive while its plan is running."""
    return _exchange(messages, _joined(replies) or "(planned; see the plan so far)", names) if messages else []


def _joined(replies: Sequence[str]) -> str:
    return "\n\n".join(filter(None, replies))


def _exchange(requests: Sequence[Message], answer: str, names: Names) -> Sequence[ChatMessage]:
    return [ChatMessage(by="human", text=request_text(requests, names)), ChatMessage(by="ai", text=answer)]


def request_text(messages: Sequence[Message], names: Names = _NO_NAMES) -> str:
    """Return one message's text as it is, or several as a list with their authors."""
    if len(messages) == 1:
        return named(messages[0].text, names)
    return "\n".join(
        f"- {named(f'<@{message.author}>', names)}: " + named(message.text, names).replace("\n", "\n  ")
        for message in messages
    )


def mentioned(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the ids of the people and channels that messages mention, authors first, each once."""
    written = (found[1] or found[2] for message in messages for found in _MENTION.finditer(message.text))
    yield from dict.fromkeys([*(message.author for message in messages), *written])


def deciders(nodes: Sequence[ShownNode]) -> Iterator[str]:
    """Yield the ids of the people whose words about a decision stand in the results, each once."""
    found = (shown.withheld_by or _decider(shown.outcome) for shown in nodes)
    yield from dict.fromkeys(person for person in found if person)


def _decider(outcome: Outcome | None) -> UserId | None:
    match outcome:
        case Succeeded(comment=comment) | Failed(comment=comment) if comment is not None:
            return comment.by
        case Rejected(by=by) | Cancelled(by=by):
            return by
        case _:
            return None


def named(text: str, names: Names) -> str:
    """Return the text with names beside the ids: `<@U1>` becomes `<@U1|Ada>`, `<#C1>` becomes `#ops`."""

    def mention(found: re.Match[str]) -> str:
        # A name is any text that somebody chose: it must end neither the mention nor the line.
        name = re.sub(r"[\s<>|\"\\]+", " ", names.get(found[1] or found[2], "")).strip()[:_NAME_CHARACTERS]
        if not name:
            return found[0]
        return f"<@{found[1]}|{name}>" if found[1] else f"#{name}"

    return _MENTION.sub(mention, text) if names else text
