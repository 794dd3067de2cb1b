"""Saving a finished run as a runbook: a person's wish becomes one red step, whose card shows the draft. No model."""

import contextlib
import itertools
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, cast

from agent.errors import DuplicateNode
from agent.facts import one_line
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.llm.guidance import Guidance
from agent.plan.conditions import Condition
from agent.plan.corrections import Standing
from agent.plan.json_values import truncated
from agent.plan.operations import Add, LoggedOperation, Node, NodeKind, On
from agent.plan.outcomes import Failed, Outcome, Succeeded
from agent.plan.references import renamed, with_literals, with_texts
from agent.plan.templates import shown_title, unfolds
from agent.ports import Attempts, Feeder, Mailbox, Message, NodeStatuses, OperationLog, Runs
from agent.runbooks import LONGEST, SAVE_RUNBOOK, NotARunbook, read_runbook
from agent.tool import ToolError
from sandbox.script import Json

_REQUEST = re.compile(r"Save run (?P<turn>[0-9]{1,9}) of this thread as a runbook")
_DESCRIPTION_CHARACTERS = 200
_NAME_CHARACTERS = 40
_MOST_STEPS = 100
_MOST_CODE_CHARACTERS = 4_000
_CODE_INDENT = " " * 7
_HEADING = "# Steps"
_MOST_STRANGE_FILES = 20
"""Files in the way of a name that are no runbooks, or cannot be read; then nothing is saved."""

_NO_CODES: Mapping[NodeId, str] = MappingProxyType({})


def draft_request(turn: int) -> str:
    """Return the text of a message that asks for a turn to be saved as a runbook, as it is stored."""
    return f"Save run {turn} of this thread as a runbook"


def turn_to_draft(text: str) -> int | None:
    """Return the turn that a message asks to be saved; None: it asks for something else."""
    found = _REQUEST.fullmatch(text)
    return None if found is None else int(found["turn"])


def steps_of(
    logged: Sequence[LoggedOperation],
    turn: int,
    outcomes: Mapping[NodeId, Outcome],
    codes: Mapping[NodeId, str] = _NO_CODES,
) -> Sequence[str]:
    """Return what worked in a turn as a numbered list in Markdown, in order; empty: nothing did.

    Of a step it has the title, the tools, the condition, what it needs, and the script as it ran last (`codes`); it
    has no argument: those may be nobody else's business.
    """
    added = {entry.operation.node.id: entry.operation.node for entry in logged if isinstance(entry.operation, Add)}
    own = [entry.operation.node for entry in logged if entry.turn == turn and isinstance(entry.operation, Add)]
    thread, of_turn = Standing(added, {}), Standing({node.id: node for node in own}, {})
    worked = [node for node in own if _is_step(node, outcomes) and of_turn.newest(node.id) == node.id]
    numbers: dict[NodeId, int] = {}
    lines: list[str] = []
    count = 0
    for node in worked[:_MOST_STEPS]:
        first = thread.first(node)
        told = [_Told(title=step.title, tools=[step.tool] if step.tool else []) for step in node.packed]
        if not told:
            told = [_Told(title=shown_title(first), tools=_tools(node), notes=_notes(node, numbers, added, outcomes))]
        for place, one in zip([step.id for step in node.packed] or [first.id], told, strict=True):
            count += 1
            numbers[place] = count
            lines.append(one.line(count))
        numbers[node.id] = count
        code = "" if node.packed else codes.get(node.id, node.code).strip("\n")
        if 0 < len(code) <= _MOST_CODE_CHARACTERS:
            lines += ["", *(f"{_CODE_INDENT}{line}".rstrip() for line in code.splitlines()), ""]
    return lines


def _is_step(node: Node, outcomes: Mapping[NodeId, Outcome]) -> bool:
    worked = isinstance(outcomes.get(node.id), Succeeded)
    return worked and node.item_of is None and node.undoes is None and node.tool != SAVE_RUNBOOK


def _tools(node: Node) -> Sequence[ToolName]:
    return node.tools if node.tool is None else (node.tool,)


