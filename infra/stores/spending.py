"""Spending of runs: counted at once, written behind into the thread's newest turn, read for boards and budgets."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import RowMapping, func, select, update

from agent.budget.usage import ModelCall, Prices, Scope, Spent, ThreadCounter, TurnAccount, charged_to
from agent.errors import AgentError
from agent.ids import ThreadId
from infra.db.database import Database
from infra.db.tables import RunRow
from infra.worker.notifications import Notifier

_log = logging.getLogger(__name__)

_COLUMNS = (
    RunRow.model_calls,
    RunRow.input_tokens,
    RunRow.output_tokens,
    RunRow.cost_micros,
    RunRow.work_milliseconds,
    RunRow.nodes,
    RunRow.cached_tokens,
)
_QUIET = frozenset({RunRow.work_milliseconds.key, RunRow.nodes.key})
"""Columns whose change alone notifies no view."""


class PostgresSpending:
    """Charges threads. A thread has one turn under way at most: its newest, which is charged.

    Spending that could not be written stays counted until the next try; a crash loses it.
    """

    def __init__(self, database: Database, views: Notifier) -> None:
        self._database = database
        self._views = views
        self._counters: dict[ThreadId, ThreadCounter] = {}
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def working(self, thread: ThreadId) -> AsyncGenerator[None]:
        """Charge the block's time, and every model call in it, to the thread; written when it is left."""
        counter = self._of(thread)
        counter.begin_work()
        try:
            with charged_to(thread):
                yield
        finally:
            counter.end_work()
            try:
                await self.flush()
            except AgentError as error:
                _log.warning("what %s has spent is not written yet: %s", thread, type(error).__name__)

    def note(self, thread: ThreadId, call: ModelCall, prices: Prices) -> None:
        """Count a model call, and start a writer unless one is at work."""
        self._of(thread).count_call(call, prices)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_behind(), name="spending")

    async def account(self, thread: ThreadId, turn: int) -> TurnAccount:
        """Return the account of the thread's newest turn."""
        sums = [func.coalesce(func.sum(column), 0).label(column.key) for column in _COLUMNS]
        whole = select(*sums).where(RunRow.of_thread(thread))
        # Nothing is half written meanwhile: it stands either in the rows or in what is counted.
        async with self._writing, self._database.autocommit() as connection:
            written = {
                Scope.RUN: spent_in((await connection.execute(whole.where(RunRow.turn == turn))).mappings().one()),
                Scope.THREAD: spent_in((await connection.execute(whole)).mappings().one()),
            }
            return self._of(thread).open_account(written)

    async def flush(self) -> None:
        """Return when everything counted so far is committed.

        Raises:
            StoreUnavailable: it could not be written, and is still counted.
        """
        async with self._writing:
            unwritten = {thread: counter.unwritten for thread, counter in self._counters.items()}
            batch = {thread: spent for thread, spent in unwritten.items() if spent != Spent()}
            if batch:
                await self._commit(batch)
        self._counters = {thread: counter for thread, counter in self._counters.items() if counter.in_use}
        for thread, written in batch.items():
            if any(value for name, value in vars(written).items() if name not in _QUIET):
                self._views.notify(thread)

    def _of(self, thread: ThreadId) -> ThreadCounter:
        return self._counters.setdefault(thread, ThreadCounter())

    async def _write_behind(self) -> None:
        try:
            await self.flush()
        except AgentError as error:
            _log.warning("spending is not written yet: %s", type(error).__name__)

    async def _commit(self, batch: Mapping[ThreadId, Spent]) -> None:
        """Write what the threads have spent. What no row takes is left out, so that it holds up no other thread."""
        try:
            await self._write(batch)
        except AgentError:
            raise
        except Exception as error:  # noqa: BLE001 -- the writer's boundary: one thread's fault must not end it
            if len(batch) > 1:
                for thread, spent in batch.items():
                    await self._commit({thread: spent})
                return
            fault = type(error).__name__
            _log.error("spending of %s cannot be written and is left out: %s", *batch, fault)
        for thread, written in batch.items():
            self._counters[thread].unwritten -= written

    async def _write(self, batch: Mapping[ThreadId, Spent]) -> None:
        async with self._database.begin() as connection:
            for thread in sorted(batch):  # in one order everywhere: two writers never wait for each other
                newest = select(func.max(RunRow.turn)).where(RunRow.of_thread(thread)).scalar_subquery()
                charged = update(RunRow).where(RunRow.of_thread(thread), RunRow.turn == newest)
                counts = vars(batch[thread])
                await connection.execute(charged.values({column: column + counts[column.key] for column in _COLUMNS}))


def spent_in(row: RowMapping) -> Spent:
    """Return the spending in a turn's row."""
    return Spent(**{column.key: int(row[column.key]) for column in _COLUMNS})
