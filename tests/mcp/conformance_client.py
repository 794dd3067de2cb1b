"""Our client as the protocol's conformance suite runs it: `conformance_client.py URL`, the scenario in the environment.

Lists the server's tools and calls each as the app does, with whatever arguments its schema asks for.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, Colour, ToolError
from infra.tools.mcp.connection import McpConnection
from infra.tools.mcp.pins import Definition
from infra.tools.mcp.settings import McpServer, McpServerConfig, ServerName
from sandbox.script import Json

CONTEXT = CallContext(
    thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U"), idempotency_key=Digest("conformance")
)


def calls_of(tools: Sequence[Definition]) -> Iterator[tuple[Definition, Mapping[str, Json]]]:
    """Yield the calls to make: those that the scenario asks for, else one of each tool."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    asked: list[Any] = context.get("toolCalls") or []
    by_name = {tool.name: tool for tool in tools}
    if asked:
        yield from ((by_name[call["name"]], call.get("arguments") or {}) for call in asked)
        return
    for tool in tools:
        properties = cast("Mapping[str, Any]", tool.schema.get("properties") or {})
        yield tool, {name: _value(tools, about) for name, about in properties.items()}


def _value(tools: Sequence[Definition], about: Mapping[str, Any]) -> Json:
    match about.get("type"):
        case "number" | "integer":
            return 2
        case "object":
            return tools[0].schema  # a scenario wants the first tool's schema back
        case _:
            return "x"


async def main(url: str) -> None:
    """Do what a scenario looks for."""
    with TemporaryDirectory() as home:
        config = McpServerConfig(url=url, connect_seconds=20, call_seconds=20)
        connection = McpConnection(McpServer(name=ServerName("it"), config=config, home=Path(home)))
        try:
            for tool, args in calls_of(await connection.listed()):
                try:
                    await connection.call(CONTEXT, tool, args, Colour.GREEN)
                except ToolError as error:
                    print(f"{tool.name}: {error}", file=sys.stderr)
        finally:
            await connection.close()


asyncio.run(main(sys.argv[1]))
