"""How a container's end is told from events of the engine that come late or in either order."""

import asyncio
import queue
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from sandbox.container import ContainerId, Engine, ExitEvent
from sandbox.container_exits import ContainerExit, ContainerExits
from sandbox.failure import KILLED

CONTAINER = ContainerId("c")
DIED = ExitEvent(container=CONTAINER, out_of_memory=False, exit_code=KILLED)
OUT_OF_MEMORY = ExitEvent(container=CONTAINER, out_of_memory=True)


class _Events:
    """An engine and its stream of events, which a test fills."""

    def __init__(self) -> None:
        self._events: queue.Queue[ExitEvent | None] = queue.Queue()

    async def events(self, instance: str) -> Any:
        return self

    def __iter__(self) -> Iterator[ExitEvent]:
        return iter(self._events.get, None)

    def report(self, event: ExitEvent) -> None:
        self._events.put(event)

    def close(self) -> None:
        self._events.put(None)


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[_Events, ContainerExits]]:
    """Listen to an engine for the context."""
    engine = _Events()
    exits = ContainerExits(cast("Engine", engine), "instance")
    await exits.open()
    try:
        yield engine, exits
    finally:
        await exits.close()


@pytest.mark.parametrize("events", [(DIED, OUT_OF_MEMORY), (OUT_OF_MEMORY, DIED)], ids=["exit first", "memory first"])
async def test_script_that_ran_out_of_memory_is_told_so_by_an_engine_that_is_busy(
    events: tuple[ExitEvent, ExitEvent],
) -> None:
    async with listening() as (engine, exits):
        ended = asyncio.create_task(exits.watch(CONTAINER).exit())
        for event in events:
            await asyncio.sleep(1)
            engine.report(event)
        assert await ended == ContainerExit(exit_code=KILLED, out_of_memory=True)


async def test_exit_that_is_reported_late_is_told_with_its_code() -> None:
    async with listening() as (engine, exits):
        ended = asyncio.create_task(exits.watch(CONTAINER).exit())
        await asyncio.sleep(2.5)
        engine.report(ExitEvent(container=CONTAINER, out_of_memory=False, exit_code=7))
        assert await ended == ContainerExit(exit_code=7, out_of_memory=False)
