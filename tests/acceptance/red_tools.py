"""A red tool with all that a card can show of one: a dry run, confidential arguments, and what becomes of a mistake."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

import infra.tools.catalogue
import infra.wiring
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError
from infra.tools.catalogue import ToolsConfig
from sandbox.script import Json

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
    catalogue, opened = infra.wiring.open_tools, Bank(says={"fee": 3})
    opened.answers.set()

    @asynccontextmanager
    async def with_bank(config: ToolsConfig) -> AsyncGenerator[tuple[Tool, ...]]:
        async with catalogue(config) as tools:
            yield (*tools, opened.tool())

    monkeypatch.setattr(infra.wiring, "open_tools", with_bank)
    monkeypatch.setattr(infra.tools.catalogue, "open_tools", with_bank)
    return opened


REFUSED = ToolError("no_funds", "the account is empty")
