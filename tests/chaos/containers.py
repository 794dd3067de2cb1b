"""The containers of the storm's workers, as the engine lists them: a process that dies leaves some behind."""

import asyncio
import platform
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from sandbox.container import ContainerId, Engine, connect
from sandbox.docker_sandbox import DockerSettings
from sandbox.errors import SandboxError
from sandbox.hardening import OWNER_LABEL
from sandbox.image_spec import image_tag
from sandbox.warm_container import Owner, process_started

_LOOK_SECONDS = 0.5


class Containers:
    """Watches the containers of the processes given to `belong_to`; without an engine there are none."""

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine
        #: Owner label -> process id.
        self._owners: dict[str, int] = {}
        #: Every container that any look has found.
        self.seen: set[ContainerId] = set()

    @property
    def sandbox(self) -> str:
        """What scripts run in, as the configuration names it."""
        return "monty" if self._engine is None else "docker"

    def belong_to(self, pid: int) -> None:
        """Count the containers of a process that has just been started."""
        self._owners[str(Owner(host=platform.node(), pid=pid, started=process_started(pid)))] = pid

    async def left(self) -> Mapping[ContainerId, int]:
        """Return the containers there are now, by the process that started them."""
        if self._engine is None:
            return {}
        found = {
            container.id: self._owners[owner]
            for container in await self._engine.ours()
            if (owner := container.labels.get(OWNER_LABEL, "")) in self._owners
        }
        self.seen.update(found)
        return found

    async def watch(self) -> None:
        """Look every half second. Runs until cancelled."""
        while True:
            await self.left()
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def open_containers() -> AsyncGenerator[Containers]:
    """Connect to the engine, if one answers and has our image."""
    try:
        engine = await connect()
    except SandboxError:
        yield Containers(None)
        return
    try:
        yield Containers(engine if await _has_image(engine) else None)
    finally:
        await engine.close()


async def _has_image(engine: Engine) -> bool:
    try:
        await engine.image_digest(image_tag(DockerSettings().image))
    except SandboxError:
        return False
    return True
