"""Requests to people, as rows: asked once, read, decided once by compare-and-set, expired."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import ApprovalKind, ApprovalRequest, Decision, DecisionRecord, ends_turn
from agent.ids import ApprovalId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId, thread_parts
from bot.ports import Kind
from infra.db.database import Database, announce
from infra.db.tables import ApprovalRow, InboxRow, thread_key
from infra.stores.audit import AuditEvent, record, with_record
from infra.worker.notifications import Notifier
from infra.worker.queue import Queue
from sandbox.script import Json

_PENDING = ApprovalRow.status == Decision.PENDING.value
_IS_BUDGET = ApprovalRow.kind == ApprovalKind.BUDGET.value

# A run reads these at every notification, so without the arguments of calls, which can be long.
_RECORD = (
    *(column for column in ApprovalRow.__table__.columns if column.key != "args"),
    case((_IS_BUDGET, ApprovalRow.args), else_=null()).label("args"),
)


class PostgresApprovals:
    """Approvals. `open_for` is how long a request stays open; None: until somebody decides."""

    def __init__(self, database: Database, queue: Queue, views: Notifier, open_for: timedelta | None = None) -> None:
        self._database = database
        self._queue = queue
        self._views = views
        self._open_for = open_for

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        """Insert the row unless it exists; the first row stands as it is."""
        row = insert(ApprovalRow).values(
            **thread_key(request.thread) | vars(request) | {"kind": request.kind.value, "blocks": list(request.blocks)},
            expires_at=None if self._open_for is None else func.now() + self._open_for,
        )
        new = row.on_conflict_do_nothing().returning(*_RECORD).cte("asked")
        recorded = with_record(
            new,
            request.thread,
            request.node,
            AuditEvent.ASKED,
            digest=request.digest,
            by=request.author,
            details={"question": request.id, "kind": request.kind.value, "tool": request.tool},
        )
        async with self._database.autocommit() as connection:
            asked = (await connection.execute(recorded)).first()
            if asked is None:
                known = select(*_RECORD).where(ApprovalRow.of_thread(request.thread), ApprovalRow.id == request.id)
                asked = (await connection.execute(known)).one()
        self._views.notify(request.thread)
        return record_in(asked)

    async def read(self, thread: ThreadId) -> Mapping[ApprovalId, DecisionRecord]:
        """Return every request of the thread, in the order they were asked."""
        rows = select(*_RECORD).where(ApprovalRow.of_thread(thread)).order_by(ApprovalRow.asked)
        return {row.id: record_in(row) for row in await self._database.execute(rows)}

    async def decide(
        self, tenant: Tenant, approval: ApprovalId, *, version: int, by: UserId, decision: Decision, reason: str = ""
    ) -> DecisionRecord | None:
        """Decide, if it is still open at this version: one of any number of racing clicks does."""
        this = (ApprovalRow.tenant == tenant, ApprovalRow.id == approval)
        in_time = or_(ApprovalRow.expires_at.is_(None), ApprovalRow.expires_at > func.now())
        async with self._database.begin() as connection:
            decided = await _close(
                connection, *this, ApprovalRow.version == version, in_time, decision=decision, by=by, reason=reason
            )
            await self._wake(connection, decided or await _expire(connection, *this))
        return decided[0][1] if decided else None

    async def withdraw(self, thread: ThreadId, approval: ApprovalId, why: str) -> DecisionRecord:
        """Turn pending into withdrawn; a decision that was made before stands.

        Raises:
            sqlalchemy.exc.NoResultFound: it was never asked.
        """
        this = ApprovalRow.of_thread(thread) & (ApprovalRow.id == approval)
        async with self._database.begin() as connection:
            closed = await _close(connection, this, decision=Decision.WITHDRAWN, reason=why)
            if closed:
                await announce(connection, thread)
            now = (await connection.execute(select(*_RECORD).where(this))).one()
        return record_in(now)

    async def extend(self, thread: ThreadId, approval: ApprovalId, args: Mapping[str, Json]) -> None:
        """Store the arguments of a budget request anew."""
        changed = update(ApprovalRow).where(ApprovalRow.of_thread(thread), ApprovalRow.id == approval, _IS_BUDGET)
        await self._database.execute(changed.values(args=args))

    async def expire_due(self) -> int:
        """Expire every request whose time is over and wake its thread; return how many."""
        async with self._database.begin() as connection:
            expired = await _expire(connection)
            await self._wake(connection, expired)
        return len(expired)

    async def _wake(self, connection: AsyncConnection, closed: Sequence[tuple[ThreadId, DecisionRecord]]) -> None:
        for thread in sorted({thread for thread, _ in closed}):  # sorted: two of us never wait for each other
            await self._queue.wake(connection, thread)


async def _expire(
    connection: AsyncConnection, *which: ColumnElement[bool]
) -> Sequence[tuple[ThreadId, DecisionRecord]]:
    return await _close(connection, ApprovalRow.expires_at <= func.now(), *which, decision=Decision.EXPIRED)


async def _close(
    connection: AsyncConnection,
    *which: ColumnElement[bool],
    decision: Decision,
    by: UserId | None = None,
    reason: str = "",
) -> Sequence[tuple[ThreadId, DecisionRecord]]:
    """Close the open requests that match, each with its audit row, and its stop when that ends the turn."""
    closing = (
        update(ApprovalRow)
        .where(_PENDING, *which)
        .values(status=decision.value, decided_by=by, reason=reason, decided_at=func.now())
        .returning(*_RECORD)
    )
    closed = [(ThreadId(row.thread), record_in(row)) for row in await connection.execute(closing)]
    for thread, now in closed:
        details = {"question": now.id, "decision": decision.value}
        await record(connection, thread, now.node, AuditEvent.DECIDED, digest=now.digest, by=by, details=details)
        if ends_turn(now.kind, decision):
            await connection.execute(_stop(thread, now.id, by or UserId("")))
    return closed


def _stop(thread: ThreadId, approval: ApprovalId, by: UserId) -> Insert:
    """Return the row that stops the thread: every stop is a row in the inbox."""
    name = f"stop:{approval}"
    row = insert(InboxRow).values(
        **thread_key(thread),
        app="",
        event_id=name,
        channel=thread_parts(thread).channel,
        ts=name,
        author=by,
        text="!stop",
        kind=Kind.STOP.value,
    )
    return row.on_conflict_do_nothing()


def record_in(row: Row[*tuple[Any, ...]]) -> DecisionRecord:
    """Return what an `approvals` row says of the decision."""
    kind = ApprovalKind(row.kind)
    return DecisionRecord(
        id=ApprovalId(row.id),
        turn=row.turn,
        node=NodeId(row.node),
        kind=kind,
        digest=Digest(row.digest),
        decision=Decision(row.status),
        by=row.decided_by,
        reason=row.reason,
        at=row.decided_at,
        budget=request_in(row) if kind is ApprovalKind.BUDGET else None,
    )


def request_in(row: Row[*tuple[Any, ...]]) -> ApprovalRequest:
    """Return what an `approvals` row asks."""
    return ApprovalRequest(
        id=ApprovalId(row.id),
        thread=ThreadId(row.thread),
        turn=row.turn,
        node=NodeId(row.node),
        kind=ApprovalKind(row.kind),
        title=row.title,
        tool=ToolName(row.tool),
        args=row.args,
        digest=Digest(row.digest),
        author=UserId(row.author),
        attempt=row.attempt,
        blocks=tuple(row.blocks),
    )
