"""The pool: cells started ahead of time, each used once. Taking one costs nothing; a refill follows."""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass

from sandbox.errors import SandboxError
from sandbox.hardening import ContainerSpec
from sandbox.warm_container import WarmContainer, WarmContainers

log = logging.getLogger(__name__)

BREATH_SECONDS = 0.1
"""A refill waits this long while cells are left, so that it does not slow down the script just begun."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class PoolSize:
    """How many cells wait, and for how long.

    `ready` cells wait while scripts come; before the first and after `idle_seconds` without one,
    `idle_ready` do.
    `starting` cells start at the same time. A cell older than `age_seconds` is replaced.
    """

    ready: int = 4
    idle_ready: int = 1
    starting: int = 2
    idle_seconds: float = 600.0
    age_seconds: float = 3600.0


class Pool:
    """Keeps cells of one spec ready."""

    def __init__(self, cells: WarmContainers, spec: ContainerSpec, size: PoolSize) -> None:
        self._cells = cells
        self._spec = spec
        self._size = size
        self._ready: deque[WarmContainer] = deque()
        self._changed = asyncio.Event()
        self._last_taken = time.monotonic() - size.idle_seconds
        self._keeper: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many cells are ready now."""
        return len(self._ready)

    def open(self) -> None:
        """Begin to fill the pool, in the background."""
        if self._size.ready > 0:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    def take(self) -> WarmContainer | None:
        """Return a cell that is ready, or None: then start one yourself."""
        self._last_taken = time.monotonic()
        self._changed.set()
        while self._ready:
            cell = self._ready.popleft()
            if not cell.attachment.ended:
                return cell
            self._throw_away(cell)
        return None

    async def close(self) -> None:
        """Throw the waiting cells away. Idempotent; the removals go on in `WarmContainers`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        while self._ready:
            self._throw_away(self._ready.popleft())

    async def _keep(self) -> None:
        """Bring the pool to its size and keep it there; an engine that fails is asked less and less often."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._changed.clear()
            self._retire()
            missing = self._wanted() - len(self._ready)
            if missing <= 0:
                await self._sleep_until_something_changes()
                await asyncio.sleep(BREATH_SECONDS if self._ready else 0)
                continue
            try:
                await self._start(min(missing, self._size.starting))
                pause = FIRST_PAUSE_SECONDS
            except SandboxError as error:
                log.warning("no container could be started ahead of time: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _start(self, count: int) -> None:
        """Start `count` cells at once; those that come up are kept, even when others fail or this is cancelled."""
        started = await asyncio.gather(*(self._start_one() for _ in range(count)), return_exceptions=True)
        failures = [each for each in started if each is not None]
        if failures:
            raise failures[0]

    async def _start_one(self) -> None:
        self._ready.append(await self._cells.start(self._spec))

    async def _sleep_until_something_changes(self) -> None:
        moments = [cell.born + self._size.age_seconds for cell in self._ready]
        if len(self._ready) > self._size.idle_ready:
            moments.append(self._last_taken + self._size.idle_seconds)
        seconds = max(min(moments, default=time.monotonic() + 3600) - time.monotonic(), 0.05)
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _wanted(self) -> int:
        idle = time.monotonic() - self._last_taken >= self._size.idle_seconds
        return min(self._size.idle_ready, self._size.ready) if idle else self._size.ready

    def _retire(self) -> None:
        """Throw away what is dead, too old, or more than wanted; the oldest first."""
        oldest = time.monotonic() - self._size.age_seconds
        for cell in list(self._ready):
            if cell.attachment.ended or cell.born < oldest or len(self._ready) > self._wanted():
                self._ready.remove(cell)
                self._throw_away(cell)

    def _throw_away(self, cell: WarmContainer) -> None:
        self._cells.discard(cell.container, cell.attachment)
