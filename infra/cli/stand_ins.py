"""`greenlight workspace` and `greenlight model`: each serves one stand-in of the demo alone, to work on an app."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.process import require_free, stop_signal
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.scripted_model.demo_scripts import TOKENS_PER_SECOND, demo_scripts
from infra.dev.scripted_model.server import ScriptedModel


def workspace(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)] = 7707,
    manifest: Annotated[
        Path | None, typer.Option(help="The app's manifest.json: its scopes, events, commands.")
    ] = None,
    snapshot: Annotated[Path | None, typer.Option(help="Keep messages in this file across restarts.")] = None,
    rate_limits: Annotated[bool, typer.Option(help="Enforce Slack's rate limits.")] = True,
) -> None:
    """Run a local workspace: a strict stand-in for Slack with a browser page."""
    require_free(port)
    installed = InstalledApp.from_manifest(manifest) if manifest else None
    asyncio.run(_serve_workspace(Workspace(port=port, app=installed, snapshot=snapshot, rate_limits=rate_limits)))


async def _serve_workspace(workspace: Workspace) -> None:
    async with workspace:
        with stop_signal() as stopped:
            typer.echo(f"Local workspace: {workspace.base_url}")
            typer.echo(f"  SLACK_API_URL={workspace.api_url}")
            typer.echo(f"  SLACK_BOT_TOKEN={workspace.bot_token}")
            typer.echo(f"  SLACK_APP_TOKEN={workspace.app_token}")
            await stopped.wait()


def model(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)] = 8090,
    tokens_per_second: Annotated[
        float, typer.Option(help="How fast answers arrive; 0: without delay.", min=0)
    ] = TOKENS_PER_SECOND,
) -> None:
    """Serve the scripted model: OpenAI's chat protocol, the demo's requests, no intelligence."""
    require_free(port)
    asyncio.run(_serve_model(port, tokens_per_second or None))


async def _serve_model(port: int, tokens_per_second: float | None) -> None:
    async with ScriptedModel(demo_scripts(tokens_per_second)) as server:
        base_url = await server.start(port)
        with stop_signal() as stopped:
            typer.echo(f"The scripted model is at {base_url}. Start the app with:")
            typer.echo(f"  OPENAI_BASE_URL={base_url} OPENAI_API_KEY=scripted")
            await stopped.wait()
