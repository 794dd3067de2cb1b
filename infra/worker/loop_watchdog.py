"""A watchdog for the event loop: a process whose loop stands still logs where.

A loop that stands still serves nobody, sends no heartbeat, and in the end costs the process. A thread looks on, since
nothing in the loop can.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

_log = logging.getLogger(__name__)

STALL_SECONDS = 2.0

_TICKS_PER_STALL = 8


@dataclass(kw_only=True)
class StallTimer:
    """How long the loop has stood still, by the looks of a thread. Pure: all times are monotonic seconds."""

    stall_seconds: float
    #: When the thread last looked.
    looked_at: float
    #: Since when it has looked without a gap.
    _from: float = 0.0
    #: The last tick before the stall that was told last.
    _told: float = -1.0

    def stalled(self, ticked_at: float, now: float) -> bool:
        """Return whether the loop, which last ticked at `ticked_at`, has stood still for too long; once for each stall.

        Time in which this thread did not come to look does not count: the whole process was stopped.
        """
        if now - self.looked_at > self.stall_seconds:
            self._from = now
        self.looked_at = now
        if ticked_at == self._told or now - max(ticked_at, self._from) < self.stall_seconds:
            return False
        self._told = ticked_at
        return True


class LoopWatchdog:
    """Watches the loop that runs here, from `watching` until its block is left."""

    def __init__(self, stall_seconds: float = STALL_SECONDS) -> None:
        self._stall_seconds = stall_seconds
        self._tick_seconds = stall_seconds / _TICKS_PER_STALL
        self._ticked_at = time.monotonic()
        self._ended = threading.Event()
        #: The longest time that the loop stood still, in seconds.
        self.longest_seconds = 0.0

    @contextmanager
    def watching(self) -> Generator["LoopWatchdog"]:
        """Watch the running loop in the block."""
        loop, stalls_in = asyncio.get_running_loop(), threading.get_ident()
        self._ticked_at = time.monotonic()

        def tick() -> None:
            nonlocal handle
            now = time.monotonic()
            self.longest_seconds = max(self.longest_seconds, now - self._ticked_at - self._tick_seconds)
            self._ticked_at = now
            handle = loop.call_later(self._tick_seconds, tick)

        handle = loop.call_later(self._tick_seconds, tick)
        thread = threading.Thread(target=self._look, args=(stalls_in,), name="loop watchdog", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            handle.cancel()
            self._ended.set()
            thread.join()

    def _look(self, watched: int) -> None:
        timer = StallTimer(stall_seconds=self._stall_seconds, looked_at=time.monotonic())
        while not self._ended.wait(self._tick_seconds):
            if timer.stalled(self._ticked_at, time.monotonic()):
                frame = sys._current_frames().get(watched)  # pyright: ignore[reportPrivateUsage] - documented, the only way to it
                stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
                _log.error("the event loop stands still for %g s here:\n%s", self._stall_seconds, stack)
