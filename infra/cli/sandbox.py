"""`greenlight sandbox run` and `greenlight sandbox build`: runs one script in the sandbox, and builds its image."""

import asyncio
import dataclasses
import io
import json
import sys
import tokenize
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
from pydantic import TypeAdapter, ValidationError

from infra.cli.process import environment
from infra.cli.script_tools import Handler, ToolFileUnusable, read_tool
from sandbox.build import build_image
from sandbox.choice import choose_sandbox
from sandbox.container import connect
from sandbox.docker_sandbox import DockerSettings
from sandbox.errors import SandboxError
from sandbox.image_spec import ImageSpec
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, Limits, OutcomeKind, ScriptError, ScriptOutcome, outcome_json

NOT_RUN = 1
"""Exit code: the sandbox cannot run the script (outcome kind `infra`), or the image cannot be built."""

app = typer.Typer(no_args_is_help=True, add_completion=False)


_Packages = Annotated[
    list[str] | None,
    typer.Option("--package", metavar="REQUIREMENT", help="A pip package in the image; repeatable, order counts."),
]


@app.callback()
def _root() -> None:  # pyright: ignore[reportUnusedFunction]  registered by the decorator
    """Build the sandbox image, or run one script."""


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="A script that defines main(inputs).")],
    inputs: Annotated[str, typer.Option(metavar="JSON", help="The argument of main(), an object.")] = "{}",
    tool: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE.py", help="A tool the script may call: a function of that name, or `call`."),
    ] = None,
    sandbox: Annotated[
        Literal["auto", "docker", "monty"], typer.Option(help="Which sandbox; auto takes the best one available.")
    ] = "auto",
    limits: Annotated[str, typer.Option(metavar="JSON", help="Limits that differ from the defaults.")] = "{}",
    package: _Packages = None,
) -> None:
    """Run FILE.py and print its outcome as JSON. Exit 1: the sandbox cannot run it; 2: wrong usage."""
    environment()  # the engine's address may be in .env
    docker = DockerSettings(image=ImageSpec(packages=tuple(package or ())), pool=PoolSize(ready=0))
    arguments, bounds = _object(inputs, "--inputs"), _limits(limits, docker.longest_seconds)
    # Tools may print, but stdout must hold the outcome alone.
    with redirect_stdout(sys.stderr):
        try:
            source = file.read_bytes()
            handlers = dict(map(read_tool, tool or ()))
        except OSError as error:
            raise typer.BadParameter(str(error), param_hint="FILE.py") from error
        except ToolFileUnusable as error:
            raise typer.BadParameter(str(error), param_hint="--tool") from error
        outcome = _outcome(source, arguments, handlers, bounds, sandbox, docker)
    typer.echo(json.dumps(outcome_json(outcome), allow_nan=False))
    if outcome.kind is OutcomeKind.INFRA:
        raise typer.Exit(NOT_RUN)


def _outcome(
    source: bytes,
    inputs: Mapping[str, Json],
    handlers: Mapping[str, Handler],
    limits: Limits,
    sandbox: Literal["auto", "docker", "monty"],
    docker: DockerSettings,
) -> ScriptOutcome:
    """Run the source; bytes that are no Python source end as `syntax`, as with Python itself."""
    try:
        code = _decoded(source)
    except (SyntaxError, UnicodeDecodeError) as error:
        fault = ScriptError(type="SyntaxError", message=str(error))
        return ScriptOutcome(kind=OutcomeKind.SYNTAX, error=fault)
    job = Job(code=code, inputs=inputs, tools=frozenset(handlers), limits=limits)

    async def run_job() -> ScriptOutcome:
        async def call(tool: str, args: Mapping[str, Json]) -> Json:
            return await handlers[tool](args)

        chosen = await choose_sandbox(sandbox, docker)
        try:
            return await chosen.sandbox.run(job, call)
        finally:
            await chosen.sandbox.close()

    return asyncio.run(run_job())


def _decoded(source: bytes) -> str:
    """Return the text as Python reads it: by its byte order mark or coding line, else as UTF-8.

    Raises:
        SyntaxError: it names an unknown encoding.
        UnicodeDecodeError: it is not in its encoding.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return source.decode(encoding).replace("\r\n", "\n")


@app.command()
def build(
    base: Annotated[
        Literal["auto", "registry", "debian"],
        typer.Option(
            help="A registry's Python image, or one built from Debian's packages; auto takes what is available."
        ),
    ] = "auto",
    package: _Packages = None,
) -> None:
    """Build the image that scripts run in, and print its tag. Exit 1: the build failed."""
    environment()  # the engine's address may be in .env

    async def built() -> str:
        engine = await connect()
        try:
            return await build_image(
                engine, ImageSpec(packages=tuple(package or ())), base, partial(typer.echo, err=True)
            )
        finally:
            await engine.close()

    try:
        typer.echo(asyncio.run(built()))
    except SandboxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(NOT_RUN) from error


def _object(text: str, option: str) -> Mapping[str, Json]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint=option) from error
    if not isinstance(value, dict):
        raise typer.BadParameter("not a JSON object", param_hint=option)
    return cast("dict[str, Json]", value)


def _limits(text: str, longest_seconds: float) -> Limits:
    given = _object(text, "--limits")
    known = {field.name for field in dataclasses.fields(Limits)}
    if unknown := sorted(set(given) - known):
        raise typer.BadParameter(
            f"no such limit: {', '.join(unknown)} (known: {', '.join(sorted(known))})", param_hint="--limits"
        )
    try:
        limits = TypeAdapter(Limits).validate_python(given)
    except ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--limits") from error
    if negative := [name for name in known if not getattr(limits, name) > 0]:
        raise typer.BadParameter(f"must be positive: {', '.join(negative)}", param_hint="--limits")
    if limits.wall_seconds > longest_seconds:
        raise typer.BadParameter(f"wall_seconds: at most {longest_seconds:g}", param_hint="--limits")
    return limits
