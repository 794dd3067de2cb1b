"""`greenlight plan check` and `greenlight plan run`: plans as files, without Slack and without a model."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.faults import fault_json
from agent.plan import nodes_added, operation_json
from agent.tools.registry import Registry
from agent.workbench import colour_of
from infra.cli.flowchart import flowchart
from infra.cli.plan_file import PlanFile, read_plan
from infra.cli.tool_file import ToolFileInvalid, read_tools
from sandbox.script import Json

INVALID = 1
"""Exit code: the plan has faults, or a step of the run did not succeed."""

UNREADABLE = 2
"""Exit code: a file cannot be read, or the command is used wrongly."""

PARKED = 3
"""Exit code: the run waits for decisions that no option gives."""

app = typer.Typer(no_args_is_help=True, add_completion=False)

PlanPath = Annotated[Path, typer.Argument(metavar="FILE", help="Operations as JSON Lines, or one object with them.")]


@app.callback()
def _root() -> None:  # pyright: ignore[reportUnusedFunction]  registered by the decorator
    """Check a plan file, or run it."""


@app.command()
def check(
    file: PlanPath,
    tools: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check against these tools (JSON or TOML), not Greenlight's own."),
    ] = None,
    no_pack: Annotated[bool, typer.Option("--no-pack", help="Keep the nodes as they are written.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart instead.")] = False,
) -> None:
    """Print the plan and exit 0, or its faults and exit 1: one JSON object per line.

    Exit 2: a file cannot be read.
    """
    del no_pack  # nothing is packed yet: the plan comes out as it is written either way
    registry = _tools(tools)
    plan = _sound(read_plan(_text(file), registry))
    if mermaid:
        nodes = [*nodes_added(plan.operations).values()]
        typer.echo(flowchart(nodes, lambda node: colour_of(node, registry)), nl=False)
        return
    for operation in plan.operations:
        _print(operation_json(operation))


def _tools(described: Path | None) -> Registry:
    if described is None:
        # Imported here: Slack's and the database's libraries take a second.
        from infra.cli.known_tools import known_tools

        return asyncio.run(known_tools())
    try:
        return read_tools(described)
    except ToolFileInvalid as error:
        _unreadable(error)
    except OSError as error:
        _unreadable(f"{described}: {error.strerror}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        _unreadable(f"{file}: {error.strerror}")
    except UnicodeDecodeError as error:
        _unreadable(f"{file}: {error}")


def _unreadable(why: object) -> NoReturn:
    typer.echo(str(why), err=True)
    raise typer.Exit(UNREADABLE)


def _sound(plan: PlanFile) -> PlanFile:
    """Return the plan, or print its faults and exit."""
    for fault in plan.faults:
        _print(fault_json(fault))
    if plan.faults:
        raise typer.Exit(INVALID)
    return plan


def _print(value: Mapping[str, Json]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))
