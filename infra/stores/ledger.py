"""The ledger: a red call's `started` is committed before it and its `done` after it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from agent.errors import CallsFrozen
from agent.ids import Digest, NodeId, ThreadId
from agent.plan.effects import Effect, NoInverse, RecordedCall, effects_of, inverse_from_json
from agent.plan.outcomes import outcome_from_json
from agent.ports import LedgerEntry, LedgerState, OperationLog
from agent.tool import Account
from infra.db.database import Database
from infra.db.tables import LedgerRow, thread_key
from infra.stores.audit import AuditEvent, runs_as, with_record
from sandbox.script import Json

_FROZEN = "GL001"
"""The SQLSTATE of migration 0014."""

_NEWEST = (
    select(LedgerRow.state, LedgerRow.attempt, LedgerRow.digest, LedgerRow.result)
    .where(LedgerRow.of_given_thread(), LedgerRow.node == bindparam("node"))
    .order_by(LedgerRow.attempt.desc())
    .limit(1)
)


class PostgresEffects:
    """The Effects."""

    def __init__(self, database: Database, log: OperationLog) -> None:
        self._database = database
        self._log = log

    async def of(self, thread: ThreadId) -> Sequence[Effect]:
        """Return the effects in the order in which the newest try of each began."""
        columns = (LedgerRow.node, LedgerRow.state, LedgerRow.attempt, LedgerRow.result, LedgerRow.inverse)
        tries = select(*columns).where(LedgerRow.of_thread(thread)).order_by(LedgerRow.started_at, LedgerRow.attempt)
        rows = (await self._database.execute(tries)).all()
        return effects_of(await self._log.after(thread, 0), _recorded(rows)) if rows else ()


def _recorded(rows: Sequence[Row[Any]]) -> Sequence[RecordedCall]:
    newest: dict[str, Row[Any]] = {}
    repeated: set[str] = set()
    for row in rows:
        if (older := newest.pop(row.node, None)) is not None and _in_doubt(older):
            repeated.add(row.node)
        newest[row.node] = row  # last in the order of the newest tries
    return [
        RecordedCall(
            node=NodeId(row.node),
            outcome=outcome_from_json(row.result) if row.state == LedgerState.DONE.value and row.result else None,
            inverse=inverse_from_json(row.inverse),
            repeated=row.node in repeated,
        )
        for row in newest.values()
    ]


def _in_doubt(row: Row[Any]) -> bool:
    return row.state != LedgerState.DONE.value or inverse_from_json(row.inverse) is NoInverse.IN_DOUBT


class PostgresLedger:
    """A Ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, thread: ThreadId, node: NodeId) -> LedgerEntry | None:
        """Return the newest try."""
        row = (await self._database.execute(_NEWEST, {**thread_key(thread), "node": node})).first()
        if row is None:
            return None
        return LedgerEntry(
            state=LedgerState(row.state), attempt=row.attempt, digest=Digest(row.digest), result=row.result
        )

    async def start(
        self,
        thread: ThreadId,
        node: NodeId,
        digest: Digest,
        attempt: int,
        *,
        tool: str = "",
        account: Account | None = None,
    ) -> bool:
        """Commit `started`, unless this try has a row already.

        The audit's trigger refuses it while a freeze stands. It looks in the order of the chain, so no start comes
        after a freeze that was committed.
        """
        row = insert(LedgerRow).values(**thread_key(thread), node=node, attempt=attempt, digest=digest)
        started = row.on_conflict_do_nothing().returning(LedgerRow.attempt).cte("started")
        details: dict[str, Json] = {"attempt": attempt}
        if tool:
            details["tool"] = tool
        if account is not None:
            details |= runs_as(account)
        recorded = with_record(started, thread, node, AuditEvent.STARTED, digest=digest, details=details)
        try:
            return (await self._database.execute(recorded)).first() is not None
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _FROZEN:
                raise CallsFrozen from error
            raise

    async def finish(
        self,
        thread: ThreadId,
        node: NodeId,
        attempt: int,
        result: Mapping[str, Json],
        inverse: Mapping[str, Json] | None = None,
    ) -> None:
        """Commit `done`; the first result stands."""
        done = (
            update(LedgerRow)
            .where(LedgerRow.of_thread(thread), LedgerRow.node == node, LedgerRow.attempt == attempt)
            .where(LedgerRow.state == LedgerState.STARTED.value)
            .values(state=LedgerState.DONE.value, result=result, inverse=inverse, finished_at=func.now())
            .returning(LedgerRow.digest)
            .cte("finished")
        )
        details = {"attempt": attempt, "state": result.get("state")}
        await self._database.execute(with_record(done, thread, node, AuditEvent.FINISHED, details=details))
