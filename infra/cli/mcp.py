"""`greenlight mcp`: what an operator has seen of the MCP servers' tools, and what plans may therefore call."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from sqlalchemy import URL

from agent.ids import ChannelId, UserId, thread_id
from agent.tool import ToolError
from infra.cli.process import WRONG_SETTINGS, environment
from infra.config.environment import Settings, held_database, read_settings
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
    person: Annotated[
        str, typer.Option("--as", help="The Slack id of a person with whose account to look, such as U0123ABC.")
    ] = "",
) -> None:
    """Show how a server's tools differ from what is pinned, and pin them as they are now.

    Plans call a tool only as it is pinned: its name, its description, its schemas and the server's hints about it.
    """
    every = _every_setting()
    settings = every.mcp
    chosen = next((known for known in settings.servers if known.name == server), None)
    if chosen is None:
        _fail(f"the configuration has no [mcp.{server}]", WRONG_SETTINGS)
    try:
        pins = read_pins(settings.pins)
        before = pins.get(chosen.name, ())
    except PinsUnusable as error:
        typer.echo(f"{error}. Everything is shown as new.", err=True)
        pins, before = {}, ()
    good, refused = vetted(chosen.name, chosen.config, _listed(every, chosen, UserId(person)))
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
    return _every_setting().mcp


def _every_setting() -> Settings:
    try:
        return read_settings(environment())
    except ConfigurationError as error:
        _fail(str(error), WRONG_SETTINGS)


def _listed(settings: Settings, server: McpServer, person: UserId) -> Sequence[Definition]:
    """Return the tools that a server offers, to a person if one is named."""
    if not person:
        return asyncio.run(_asked(server))
    with held_database(settings) as url:
        return asyncio.run(_asked_as(settings, url, server, person))


async def _asked_as(settings: Settings, url: URL, server: McpServer, person: UserId) -> Sequence[Definition]:
    from infra.wiring import open_peoples_accounts, open_storage

    async with open_storage(url) as storage:
        accounts = await open_peoples_accounts(settings, storage.stores)
        tenant = await storage.stores.accounts.tenant_of(person, server.config.account)
        token = None
        if accounts is not None and tenant is not None:
            thread = thread_id(tenant, ChannelId(""), "")
            token = await accounts.people.token(thread, person, server.config.account)
    if token is None:
        _fail(f"{person} has connected no account for {server.name}: `/greenlight accounts` in Slack does", FAILED)
    return await _asked(server, token)


async def _asked(server: McpServer, token: str = "") -> Sequence[Definition]:
    from infra.tools.mcp.connection import McpConnection
    from infra.tools.mcp.http import Bearer

    connection = McpConnection(server, bearer=Bearer(token=token) if token else None)
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
