"""How containers ended, from the engine's events: containers that removed themselves cannot be inspected any more."""

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass

from sandbox.container import ContainerId, Engine, EventStream, ExitEvent
from sandbox.errors import SandboxError
from sandbox.failure import KILLED

log = logging.getLogger(__name__)

EXIT_SECONDS = 10.0
"""How long an exit is awaited: an idle engine reports it within milliseconds, a busy one within seconds."""

OUT_OF_MEMORY_SECONDS = 3.0
"""An exit and its out-of-memory event come in either order: the second is awaited for this long."""

RECONNECT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class ContainerExit:
    """A container's exit, as the engine reported it."""

    #: None when the engine reported nothing in time.
    exit_code: int | None
    out_of_memory: bool


class ExitWatch:
    """One container's events, as they arrive."""

    def __init__(self) -> None:
        self.died = asyncio.Event()
        self.out_of_memory = asyncio.Event()
        self.exit_code: int | None = None

    async def exit(self) -> ContainerExit:
        """Wait a moment for the container's exit, and return what the engine reported of it."""
        await _within(EXIT_SECONDS, self.died)
        if self.exit_code in (None, KILLED):
            await _within(OUT_OF_MEMORY_SECONDS, self.out_of_memory)
        return ContainerExit(exit_code=self.exit_code, out_of_memory=self.out_of_memory.is_set())


class ContainerExits:
    """Listens for the exits of one process's containers, in a thread of its own."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._loop = asyncio.get_running_loop()
        self._watches: dict[ContainerId, ExitWatch] = {}
        self._stream: EventStream | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        #: How often the engine has closed the stream of events. Exits of that moment may be the engine's own doing.
        self.interruptions = 0

    async def open(self) -> None:
        """Start to listen.

        Raises:
            EngineUnavailable: the engine does not answer.
        """
        self._stream = await self._engine.events(self._instance)
        self._thread = threading.Thread(target=self._listen, name="exits", daemon=True)
        self._thread.start()

    def watch(self, container: ContainerId) -> ExitWatch:
        """Return the container's watch; call before it starts, and `forget` when it is gone."""
        return self._watches.setdefault(container, ExitWatch())

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
        while not self._closing.is_set() and not self._loop.is_closed():
            try:
                for event in self._stream or ():
                    self._loop.call_soon_threadsafe(self._take, event)
                self._drop_stream()
                if self._closing.wait(RECONNECT_SECONDS):
                    return
                opening = self._engine.events(self._instance)
                self._stream = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
            except SandboxError:
                self._drop_stream()
            except Exception:  # the thread's boundary: without it no exit is heard of any more
                log.exception("the stream of container events broke off")
                self._drop_stream()

    def _drop_stream(self) -> None:
        """Close a stream that ended by itself, and count it."""
        if self._stream is not None and not self._closing.is_set():
            self.interruptions += 1
            self._stream.close()
            self._stream = None

    def _take(self, event: ExitEvent) -> None:
        watch = self._watches.get(event.container)
        if watch is None:
            return
        if event.out_of_memory:
            watch.out_of_memory.set()
        else:
            watch.exit_code = event.exit_code
            watch.died.set()


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
