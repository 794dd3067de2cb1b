"""Undoing: a person's `!undo` becomes the steps that take effects back, and a report of what came of it. No model."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from agent.errors import DuplicateNode
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.plan.effects import Effect, Left, UndoPlan, undo_plan
from agent.plan.operations import Add, LoggedOperation, Node
from agent.plan.outcomes import Outcome
from agent.ports import Effects, Feeder, Mailbox, Message, OperationLog

_REQUEST = re.compile(r"!undo (?P<turn>[0-9]{1,9})")


def undo_request(turn: int) -> str:
    """Return the text of a message that asks for the effects of a turn to be undone, as it is stored."""
    return f"!undo {turn}"


def turn_to_undo(text: str) -> int | None:
    """Return the turn whose effects a message asks to be undone; None: it asks for something else."""
    found = _REQUEST.fullmatch(text)
    return None if found is None else int(found["turn"])


@dataclass(frozen=True, kw_only=True)
class UndoLine:
    """What became of one effect that was to be undone."""

    effect: Effect
    #: Of the step that was to undo it; None: there was none.
    outcome: Outcome | None = None
    #: Why there was none.
    left: Left | None = None
    #: Whether nobody knows if the step undid it, or an earlier try of it did.
    unsure: bool = False


class UndoWords(Protocol):
    """Says in Markdown what was undone."""

    def undone(self, lines: Sequence[UndoLine], titles: Mapping[NodeId, str]) -> str:
        """Return what became of each effect, in the order they were undone; `titles` are those of the steps."""
        ...

    def nothing_to_undo(self) -> str:
        """Return the reply when every effect was undone already."""
        ...


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """Plans what is asked by `!undo`, and leaves other messages to `planner`. A `Feeder` of `ports.py`."""

    planner: Feeder
    effects: Effects
    log: OperationLog
    mailbox: Mailbox
    words: UndoWords
    #: Returns the tools that a person may use in a thread.
    tools_for: Callable[[ThreadId, UserId], Awaitable[AbstractSet[ToolName]]]

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread."""
        untaken = await self.mailbox.untaken(thread)
        for message in untaken:
            if (undone := turn_to_undo(message.text)) is not None:
                await self._undo(thread, turn, message, undone, appended)
        if any(turn_to_undo(message.text) is None for message in untaken):
            await self.planner.feed(thread, turn, appended)

    async def _undo(
        self, thread: ThreadId, turn: int, message: Message, undone: int, appended: Callable[[], None]
    ) -> None:
        logged = await self.log.after(thread, 0)
        reply = ""
        if not _own_steps(logged, turn, message.author):  # else this is entered once more, after a crash
            plan = await self._plan(thread, turn, message.author, undone, logged)
            # what another person's message undoes in this very turn is not undone twice
            taken = {step.undoes for step in _steps(logged, turn)}
            steps = () if any(step.undoes in taken for step in plan.steps) else tuple(plan.steps)
            if steps:
                try:
                    await self.log.append(thread, turn, message.author, [Add(node=step) for step in steps])
                except DuplicateNode:
                    steps = ()
                appended()
            if not steps:
                lines = [UndoLine(effect=effect, left=plan.left.get(effect.id)) for effect in plan.effects]
                named = lines and not plan.steps
                reply = self.words.undone(lines, {}) if named else self.words.nothing_to_undo()
        await self.mailbox.taken(thread, turn, [message.id], reply=reply)

    async def report(
        self, thread: ThreadId, turn: int, messages: Sequence[Message], outcomes: Mapping[NodeId, Outcome]
    ) -> str:
        """Return what became of the effects that a turn was to undo; "" when it was to undo none."""
        logged = await self.log.after(thread, 0)
        steps = {step.undoes: step for step in _steps(logged, turn)}
        if not steps:
            return ""
        doubtful = {effect.id for effect in await self.effects.of(thread) if effect.unknown}
        lines: list[UndoLine] = []
        asked: dict[int | None, UserId] = {}
        for message in messages:
            asked.setdefault(turn_to_undo(message.text), message.author)
        for undone, author in asked.items():
            if undone is None:
                continue
            plan = await self._plan(thread, turn, author, undone, logged)
            for effect in plan.effects:
                step = steps.get(effect.id)
                outcome = None if step is None else outcomes.get(step.id)
                unsure = step is not None and step.id in doubtful
                line = UndoLine(effect=effect, outcome=outcome, left=plan.left.get(effect.id), unsure=unsure)
                lines.append(line)
        titles = {step.id: step.title for step in steps.values()}
        return self.words.undone(lines, titles)

    async def _plan(
        self, thread: ThreadId, turn: int, author: UserId, undone: int, logged: Sequence[LoggedOperation]
    ) -> UndoPlan:
        """Return the plan as it is made at the beginning of the turn, whatever was undone since."""
        tools = await self.tools_for(thread, author)
        effects = [effect for effect in await self.effects.of(thread) if effect.turn < turn]
        return undo_plan(effects, logged, undone, by_turn=turn, has_tool=tools.__contains__)


def is_only_undoing(nodes: Sequence[Node]) -> bool:
    """Return whether there are nodes and each undoes an effect."""
    return bool(nodes) and all(node.undoes is not None for node in nodes)


def _steps(logged: Sequence[LoggedOperation], turn: int) -> Sequence[Node]:
    added = [entry.operation.node for entry in logged if entry.turn == turn and isinstance(entry.operation, Add)]
    return [node for node in added if node.undoes is not None]


def _own_steps(logged: Sequence[LoggedOperation], turn: int, author: UserId) -> Sequence[Node]:
    return _steps([entry for entry in logged if entry.author == author], turn)
