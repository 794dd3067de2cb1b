"""How containers ended, from the engine's events: auto-removed ones cannot be inspected any more."""

import asyncio
import threading
from dataclasses import dataclass

from sandbox.container import ContainerId, Death, Engine, EventStream
from sandbox.errors import SandboxError
from sandbox.failure import KILLED

EXIT_SECONDS = 2.0
OUT_OF_MEMORY_SECONDS = 0.3
"""The two events of one death come in either order; this long the second is waited for."""

RECONNECT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class ContainerExit:
    """What the engine said: an exit code, or None when it said nothing in time."""

    exit_code: int | None
    out_of_memory: bool


class Watch:
    """One container's events, as they arrive."""

    def __init__(self) -> None:
        self.died = asyncio.Event()
        self.out_of_memory = asyncio.Event()
        self.exit_code: int | None = None

    async def ending(self) -> ContainerExit:
        """Wait for the container's end to be told, a moment at most."""
        await _within(EXIT_SECONDS, self.died)
        if self.exit_code in (None, KILLED):
            await _within(OUT_OF_MEMORY_SECONDS, self.out_of_memory)
        return ContainerExit(exit_code=self.exit_code, out_of_memory=self.out_of_memory.is_set())


class ContainerExits:
    """Listens for the deaths of one process's containers, in a thread of its own."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._loop = asyncio.get_running_loop()
        self._watches: dict[ContainerId, Watch] = {}
        self._stream: EventStream | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Start to listen.

        Raises:
            EngineUnavailable: the engine does not answer.
        """
        self._stream = await self._engine.events(self._instance)
        self._thread = threading.Thread(target=self._listen, name="endings", daemon=True)
        self._thread.start()

    def watch(self, container: ContainerId) -> Watch:
        """Return the container's watch; call before it starts, and `forget` when it is gone."""
        return self._watches.setdefault(container, Watch())

    def forget(self, container: ContainerId) -> None:
        """Drop the container's watch."""
        self._watches.pop(container, None)

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        self._closing.set()
        if self._stream is not None:
            self._stream.close()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _listen(self) -> None:
        """Pass events to the loop; open the stream again when the engine closed it."""
        while not self._closing.is_set():
            for death in self._stream or ():
                self._loop.call_soon_threadsafe(self._take, death)
            if self._closing.wait(RECONNECT_SECONDS):
                return
            try:
                opening = asyncio.run_coroutine_threadsafe(self._engine.events(self._instance), self._loop)
                self._stream = opening.result()
            except SandboxError:
                self._stream = None

    def _take(self, death: Death) -> None:
        watch = self._watches.get(death.container)
        if watch is None:
            return
        if death.out_of_memory:
            watch.out_of_memory.set()
        else:
            watch.exit_code = death.exit_code
            watch.died.set()


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