def _notes(
    node: Node,
    numbers: Mapping[NodeId, int],
    added: Mapping[NodeId, Node],
    outcomes: Mapping[NodeId, Outcome],
) -> Iterator[str]:
    """Yield when and how a step runs; of the steps before it those are named by number that worked."""
    if node.given is not None:
        yield "a person says its result"
        return
    if node.kind is NodeKind.SUBAGENT and node.role:
        yield f"by the role {node.role}"
    names = {known: NodeId(f"step-{number}") for known, number in numbers.items()}
    placed = replace(
        node,
        for_each=renamed(node.for_each, names),
        when=cast("Condition", with_texts(node.when, lambda text: renamed(text, names))),
    )
    if words := one_line(unfolds(placed)):
        yield words
    needed = sorted({numbers[edge.node] for edge in node.depends_on if edge.node in numbers})
    if needed:
        yield f"needs {', '.join(f'step {number}' for number in needed)}"
    for edge in node.depends_on:
        if edge.on is On.FAILED and isinstance(outcomes.get(edge.node), Failed) and edge.node in added:
            yield f"if this fails: {one_line(shown_title(added[edge.node]))}"


@dataclass(frozen=True, kw_only=True)
class _Told:
    title: str
    tools: Sequence[ToolName]
    notes: Iterable[str] = ()

    def line(self, number: int) -> str:
        tools = ", ".join(f"`{tool}`" for tool in self.tools)
        notes = "; ".join(self.notes)
        return f"{number}. {one_line(self.title)}{f' ({tools})' if tools else ''}{f': {notes}' if notes else ''}"


def asked_of(requests: Sequence[Message]) -> str:
    """Return in one line what a turn was asked."""
    return one_line(" ".join(message.text for message in requests)) or "A finished run"


def free_names(asked: str) -> Iterator[str]:
    """Yield names for a runbook that is made of a request, the best one first."""
    stem = "-".join(re.findall(r"[a-z0-9]+", asked.lower()))[:_NAME_CHARACTERS].strip("-") or "runbook"
    yield stem
    for number in itertools.count(2):
        yield f"{stem}-{number}"


def new_text(name: str, asked: str, steps: Sequence[str]) -> str:
    """Return the file of a new runbook."""
    description = truncated(asked, _DESCRIPTION_CHARACTERS).replace("\n", " ").strip("\"' ")
    return "\n".join(["---", f"name: {name}", f"description: {description}", "---", "", _HEADING, "", *steps, ""])


def updated_text(before: str, steps: Sequence[str]) -> str:
    """Return the file of a runbook with other steps: its section of steps is replaced, or comes at the end."""
    lines = before.rstrip("\n").split("\n")
    at = next((number for number, line in enumerate(lines) if line.strip() == _HEADING), None)
    if at is None:
        return "\n".join([*lines, "", _HEADING, "", *steps, ""])
    behind = next((number for number, line in enumerate(lines) if number > at and line.startswith("# ")), len(lines))
    return "\n".join([*lines[: at + 1], "", *steps, "", *lines[behind:], *([""] if lines[behind:] else [])])


