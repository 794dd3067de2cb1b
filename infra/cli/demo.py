"""`greenlight demo`: runs the app here, with a local Slack in the browser; `--check` plays its story."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
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
from infra.dev.demo.example import Example, ask, names, play, read_example
from infra.dev.demo.story import REQUEST, REVERT_REQUEST, Story
from infra.dev.demo.thread_observer import ExpectationTimeout
from infra.dev.demo.world import demo_world
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.scripted_model.demo_scripts import FIRST_TOKEN_SECONDS, TOKENS_PER_SECOND, demo_scripts
from infra.dev.scripted_model.script import Pace, Script
from infra.dev.scripted_model.server import MODEL_NAME, ScriptedModel
from infra.wiring import open_app

PORT = 7707
_PACE = Pace(first_seconds=FIRST_TOKEN_SECONDS, tokens_per_second=TOKENS_PER_SECOND)


class DemoRunning(Exception):
    """Another demo uses the data folder; the text names the folder."""


def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Play the whole story without a browser; exit 1 if it fails.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Port of the page on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = PORT,
    example: Annotated[
        str, typer.Option(help="Ask what an example of the gallery asks; `list` names them all.", metavar="NAME")
    ] = "",
) -> None:
    """Try Greenlight in the browser: no Slack, no model key, no Docker needed."""
    if example and example not in names():
        typer.echo("\n".join(f"{name}: {read_example(name).title}" for name in names()), err=example != "list")
        raise typer.Exit(0 if example == "list" else 2)
    chosen = read_example(example) if example else None
    try:
        settings = read_settings(os.environ)
        if check:
            with _temporary_data(settings) as temporary:
                raise typer.Exit(asyncio.run(_check(temporary, chosen)))
        require_free(port)
        # A data folder of its own, because workers that share a database run each other's threads.
        asyncio.run(_serve(replace(settings, data=settings.data / "demo"), port, chosen))
    except (ConfigurationError, PostgresUnusable, DemoRunning) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


async def _serve(settings: Settings, port: int, example: Example | None) -> None:
    snapshot = settings.data / "workspace.json"
    async with running_demo(settings, _scripts(example), port=port, snapshot=snapshot) as workspace:
        with stop_signal() as stopped:
            typer.echo(f"\nGreenlight is running. Open {workspace.base_url} in a browser.\n")
            if example is None:
                typer.echo("Pick who you are, go to #ops and write, for example:")
                typer.echo(f"  @Greenlight {REQUEST}")
                typer.echo(f"  @Greenlight {REVERT_REQUEST}\n")
                if shutil.which("git") is None:
                    typer.echo("git is not installed here, so steps that need it will say so.\n")
            else:
                async with WorkspaceClient(workspace.base_url) as client:
                    await ask(example, client)
                typer.echo(f"{example.title}. {example.about}")
                typer.echo(f"{example.first.by} has asked for it in #ops; whoever you are there may decide.\n")
            typer.echo("Ctrl-C stops it; the conversation is kept.")
            await stopped.wait()


async def _check(settings: Settings, example: Example | None) -> int:
    async with (
        running_demo(settings, _scripts(example), port=0, snapshot=None) as workspace,
        WorkspaceClient(workspace.base_url) as client,
    ):
        try:
            await (Story(client, typer.echo).all() if example is None else play(example, client, typer.echo))
        except ExpectationTimeout as error:
            typer.echo(f"FAILED: {error}", err=True)
            return 1
    return 0


def _scripts(example: Example | None) -> Sequence[Script]:
    return (*(() if example is None else example.scripts(_PACE)), *demo_scripts())


@contextmanager
def _temporary_data(settings: Settings) -> Generator[Settings]:
    """Yield settings with a temporary data folder, so that a check neither reads nor leaves data."""
    with tempfile.TemporaryDirectory(prefix="greenlight-check-") as folder:
        Path(folder).chmod(0o755)  # the database server runs as its own user and needs access
        yield Settings(database_url=None, data=Path(folder), model=settings.model)


@asynccontextmanager
async def running_demo(
    settings: Settings, scripts: Sequence[Script], *, port: int, snapshot: Path | None
) -> AsyncGenerator[Workspace]:
    """Run the database, the demo's world, the workspace, the model and the app as in production.

    `scripts` are those of the scripted model, which plays where the settings name no model.
    """
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(hold_postgres(settings.data))
        try:
            stack.enter_context(locked(settings.data / "demo.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DemoRunning(
                f"A demo already uses the folder {settings.data}; stop it, or name another folder in GREENLIGHT_DATA."
            ) from error
        address = postgres.admin_url().render_as_string(hide_password=False)
        await asyncio.to_thread(migrate, postgres.url())
        world = await stack.enter_async_context(demo_world(settings.data, address, datetime.now(UTC)))
        workspace = await stack.enter_async_context(Workspace(port=port, snapshot=snapshot))
        slack = SlackSettings(bot_token=workspace.bot_token, app_token=workspace.app_token, api_url=workspace.api_url)
        model = settings.model
        if model is None:
            scripted = await stack.enter_async_context(ScriptedModel(scripts))
            model = ModelSettings(model=MODEL_NAME, api_key="scripted", base_url=await scripted.start())
        # Posts to channels and commits need the approval of a second person.
        configuration = Configuration(
            tools=replace(world.tools, paths=settings.configuration.tools.paths),
            approvals=dict.fromkeys(("slack_post_message", "git_commit"), ApprovalPolicy(self_approval=False)),
        )
        app_settings = Settings(data=settings.data, slack=slack, model=model, configuration=configuration)
        await stack.enter_async_context(open_app(app_settings, postgres.url()))
        yield workspace
