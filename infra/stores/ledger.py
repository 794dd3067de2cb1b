"""The ledger: a red call's `started` is committed before it and its `done` after it."""

from collections.abc import Mapping

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from agent.errors import CallsFrozen
from agent.ids import Digest, NodeId, ThreadId
from agent.ports import LedgerEntry, LedgerState
from infra.db.database import Database
from infra.db.tables import LedgerRow, thread_key
from infra.stores.audit import AuditEvent, with_record
from sandbox.script import Json

_FROZEN = "GL001"
"""The SQLSTATE of migration 0014."""


class PostgresLedger:
    """A Ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, thread: ThreadId, node: NodeId) -> LedgerEntry | None:
        """Return the newest try."""
        newest = (
            select(LedgerRow.state, LedgerRow.attempt, LedgerRow.digest, LedgerRow.result)
            .where(LedgerRow.of_thread(thread), LedgerRow.node == node)
            .order_by(LedgerRow.attempt.desc())
            .limit(1)
        )
        row = (await self._database.execute(newest)).first()
        if row is None:
            return None
        return LedgerEntry(
            state=LedgerState(row.state), attempt=row.attempt, digest=Digest(row.digest), result=row.result
        )

    async def start(self, thread: ThreadId, node: NodeId, digest: Digest, attempt: int, *, tool: str = "") -> bool:
        """Commit `started`, unless this try has a row already.

        The audit's trigger refuses it while a freeze stands. It looks in the order of the chain, so no start comes
        after a freeze that was committed.
        """
        row = insert(LedgerRow).values(**thread_key(thread), node=node, attempt=attempt, digest=digest)
        started = row.on_conflict_do_nothing().returning(LedgerRow.attempt).cte("started")
        details: Mapping[str, Json] = {"attempt": attempt, "tool": tool} if tool else {"attempt": attempt}
        recorded = with_record(started, thread, node, AuditEvent.STARTED, digest=digest, details=details)
        try:
            return (await self._database.execute(recorded)).first() is not None
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _FROZEN:
                raise CallsFrozen from error
            raise

    async def finish(self, thread: ThreadId, node: NodeId, attempt: int, result: Mapping[str, Json]) -> None:
        """Commit `done`; the first result stands."""
        done = (
            update(LedgerRow)
            .where(LedgerRow.of_thread(thread), LedgerRow.node == node, LedgerRow.attempt == attempt)
            .where(LedgerRow.state == LedgerState.STARTED.value)
            .values(state=LedgerState.DONE.value, result=result, finished_at=func.now())
            .returning(LedgerRow.digest)
            .cte("finished")
        )
        details = {"attempt": attempt, "state": result.get("state")}
        await self._database.execute(with_record(done, thread, node, AuditEvent.FINISHED, details=details))
