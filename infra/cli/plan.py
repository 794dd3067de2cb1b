"""`greenlight plan check` and `greenlight plan run`: plan files, without Slack and without a model."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.ids import NodeId
from agent.limits import PlanLanguage
from agent.llm.shipped_roles import shipped_roles
from agent.packing.packing import pack
from agent.packing.script_checks import unparsable
from agent.plan.operations import Add, Cancel, Node, nodes_added, operation_json
from agent.reading.plan_file import PlanFile, read_plan
from agent.reading.plan_language.printer import plan_text
from agent.reading.validation import fault_json
from agent.tool import Registry, drawn_colour
from infra.cli.process import environment
from infra.cli.tool_file import read_tools
from infra.config.list_file import ListFileInvalid
from infra.plan_image.mermaid import flowchart
from sandbox.script import Json

INVALID = 1
"""Exit code: the plan has faults, or a step of the run did not succeed."""

UNREADABLE = 2
"""Exit code: a file cannot be read, or the command line is wrong."""

PARKED = 3
"""Exit code: the run waits for approvals that no option decides."""

app = typer.Typer(no_args_is_help=True, add_completion=False)

PlanPath = Annotated[
    Path, typer.Argument(metavar="FILE", help="A plan in the plan language, as JSON Lines, or as one JSON object.")
]


@app.callback()
def _root() -> None:  # pyright: ignore[reportUnusedFunction]  registered by the decorator
    """Check a plan file, or run it."""


@app.command()
def check(
    file: PlanPath,
    tools: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check against these tools (JSON or TOML) instead of Greenlight's own."),
    ] = None,
    no_pack: Annotated[bool, typer.Option("--no-pack", help="Keep the nodes as written.")] = False,
    printed_as: Annotated[
        PlanLanguage, typer.Option("--as", help="Print the plan as JSON Lines, or in the plan language.")
    ] = PlanLanguage.JSON,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart instead.")] = False,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Also draw the plan into FILE.")] = None,
) -> None:
    """Print the packed plan and exit 0, or its faults, one JSON object per line, and exit 1.

    Prints to stderr which nodes were packed and which stay apart. Exit 2: a file cannot be read or written.
    """
    registry = _tools(tools)
    operations = _require_valid(read_plan(_text(file), registry)).operations
    for node in nodes_added(operations).values():
        if node.code and (why := unparsable(node.code)):
            typer.echo(f"{node.id}: this Python cannot read its script ({why}); the sandbox's may", err=True)
    if not no_pack:
        packing = pack(operations, registry)
        operations = packing.operations
        for decision in (*packing.fusions, *packing.splits):
            typer.echo(str(decision), err=True)
    nodes = [*nodes_added(operations).values()]
    if png is not None:
        _draw(nodes, registry, png)
    if mermaid:
        typer.echo(flowchart(nodes, lambda node: drawn_colour(node, registry)), nl=False)
        return
    if printed_as is PlanLanguage.PYTHON:
        written = [operation for operation in operations if isinstance(operation, Add | Cancel)]
        names, roles = {tool.name for tool in registry}, frozenset(role.name for role in registry.roles)
        typer.echo(plan_text(written, names, roles=roles), nl=False)
        return
    for operation in operations:
        _print(operation_json(operation))


@app.command()
def run(
    file: PlanPath,
    approve: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Approve this node, or every item of this template; may be repeated."),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Reject this node, or every item of this template; may be repeated."),
    ] = None,
    approve_all: Annotated[
        bool, typer.Option("--approve-all", help="Approve every node that --reject does not name.")
    ] = False,
) -> None:
    """Run the plan with the tools that are set up here; print every event as one JSON object per line.

    Exit 0: everything succeeded. 1: the plan has faults, or a step failed or was rejected. 2: a file cannot be
    read, or something needed is missing. 3: the run waits for approvals that no option decides.
    """
    # Imported here: LangGraph, the database's and Slack's libraries take seconds, and `check` needs none of them.
    from agent.errors import AgentError
    from infra.cli.plan_run import DecisionsMismatch, GivenDecisions, run_text
    from infra.config.environment import read_settings
    from infra.config.file import ConfigurationError
    from infra.db.embedded_postgres import PostgresUnusable

    decisions = GivenDecisions(approved=_nodes(approve), rejected=_nodes(reject), approve_all=approve_all)
    try:
        result = asyncio.run(run_text(_text(file), read_settings(environment()), decisions, _print))
    except (DecisionsMismatch, ConfigurationError, PostgresUnusable) as error:
        _exit_unreadable(error)
    except AgentError as error:
        typer.echo(f"the run broke off: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(INVALID) from error
    if isinstance(result, PlanFile):
        _require_valid(result)
    elif result.undecided:
        raise typer.Exit(PARKED)
    elif not result.succeeded:
        raise typer.Exit(INVALID)


def _draw(nodes: Sequence[Node], registry: Registry, file: Path) -> None:
    # Imported here: the drawing library is slow to import, and only --png needs it.
    from infra.plan_image.drawing import DrawnNode, plan_picture

    picture = plan_picture([DrawnNode(node=node, colour=drawn_colour(node, registry)) for node in nodes])
    try:
        file.write_bytes(picture)
    except OSError as error:
        _exit_unreadable(f"{file}: {error.strerror}")


def _nodes(ids: list[str] | None) -> frozenset[NodeId]:
    return frozenset(map(NodeId, ids or ()))


def _tools(described: Path | None) -> Registry:
    if described is None:
        # Imported here: Slack's and the database's libraries take a second to import.
        from infra.config.environment import read_settings
        from infra.config.file import ConfigurationError
        from infra.tools.catalogue import known_tools

        try:
            configuration = read_settings(environment()).configuration
        except ConfigurationError as error:
            _exit_unreadable(error)
        return Registry(asyncio.run(known_tools(configuration.tools.paths)), configuration.roles.values())
    try:
        return Registry(read_tools(described), shipped_roles().values())
    except ListFileInvalid as error:
        _exit_unreadable(error)
    except OSError as error:
        _exit_unreadable(f"{described}: {error.strerror}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        _exit_unreadable(f"{file}: {error.strerror}")
    except UnicodeDecodeError as error:
        _exit_unreadable(f"{file}: {error}")


def _exit_unreadable(why: object) -> NoReturn:
    typer.echo(str(why), err=True)
    raise typer.Exit(UNREADABLE)


def _require_valid(plan: PlanFile) -> PlanFile:
    """Return the plan, or print its faults and exit when it has any."""
    for fault in plan.faults:
        _print(fault_json(fault))
    if plan.faults:
        raise typer.Exit(INVALID)
    return plan


def _print(value: Mapping[str, Json]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))
