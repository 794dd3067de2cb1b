"""What runs spend: counted at once, written behind into the thread's newest turn, read for boards."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import RowMapping, Select, func, select, update

from agent.errors import AgentError
from agent.ids import ThreadId, thread_parts
from agent.spending import ModelCall, Prices, Spent, charged_to
from infra.database import Database
from infra.tables import RunRow
from infra.wakeups import Bell

_log = logging.getLogger(__name__)

_COLUMNS = (
    RunRow.model_calls,
    RunRow.input_tokens,
    RunRow.output_tokens,
    RunRow.cost_micros,
    RunRow.work_milliseconds,
)


class PostgresSpending:
    """Charges threads. A thread has one turn under way at most: its newest, which is what is charged.

    What could not be written stays counted until the next try; a crash forgets what was not.
    """

    def __init__(self, database: Database, views: Bell) -> None:
        self._database = database
        self._views = views
        self._unwritten: dict[ThreadId, dict[str, int]] = {}
        self._working_since: dict[ThreadId, float] = {}
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def working(self, thread: ThreadId) -> AsyncGenerator[None]:
        """Charge the block's time, and every model call in it, to the thread; written when it is left."""
        self._working_since[thread] = time.monotonic()
        try:
            with charged_to(thread):
                yield
        finally:
            self._count_time(thread)
            del self._working_since[thread]
            try:
                await self.flush()
            except AgentError as error:
                _log.warning("what %s has spent is not written yet: %s", thread, type(error).__name__)

    def note(self, thread: ThreadId, call: ModelCall, prices: Prices) -> None:
        """Count a model call and see that somebody writes it."""
        if thread in self._working_since:
            self._count_time(thread)
        counts = self._unwritten.setdefault(thread, {})
        for name, more in (
            ("model_calls", 1),
            ("input_tokens", call.input_tokens),
            ("output_tokens", call.output_tokens),
            ("cost_micros", prices.of(call)),
        ):
            counts[name] = counts.get(name, 0) + more
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_behind(), name="spending")

    async def flush(self) -> None:
        """Return when everything counted so far is committed.

        Raises:
            StoreUnavailable: it could not be written, and is still counted.
        """
        await self._write()

    def _count_time(self, thread: ThreadId) -> None:
        now = time.monotonic()
        milliseconds = int((now - self._working_since[thread]) * 1000)
        self._working_since[thread] += milliseconds / 1000
        counts = self._unwritten.setdefault(thread, {})
        counts["work_milliseconds"] = counts.get("work_milliseconds", 0) + milliseconds

    async def _write_behind(self) -> None:
        try:
            await self.flush()
        except AgentError as error:
            _log.warning("spending is not written yet: %s", type(error).__name__)

    async def _write(self) -> None:
        async with self._writing:
            batch, self._unwritten = self._unwritten, {}
            try:
                async with self._database.begin() as connection:
                    for thread in sorted(batch):  # in one order everywhere: two writers never wait for each other
                        newest = _newest_turn(thread)
                        charged = update(RunRow).where(*_of(thread), RunRow.turn == newest.scalar_subquery())
                        columns = {each.key: each for each in _COLUMNS}
                        await connection.execute(
                            charged.values(
                                {columns[name]: columns[name] + more for name, more in batch[thread].items()}
                            )
                        )
            except BaseException:
                for thread, counts in batch.items():
                    again = self._unwritten.setdefault(thread, {})
                    for name, more in counts.items():
                        again[name] = again.get(name, 0) + more
                raise
        for thread, counts in batch.items():
            if counts.keys() != {"work_milliseconds"}:
                self._views.ring(thread)


def spent_in(row: RowMapping) -> Spent:
    """Return what a turn's row says it has spent."""
    return Spent(**{each.key: int(row[each.key]) for each in _COLUMNS})


def _of(thread: ThreadId) -> tuple[Any, ...]:
    return (RunRow.tenant == thread_parts(thread).tenant, RunRow.thread == thread)


def _newest_turn(thread: ThreadId) -> Select[int]:
    return select(func.max(RunRow.turn)).where(*_of(thread))
