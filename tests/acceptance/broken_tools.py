"""Green tools that break, each in its own way, and one that answers five megabytes."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

import infra.wiring
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool
from infra.tools.catalogue import ToolsConfig
from infra.tools.files import ThreadFiles
from sandbox.script import Json


async def raises(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise KeyError("password=hunter2")


async def hangs(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    await asyncio.Event().wait()
    return None


async def five_megabytes(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return {"text": "x" * 5_000_000, "lines": 7}


async def too_much(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return "x" * (17 * 1024 * 1024)


async def not_a_number(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return {"rate": math.nan}


async def no_json(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    strange: Any = {1, 2}
    return strange


BROKEN: tuple[Callable[[CallContext, Mapping[str, Json]], Any], ...] = (
    raises,
    hangs,
    five_megabytes,
    too_much,
    not_a_number,
    no_json,
)


@pytest.fixture
def broken_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add these to the catalogue."""
    catalogue = infra.wiring.open_tools

    @asynccontextmanager
    async def with_broken(config: ToolsConfig, files: ThreadFiles | None = None) -> AsyncGenerator[tuple[Tool, ...]]:
        async with catalogue(config, files) as tools:
            yield (*tools, *map(broken, BROKEN))

    def broken(call: Callable[[CallContext, Mapping[str, Json]], Any]) -> Tool:
        return Tool(
            name=ToolName(getattr(call, "__name__", "")),
            description="Breaks.",
            arguments={"type": "object"},
            colour=Colour.GREEN,
            call=call,
            timeout_seconds=1.0,
        )

    monkeypatch.setattr(infra.wiring, "open_tools", with_broken)
