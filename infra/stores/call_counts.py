"""What a run has done so far, for the conditions of a policy."""

from sqlalchemy import and_, func, select

from agent.approval import ApprovalKind, ApprovalRequest, Decision
from agent.policy.facts import RunCounts
from infra.db.database import Database
from infra.db.tables import ApprovalRow, LedgerRow

_OF_ROW = and_(
    LedgerRow.tenant == ApprovalRow.tenant,
    LedgerRow.thread == ApprovalRow.thread,
    LedgerRow.node == ApprovalRow.node,
)


class PostgresCallCounts:
    """CallCounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, request: ApprovalRequest) -> RunCounts:
        """Return the counts of the request's run, without its own node."""
        others = (ApprovalRow.of_thread(request.thread), ApprovalRow.turn == request.turn)
        others = (*others, ApprovalRow.node != request.node)
        started = select(ApprovalRow.node, ApprovalRow.tool).distinct().join(LedgerRow, _OF_ROW).where(*others)
        calls = started.where(ApprovalRow.kind == ApprovalKind.APPROVE.value).subquery()
        waiting = select(func.count()).where(*others, ApprovalRow.status == Decision.PENDING.value).scalar_subquery()
        of_tool = func.count().filter(calls.c.tool == request.tool)
        counted = select(func.count().label("red"), of_tool.label("tool"), waiting.label("open")).select_from(calls)
        row = (await self._database.execute(counted)).one()
        return RunCounts(red_calls=row.red, calls_of_tool=row.tool, open_cards=row.open)
