"""The system message of the calls for a person in a thread: it tells of no tool that they may not use there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from agent.ids import ThreadId, UserId
from agent.limits import PlanLanguage
from agent.llm.prompts import system_message
from agent.llm.tool_search import ToolSearch
from agent.planning.author_plan import tools_for
from agent.ports import ChatMessage
from agent.tools.access import ToolAccess


@dataclass(frozen=True, kw_only=True)
class SystemMessages:
    """Writes system messages as planner and replanner do, for the other roles."""

    tools: ToolSearch
    #: None: everybody may use every tool everywhere.
    access: ToolAccess | None = None
    #: The sandbox's; None when no scripts can run here.
    dialect: str | None
    language: PlanLanguage = PlanLanguage.JSON
    _written: WeakKeyDictionary[ToolSearch, ChatMessage] = field(
        default_factory=WeakKeyDictionary[ToolSearch, ChatMessage], init=False, compare=False
    )

    async def of(self, thread: ThreadId, *people: UserId) -> ChatMessage:
        """Return the message of the calls for these people; for several it has the tools that all of them may use."""
        tools = await self._tools(thread, people)
        if tools not in self._written:
            self._written[tools] = system_message(tools.registry, self.dialect, self.language)
        return self._written[tools]

    async def _tools(self, thread: ThreadId, people: Iterable[UserId]) -> ToolSearch:
        tools = self.tools
        for person in dict.fromkeys(people):
            tools = await tools_for(tools, self.access, thread, person)
        return tools
