"""Questions as the people's side sees them: read for a card, decided once by compare-and-set."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import RowMapping, func, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from agent.ids import ApprovalId, Digest, NodeId, Tenant, ThreadId, UserId, thread_parts
from agent.plan.outcomes import NodeState
from agent.ports import ApprovalKind, Decision
from bot.ports import AlreadyDecided, ApprovalView, Decided, DecisionResult, Kind, Outdated, UnknownApproval
from infra.db.database import Database
from infra.db.tables import ApprovalRow, InboxRow, NodeRow
from infra.stores.questions import question_in, record_decision, standing_in
from infra.worker.queue import Queue

_PENDING = ApprovalRow.status == Decision.PENDING.value
_ROW = ApprovalRow.__table__
_UNDER_WAY = frozenset(
    each.value for each in (NodeState.PLANNED, NodeState.RUNNING, NodeState.ASKING, NodeState.UNKNOWN)
)


class PostgresDecisions:
    """Decisions, and the expiry of what nobody decided."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    async def read(self, tenant: Tenant, question: ApprovalId) -> ApprovalView | None:
        """Return the question as it stands."""
        async with self._database.autocommit() as connection:
            return await _view(connection, tenant, question)

    async def decide(
        self, tenant: Tenant, question: ApprovalId, *, version: int, by: UserId, decision: Decision, reason: str = ""
    ) -> DecisionResult:
        """Decide, if it is still open at this version: one of any number of racing clicks does."""
        click = (
            update(ApprovalRow)
            .where(ApprovalRow.tenant == tenant, ApprovalRow.id == question)
            .where(_PENDING, ApprovalRow.version == version)
            .where(or_(ApprovalRow.expires_at.is_(None), ApprovalRow.expires_at > func.now()))
            .values(status=decision.value, decided_by=by, reason=reason, decided_at=func.now())
            .returning(*_ROW.columns)
        )
        async with self._database.begin() as connection:
            row = (await connection.execute(click)).mappings().first()
            if row is not None:
                view = approval_view(row, _nothing_behind)
                asked = view.question
                await record_decision(connection, asked.thread, asked.node, asked.digest, question, decision, by)
                if decision is Decision.STOP:
                    await connection.execute(_stop(asked.thread, question, by))
                await self._queue.wake(connection, asked.thread)
                return Decided(view=view)
            await self._expire(connection, ApprovalRow.id == question, ApprovalRow.tenant == tenant)
            return _refusal(await _view(connection, tenant, question))

    async def expire_due(self) -> int:
        """Expire every question whose time is over and wake its thread; return how many."""
        async with self._database.begin() as connection:
            return await self._expire(connection)

    async def _expire(self, connection: AsyncConnection, *which: ColumnElement[bool]) -> int:
        expired = (
            update(ApprovalRow)
            .where(_PENDING, ApprovalRow.expires_at <= func.now(), *which)
            .values(status=Decision.EXPIRED.value, decided_at=func.now())
            .returning(ApprovalRow.thread, ApprovalRow.node, ApprovalRow.digest, ApprovalRow.id, ApprovalRow.kind)
        )
        rows = (await connection.execute(expired)).all()
        for row in rows:
            thread, digest, question = ThreadId(row.thread), Digest(row.digest), ApprovalId(row.id)
            await record_decision(connection, thread, NodeId(row.node), digest, question, Decision.EXPIRED, None)
            if row.kind == ApprovalKind.BUDGET.value:  # nobody allowed more: what was asked for ends there
                await connection.execute(_stop(thread, question, UserId("")))
        for thread in sorted({row.thread for row in rows}):  # sorted: two of us never wait for each other
            await self._queue.wake(connection, ThreadId(thread))
        return len(rows)


def _stop(thread: ThreadId, question: ApprovalId, by: UserId) -> Insert:
    """Return the row that stops the question's thread: a stop is a row in the inbox, whoever says it."""
    tenant, channel, _ = thread_parts(thread)
    name = f"stop:{question}"
    row = insert(InboxRow).values(
        tenant=tenant,
        thread=thread,
        app="",
        event_id=name,
        channel=channel,
        ts=name,
        author=by,
        text="!stop",
        kind=Kind.STOP.value,
    )
    return row.on_conflict_do_nothing()


def _refusal(view: ApprovalView | None) -> DecisionResult:
    if view is None:
        return UnknownApproval()
    return Outdated(view=view) if view.standing.decision is Decision.PENDING else AlreadyDecided(view=view)


def _nothing_behind(_node: str) -> tuple[str, ...]:
    return ()


async def _view(connection: AsyncConnection, tenant: Tenant, question: ApprovalId) -> ApprovalView | None:
    found = await connection.execute(select(_ROW).where(ApprovalRow.tenant == tenant, ApprovalRow.id == question))
    row = found.mappings().first()
    if row is None:
        return None
    if row["status"] != Decision.PENDING.value:
        return approval_view(row, _nothing_behind)
    nodes = (
        select(NodeRow.node, NodeRow.title, NodeRow.state, NodeRow.depends_on)
        .where(NodeRow.tenant == tenant, NodeRow.thread == row["thread"])
        .order_by(NodeRow.noted)
    )
    planned = [PlannedNode(*each) for each in (await connection.execute(nodes)).all()]
    return approval_view(row, lambda node: waiting_behind(node, planned))


class PlannedNode(NamedTuple):
    """What `waiting_behind` needs to know of a node."""

    id: str
    title: str
    state: str
    depends_on: Sequence[str]


def waiting_behind(node: str, planned: Sequence[PlannedNode]) -> tuple[str, ...]:
    """Return the titles of the unfinished nodes that depend on `node`, directly or not, in plan order."""
    behind = {node}
    grown = True
    while grown:
        more = {each.id for each in planned if each.id not in behind and not behind.isdisjoint(each.depends_on)}
        behind |= more
        grown = bool(more)
    return tuple(each.title for each in planned if each.id in behind - {node} and each.state in _UNDER_WAY)


def approval_view(row: RowMapping, behind: Callable[[str], tuple[str, ...]]) -> ApprovalView:
    """Return an `approvals` row as a value; `behind` tells what waits for a node while it is open."""
    question = question_in(row)
    waiting = behind(row["node"]) if row["status"] == Decision.PENDING.value else ()
    return ApprovalView(
        question=replace(question, blocks=waiting) if waiting else question,
        standing=standing_in(row),
        asked_at=row["asked_at"],
        version=row["version"],
        expires_at=row["expires_at"],
    )
