"""A real Docker sandbox for tests, or a skip with the reason; builds the image when it is missing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from sandbox.build import build_image
from sandbox.container import Engine, connect
from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.errors import EngineUnavailable, ImageMissing
from sandbox.image_spec import ImageSpec, image_tag
from sandbox.pool import PoolSize

COLD = PoolSize(ready=0)
"""No containers ahead of time: most tests need one only."""


async def engine_or_skip() -> Engine:
    """Connect to the machine's engine."""
    try:
        return await connect()
    except EngineUnavailable as error:
        pytest.skip(str(error))


async def built_image(engine: Engine, spec: ImageSpec | None = None) -> str:
    """Return the image's tag, building it from Debian's packages when the engine has none."""
    wanted = spec or ImageSpec()
    try:
        await engine.image_digest(image_tag(wanted))
    except ImageMissing:
        await build_image(engine, wanted, "auto", print)
    return image_tag(wanted)


@asynccontextmanager
async def docker_sandbox(settings: DockerSettings | None = None) -> AsyncGenerator[DockerSandbox]:
    """Open a Docker sandbox and close it again."""
    engine = await engine_or_skip()
    chosen = settings or DockerSettings(pool=COLD)
    await built_image(engine, chosen.image)
    sandbox = DockerSandbox(engine, chosen)
    await sandbox.open()
    try:
        yield sandbox
    finally:
        await asyncio.shield(sandbox.close())
