"""`greenlight model`: serves the scripted model alone, for an app that is started with its address."""

import asyncio
from typing import Annotated

import typer

from infra.cli.process import require_free, stop_signal
from infra.dev.scripted_model.demo_scripts import TOKENS_PER_SECOND, demo_scripts
from infra.dev.scripted_model.server import ScriptedModel


def model(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)] = 8090,
    tokens_per_second: Annotated[
        float, typer.Option(help="How fast answers arrive; 0: without delay.", min=0)
    ] = TOKENS_PER_SECOND,
) -> None:
    """Serve the scripted model: OpenAI's chat protocol, the demo's requests, no intelligence."""
    require_free(port)
    asyncio.run(_serve(port, tokens_per_second or None))


async def _serve(port: int, tokens_per_second: float | None) -> None:
    """Serve until SIGINT or SIGTERM."""
    async with ScriptedModel(demo_scripts(tokens_per_second)) as server:
        base_url = await server.start(port)
        with stop_signal() as stopped:
            typer.echo(f"The scripted model is at {base_url}. Start the app with:")
            typer.echo(f"  OPENAI_BASE_URL={base_url} OPENAI_API_KEY=scripted")
            await stopped.wait()
