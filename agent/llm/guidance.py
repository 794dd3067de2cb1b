"""What guides a plan besides the request: a channel's instructions, and the runbooks that fit it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from agent.ids import ThreadId, ToolName
from agent.llm.prompts import Guides
from agent.llm.tool_search import Embedder, ToolSearch
from agent.ports import Instruction, Instructions, Message, Run, Runbooks
from agent.runbooks import Runbook, used
from agent.tool import CallContext, Colour, Registry, Tool
from sandbox.script import Json

LISTED = 8
"""Runbooks that a request shows by name and description."""

_MOST_SEARCHES = 16
"""Sets of runbooks, one for each channel that has its own, among which the search is kept ready."""


@dataclass(kw_only=True)
class Guidance:
    """Reads instructions and finds runbooks. Without either there is no guidance."""

    instructions: Instructions | None = None
    #: Of two runbooks with one name that of the first source counts.
    runbooks: Sequence[Runbooks] = ()
    #: None: runbooks are found by their words alone.
    embedder: Embedder | None = None
    #: The searches among runbooks as they were last, the newest at the end.
    _searches: dict[Sequence[Runbook], ToolSearch] = field(
        default_factory=dict[Sequence[Runbook], ToolSearch], init=False
    )

    async def fitting(self, thread: ThreadId, messages: Sequence[Message]) -> Guides:
        """Return what a request about these messages shows."""
        listed, others = await self._listed(thread, messages)
        return Guides(instructions=await self._instructions(thread), listed=listed, others=others)

    async def again(self, run: Run, messages: Sequence[Message]) -> Guides:
        """Return the same for a conclusion, with the runbooks that the turn's plan was made with.

        A canvas that was edited since is not shown: the turn's row notes all that models see of one.
        """
        listed, others = await self._listed(run.thread, messages)
        known = {used(book, whole=True): book for book in (await self.all(run.thread) if run.runbooks else ())}
        return Guides(
            instructions=await self._instructions(run.thread),
            listed=[book for book in listed if not book.canvas or used(book, whole=False) in run.runbooks],
            whole=[known[book] for book in run.runbooks if book in known],
            others=others,
        )

    async def named(self, thread: ThreadId, words: str) -> Sequence[Runbook]:
        """Return the runbooks whose names are among the words, each once."""
        known = {book.name: book for book in await self.all(thread)}
        names = dict.fromkeys(word.strip("`\"',.;:") for word in words.split())
        return [known[name] for name in names if name in known]

    async def found(self, thread: ThreadId, words: str, besides: Collection[Runbook]) -> Sequence[Runbook]:
        """Return the runbooks that fit the words best, by name, without those that are listed already."""
        return await self._fitting([book for book in await self.all(thread) if book not in besides], words)

    async def _instructions(self, thread: ThreadId) -> Sequence[Instruction]:
        return () if self.instructions is None else await self.instructions.of(thread)

    async def all(self, thread: ThreadId) -> Sequence[Runbook]:
        """Return every runbook that plans of a thread may follow."""
        found: dict[str, Runbook] = {}
        for source in self.runbooks:
            for book in await source.of(thread):
                found.setdefault(book.name, book)
        return tuple(found.values())

    async def _listed(self, thread: ThreadId, messages: Sequence[Message]) -> tuple[Sequence[Runbook], int]:
        """Return the runbooks that a request is likely to need, by name, and how many others there are."""
        books = await self.all(thread)
        listed = await self._fitting(books, "\n".join(message.text for message in messages))
        return listed, len(books) - len(listed)

    async def _fitting(self, books: Sequence[Runbook], words: str) -> Sequence[Runbook]:
        """Return those of the runbooks that fit the words best, by name; all where they are few."""
        books = tuple(books)
        if len(books) <= LISTED:
            return sorted(books, key=lambda book: book.name)
        search = self._searches.pop(books, None) or ToolSearch(Registry(map(_as_tool, books)), self.embedder)
        self._searches[books] = search
        if len(self._searches) > _MOST_SEARCHES:
            del self._searches[next(iter(self._searches))]
        known = {book.name: book for book in books}
        return sorted((known[name] for name in (await search.ranked(words))[:LISTED]), key=lambda book: book.name)


def _as_tool(book: Runbook) -> Tool:
    """Return a runbook as what a tool search finds; it is never called."""
    return Tool(name=ToolName(book.name), description=book.description, arguments={}, colour=Colour.GREEN, call=_never)


async def _never(_context: CallContext, _arguments: Mapping[str, Json]) -> Json:
    raise NotImplementedError
