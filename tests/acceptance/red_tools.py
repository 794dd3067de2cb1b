"""Red tools of tests: one with all that a card can show, and one that says what it is about to change."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

import infra.config.policy
import infra.tools.catalogue
import infra.wiring
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError
from infra.tools.catalogue import ToolsConfig
from infra.tools.files import ThreadFiles
from sandbox.script import Json
from tests.acceptance.effects import EffectServer

TEXT: Json = {"type": "string"}


@dataclass(kw_only=True)
class Bank:
    """A tool `pay` that pays nobody, and counts."""

    #: The arguments of each call, and of each dry run.
    paid: list[Mapping[str, Json]] = field(default_factory=list[Mapping[str, Json]])
    tried: list[Mapping[str, Json]] = field(default_factory=list[Mapping[str, Json]])
    #: What a dry run returns, or raises.
    says: Json | Exception = None
    #: Dry runs end once it is set.
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def pay(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        self.paid.append(args)
        return "paid"

    async def dry_run(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        self.tried.append(args)
        await self.answers.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def tool(self) -> Tool:
        """Return the tool."""
        return Tool(
            name=ToolName("pay"),
            description="Pays.",
            arguments={
                "type": "object",
                "properties": {
                    "to": {"type": "string", "not": {"const": "nobody"}},
                    "pin": {"type": "string", "x-confidential": True, "maxLength": 200_000},
                    "card": {"type": "object", "properties": {"number": {"x-confidential": True}, "name": TEXT}},
                },
            },
            colour=Colour.RED,
            call=self.pay,
            dry_run=self.dry_run,
            reversibility=Reversibility.REVERSIBLE,
        )


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    """Add the tool to the catalogue; its dry runs end at once."""
    opened = Bank(says={"fee": 3})
    opened.answers.set()
    add_tools(monkeypatch, opened.tool())
    return opened


def add_tools(monkeypatch: pytest.MonkeyPatch, *added: Tool) -> None:
    """Add tools to the catalogue."""
    catalogue = infra.wiring.open_tools

    @asynccontextmanager
    async def with_tool(config: ToolsConfig, files: ThreadFiles | None = None) -> AsyncGenerator[tuple[Tool, ...]]:
        async with catalogue(config, files) as tools:
            yield (*tools, *added)

    monkeypatch.setattr(infra.wiring, "open_tools", with_tool)
    monkeypatch.setattr(infra.tools.catalogue, "open_tools", with_tool)
    monkeypatch.setattr(
        infra.config.policy, "TOOL_NAMES", infra.config.policy.TOOL_NAMES | {tool.name for tool in added}
    )


@dataclass(kw_only=True)
class Entries:
    """A tool `set_entry` with a precondition, whose writes depend on nothing: an entry of the effect server."""

    server: EffectServer | None = None
    #: Awaited before the call asks whether it may send.
    pauses: Callable[[], Awaitable[None]] | None = None

    async def read(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        name = str(args["name"])
        await self._server.interferes("HEAD", name)
        return {"version": self._server.read(name)}

    async def call(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        name, expected = str(args["name"]), context.expected
        await self._server.interferes("PUT", name)
        if self.pauses is not None:
            await self.pauses()
        context.check_not_late()
        self._server.write(name, expected.get("version") if isinstance(expected, Mapping) else None)
        return "set"

    @property
    def _server(self) -> EffectServer:
        assert self.server is not None
        return self.server

    def tool(self) -> Tool:
        """Return the tool."""
        return Tool(
            name=ToolName("set_entry"),
            description="Sets an entry.",
            arguments={"type": "object", "properties": {"name": TEXT, "text": TEXT}, "required": ["name"]},
            colour=Colour.RED,
            call=self.call,
            precondition=self.read,
        )


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Entries:
    """Add the tool to the catalogue; the test says which server it is about."""
    opened = Entries()
    add_tools(monkeypatch, opened.tool())
    return opened


REFUSED = ToolError("no_funds", "the account is empty")
