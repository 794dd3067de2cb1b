"""The pinned tools of MCP servers, as tools that a plan may call.

They are made of the pins alone, so that a process starts whether or not a server answers; a call connects.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from agent.ids import Tenant, ToolName, UserId, thread_parts
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.catalogue import TOOL_NAMES
from infra.tools.mcp.definitions import Refused, colour_of, shown_schema, tool_name, vetted
from infra.tools.mcp.pins import Definition, Pins, PinsUnusable, read_pins
from infra.tools.mcp.settings import McpServer, McpSettings
from sandbox.script import Json

if TYPE_CHECKING:
    from infra.tools.mcp.connection import McpConnection

_log = logging.getLogger(__name__)

_MARGIN_SECONDS = 5.0

MOST_PEOPLE = 50
"""Whose connections to one server stay open."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The tools of a server that can be called here."""

    server: McpServer
    #: By name; empty without pins.
    tools: Mapping[ToolName, Definition]
    refused: Sequence[Refused]
    #: Whether there is a pin of this server.
    pinned: bool


def offers(settings: McpSettings) -> Sequence[Offer]:
    """Return the pinned tools of each server.

    Raises:
        PinsUnusable: the pins cannot be read.
    """
    pins: Pins = read_pins(settings.pins) if settings.servers else {}
    found: list[Offer] = []
    for server in settings.servers:
        good, refused = vetted(server.name, server.config, pins.get(server.name, ()))
        tools = {tool_name(server.name, definition.name): definition for definition in good}
        shadowing = [
            Refused(name=name, why="a tool of that name is here already") for name in tools.keys() & TOOL_NAMES
        ]
        kept = {name: definition for name, definition in tools.items() if name not in TOOL_NAMES}
        found.append(Offer(server=server, tools=kept, refused=[*refused, *shadowing], pinned=server.name in pins))
    return found


def known_mcp_tools(settings: McpSettings) -> tuple[Tool, ...]:
    """Return the pinned tools for planning and for cards; calls do not work."""
    return tuple(
        _Calls(server=offer.server, definition=definition, connection=None).tool(name)
        for offer in _usable(settings)
        for name, definition in offer.tools.items()
    )


@asynccontextmanager
async def open_mcp_tools(settings: McpSettings) -> AsyncGenerator[tuple[Tool, ...]]:
    """Yield the pinned tools; each server's connection, once a call opened it, lives as long as the context."""
    async with AsyncExitStack() as stack:
        tools: list[Tool] = []
        for offer in _usable(settings):
            connection = (
                _PersonsConnections(offer.server) if offer.server.config.account else _LateConnection(offer.server)
            )
            stack.push_async_callback(connection.close)
            tools += [
                _Calls(server=offer.server, definition=definition, connection=connection).tool(name)
                for name, definition in offer.tools.items()
            ]
            _report(offer)
        yield tuple(tools)


def _usable(settings: McpSettings) -> Sequence[Offer]:
    try:
        return offers(settings)
    except PinsUnusable as error:
        _log.error("no MCP tool can be used: %s", error)
        return ()


def _report(offer: Offer) -> None:
    name = offer.server.name
    if not offer.pinned:
        _log.warning("the tools of the MCP server %s are not pinned: run `greenlight mcp pin %s`", name, name)
    for refused in offer.refused:
        _log.warning("%s of the MCP server %s cannot be used: %s", refused.name, name, refused.why)


class _LateConnection:
    """A connection whose library is imported when it is needed first: that takes seconds."""

    def __init__(self, server: McpServer, *, is_persons: bool = False) -> None:
        self._server = server
        self._is_persons = is_persons
        self._connection: McpConnection | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way."""
        return self._connection is None or self._connection.is_idle

    async def get(self, _context: CallContext) -> "McpConnection":
        """Return the connection."""
        if self._connection is None:
            await asyncio.to_thread(import_module, "infra.tools.mcp.connection")
            from infra.tools.mcp.connection import McpConnection
            from infra.tools.mcp.http import Bearer

            bearer = Bearer() if self._is_persons else None
            self._connection = self._connection or McpConnection(self._server, bearer=bearer)
        return self._connection

    async def close(self) -> None:
        """End it."""
        if self._connection is not None:
            await self._connection.close()


class _PersonsConnections:
    """The connections of people to a server that knows them by their accounts: nobody's call goes over another's."""

    def __init__(self, server: McpServer) -> None:
        self._server = server
        #: Those used last come last.
        self._of: OrderedDict[tuple[Tenant, UserId], _LateConnection] = OrderedDict()

    async def get(self, context: CallContext) -> "McpConnection":
        """Return the connection of the call's author; one that was not used for long goes."""
        person = (thread_parts(context.thread).tenant, context.author)
        connection = self._of.setdefault(person, _LateConnection(self._server, is_persons=True))
        self._of.move_to_end(person)
        idle = [other for other in list(self._of)[:-MOST_PEOPLE] if self._of[other].is_idle]
        await asyncio.gather(*(self._of.pop(other).close() for other in idle))
        return await connection.get(context)

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(connection.close() for connection in self._of.values()))


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """The calls of one tool."""

    server: McpServer
    definition: Definition
    #: None: calls do not work.
    connection: _LateConnection | _PersonsConnections | None

    def tool(self, name: ToolName) -> Tool:
        """Return the tool."""
        config, definition = self.server.config, self.definition
        colour = colour_of(config, definition)
        return Tool(
            name=name,
            service=self.server.name,
            description=definition.description or definition.title or f"{definition.name} of {self.server.name}",
            arguments=shown_schema(definition.schema),
            colour=colour,
            call=self._call,
            check=None if colour is Colour.GREEN else self._check,
            # Every wait inside has a limit of its own, with words of its own: these come first.
            timeout_seconds=3 * config.connect_seconds + config.call_seconds + _MARGIN_SECONDS,
            returns_outside_text=True,
            account=config.account,
            personal=bool(config.account),
            version=definition.digest,
        )

    async def _call(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        from infra.tools.mcp.results import output_of

        colour = colour_of(self.server.config, self.definition)
        result = await (await self._connected(context)).call(context, self.definition, args, colour)
        try:
            return output_of(result, self.server.config.result_bytes)
        except ToolError as error:
            if colour is Colour.RED and error.code == "output_too_large":
                raise ToolError(OUTCOME_UNKNOWN, f"{error}; whether it did what was asked is not known") from error
            raise

    async def _check(self, context: CallContext, _args: Mapping[str, Json]) -> None:
        """Refuse a tool that is not as it was pinned, before anybody is asked; a server that is away may come back."""
        try:
            await (await self._connected(context)).check(context, self.definition, anew=True)
        except ToolError as error:
            if error.code == "tool_changed":
                raise

    async def _connected(self, context: CallContext) -> "McpConnection":
        if self.connection is None:
            raise ToolError("unavailable", "this process calls no tools")
        return await self.connection.get(context)
