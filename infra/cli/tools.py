"""`greenlight tools`: lists and shows the tools of this installation, calls one, and writes an example of a new one."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import JsonValue, TypeAdapter, ValidationError

from agent.ids import NodeId, UserId, thread_id
from agent.plan.operations import digest_of
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext, Colour, InputRequired, Registry, Tool, WorldChanged
from agent.tools.call import call_tool, hopeless, world_state
from bot.tools.catalogue import SLACK_TOOLS
from bot.tools.remember import MEMORY_TOOLS
from infra.cli.process import WRONG_SETTINGS, environment
from infra.cli.tool_package import NotWritten, write_package
from infra.config.environment import Settings, read_settings
from infra.config.file import ConfigurationError
from infra.tools.catalogue import enabled, open_tools, switched_on, teams_tools
from sandbox.script import Json

FAILED = 1
"""Exit code: the call failed."""

REFUSED = 2
"""Exit code: there is no such tool, it cannot be called here, its arguments do not fit, or `--yes` is missing."""

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List the tools, call one, or begin a new one.")

_ARGUMENTS = TypeAdapter(dict[str, JsonValue])

_IN_SLACK = SLACK_TOOLS | MEMORY_TOOLS

_OPERATOR = UserId("operator")
"""Who calls: the person at the command line."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """The tools of this installation."""

    registry: Registry
    #: Tool name -> the file or package it is from, of those in Python.
    sources: Mapping[str, str]

    def source(self, tool: Tool) -> str:
        """Return where a tool is from."""
        return "Slack" if tool.name in _IN_SLACK else self.sources.get(tool.name, "built in")


@app.command("list")
def list_tools() -> None:
    """Print each tool that is switched on: name, colour, where it is from, and what it does."""
    known = asyncio.run(_known(_settings()))
    rows = [(tool.name, tool.colour.value, known.source(tool), tool.summary) for tool in known.registry]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        typer.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))


@app.command()
def show(name: Annotated[str, typer.Argument(help="The tool's name.")]) -> None:
    """Print what a plan may say to a tool, its limits, and what it offers besides the call."""
    known = asyncio.run(_known(_settings()))
    tool = _found(known.registry, name)
    typer.echo(f"{tool.name} ({tool.colour.value}, from {known.source(tool)})")
    typer.echo(tool.description)
    typer.echo(f"limit: {tool.timeout_seconds:g} s; made again up to {tool.retries if tool.retryable else 0} times")
    typer.echo(f"optional: {', '.join(_optional(tool)) or 'nothing'}")
    if tool.colour is Colour.RED:
        typer.echo(f"reversibility: {tool.reversibility.value}")
    typer.echo(f"arguments: {json.dumps(tool.arguments, ensure_ascii=False, indent=2)}")


@app.command()
def call(
    name: Annotated[str, typer.Argument(help="The tool's name.")],
    args: Annotated[str, typer.Argument(help="The arguments, as a JSON object.")] = "{}",
    yes: Annotated[bool, typer.Option("--yes", help="Call a red tool: nobody else is asked.")] = False,
) -> None:
    """Call one tool as a run would, and print what it returns as JSON. Exit 0: it did; 1: the call failed; 2: refused.

    A red tool changes something at once, without an approval; it needs --yes.
    """
    settings = _settings()
    try:
        given = _ARGUMENTS.validate_json(args)
    except ValidationError:
        _refuse("the arguments must be a JSON object")
    outcome = asyncio.run(_called(settings, name, given, yes=yes))
    match outcome:
        case Succeeded(value=value):
            typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
        case Failed(error=error, message=message):
            typer.echo(f"{error}: {message}", err=True)
            raise typer.Exit(REFUSED if error == "bad_arguments" else FAILED)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The name of the tool and of the folder, such as office_hours.")],
) -> None:
    """Write a folder with a green tool, its test and its settings, and say what to do next."""
    try:
        folder = write_package(Path.cwd(), name)
    except NotWritten as error:
        _refuse(str(error))
    typer.echo(f"{folder.name}/ has the tool, its test, its settings and its package. Next:\n")
    typer.echo(f"  cd {folder.name} && export GREENLIGHT_CONFIG=greenlight.toml")
    typer.echo(f'  greenlight tools call {name} \'{{"name": "Ada"}}\'')
    typer.echo(f'  greenlight demo     # and write there: @Greenlight call {name} {{"name": "Ada"}}\n')
    typer.echo("Its test: python -m pytest. README.md, Tools in Python, has dry runs, inverses and the other options.")


def _settings() -> Settings:
    try:
        return read_settings(environment())
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_SETTINGS) from error


async def _known(settings: Settings) -> _Known:
    """Return the tools that are switched on, Slack's included; they have no credentials, so not all can be called."""
    config = settings.configuration.tools
    registry = Registry(await switched_on(config))
    sources = {str(found.tool.name): found.source for found in teams_tools(config.paths)}
    return _Known(registry=registry, sources=sources)


@asynccontextmanager
async def _callable(settings: Settings) -> AsyncGenerator[Registry]:
    config = settings.configuration.tools
    async with open_tools(config) as tools:
        yield Registry(enabled(tools, config.disabled))


async def _called(settings: Settings, name: str, args: Mapping[str, Json], *, yes: bool) -> Succeeded | Failed:
    if name in _IN_SLACK:
        _refuse(f"{name} acts with the rights of the person who asks in Slack, so it cannot be called here")
    async with _callable(settings) as registry:
        tool = _found(registry, name)
        if tool.personal:
            _refuse(f"{name} acts with the rights of the person who asks in Slack, so it cannot be called here")
        if tool.colour is not Colour.GREEN and not yes:
            _refuse(f"{name} is red: it changes something. To call it without an approval, add --yes")
        context = CallContext(
            thread=thread_id("local", "tools", uuid.uuid4().hex),
            node=NodeId("call"),
            author=_OPERATOR,
            idempotency_key=digest_of([name, args, uuid.uuid4().hex]),
        )
        try:
            return await (call_tool if tool.colour is Colour.GREEN else _changed)(tool, context, args)
        except InputRequired as needed:
            return Failed(error="input_required", message=f"{needed.asked.by} asks a person, which only a thread can")


async def _changed(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Succeeded | Failed:
    """Make a red call as after an approval of what it is about to change now."""
    if (failed := await hopeless(tool, context, args)) is not None:
        return failed
    state = await world_state(tool, context, args)
    expected = None if state is None else state.get("read")
    try:
        return await call_tool(tool, replace(context, expected=expected), args)
    except WorldChanged:
        return Failed(error="world_changed", message="what it was to change became another one; nothing was changed")


def _found(registry: Registry, name: str) -> Tool:
    if (tool := registry.find(name)) is None:
        _refuse(f"there is no tool {name!r}, or it is switched off; `greenlight tools list` shows those there are")
    return tool


def _optional(tool: Tool) -> Sequence[str]:
    """Return what the tool offers besides the call."""
    given = {
        "check": tool.check,
        "dry run": tool.dry_run,
        "precondition": tool.precondition,
        "inverse": tool.undoing,
        "renderer": tool.preview,
    }
    return [name for name, function in given.items() if function is not None]


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(REFUSED)
