"""`greenlight eval`: how often plans come out right, a model's own or those with every fault that models make."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from infra.cli.process import environment
from infra.config.environment import read_settings
from infra.config.file import ConfigurationError
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from agent.limits import ModelSettings
    from infra.evaluation.measurement import Measured
    from infra.evaluation.replay import Replay

UNSAFE = 1
"""Exit code: a colour or an edge came out wrong in a replay."""

UNUSABLE = 2
"""Exit code: the file is no list of goals, or something that is needed is missing."""

app = typer.Typer(add_completion=False)


@app.command(name="eval")
def evaluate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Goals of your own (JSON); else those that ship.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Replay faulty outputs even if a model is set up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Plan goals with the configured model; print how often that goes right, raw and repaired and packed.

    Without a model, replay each goal's plan with every kind of fault, and print how many end right, refused or
    wrong. Exit 1: a colour or an edge came out wrong in a replay. 2: the file cannot be used. What a file of goals
    looks like stands in infra/evaluation/goal.py.
    """
    # Imported here: the planner, the interpreter and Slack's library take seconds; `--help` does without.
    from infra.evaluation.goal import GoalsInvalid
    from infra.evaluation.report import measured_json, measured_lines, replay_json, replay_lines, unsafe

    try:
        model = None if replay else read_settings(environment()).model
        if model is not None:
            found = asyncio.run(_measured(file, model))
            _print(measured_json(found, model.model) if as_json else measured_lines(found, model.model))
            return
        seen = asyncio.run(_replayed(file))
    except (ConfigurationError, GoalsInvalid, SandboxError) as error:
        _unusable(str(error))
    except OSError as error:
        _unusable(f"{error.filename}: {error.strerror}")
    _print(replay_json(seen) if as_json else replay_lines(seen))
    if unsafe(seen):
        raise typer.Exit(UNSAFE)


async def _measured(file: Path | None, settings: ModelSettings) -> Sequence[Measured]:
    from agent.llm.client import OpenAILanguageModel
    from infra.evaluation.goal import read_goals, shipped_goals
    from infra.evaluation.measurement import measured
    from infra.tools.catalogue import known_tools
    from sandbox.choice import choose_sandbox

    registry = await known_tools()
    goals = shipped_goals(registry) if file is None else read_goals(file, registry)
    chosen = await choose_sandbox()
    model = OpenAILanguageModel(settings)
    try:
        return await measured(goals, model, registry, chosen.sandbox)
    finally:
        await model.close()
        await chosen.sandbox.close()


async def _replayed(file: Path | None) -> Sequence[Replay]:
    from infra.evaluation.goal import GoalsInvalid, read_goals, shipped_goals
    from infra.evaluation.replay import replays
    from infra.tools.catalogue import known_tools
    from sandbox.monty import MontySandbox, monty_binary

    registry = await known_tools()
    goals = shipped_goals(registry) if file is None else read_goals(file, registry)
    if without := next((each.name for each in goals if not each.plan), None):
        raise GoalsInvalid(f"{file}: {without}: without a model a goal needs its `plan`")
    sandbox = MontySandbox(monty_binary())
    try:
        return [each async for each in replays(goals, registry, sandbox)]
    finally:
        await sandbox.close()


def _print(what: object) -> None:
    match what:
        case list():
            typer.echo("\n".join(what))  # pyright: ignore[reportUnknownArgumentType]  # lines of a table
        case _:
            typer.echo(json.dumps(what, ensure_ascii=False, allow_nan=False))


def _unusable(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(UNUSABLE)
