"""What runs spend: counted at once, written behind into the thread's newest turn, read for boards and budgets."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

from sqlalchemy import RowMapping, Select, func, select, update

from agent.budget.usage import ModelCall, Prices, Scope, Spent, charged_to
from agent.errors import AgentError
from agent.ids import ThreadId, thread_parts
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
)
_QUIET = frozenset({RunRow.work_milliseconds.key, RunRow.nodes.key})
"""What boards do not show by itself."""


@dataclass(kw_only=True)
class _Thread:
    """What this process counts of a thread: not written yet, and since when it is at work."""

    unwritten: Spent = field(default_factory=Spent)
    working_since: float | None = None
    accounts: "WeakSet[PostgresAccount]" = field(default_factory=lambda: WeakSet[PostgresAccount]())

    def count(self, more: Spent) -> None:
        """Count it here and in every open account."""
        self.unwritten += more
        for each in self.accounts:
            each.count(more)

    def count_time(self) -> None:
        """Count the time since it was last counted."""
        if self.working_since is not None:
            milliseconds = int((time.monotonic() - self.working_since) * 1000)
            self.working_since += milliseconds / 1000
            self.count(Spent(work_milliseconds=milliseconds))


class PostgresAccount:
    """An Account: what was written and counted when it was opened, and everything counted since."""

    def __init__(self, counted: _Thread, spent: Mapping[Scope, Spent]) -> None:
        self._counted = counted
        self._spent = dict(spent)
        counted.accounts.add(self)

    def spent(self) -> Mapping[Scope, Spent]:
        """Return what was spent to this moment."""
        self._counted.count_time()
        return self._spent

    def node_started(self) -> None:
        """Count a node; it is written with whatever comes next."""
        self._counted.count(Spent(nodes=1))

    def count(self, more: Spent) -> None:
        """Add to both, because the newest turn is what is charged."""
        for scope in self._spent:
            self._spent[scope] += more


class PostgresSpending:
    """Charges threads. A thread has one turn under way at most: its newest, which is what is charged.

    What could not be written stays counted until the next try; a crash forgets what was not.
    """

    def __init__(self, database: Database, views: Notifier) -> None:
        self._database = database
        self._views = views
        self._threads: dict[ThreadId, _Thread] = {}
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def working(self, thread: ThreadId) -> AsyncGenerator[None]:
        """Charge the block's time, and every model call in it, to the thread; written when it is left."""
        counted = self._of(thread)
        counted.working_since = time.monotonic()
        try:
            with charged_to(thread):
                yield
        finally:
            counted.count_time()
            counted.working_since = None
            try:
                await self.flush()
            except AgentError as error:
                _log.warning("what %s has spent is not written yet: %s", thread, type(error).__name__)

    def note(self, thread: ThreadId, call: ModelCall, prices: Prices) -> None:
        """Count a model call and see that somebody writes it."""
        counted = self._of(thread)
        counted.count_time()
        counted.count(
            Spent(
                model_calls=1,
                input_tokens=call.input_tokens,
                output_tokens=call.output_tokens,
                cost_micros=prices.of(call),
            )
        )
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_behind(), name="spending")

    async def account(self, thread: ThreadId, turn: int) -> PostgresAccount:
        """Return the account of the thread's newest turn."""
        sums = [func.coalesce(func.sum(each), 0).label(each.key) for each in _COLUMNS]
        whole = select(*sums).where(*_key(thread))
        # Nothing is half written meanwhile: it stands either in the rows or in what is counted.
        async with self._writing, self._database.autocommit() as connection:
            written = {
                Scope.RUN: spent_in((await connection.execute(whole.where(RunRow.turn == turn))).mappings().one()),
                Scope.THREAD: spent_in((await connection.execute(whole)).mappings().one()),
            }
            counted = self._of(thread)
            return PostgresAccount(counted, {scope: each + counted.unwritten for scope, each in written.items()})

    async def flush(self) -> None:
        """Return when everything counted so far is committed.

        Raises:
            StoreUnavailable: it could not be written, and is still counted.
        """
        async with self._writing:
            batch = {thread: each.unwritten for thread, each in self._threads.items() if each.unwritten != Spent()}
            if batch:
                await self._write(batch)
            for thread, written in batch.items():
                self._threads[thread].unwritten -= written
        self._threads = {
            thread: each
            for thread, each in self._threads.items()
            if each.working_since is not None or each.unwritten != Spent() or each.accounts
        }
        for thread, written in batch.items():
            if any(value for name, value in vars(written).items() if name not in _QUIET):
                self._views.notify(thread)

    def _of(self, thread: ThreadId) -> _Thread:
        return self._threads.setdefault(thread, _Thread())

    async def _write_behind(self) -> None:
        try:
            await self.flush()
        except AgentError as error:
            _log.warning("spending is not written yet: %s", type(error).__name__)

    async def _write(self, batch: Mapping[ThreadId, Spent]) -> None:
        async with self._database.begin() as connection:
            for thread in sorted(batch):  # in one order everywhere: two writers never wait for each other
                charged = update(RunRow).where(*_key(thread), RunRow.turn == _newest_turn(thread).scalar_subquery())
                counts = vars(batch[thread])
                await connection.execute(charged.values({each: each + counts[each.key] for each in _COLUMNS}))


def spent_in(row: RowMapping) -> Spent:
    """Return what a turn's row says it has spent."""
    return Spent(**{each.key: int(row[each.key]) for each in _COLUMNS})


def _key(thread: ThreadId) -> tuple[Any, ...]:
    return (RunRow.tenant == thread_parts(thread).tenant, RunRow.thread == thread)


def _newest_turn(thread: ThreadId) -> Select[int]:
    return select(func.max(RunRow.turn)).where(*_key(thread))
