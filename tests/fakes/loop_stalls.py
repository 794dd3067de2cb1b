"""How long the event loop's own thread works without letting others have their turn."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Stalls:
    """What was seen so far."""

    #: Processor time of the loop's thread between two turns, in seconds: a busy machine does not lengthen it.
    longest: float = 0.0
    turns: int = 0


@asynccontextmanager
async def loop_stalls() -> AsyncGenerator[Stalls]:
    """Watch the running loop while the context is open."""
    stalls = Stalls()

    async def watch() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            stalls.longest = max(stalls.longest, now - last)
            stalls.turns += 1
            last = now

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield stalls
        await asyncio.sleep(0)
    finally:
        watcher.cancel()
