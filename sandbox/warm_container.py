"""Containers that are started and wait, each for the one script it will ever run."""

import asyncio
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.attachment import Attachment, Stream
from sandbox.container import ContainerId, Engine
from sandbox.container_exits import ContainerExits, ExitWatch
from sandbox.errors import ContainerLost, EngineUnavailable, ProtocolViolation
from sandbox.hardening import DEADLINE_LABEL, INSTANCE_LABEL, OWNER_LABEL, ContainerSpec
from sandbox.protocol import LineSplitter, Ready, read_message

READY_SECONDS = 20.0
READY_LINE_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class WarmContainer:
    """A container whose runner is ready."""

    id: ContainerId
    attachment: Attachment
    watch: ExitWatch
    #: The version of its Python.
    python: str
    #: By the monotonic clock.
    started_at: float


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process a container belongs to, so that others can check whether it still lives."""

    host: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"


def this_process() -> Owner:
    """Return this process as an owner of containers."""
    return Owner(host=platform.node(), pid=os.getpid(), started=process_started(os.getpid()))


def process_started(pid: int) -> str:
    """Return the start of the process in clock ticks, "" when it is gone. A later use of the pid has another one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


class WarmContainers:
    """Starts containers of one image and removes them."""

    def __init__(self, engine: Engine, exits: ContainerExits, image: str, instance: str, life_seconds: float) -> None:
        self._engine = engine
        self._exits = exits
        self._image = image
        self._instance = instance
        self._life_seconds = life_seconds
        self._owner = str(this_process())
        self._starts: set[asyncio.Task[WarmContainer]] = set()
        self._removals: set[asyncio.Task[None]] = set()

    async def start(self, spec: ContainerSpec) -> WarmContainer:
        """Create a container, attach to it, start it and wait until its runner is ready.

        A start is never interrupted, because the engine would finish it unseen. A container that nobody
        waits for any more is discarded as soon as it has started.

        Raises:
            ContainerLost: the engine refuses, or the runner did not come up.
            EngineUnavailable: the engine does not answer.
        """
        starting = asyncio.get_running_loop().create_task(self._start(spec))
        self._starts.add(starting)
        starting.add_done_callback(self._starts.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._discard)
            raise

    async def _start(self, spec: ContainerSpec) -> WarmContainer:
        container = await self._engine.create(self._image, spec, self._labels())
        attachment: Attachment | None = None
        try:
            watch = self._exits.watch(container)
            attachment = await self._engine.attach(container)
            await self._engine.start(container)
            python = await _ready(attachment)
        except BaseException:
            self.discard(container, attachment)
            raise
        return WarmContainer(
            id=container, attachment=attachment, watch=watch, python=python, started_at=time.monotonic()
        )

    def discard(self, container: ContainerId, attachment: Attachment | None) -> None:
        """Close the container's streams at once, and remove it in the background.

        The order matters: before an engine removes a container that floods, it waits for streams that are open
        and undrained.
        """
        if attachment is not None:
            attachment.abort()
        task = asyncio.get_running_loop().create_task(self._remove(container))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def settle(self) -> None:
        """Return when everything discarded is gone."""
        while self._starts or self._removals:
            await asyncio.gather(*self._starts, *self._removals, return_exceptions=True)
            await asyncio.sleep(0)

    def _discard(self, starting: asyncio.Task[WarmContainer]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self.discard(starting.result().id, starting.result().attachment)

    async def _remove(self, container: ContainerId) -> None:
        self._exits.forget(container)
        try:
            await self._engine.remove(container)
        except (ContainerLost, EngineUnavailable):
            return  # its stdin is closed, so it ends by itself; the reaper removes the rest

    def _labels(self) -> Mapping[str, str]:
        return {
            INSTANCE_LABEL: self._instance,
            OWNER_LABEL: self._owner,
            DEADLINE_LABEL: str(int(time.time() + self._life_seconds)),
        }


async def _ready(attachment: Attachment) -> str:
    """Wait for the runner's first line; return its Python version."""
    splitter = LineSplitter(READY_LINE_BYTES)
    noise = b""
    try:
        async with asyncio.timeout(READY_SECONDS):
            while piece := await attachment.read():
                if piece.stream != Stream.STDOUT:
                    noise = (noise + piece.data)[-500:]
                    continue
                for line in splitter.feed(piece.data):
                    message = read_message(line, mark="")
                    if isinstance(message, Ready):
                        return message.python
    except (TimeoutError, ProtocolViolation) as error:
        raise ContainerLost(f"the runner did not come up: {error or 'no answer'}") from error
    raise ContainerLost(f"the container ended at once: {noise.decode(errors='replace')}")
