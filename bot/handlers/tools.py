"""`/greenlight tools`: what the caller may use in this channel."""

from collections.abc import Iterable

from agent.ids import ToolName, thread_id
from agent.tool import Tool
from agent.tools.access import ToolAccess
from bot.blocks.elements import Rendered
from bot.blocks.tools import tools_message
from bot.payloads import Command
from bot.slack.membership import Identity


class ToolsHandler:
    """Lists the tools that are switched on, by what a person may do with them."""

    def __init__(self, tools: Iterable[Tool], access: ToolAccess) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._access = access

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Return the tools that the caller may use here, and how many others there are."""
        thread = thread_id(identity.tenant, command.channel, "")
        usable = await self._access.usable(thread, command.user, self._tools, fresh=True)
        return tools_message([self._tools[name] for name in sorted(usable)], self._others(usable, command))

    def _others(self, usable: frozenset[ToolName], command: Command) -> int:
        """Return how many tools only people of certain groups may use here."""
        here = [name for name in self._tools if self._access.rules.here(command.channel, name)]
        return len(here) - len(usable)
