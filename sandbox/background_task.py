"""A background task that no error ends: it runs again after a pause, and says how it is."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakSet

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

log = logging.getLogger(__name__)

Work: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]
"""Works until it is cancelled or has nothing more to do; calls its argument whenever all is well."""


@dataclass(frozen=True, kw_only=True)
class TaskHealth:
    """How a background task is."""

    name: str
    #: Failures in a row.
    failures: int
    #: The type of the last error; empty when all is well.
    error: str
    #: Monotonic seconds since when it fails; None when all is well.
    failing_since: float | None


class BackgroundTask:
    """Runs `work` again whenever it raises, ever more rarely while it keeps failing.

    The errors `expected` are logged in one line, all others with their traceback. Work that returns is done. A
    cancellation that nobody asked for counts as an error: a library may cancel a future that the work waits for.
    """

    def __init__(self, name: str, work: Work, *, expected: tuple[type[Exception], ...] = ()) -> None:
        self._name = name
        self._work = work
        self._expected = expected
        self._failures = 0
        self._error = ""
        self._failing_since: float | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)
        _STARTED.add(self)

    async def stop(self) -> None:
        """Cancel the work and wait for its end. Idempotent."""
        task, self._task = self._task, None
        _STARTED.discard(self)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @property
    def health(self) -> TaskHealth:
        """How it is now."""
        return TaskHealth(
            name=self._name, failures=self._failures, error=self._error, failing_since=self._failing_since
        )

    def _well(self) -> None:
        self._failures, self._error, self._failing_since = 0, "", None

    async def _run(self) -> None:
        while True:
            try:
                return await self._work(self._well)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                await self._pause(error)
            except Exception as error:  # noqa: BLE001 -- the task's boundary: no error may end it
                await self._pause(error)

    async def _pause(self, error: BaseException) -> None:
        self._failures += 1
        self._error = type(error).__name__
        self._failing_since = self._failing_since or time.monotonic()
        seconds = pause_after(self._failures)
        if isinstance(error, self._expected):
            log.warning("%s failed, again in %.1f s: %s", self._name, seconds, error)
        else:
            log.error("%s failed, again in %.1f s", self._name, seconds, exc_info=error)
        await asyncio.sleep(seconds)


def pause_after(failures: int) -> float:
    """Return the seconds before another try: twice as long after each failure, less up to a half by chance.

    Chance keeps many processes that lost the same service from coming back to it in the same moment.
    """
    longest = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16), LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads load, guards nothing


def background_health() -> list[TaskHealth]:
    """Return how each background task of this process is, by name."""
    return sorted((task.health for task in _STARTED), key=lambda health: health.name)


_STARTED: WeakSet[BackgroundTask] = WeakSet()
"""The background tasks of this process."""
