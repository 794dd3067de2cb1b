"""LangGraph's in-memory saver with the hook that tells when a task's writes are committed."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from agent.execution.execution_context import Lease
from agent.execution.graph import Checkpoints
from agent.ids import ThreadId


class ObservedMemorySaver(InMemorySaver):
    """Keeps checkpoints across runners.

    Commits take a random few turns of the event loop, and so overtake each other.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # LangGraph leaves `factory` half typed
        self._random = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self._reports: dict[str, asyncio.Future[Exception | None]] = {}
        self.open_jobs = 0

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store a task's writes a little later, and report it."""
        report = self._report(task_id)
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        try:
            await self.store_writes(config, writes, task_id, task_path)
        except ConnectionError as error:
            report.set_result(error)
            raise
        if not report.done():
            report.set_result(None)

    async def store_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        """Store a task's writes now; tests hold this up or make it fail."""
        await super().aput_writes(config, writes, task_id, task_path)

    async def committed(self, task_id: str) -> None:
        """Return when the task's writes are stored; raise what kept them from it."""
        if (error := await asyncio.shield(self._report(task_id))) is not None:
            raise error

    async def prune_thread(self, thread: ThreadId) -> None:
        """Keep everything: nothing depends on less."""

    async def end(self) -> None:
        """Count the job as over."""
        self.open_jobs -= 1

    def open(self, thread: ThreadId, lease: Lease) -> Checkpoints:
        """Return a job's access; what an earlier job had reported counts for nothing."""
        self._reports = {}
        self.open_jobs += 1
        return Checkpoints(saver=self, committed=self.committed, prune=self.prune_thread, end=self.end)

    def _report(self, task_id: str) -> "asyncio.Future[Exception | None]":
        return self._reports.setdefault(task_id, asyncio.get_running_loop().create_future())