class DraftWords(Protocol):
    """Says what people read instead of a step."""

    def nothing_to_save(self) -> str:
        """Return the reply when nothing worked in a turn, or nothing can be saved by who asks."""
        ...

    def saved_already(self, name: str) -> str:
        """Return the reply when a runbook says all of it."""
        ...

    def draft(self, text: str) -> str:
        """Return the reply that shows the draft, where it cannot be written to a folder."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Draft:
    name: str
    #: What its file holds now; empty: it is new.
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class RunbookDrafts:
    """Plans what is asked by the button, and leaves other messages to `planner`. A `Feeder` of `ports.py`."""

    planner: Feeder
    log: OperationLog
    runs: Runs
    mailbox: Mailbox
    statuses: NodeStatuses
    attempts: Attempts
    guidance: Guidance
    words: DraftWords
    #: Returns the tools that a person may use in a thread.
    tools_for: Callable[[ThreadId, UserId], Awaitable[AbstractSet[ToolName]]]
    #: Returns what the file of a runbook of this name holds, "" where there is none; None: there is no folder for them.
    kept: Callable[[str], Awaitable[str]] | None

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread."""
        untaken = await self.mailbox.untaken(thread)
        for message in untaken:
            if (drafted := turn_to_draft(message.text)) is not None:
                await self._take(thread, turn, message, drafted, appended)
        if any(turn_to_draft(message.text) is None for message in untaken):
            await self.planner.feed(thread, turn, appended)

    async def _take(
        self, thread: ThreadId, turn: int, message: Message, drafted: int, appended: Callable[[], None]
    ) -> None:
        """Answer a message: by the step whose card shows the draft, or by a reply."""
        usable = self.kept is None or ToolName(SAVE_RUNBOOK) in await self.tools_for(thread, message.author)
        draft = await self._draft(thread, drafted) if drafted < turn and usable else None
        reply = ""
        if draft is None:
            reply = self.words.nothing_to_save()
        elif draft.before == draft.after:
            reply = self.words.saved_already(draft.name)
        elif self.kept is None:
            reply = self.words.draft(draft.after)
        else:
            with contextlib.suppress(DuplicateNode):  # it is entered once more, after a crash
                await self.log.append(thread, turn, message.author, [Add(node=_step(draft, message))])
                appended()
        await self.mailbox.taken(thread, turn, [message.id], reply=reply)

    async def _draft(self, thread: ThreadId, turn: int) -> _Draft | None:
        """Return the draft of a turn that ended; None: nothing worked in it."""
        logged = await self.log.after(thread, 0)
        added = [entry.operation.node for entry in logged if entry.turn == turn and isinstance(entry.operation, Add)]
        outcomes = await self.statuses.ended(thread, [node.id for node in added], turn + 1)
        scripts = [node.id for node in added if node.code and isinstance(outcomes.get(node.id), Succeeded)]
        ran = {node: await self.attempts.of(thread, node) for node in scripts[:_MOST_STEPS]}
        steps = steps_of(logged, turn, outcomes, {node: tries[-1].code for node, tries in ran.items() if tries})
        if len("\n".join(steps)) > LONGEST // 2:
            steps = [line for line in steps if line and not line.startswith(_CODE_INDENT)]
        if not steps:
            return None
        past = await self.runs.past(thread, turn + 1, turn - 1)
        asked = asked_of([request for one in past for request in one.requests])
        followed = (await self.runs.read(thread, turn)).runbooks
        names = [book.name for book in followed if book.whole and not book.canvas]
        if len(names) == 1 and (before := await self._own_text(names[0])):
            return _Draft(name=names[0], before=before, after=updated_text(before, steps))
        taken = {book.name for book in await self.guidance.all(thread)}
        for name in itertools.islice(free_names(asked), len(taken) + _MOST_STRANGE_FILES):
            before = await self._own_text(name)
            if before:
                return _Draft(name=name, before=before, after=updated_text(before, steps))
            if name not in taken and before is not None:
                return _Draft(name=name, before="", after=new_text(name, asked, steps))
        return None

    async def _own_text(self, name: str) -> str | None:
        """Return the text of the folder's runbook of a name; "": there is none; None: the file is something else."""
        try:
            text = "" if self.kept is None else await self.kept(name)
            return text if not text or read_runbook(text, name).name == name else None
        except (NotARunbook, ToolError):
            return None


def _step(draft: _Draft, message: Message) -> Node:
    texts: dict[str, Json] = {"before": draft.before, "after": draft.after}
    return Node(
        id=NodeId(f"save-runbook-{message.id}"),
        kind=NodeKind.TOOL,
        title=f"{'Update' if draft.before else 'Save'} the runbook {draft.name}",
        tool=ToolName(SAVE_RUNBOOK),
        args={"name": draft.name, **{key: text for key, text in with_literals(texts).items() if text}},
    )
