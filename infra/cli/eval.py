"""`greenlight eval`: how often plans are right, those of a model or those with every fault that models make."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from agent.errors import StoreUnavailable
from infra.cli.process import environment
from infra.config.environment import read_settings
from infra.config.file import ConfigurationError
from infra.config.list_file import ListFileInvalid
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import URL

    from agent.limits import ModelSettings
    from infra.config.environment import Settings
    from infra.evaluation.measurement import Measurement
    from infra.evaluation.replay import Replay
    from sandbox.script import Json

UNSAFE = 1
"""Exit code: an approval or an edge is wrong in a replay."""

MOST_GOALS = 200
"""The newest runs with a thumbs-down that become goals."""

UNUSABLE = 2
"""Exit code: the file is no list of goals, or something that is needed is missing."""


def evaluate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Your own goals (JSON) instead of those that ship.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Replay faulty outputs even if a model is set up.")] = False,
    feedback: Annotated[
        Path | None, typer.Option(metavar="OUT.json", help="Write goals of the runs that got a thumbs-down instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Plan goals with the configured model and print how often the plans are right, raw and repaired and packed.

    Without a model, replay each goal's plan with every kind of fault, and print how many end right, refused or
    wrong. With --feedback, make goals of the runs in the database whose answer somebody found bad, each with the plan
    and the results that it had; runs that cannot be replayed are named.

    Exit 1: an approval or an edge is wrong in a replay. 2: the file cannot be used. The format of a file of goals is
    described in infra/evaluation/goal.py.
    """
    # Imported here: the planner, the interpreter and Slack's library take seconds, and `--help` does without.
    from infra.evaluation.report import measured_json, measured_lines, replay_json, replay_lines, unsafe

    if feedback is not None:
        _write_goals(feedback)
        return
    try:
        model = None if replay else read_settings(environment()).model
        if model is not None:
            measurements = asyncio.run(_measure(file, model))
            _print(measured_json(measurements, model.model) if as_json else measured_lines(measurements, model.model))
            return
        replayed = asyncio.run(_replay(file))
    except (ConfigurationError, ListFileInvalid, SandboxError) as error:
        _unusable(str(error))
    except OSError as error:
        _unusable(f"{error.filename}: {error.strerror}")
    _print(replay_json(replayed) if as_json else replay_lines(replayed))
    if unsafe(replayed):
        raise typer.Exit(UNSAFE)


async def _measure(file: Path | None, settings: ModelSettings) -> Sequence[Measurement]:
    from agent.llm.client import OpenAILanguageModel
    from infra.evaluation.goal import SHIPPED_GOALS, read_goals, with_tools
    from infra.evaluation.measurement import measure
    from infra.tools.catalogue import known_tools
    from sandbox.choice import choose_sandbox

    registry = await known_tools()
    goals = read_goals(file or SHIPPED_GOALS, registry)
    sandbox = (await choose_sandbox()).sandbox
    model = OpenAILanguageModel(settings)
    try:
        return await measure(goals, model, with_tools(goals, registry), sandbox)
    finally:
        await model.close()
        await sandbox.close()


async def _replay(file: Path | None) -> Sequence[Replay]:
    from infra.evaluation.goal import SHIPPED_GOALS, read_goals, with_tools
    from infra.evaluation.replay import replays
    from infra.tools.catalogue import known_tools
    from sandbox.monty import MontySandbox, monty_binary

    registry = await known_tools()
    goals = read_goals(file or SHIPPED_GOALS, registry)
    if without := next((goal.name for goal in goals if not goal.plan and not goal.bad_answer), None):
        raise ListFileInvalid(f"{file}: {without}: without a model a goal needs its `plan`")
    sandbox = MontySandbox(monty_binary())
    try:
        return [replay async for replay in replays(goals, with_tools(goals, registry), sandbox)]
    finally:
        await sandbox.close()


def _write_goals(out: Path) -> None:
    """Write the goals and say how many; exit with a message when that cannot be done."""
    from infra.config.environment import held_database
    from infra.db.embedded_postgres import PostgresUnusable

    try:
        settings = read_settings(environment())
        with held_database(settings) as url:
            goals, left_out = asyncio.run(_goals_of_feedback(settings, url))
        out.write_text(json.dumps({"goals": goals}, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    except (ConfigurationError, PostgresUnusable, SandboxError) as error:
        _unusable(str(error))
    except StoreUnavailable:
        _unusable("The database cannot be reached.")
    except OSError as error:
        _unusable(f"{error.filename}: {error.strerror}")
    for line in left_out:
        typer.echo(line, err=True)
    typer.echo(f"{len(goals)} goals written to {out}, {len(left_out)} runs left out")


async def _goals_of_feedback(settings: Settings, url: URL) -> tuple[Sequence[Mapping[str, Json]], Sequence[str]]:
    """Return the goals, and why other runs became none."""
    from agent.tool import Registry
    from infra.db.database import Database
    from infra.evaluation.feedback_goals import recorded_goals
    from infra.evaluation.run_record import RunRecords
    from infra.stores.artifacts import PostgresArtifacts
    from infra.stores.feedback import PostgresFeedback
    from infra.tools.catalogue import clusters_of, known_tools
    from infra.tools.mcp.tools import known_mcp_tools
    from infra.wiring import open_contents
    from sandbox.monty import MontySandbox, monty_binary

    configuration = settings.configuration
    own = await known_tools(configuration.tools.paths, clusters_of(configuration.tools))
    more = (tool for tool in known_mcp_tools(settings.mcp) if own.find(tool.name) is None)
    registry = Registry((*own, *more), configuration.roles.values())
    sandbox = MontySandbox(monty_binary())
    database = Database(url)
    try:
        records = RunRecords(database, PostgresArtifacts(database, open_contents(configuration.files)))
        bad = await PostgresFeedback(database).bad_turns(MOST_GOALS)
        return await recorded_goals([await records.of(turn) for turn in bad], registry, sandbox)
    finally:
        await database.close()
        await sandbox.close()


def _print(report: object) -> None:
    match report:
        case list():
            typer.echo("\n".join(report))  # pyright: ignore[reportUnknownArgumentType]  # lines of a table
        case _:
            typer.echo(json.dumps(report, ensure_ascii=False, allow_nan=False))


def _unusable(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(UNUSABLE)
