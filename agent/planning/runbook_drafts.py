"""Saving a finished run as a runbook: a person's wish becomes one red step, whose card shows the draft. No model."""

import contextlib
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from agent.errors import DuplicateNode
from agent.facts import one_line
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.llm.guidance import Guidance
from agent.plan.json_values import truncated
from agent.plan.operations import Add, LoggedOperation, Node, NodeKind
from agent.plan.templates import shown_title
from agent.ports import Feeder, Mailbox, Message, OperationLog, Runs
from agent.runbooks import SAVE_RUNBOOK

_REQUEST = re.compile(r"Save run (?P<turn>[0-9]{1,9}) of this thread as a runbook")
_DESCRIPTION_CHARACTERS = 200
_NAME_CHARACTERS = 40
_MOST_STEPS = 100


def draft_request(turn: int) -> str:
    """Return the text of a message that asks for a turn to be saved as a runbook, as it is stored."""
    return f"Save run {turn} of this thread as a runbook"


def turn_to_draft(text: str) -> int | None:
    """Return the turn that a message asks to be saved; None: it asks for something else."""
    found = _REQUEST.fullmatch(text)
    return None if found is None else int(found["turn"])


def draft_of(requests: Sequence[Message], nodes: Sequence[Node], taken: Collection[str] = ()) -> tuple[str, str]:
    """Return the name and the file of a runbook made of a turn, under a name that is not taken.

    Of a step it has the title and the tools, and no argument: those may be nobody else's business.
    """
    asked = one_line(" ".join(message.text for message in requests)) or "A finished run"
    words = re.findall(r"[a-z0-9]+", asked.lower())
    stem = "-".join(words)[:_NAME_CHARACTERS].strip("-") or "runbook"
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
    name = next(one for one in names if one not in taken)
    description = truncated(asked, _DESCRIPTION_CHARACTERS).replace("\n", " ").strip("\"' ")
    steps = [_step(number, node) for number, node in enumerate(nodes[:_MOST_STEPS], start=1)]
    return name, "\n".join(
        ["---", f"name: {name}", f"description: {description}", "---", "", "# Steps", "", *steps, ""]
    )


def _step(number: int, node: Node) -> str:
    tools = node.tools if node.tool is None else (node.tool,)
    told = ", ".join(f"`{tool}`" for tool in tools)
    return f"{number}. {one_line(shown_title(node))}" + (f" ({told})" if told else "")


class DraftWords(Protocol):
    """Says what people read instead of a step."""

    def nothing_to_save(self) -> str:
        """Return the reply when a turn had no steps, or nothing can be saved by who asks."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunbookDrafts:
    """Plans what is asked by the button, and leaves other messages to `planner`. A `Feeder` of `ports.py`."""

    planner: Feeder
    log: OperationLog
    runs: Runs
    mailbox: Mailbox
    guidance: Guidance
    words: DraftWords
    #: Returns the tools that a person may use in a thread.
    tools_for: Callable[[ThreadId, UserId], Awaitable[AbstractSet[ToolName]]]

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread."""
        untaken = await self.mailbox.untaken(thread)
        for message in untaken:
            if (drafted := turn_to_draft(message.text)) is not None:
                await self._draft(thread, turn, message, drafted, appended)
        if any(turn_to_draft(message.text) is None for message in untaken):
            await self.planner.feed(thread, turn, appended)

    async def _draft(
        self, thread: ThreadId, turn: int, message: Message, drafted: int, appended: Callable[[], None]
    ) -> None:
        logged = await self.log.after(thread, 0)
        nodes = _planned(logged, drafted)
        usable = ToolName(SAVE_RUNBOOK) in await self.tools_for(thread, message.author)
        if drafted >= turn or not nodes or not usable:
            reply = self.words.nothing_to_save()
            await self.mailbox.taken(thread, turn, [message.id], reply=reply)
            return
        past = await self.runs.past(thread, drafted + 1, drafted - 1)
        taken = {book.name for book in await self.guidance.all(thread)}
        name, text = draft_of([request for one in past for request in one.requests], nodes, taken)
        step = Node(
            id=NodeId(f"save-runbook-{message.id}"),
            kind=NodeKind.TOOL,
            title=f"Save the runbook {name}",
            tool=ToolName(SAVE_RUNBOOK),
            args={"name": name, "before": "", "after": text},
        )
        with contextlib.suppress(DuplicateNode):  # it is entered once more, after a crash
            await self.log.append(thread, turn, message.author, [Add(node=step)])
            appended()
        await self.mailbox.taken(thread, turn, [message.id])


def _planned(logged: Sequence[LoggedOperation], turn: int) -> Sequence[Node]:
    added = [entry.operation.node for entry in logged if entry.turn == turn and isinstance(entry.operation, Add)]
    return [node for node in added if node.item_of is None and node.undoes is None]
