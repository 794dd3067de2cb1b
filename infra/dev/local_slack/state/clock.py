"""The workspace's clock: real time that a test can move forward, and the source of message timestamps."""

import asyncio
import time
from contextlib import suppress


class Clock:
    """Now, plus whatever `advance` added; sleepers wake when the clock is moved past their moment."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        self._moved = asyncio.Event()
        self._last_micros = 0

    def now(self) -> float:
        """Return seconds since the epoch, as the workspace sees it."""
        return time.time() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Move time forward; everything that waited for less wakes up."""
        self._ahead_seconds += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has gone on by `seconds`, by itself or by `advance`."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            moved = self._moved
            with suppress(TimeoutError):
                async with asyncio.timeout(left):  # `wait_for` can swallow a cancellation on Python 3.11
                    await moved.wait()

    def timestamp(self) -> str:
        """Return a message timestamp as Slack writes it (`1700000000.000100`), later than every one before it."""
        self._last_micros = max(int(self.now() * 1_000_000), self._last_micros + 1)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"
