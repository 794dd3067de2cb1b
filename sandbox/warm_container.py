"""A cell: one container, started and waiting for the one script it will ever run."""

import asyncio
import os
import platform
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.attachment import Attachment, Stream
from sandbox.container import ContainerId, Engine
from sandbox.container_exits import ContainerExits, Watch
from sandbox.errors import ContainerLost, EngineUnavailable, ProtocolViolation
from sandbox.hardening import DEADLINE_LABEL, INSTANCE_LABEL, OWNER_LABEL, ContainerSpec
from sandbox.protocol import LineSplitter, Ready, read_message

READY_SECONDS = 20.0
READY_LINE_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class WarmContainer:
    """A container whose runner has said that it is ready. `born` is by the monotonic clock."""

    container: ContainerId
    attachment: Attachment
    watch: Watch
    python: str
    born: float


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process a container belongs to, so that others can tell whether it still lives."""

    host: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"


def this_process() -> Owner:
    """Return this process as an owner of containers."""
    return Owner(host=platform.node(), pid=os.getpid(), started=process_started(os.getpid()))


def process_started(pid: int) -> str:
    """Return what tells this use of the pid from later ones: its start in clock ticks, "" when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


class WarmContainers:
    """Starts containers of one image and removes them."""

    def __init__(self, engine: Engine, endings: ContainerExits, image: str, instance: str, life_seconds: float) -> None:
        self._engine = engine
        self._endings = endings
        self._image = image
        self._instance = instance
        self._life_seconds = life_seconds
        self._owner = str(this_process())
        self._births: set[asyncio.Task[WarmContainer]] = set()
        self._removals: set[asyncio.Task[None]] = set()

    async def start(self, spec: ContainerSpec) -> WarmContainer:
        """Create a container, attach to it, start it and wait until its runner is ready.

        A birth is never interrupted, because the engine would go on with it unseen; one that nobody
        waits for any more is thrown away as soon as it is over.

        Raises:
            ContainerLost: the engine refuses, or the runner did not come up.
            EngineUnavailable: the engine does not answer.
        """
        birth = asyncio.get_running_loop().create_task(self._born(spec))
        self._births.add(birth)
        birth.add_done_callback(self._births.discard)
        try:
            return await asyncio.shield(birth)
        except asyncio.CancelledError:
            birth.add_done_callback(self._throw_away)
            raise

    async def _born(self, spec: ContainerSpec) -> WarmContainer:
        container = await self._engine.create(self._image, spec, self._labels())
        attachment: Attachment | None = None
        try:
            watch = self._endings.watch(container)
            attachment = await self._engine.attach(container)
            await self._engine.start(container)
            python = await _ready(attachment)
        except BaseException:
            self.discard(container, attachment)
            raise
        return WarmContainer(
            container=container, attachment=attachment, watch=watch, python=python, born=time.monotonic()
        )

    def discard(self, container: ContainerId, attachment: Attachment | None) -> None:
        """Throw the container away: its streams at once, the rest in the background.

        The order matters: with its streams open and undrained, an engine waits for them before it
        removes a container that floods.
        """
        if attachment is not None:
            attachment.abort()
        task = asyncio.get_running_loop().create_task(self._remove(container))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def settle(self) -> None:
        """Return when everything discarded is gone."""
        while self._births or self._removals:
            await asyncio.gather(*self._births, *self._removals, return_exceptions=True)
            await asyncio.sleep(0)

    def _throw_away(self, birth: asyncio.Task[WarmContainer]) -> None:
        if not birth.cancelled() and birth.exception() is None:
            self.discard(birth.result().container, birth.result().attachment)

    async def _remove(self, container: ContainerId) -> None:
        self._endings.forget(container)
        try:
            await self._engine.remove(container)
        except (ContainerLost, EngineUnavailable):
            return  # its stdin is closed, so it ends by itself; the reaper sees to the rest

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
        raise ContainerLost(f"the runner did not come up: {error or 'no word'}") from error
    raise ContainerLost(f"the container ended at once: {noise.decode(errors='replace')}")


def new_instance() -> str:
    """Return the label's value for one sandbox object's containers."""
    return uuid.uuid4().hex
