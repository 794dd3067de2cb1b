"""The pool: containers started ahead of time, each used once. Taking one costs nothing; a refill follows."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sandbox.background_task import BackgroundTask
from sandbox.errors import SandboxError
from sandbox.hardening import ContainerSpec
from sandbox.warm_container import WarmContainer, WarmContainers

REFILL_DELAY_SECONDS = 0.1
"""A refill waits this long while containers are left, so that it does not slow down the script just begun."""


@dataclass(frozen=True, kw_only=True)
class PoolSize:
    """How many containers wait, and for how long."""

    #: Containers that wait while scripts come.
    ready: int = 4
    #: Containers that wait before the first script and after `idle_seconds` without one.
    idle_ready: int = 1
    #: Containers that start at the same time.
    starting: int = 2
    idle_seconds: float = 600.0
    #: An older container is replaced.
    age_seconds: float = 3600.0


class Pool:
    """Keeps containers of one spec ready."""

    def __init__(self, containers: WarmContainers, spec: ContainerSpec, size: PoolSize) -> None:
        self._containers = containers
        self._spec = spec
        self._size = size
        self._ready: deque[WarmContainer] = deque()
        self._changed = asyncio.Event()
        self._last_taken = time.monotonic() - size.idle_seconds
        self._filler = BackgroundTask("containers started ahead of time", self._fill, expected=(SandboxError,))

    @property
    def waiting(self) -> int:
        """How many containers are ready now."""
        return len(self._ready)

    def open(self) -> None:
        """Begin to fill the pool, in the background."""
        if self._size.ready > 0:
            self._filler.start()

    def take(self) -> WarmContainer | None:
        """Return a container that is ready, or None: then start one yourself."""
        self._last_taken = time.monotonic()
        self._changed.set()
        while self._ready:
            container = self._ready.popleft()
            if not container.attachment.ended:
                return container
            self._discard(container)
        return None

    async def close(self) -> None:
        """Throw the waiting containers away. Idempotent; the removals go on in `WarmContainers`."""
        await self._filler.stop()
        while self._ready:
            self._discard(self._ready.popleft())

    async def _fill(self, well: Callable[[], None]) -> None:
        """Bring the pool to its size and keep it there; raises when the engine fails."""
        while True:
            self._changed.clear()
            self._retire()
            missing = self._wanted() - len(self._ready)
            if missing <= 0:
                await self._sleep_until_something_changes()
                await asyncio.sleep(REFILL_DELAY_SECONDS if self._ready else 0)
                continue
            await self._start(min(missing, self._size.starting))
            well()

    async def _start(self, count: int) -> None:
        """Start `count` containers at once. Those that start are kept, even when others fail or this is cancelled."""
        started = await asyncio.gather(*(self._start_one() for _ in range(count)), return_exceptions=True)
        failures = [failure for failure in started if failure is not None]
        if failures:
            raise failures[0]

    async def _start_one(self) -> None:
        self._ready.append(await self._containers.start(self._spec))

    async def _sleep_until_something_changes(self) -> None:
        moments = [container.started_at + self._size.age_seconds for container in self._ready]
        if len(self._ready) > self._size.idle_ready:
            moments.append(self._last_taken + self._size.idle_seconds)
        seconds = max(min(moments, default=time.monotonic() + 3600) - time.monotonic(), 0.05)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _wanted(self) -> int:
        idle = time.monotonic() - self._last_taken >= self._size.idle_seconds
        return min(self._size.idle_ready, self._size.ready) if idle else self._size.ready

    def _retire(self) -> None:
        """Throw away what is dead, too old, or more than wanted; the oldest first."""
        oldest = time.monotonic() - self._size.age_seconds
        for container in list(self._ready):
            if container.attachment.ended or container.started_at < oldest or len(self._ready) > self._wanted():
                self._ready.remove(container)
                self._discard(container)

    def _discard(self, container: WarmContainer) -> None:
        self._containers.discard(container.id, container.attachment)
