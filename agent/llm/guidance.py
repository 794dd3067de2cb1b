"""What guides a plan besides the request: a channel's instructions, and the runbooks that fit it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.ids import ThreadId, ToolName
from agent.llm.prompts import Guides
from agent.llm.tool_search import Embedder, ToolSearch
from agent.ports import Instruction, Instructions, Message, Run, Runbooks
from agent.runbooks import Runbook
from agent.tool import CallContext, Colour, Registry, Tool
from sandbox.script import Json

LISTED = 8
"""Runbooks that a request shows by name and description."""


@dataclass(kw_only=True)
class Guidance:
    """Reads instructions and finds runbooks. Without either there is no guidance."""

    instructions: Instructions | None = None
    runbooks: Runbooks | None = None
    #: None: runbooks are found by their words alone.
    embedder: Embedder | None = None
    #: The search among the runbooks as they were last.
    _search: tuple[Sequence[Runbook], ToolSearch] | None = field(default=None, init=False)

    async def fitting(self, thread: ThreadId, messages: Sequence[Message]) -> Guides:
        """Return what a request about these messages shows."""
        return Guides(instructions=await self._instructions(thread), listed=await self._listed(messages))

    async def again(self, run: Run, messages: Sequence[Message]) -> Guides:
        """Return the same for a conclusion, with the runbooks that the turn's plan was made with."""
        known = {book.name: book for book in await self.all()} if run.runbooks else {}
        whole = [known[used.name] for used in run.runbooks if used.name in known]
        return Guides(
            instructions=await self._instructions(run.thread), listed=await self._listed(messages), whole=whole
        )

    async def named(self, names: Sequence[str]) -> Sequence[Runbook]:
        """Return the runbooks of these names, each once; a name without one is left out."""
        known = {book.name: book for book in await self.all()}
        return [known[name] for name in dict.fromkeys(names) if name in known]

    async def _instructions(self, thread: ThreadId) -> Sequence[Instruction]:
        return () if self.instructions is None else await self.instructions.of(thread)

    async def all(self) -> Sequence[Runbook]:
        """Return every runbook."""
        return () if self.runbooks is None else await self.runbooks.all()

    async def _listed(self, messages: Sequence[Message]) -> Sequence[Runbook]:
        """Return the runbooks that a request is likely to need, by name; all where they are few."""
        books = await self.all()
        if len(books) <= LISTED:
            return sorted(books, key=lambda book: book.name)
        if self._search is None or self._search[0] != books:
            self._search = books, ToolSearch(Registry(map(_as_tool, books)), self.embedder)
        names = await self._search[1].ranked("\n".join(message.text for message in messages))
        known = {book.name: book for book in books}
        return sorted((known[name] for name in names[:LISTED]), key=lambda book: book.name)


def _as_tool(book: Runbook) -> Tool:
    """Return a runbook as what a tool search finds; it is never called."""
    return Tool(name=ToolName(book.name), description=book.description, arguments={}, colour=Colour.GREEN, call=_never)


async def _never(_context: CallContext, _arguments: Mapping[str, Json]) -> Json:
    raise NotImplementedError
