"""A bound on how many scripts run at once, fair between the queues they come from."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class FairSemaphore:
    """Admits `most` scripts at once.

    The others wait in queues, and the queues take turns: a newcomer waits for one script of each other queue at
    most, however long the queues are.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def taken(self, queue: str) -> AsyncGenerator[None]:
        """Wait for a turn, and hold it until the context is left."""
        await self._wait(queue)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, queue: str) -> None:
        if self._free:  # then nobody waits
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(queue, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was ours already
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._queues:
            queue = next(iter(self._queues))
            waiting = self._queues.pop(queue)
            while waiting and waiting[0].done():  # cancelled meanwhile
                waiting.popleft()
            if not waiting:
                continue
            turn = waiting.popleft()
            if waiting:
                self._queues[queue] = waiting  # behind the others
            turn.set_result(None)
            return
        self._free += 1
