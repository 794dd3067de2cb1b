"""Correcting: a person's `!set NODE VALUE` becomes a node that has the value, and what came from the old result is
planned anew. No model."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from agent.errors import DuplicateNode
from agent.ids import NodeId, ThreadId, UserId
from agent.plan.corrections import Standing, Unsettable, Wish, read_stored
from agent.plan.json_schema import SchemaIssue, schema_issues
from agent.plan.operations import Add, LoggedOperation, Node, canonical_json, nodes_added
from agent.plan.outcomes import Cancelled, NodeStatus, Outcome
from agent.plan.templates import shown_title
from agent.planning.replanner import UNREACHABLE
from agent.ports import Directory, Effects, Feeder, Mailbox, Message, NodeStatuses, OperationLog


class CorrectionWords(Protocol):
    """Says what people read of a correction."""

    def title(self, name: str, step: Node) -> str:
        """Return the title of the node with the value that a person set for a step; "" is a name nobody knows."""
        ...

    def why(self, step: Node) -> str:
        """Return why what came from the old result is withdrawn."""
        ...

    def refused(self, unsettable: Unsettable) -> str:
        """Return why a result was not set."""
        ...

    def misfit(self, issue: SchemaIssue) -> str:
        """Return what is wrong with a value that does not fit its step's schema."""
        ...

    def done_before(self, titles: Sequence[str]) -> str:
        """Return which calls were made with the old result, and are asked about."""
        ...

    def left_withdrawn(self, titles: Sequence[str]) -> str:
        """Return which steps came from the old result and were withdrawn before, and do not run again."""
        ...


@dataclass(frozen=True, kw_only=True)
class Correcting:
    """Plans what is asked by `!set`, and leaves other messages to `planner`. A `Feeder` of `ports.py`."""

    planner: Feeder
    effects: Effects
    log: OperationLog
    mailbox: Mailbox
    statuses: NodeStatuses
    words: CorrectionWords
    #: Writes the statuses of nodes that just ended.
    flush: Callable[[], Awaitable[None]]
    directory: Directory | None = None

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread."""
        untaken = await self.mailbox.untaken(thread)
        for message in untaken:
            if (wish := read_stored(message.text)) is not None:
                await self._correct(thread, turn, message, wish, appended)
        if any(read_stored(message.text) is None for message in untaken):
            await self.planner.feed(thread, turn, appended)

    async def _correct(
        self, thread: ThreadId, turn: int, message: Message, wish: Wish, appended: Callable[[], None]
    ) -> None:
        await self.flush()
        logged = await self.log.after(thread, 0)
        standing = standing_of(logged, outcomes := _outcomes(await self.statuses.of(thread)))
        found = standing.node(wish.node)
        if isinstance(found, Unsettable):
            reply = self.words.refused(found)
        elif _is_set(logged, turn, message.author, found, wish):
            # This is entered once more, after a crash.
            left = standing.withdrawn_behind(found.replaces or found.id)
            reply = self._told(_copies(logged, found), left)
        elif (issue := await misfit(standing.first(found), wish)) is not None:
            reply = self.words.misfit(issue)
        else:
            done = {effect.id for effect in await self.effects.of(thread)}
            title = self.words.title(await self._name(thread, message.author), standing.first(found))
            correction = standing.correction(
                Wish(node=found.id, value=wish.value),
                title,
                self.words.why(standing.first(found)),
                turn=turn,
                done=done,
                withdrawn=(unreachable := {node for node, outcome in outcomes.items() if _is_unreachable(outcome)}),
            )
            left = [node for node in standing.withdrawn_behind(found.id) if node.id not in unreachable]
            try:
                await self.log.append(thread, turn, message.author, correction.operations)
            except DuplicateNode:
                return  # the message stays untaken, and is read once more
            appended()
            reply = self._told(correction.copies, left)
        await self.mailbox.taken(thread, turn, [message.id], reply=reply)

    def _told(self, copies: Sequence[Node], left: Sequence[Node]) -> str:
        """Return what the person is told of a correction that was stored."""
        again = [copy.title for copy in copies if copy.done_before]
        told = [self.words.done_before(again)] if again else []
        told += [self.words.left_withdrawn([shown_title(node) for node in left])] if left else []
        return "\n".join(told)

    async def _name(self, thread: ThreadId, person: UserId) -> str:
        if self.directory is None:
            return ""
        return (await self.directory.names(thread, [person])).get(person, "")


def standing_of(logged: Sequence[LoggedOperation], outcomes: Mapping[NodeId, Outcome]) -> Standing:
    """Return the nodes of a log as they stand."""
    return Standing(nodes_added([entry.operation for entry in logged]), outcomes)


async def misfit(step: Node, wish: Wish) -> SchemaIssue | None:
    """Return where a value does not fit what a step's result must be."""
    issues = () if step.result_schema is None else await schema_issues(wish.value, step.result_schema)
    return issues[0] if issues else None


def _outcomes(statuses: Mapping[NodeId, NodeStatus]) -> Mapping[NodeId, Outcome]:
    return {node: status.outcome for node, status in statuses.items() if status.outcome is not None}


def _is_unreachable(outcome: Outcome) -> bool:
    return isinstance(outcome, Cancelled) and outcome.why == UNREACHABLE


def _copies(logged: Sequence[LoggedOperation], given: Node) -> Sequence[Node]:
    """Return what the last correction added besides the node that has its value."""
    added = [entry.operation.node for entry in logged if isinstance(entry.operation, Add)]
    return list(
        takewhile(lambda node: node.replaces is not None and node.given is None, added[added.index(given) + 1 :])
    )


def _is_set(logged: Sequence[LoggedOperation], turn: int, author: UserId, node: Node, wish: Wish) -> bool:
    """Return whether this person set this very value last, in this turn."""
    own = any(
        isinstance(entry.operation, Add) and entry.operation.node.id == node.id
        for entry in logged
        if (entry.turn, entry.author) == (turn, author)
    )
    return own and node.given is not None and canonical_json(node.given.get("value")) == canonical_json(wish.value)
