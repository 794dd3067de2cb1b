"""The reaper: removes containers whose process is gone or whose deadline has passed."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from sandbox.background_task import BackgroundTask
from sandbox.container import Engine
from sandbox.errors import SandboxError
from sandbox.hardening import DEADLINE_LABEL, INSTANCE_LABEL, OWNER_LABEL
from sandbox.warm_container import process_started, this_process

log = logging.getLogger(__name__)

PERIOD_SECONDS = 60.0


def is_orphan(labels: Mapping[str, str], *, now: float, instance: str, host: str) -> bool:
    """Return whether no process is left that would remove the container.

    The containers of this `instance` are never orphans before their deadline. An owner on another host may be alive:
    only the deadline counts there.
    """
    deadline = labels.get(DEADLINE_LABEL, "")
    if not deadline.isdecimal() or int(deadline) < now:
        return True
    if labels.get(INSTANCE_LABEL) == instance:
        return False
    owner = labels.get(OWNER_LABEL, "").rsplit(":", 2)
    if len(owner) != 3 or owner[0] != host or not owner[1].isdecimal():
        return False
    return process_started(int(owner[1])) != owner[2]


class Reaper:
    """Looks for orphans once at the start and then every minute."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._host = this_process().host
        self._rounds = BackgroundTask("the search for orphaned containers", self._walk, expected=(SandboxError,))

    async def reap(self) -> int:
        """Remove the orphans there are now; return how many."""
        now = time.time()
        found = await self._engine.ours()
        orphans = [
            listed.id for listed in found if is_orphan(listed.labels, now=now, instance=self._instance, host=self._host)
        ]
        for orphan in orphans:
            await self._engine.remove(orphan)
        if orphans:
            log.info("removed %d orphaned containers", len(orphans))
        return len(orphans)

    def open(self) -> None:
        """Begin the rounds."""
        self._rounds.start()

    async def close(self) -> None:
        """End the rounds. Idempotent."""
        await self._rounds.stop()

    async def _walk(self, well: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.reap()
            well()
