"""`greenlight mcp`: what an operator has seen of the MCP servers' tools, and what plans may therefore call."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from agent.tool import ToolError
from infra.cli.process import WRONG_SETTINGS, environment
from infra.config.environment import read_settings
from infra.config.file import ConfigurationError
from infra.tools.mcp.definitions import Refused, colour_of, vetted
from infra.tools.mcp.pins import Definition, PinsUnusable, difference, printable, read_pins, write_pins
from infra.tools.mcp.settings import McpServer, McpSettings, ServerName
from infra.tools.mcp.tools import offers

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Pin the tools of an MCP server, or list them.")

FAILED = 1
"""Exit code: the server does not answer, or nobody said yes."""


@app.command()
def pin(
    server: Annotated[str, typer.Argument(help="Its name in the configuration: [mcp.NAME].")],
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Show how a server's tools differ from what is pinned, and pin them as they are now.

    Plans call a tool only as it is pinned: its name, its description, its schemas and the server's hints about it.
    """
    settings = _settings()
    chosen = next((known for known in settings.servers if known.name == server), None)
    if chosen is None:
        _fail(f"the configuration has no [mcp.{server}]", WRONG_SETTINGS)
    try:
        pins = read_pins(settings.pins)
        before = pins.get(chosen.name, ())
    except PinsUnusable as error:
        typer.echo(f"{error}. Everything is shown as new.", err=True)
        pins, before = {}, ()
    good, refused = vetted(chosen.name, chosen.config, asyncio.run(_listed(chosen)))
    _show(chosen.name, refused)
    lines = list(difference(before, good))
    if not lines and chosen.name in pins:
        typer.echo(f"{server}: {len(good)} tools, as they are pinned.")
        return
    typer.echo("\n".join(lines) or "It offers no tool that can be used.")
    if not yes and not typer.confirm(f"Pin these {len(good)} tools of {server}?"):
        _fail("nothing is pinned", FAILED)
    try:
        write_pins(settings.pins, {**pins, chosen.name: good})
    except PinsUnusable as error:
        _fail(str(error), FAILED)
    typer.echo(f"{settings.pins}: {len(good)} tools of {server} are pinned. Restart Greenlight to call them so.")


@app.command("list")
def list_tools() -> None:
    """List the pinned tools: name, colour, description."""
    settings = _settings()
    try:
        found = offers(settings)
    except PinsUnusable as error:
        _fail(str(error), WRONG_SETTINGS)
    for offer in found:
        if not offer.pinned:
            typer.echo(f"{offer.server.name}: nothing is pinned; run `greenlight mcp pin {offer.server.name}`")
        for name, definition in offer.tools.items():
            first = (definition.description or definition.title).strip().partition("\n")[0]
            typer.echo(f"{name}  {colour_of(offer.server.config, definition)}  {printable(first)[:100]}")
        _show(offer.server.name, offer.refused)
    if not found:
        typer.echo("The configuration has no MCP server.")


def _settings() -> McpSettings:
    try:
        return read_settings(environment()).mcp
    except ConfigurationError as error:
        _fail(str(error), WRONG_SETTINGS)


async def _listed(server: McpServer) -> Sequence[Definition]:
    from infra.tools.mcp.connection import McpConnection

    connection = McpConnection(server)
    try:
        return await connection.listed()
    except ToolError as error:
        _fail(str(error), FAILED)
    finally:
        await connection.close()


def _show(server: ServerName, refused: Sequence[Refused]) -> None:
    for tool in refused:
        typer.echo(f"! {tool.name}  {server} offers it, and it cannot be used: {tool.why}")


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
