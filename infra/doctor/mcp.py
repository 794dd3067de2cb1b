"""The MCP servers' part of the examination: each is started or asked, and compared with its pins."""

import asyncio
from collections.abc import Sequence

from agent.tool import Colour, ToolError
from infra.doctor.finding import Finding, missing, ok, wrong
from infra.tools.mcp.definitions import colour_of, vetted
from infra.tools.mcp.pins import Definition, Pins, PinsUnusable, difference, read_pins
from infra.tools.mcp.settings import McpServer, McpSettings


async def mcp_findings(settings: McpSettings) -> list[Finding]:
    """Return a finding per configured server."""
    if not settings.servers:
        return []
    try:
        pins = read_pins(settings.pins)
    except PinsUnusable as error:
        return [
            wrong("mcp", str(error), "Restore the file, or delete it and run `greenlight mcp pin` for each server.")
        ]
    return list(await asyncio.gather(*(_finding(server, pins) for server in settings.servers)))


async def _finding(server: McpServer, pins: Pins) -> Finding:
    check = f"mcp {server.name}"
    if server.missing:
        return missing(check, f"not set: {', '.join(server.missing)}", "Set what [mcp] names of the environment.")
    if server.config.account and not server.headers:
        if server.name in pins:
            return ok(check, f"{len(pins[server.name])} tools are pinned; it is asked with people's accounts alone")
        pin = f"Run `greenlight mcp pin {server.name} --as U0123ABC`, with the id of somebody who has an account."
        return missing(check, "none of its tools is pinned; it is asked with people's accounts alone", pin)
    try:
        good, refused = vetted(server.name, server.config, await _listed(server))
    except ToolError as error:
        return wrong(check, str(error), f"Correct [mcp.{server.name}], or start the server; its tools fail until then.")
    pin = f"Run `greenlight mcp pin {server.name}`, which shows what is new."
    if server.name not in pins:
        return missing(check, f"it answers with {len(good)} tools, and none is pinned", pin)
    if changed := [line for line in difference(pins[server.name], good) if not line.startswith(" ")]:
        return wrong(check, f"not as it was pinned: {', '.join(changed[:5])}{' ...' if changed[5:] else ''}", pin)
    green = sum(colour_of(server.config, tool) is Colour.GREEN for tool in good)
    left_out = f"; {len(refused)} more that cannot be used" if refused else ""
    return ok(check, f"{len(good)} tools as they are pinned, {green} of them green{left_out}")


async def _listed(server: McpServer) -> Sequence[Definition]:
    from infra.tools.mcp.connection import McpConnection

    connection = McpConnection(server)
    try:
        return await connection.listed()
    finally:
        await connection.close()
