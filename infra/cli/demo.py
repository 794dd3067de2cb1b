"""`greenlight demo`: the app on this machine alone, in a local workspace with a page; `--check` tells its story."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.approval import ApprovalPolicy
from agent.limits import ModelSettings
from infra.cli.process import require_free, stop_signal
from infra.config.environment import Settings, SlackSettings, read_settings
from infra.config.file import Configuration, ConfigurationError
from infra.db.embedded_postgres import PostgresUnusable, hold_postgres, locked
from infra.db.migrate import migrate
from infra.dev.demo.story import REQUEST, Story
from infra.dev.demo.thread_observer import ExpectationTimeout
from infra.dev.demo.world import World, demo_world
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.scripted_model.demo_scripts import demo_scripts
from infra.dev.scripted_model.server import MODEL_NAME, ScriptedModel
from infra.wiring import open_app

app = typer.Typer(add_completion=False)

PORT = 7707


class RunsAlready(Exception):
    """Another demo has the folder; the text says which."""


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Tell the whole story without a browser; exit 1 if it fails.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Port of the page on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = PORT,
) -> None:
    """Try Greenlight in the browser: no Slack, no model key, no Docker needed."""
    try:
        settings = read_settings(os.environ)
        if check:
            with _scratch(settings) as fresh:
                raise typer.Exit(asyncio.run(_check(fresh)))
        require_free(port)
        # A folder of its own: the app's workers, and the demo's, would run each other's threads.
        asyncio.run(_serve(replace(settings, data=settings.data / "demo"), port))
    except (ConfigurationError, PostgresUnusable, RunsAlready) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


async def _serve(settings: Settings, port: int) -> None:
    async with _running(settings, port=port, snapshot=settings.data / "workspace.json") as workspace:
        with stop_signal() as stopped:
            typer.echo(f"\nGreenlight is running. Open {workspace.base_url} in a browser.\n")
            typer.echo("Pick who you are, go to #ops and write, for example:")
            typer.echo(f"  @Greenlight {REQUEST}\n")
            typer.echo("Ctrl-C stops it; the conversation is kept.")
            await stopped.wait()


async def _check(settings: Settings) -> int:
    async with _running(settings, port=0, snapshot=None) as workspace, WorkspaceClient(workspace.base_url) as client:
        try:
            await Story(client, typer.echo).all()
        except ExpectationTimeout as error:
            typer.echo(f"FAILED: {error}", err=True)
            return 1
    return 0


@contextmanager
def _scratch(settings: Settings) -> Generator[Settings]:
    """Give settings with a data folder of their own, so that a check neither sees nor leaves anything."""
    with tempfile.TemporaryDirectory(prefix="greenlight-check-") as folder:
        Path(folder).chmod(0o755)  # the database's own user must get through
        yield Settings(database_url=None, data=Path(folder), model=settings.model)


@asynccontextmanager
async def _running(settings: Settings, *, port: int, snapshot: Path | None) -> AsyncGenerator[Workspace]:
    """Run everything: database, the demo's world, workspace, model and the app as in production."""
    with hold_postgres(settings.data) as postgres, _alone(settings.data):
        address = postgres.admin_url().render_as_string(hide_password=False)
        await asyncio.to_thread(migrate, postgres.url())
        async with (
            demo_world(settings.data, address, datetime.now(UTC)) as world,
            Workspace(port=port, snapshot=snapshot) as workspace,
            _model(settings) as model,
        ):
            app_settings = Settings(
                data=settings.data,
                slack=SlackSettings(
                    bot_token=workspace.bot_token, app_token=workspace.app_token, api_url=workspace.api_url
                ),
                model=model,
                configuration=demo_configuration(world),
            )
            async with open_app(app_settings, postgres.url()):
                yield workspace


@contextmanager
def _alone(data: Path) -> Generator[None]:
    """Keep other demos out of the folder: they would run each other's threads."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(data / "demo.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise RunsAlready(
                f"A demo is running already with the folder {data}; stop it, or name another folder in GREENLIGHT_DATA."
            ) from error
        yield


@asynccontextmanager
async def _model(settings: Settings) -> AsyncGenerator[ModelSettings]:
    """Give the configured model, or serve the scripted one."""
    if settings.model is not None:
        yield settings.model
        return
    async with ScriptedModel(demo_scripts()) as scripted:
        yield ModelSettings(model=MODEL_NAME, api_key="scripted", base_url=await scripted.start())


def demo_configuration(world: World) -> Configuration:
    """Return the demo's configuration: its tools, and a second person for posting to channels."""
    return Configuration(tools=world.tools, approvals={"slack_post_message": ApprovalPolicy(self_approval=False)})
