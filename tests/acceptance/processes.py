"""Parts of the product as processes of their own, for tests that end them."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.acceptance.app_fixture import AppScene

GREENLIGHT = Path(sys.executable).with_name("greenlight")


def app_environment(scene: AppScene, configuration: Path) -> Mapping[str, str]:
    """Return what a process of the app needs besides our own environment."""
    slack, model = scene.settings.required_slack(), scene.settings.required_model()
    return {
        "DATABASE_URL": scene.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
        "OPENAI_API_KEY": "scripted",
        "OPENAI_BASE_URL": model.base_url or "",
        "GREENLIGHT_CONFIG": str(configuration),
    }


@asynccontextmanager
async def greenlight_worker(scene: AppScene, configuration: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run `greenlight worker` as a process of its own."""
    environment = {**os.environ, **app_environment(scene, configuration)}
    process = await asyncio.create_subprocess_exec(
        GREENLIGHT, "worker", env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
