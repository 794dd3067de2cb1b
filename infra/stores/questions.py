"""Questions to people as the run sees them: asked once, read, withdrawn."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ApprovalId, Digest, NodeId, ThreadId, ToolName, UserId, thread_parts
from agent.ports import ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from infra.db.database import Database, announce
from infra.db.tables import ApprovalRow
from infra.stores.audit import AuditEvent, record, with_record
from infra.worker.notifications import Notifier
from sandbox.script import Json

STANDING = (
    ApprovalRow.id,
    ApprovalRow.thread,
    ApprovalRow.node,
    ApprovalRow.digest,
    ApprovalRow.status,
    ApprovalRow.decided_by,
    ApprovalRow.reason,
    ApprovalRow.decided_at,
)
"""The columns of a `Standing`, and what the audit needs besides."""


class PostgresApprovals:
    """Questions, and the allowances among them. `open_for` is how long one stays open; None: until somebody decides."""

    def __init__(self, database: Database, views: Notifier, open_for: timedelta | None = None) -> None:
        self._database = database
        self._views = views
        self._open_for = open_for

    async def ask(self, question: ApprovalRequest) -> DecisionRecord:
        """Insert the row unless it exists; the first row stands as it is."""
        row = insert(ApprovalRow).values(
            tenant=thread_parts(question.thread).tenant,
            id=question.id,
            thread=question.thread,
            turn=question.turn,
            node=question.node,
            kind=question.kind.value,
            title=question.title,
            tool=question.tool,
            args=question.args,
            digest=question.digest,
            author=question.author,
            attempt=question.attempt,
            blocks=list(question.blocks),
            expires_at=None if self._open_for is None else func.now() + self._open_for,
        )
        new = row.on_conflict_do_nothing().returning(*STANDING).cte("asked")
        recorded = with_record(
            new,
            question.thread,
            question.node,
            AuditEvent.ASKED,
            digest=question.digest,
            by=question.author,
            details={"question": question.id, "kind": question.kind.value, "tool": question.tool},
        )
        async with self._database.autocommit() as connection:
            asked = (await connection.execute(recorded)).first()
            if asked is None:
                known = select(*STANDING).where(
                    ApprovalRow.tenant == thread_parts(question.thread).tenant, ApprovalRow.id == question.id
                )
                asked = (await connection.execute(known)).one()
        self._views.notify(question.thread)
        return standing(asked.id, asked.digest, asked.status, asked.decided_by, asked.reason, asked.decided_at)

    async def standings(self, thread: ThreadId) -> Mapping[ApprovalId, DecisionRecord]:
        """Return every question of the thread, in the order they were asked."""
        rows = (
            select(*STANDING)
            .where(ApprovalRow.tenant == thread_parts(thread).tenant, ApprovalRow.thread == thread)
            .order_by(ApprovalRow.asked)
        )
        async with self._database.autocommit() as connection:
            found = (await connection.execute(rows)).all()
        read = (standing(r.id, r.digest, r.status, r.decided_by, r.reason, r.decided_at) for r in found)
        return {each.id: each for each in read}

    async def of(self, thread: ThreadId) -> Sequence[tuple[ApprovalRequest, DecisionRecord]]:
        """Return the thread's questions about budgets, in the order they were asked."""
        rows = (
            select(ApprovalRow.__table__)
            .where(ApprovalRow.tenant == thread_parts(thread).tenant, ApprovalRow.thread == thread)
            .where(ApprovalRow.kind == ApprovalKind.BUDGET.value)
            .order_by(ApprovalRow.asked)
        )
        async with self._database.autocommit() as connection:
            found = (await connection.execute(rows)).mappings().all()
        return [(question_in(row), standing_in(row)) for row in found]

    async def keep(self, question: ApprovalId, args: Mapping[str, Json]) -> None:
        """Store the args of a question about a budget anew."""
        changed = update(ApprovalRow).where(ApprovalRow.id == question, ApprovalRow.kind == ApprovalKind.BUDGET.value)
        async with self._database.autocommit() as connection:
            await connection.execute(changed.values(args=args))

    async def withdraw(self, question: ApprovalId, why: str) -> DecisionRecord:
        """Turn pending into withdrawn; whatever was decided before stands.

        Raises:
            sqlalchemy.exc.NoResultFound: it was never asked.
        """
        withdrawn = (
            update(ApprovalRow)
            .where(ApprovalRow.id == question, ApprovalRow.status == Decision.PENDING.value)
            .values(status=Decision.WITHDRAWN.value, reason=why, decided_at=func.now())
            .returning(*STANDING)
        )
        async with self._database.begin() as connection:
            row = (await connection.execute(withdrawn)).first()
            if row is None:
                row = (await connection.execute(select(*STANDING).where(ApprovalRow.id == question))).one()
            else:
                thread, digest = ThreadId(row.thread), Digest(row.digest)
                await record_decision(connection, thread, NodeId(row.node), digest, question, Decision.WITHDRAWN, None)
                await announce(connection, thread)
        return standing(row.id, row.digest, row.status, row.decided_by, row.reason, row.decided_at)


def standing(
    id: str, digest: str, status: str, decided_by: str | None, reason: str, decided_at: datetime | None
) -> DecisionRecord:
    """Return the row's decision as a value."""
    return DecisionRecord(
        id=ApprovalId(id),
        digest=Digest(digest),
        decision=Decision(status),
        by=None if decided_by is None else UserId(decided_by),
        reason=reason,
        at=decided_at,
    )


def standing_in(row: RowMapping) -> DecisionRecord:
    """Return the decision of a whole `approvals` row."""
    return standing(row["id"], row["digest"], row["status"], row["decided_by"], row["reason"], row["decided_at"])


def question_in(row: RowMapping) -> ApprovalRequest:
    """Return what a whole `approvals` row asks."""
    args: Mapping[str, Json] = row["args"]
    return ApprovalRequest(
        id=ApprovalId(row["id"]),
        thread=ThreadId(row["thread"]),
        turn=row["turn"],
        node=NodeId(row["node"]),
        kind=ApprovalKind(row["kind"]),
        title=row["title"],
        tool=ToolName(row["tool"]),
        args=args,
        digest=Digest(row["digest"]),
        author=UserId(row["author"]),
        attempt=row["attempt"],
        blocks=tuple(row["blocks"]),
    )


async def record_decision(
    connection: AsyncConnection,
    thread: ThreadId,
    node: NodeId,
    digest: Digest,
    question: ApprovalId,
    decision: Decision,
    by: UserId | None,
) -> None:
    """Append the audit row of a decision."""
    details = {"question": question, "decision": decision.value}
    await record(connection, thread, node, AuditEvent.DECIDED, digest=digest, by=by, details=details)
