"""What a model asks to be shown before it plans: tools, patterns and runbooks, of each kind only so often."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agent.ids import ThreadId, ToolName
from agent.limits import PlanLanguage
from agent.llm.guidance import Guidance
from agent.llm.patterns import named_patterns
from agent.llm.prompts import Guides, pattern_section, tools_section
from agent.llm.tool_search import ShownTools, ToolSearch
from agent.plan.json_values import truncated
from agent.ports import Runs
from agent.reading.validation import Fault, FaultCode
from agent.runbooks import Runbook, used, wanted

TOOL_REQUESTS = 2
"""How often a model is shown more tools before it must plan with those that it has seen."""

RUNBOOK_REQUESTS = 3
"""How often a model is shown runbooks that it asks for: others that fit, and the text of one."""

PATTERN_REQUESTS = 2
"""How many patterns that it asks for a model is shown."""

_WISH_CHARACTERS = 64


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What one output of a model asked for, as far as it is shown."""

    #: As a section of a request.
    tools: str = ""
    #: The same, of the patterns.
    pattern: str = ""
    guides: Guides = field(default_factory=Guides)
    #: What is not shown, and why.
    faults: Sequence[Fault] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing new is shown."""
        return not (self.tools or self.pattern or self.guides.listed or self.guides.whole)


@dataclass(kw_only=True)
class Lookups:
    """What one person's model has been shown in one dialogue, besides what its first request shows."""

    thread: ThreadId
    turn: int
    tools: ToolSearch
    guidance: Guidance
    runs: Runs
    #: In which patterns are shown.
    language: PlanLanguage
    #: The runbooks that the first request lists, and those that were found since.
    listed: list[Runbook] = field(default_factory=list[Runbook])
    #: The runbooks that the model read whole since then.
    read: list[Runbook] = field(default_factory=list[Runbook])
    #: The wishes that named the patterns that it was shown.
    patterns: list[str] = field(default_factory=list[str])
    #: The sections with tools, the first request's included.
    sections: list[str] = field(default_factory=list[str])
    #: The tools whose schemas the model has seen, where it does not see all.
    _seen: set[ToolName] = field(default_factory=set[ToolName])
    #: Those whose signatures it has seen.
    _seen_briefly: set[ToolName] = field(default_factory=set[ToolName])
    _tool_requests: int = TOOL_REQUESTS
    _runbook_requests: int = RUNBOOK_REQUESTS

    def begin(self, section: str, shown: ShownTools) -> None:
        """Note the tools that the first request shows."""
        self.sections.append(section)
        self._seen.update(tool.name for tool in shown.whole)
        self._seen_briefly.update(tool.name for tool in shown.briefly)

    @property
    def guides(self) -> Guides:
        """All runbooks that the model was shown since the first request, and those that this one listed."""
        return Guides(listed=self.listed, whole=self.read)

    @property
    def tools_shown(self) -> str:
        """All tools that the model was shown."""
        return "\n".join(filter(None, self.sections))

    async def answer(self, needs: Sequence[str]) -> Shown:
        """Return what an output asks for, and note the runbooks that the turn is planned with."""
        books = [what for need in needs if (what := wanted(need)) is not None]
        patterns = [need for need in needs if wanted(need) is None and named_patterns(need, self.tools.registry)]
        tools = [need for need in needs if wanted(need) is None and need not in patterns]
        found = await self._runbooks(books) if books else Shown()
        if patterns:
            found = self._with_patterns(found, patterns)
        if not tools:
            return found
        if self.tools.shows_all or not self._tool_requests:
            what = "all tools are shown already" if self.tools.shows_all else "no more tools are shown"
            fault = _fault(f"{what}; go on with those that you see, or say what cannot be done")
            return replace(found, faults=[*found.faults, fault])
        self._tool_requests -= 1
        more = await self.tools.more("\n".join(tools), self._seen, self._seen_briefly)
        section = tools_section(more)
        self.begin(section, more)
        return replace(found, tools=section)

    def _with_patterns(self, found: Shown, wishes: Sequence[str]) -> Shown:
        new = wishes[: PATTERN_REQUESTS - len(self.patterns)]
        if not new:
            fault = _fault("no more patterns are shown; go on with those that you see")
            return replace(found, faults=[*found.faults, fault])
        self.patterns += new
        return replace(found, pattern=pattern_section("\n".join(new), self.tools.registry, self.language))

    async def _runbooks(self, wishes: Sequence[str]) -> Shown:
        """Return the runbooks of these names whole, and for other words those that fit and are not listed yet."""
        if not self._runbook_requests:
            return Shown(faults=[_fault("no more runbooks are shown; go on without")])
        self._runbook_requests -= 1
        named = {wish: await self.guidance.named(self.thread, wish) for wish in wishes}
        known = {book.name for book in self.read}
        books = dict.fromkeys(book for books in named.values() for book in books)
        whole = [book for book in books if book.name not in known]
        others = [wish for wish, books in named.items() if not books]
        fitting = await self.guidance.found(self.thread, "\n".join(others), self.listed) if others else ()
        await self.note(whole, whole=True)
        await self.note([book for book in fitting if book.canvas], whole=False)
        self.read += whole
        self.listed += fitting
        wrong = [wish for wish in others if not (fitting and len(wish.split()) > 1)]
        faults = [_no_runbook(wish, others=bool(self.listed)) for wish in wrong]
        if not (whole or others):
            faults.append(_fault("that runbook is shown already"))
        return Shown(guides=Guides(listed=fitting, whole=whole), faults=faults)

    async def note(self, books: Sequence[Runbook], *, whole: bool) -> None:
        """Note in the turn's row that it is planned with these runbooks."""
        if books:
            await self.runs.followed(self.thread, self.turn, [used(book, whole=whole) for book in books])


def _no_runbook(wish: str, *, others: bool) -> Fault:
    instead = "`## Runbooks` has those that fit best" if others else "there are none here"
    return _fault(f"there is no runbook {truncated(wish, _WISH_CHARACTERS)!r}; {instead}")


def _fault(message: str) -> Fault:
    return Fault(code=FaultCode.BAD_OP, message=message, pointer="/op")
