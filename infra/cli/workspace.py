"""`greenlight workspace`: serves the local workspace alone, to work on an app without Slack."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.process import require_free, stop_signal
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp


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
    asyncio.run(_run(Workspace(app=installed, snapshot=snapshot, rate_limits=rate_limits), port))


async def _run(running: Workspace, port: int) -> None:
    await running.start(port)
    try:
        with stop_signal() as stopped:
            typer.echo(f"Local workspace: {running.base_url}")
            typer.echo(f"  SLACK_API_URL={running.api_url}")
            typer.echo(f"  SLACK_BOT_TOKEN={running.bot_token}")
            typer.echo(f"  SLACK_APP_TOKEN={running.app_token}")
            await stopped.wait()
    finally:
        await running.close()
