"""`/greenlight tools` and `/greenlight patterns`: what the caller may use in this channel."""

from collections.abc import Iterable

from agent.ids import ToolName, thread_id
from agent.llm.patterns import usable_patterns
from agent.roles import SubagentRole
from agent.tool import Registry, Tool
from agent.tools.access import ToolAccess
from bot import wording
from bot.blocks.tools import tools_message
from bot.elements import Rendered, words_only
from bot.payloads import Command
from bot.slack.membership import Identity


class ToolsHandler:
    """Lists the tools that are switched on, by what a person may do with them, and the patterns that they allow."""

    def __init__(self, tools: Iterable[Tool], roles: Iterable[SubagentRole], access: ToolAccess) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._roles = tuple(roles)
        self._access = access

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Return the tools that the caller may use here, and how many others there are."""
        usable = await self._usable(command, identity)
        return tools_message([self._tools[name] for name in sorted(usable)], self._others(usable, command))

    async def patterns(self, command: Command, identity: Identity) -> Rendered:
        """Return the patterns of plans that a request of the caller can have here."""
        usable = await self._usable(command, identity)
        known = usable_patterns(Registry([self._tools[name] for name in usable], self._roles))
        return words_only(wording.patterns((pattern.spoken, pattern.purpose) for pattern in known))

    async def _usable(self, command: Command, identity: Identity) -> frozenset[ToolName]:
        thread = thread_id(identity.tenant, command.channel, "")
        return await self._access.usable(thread, command.user, self._tools, fresh=True)

    def _others(self, usable: frozenset[ToolName], command: Command) -> int:
        """Return how many tools only people of certain groups may use here."""
        here = [name for name in self._tools if self._access.rules.here(command.channel, name)]
        return len(here) - len(usable)
