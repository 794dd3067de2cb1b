"""From a message's row to the start of its run: through the real queue, paced and in a burst."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from agent.ids import ThreadId
from infra.worker.lease import ThreadLease
from infra.worker.worker import Worker
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.rows import a_message

PACED, BURST = 100, 200
PAUSE_SECONDS = 0.02


async def figures() -> AsyncIterator[Figure]:
    """Measure from before the inbox's transaction to the first line of `advance`."""
    async with ground() as on:
        started: dict[ThreadId, asyncio.Future[float]] = {}

        async def advance(thread: ThreadId, _lease: ThreadLease) -> None:
            if not started[thread].done():
                started[thread].set_result(time.perf_counter())

        worker = asyncio.create_task(Worker(on.database, on.queue, advance).run())
        await _enqueue(on, started)  # the queue is up
        paced: list[float] = []
        for _ in range(PACED):
            paced.append(await _enqueue(on, started))
            await asyncio.sleep(PAUSE_SECONDS)
        began = time.perf_counter()
        burst = await asyncio.gather(*(_enqueue(on, started) for _ in range(BURST)))
        seconds = time.perf_counter() - began
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    yield figure("queue", "enqueue to start, paced, p50", statistics.median(paced), "ms")
    yield figure("queue", "enqueue to start, paced, p99", _p99(paced), "ms")
    yield figure("queue", f"enqueue to start, {BURST} at once, p50", statistics.median(burst), "ms")
    yield figure("queue", f"enqueue to start, {BURST} at once, p99", _p99(burst), "ms")
    yield figure("queue", f"jobs a second, {BURST} at once", BURST / seconds, "1/s")


async def _enqueue(on: Ground, started: dict[ThreadId, asyncio.Future[float]]) -> float:
    thread = on.new_thread()
    started[thread] = asyncio.get_running_loop().create_future()
    began = time.perf_counter()
    await on.door.inbox.accept(a_message(ts=thread.rpartition(":")[2], thread=thread))
    return (await started[thread] - began) * 1000


def _p99(milliseconds: Sequence[float]) -> float:
    return statistics.quantiles(milliseconds, n=100)[98]
