"""Threads that are set aside: nobody enters them until a person says so.

Recovery sets a thread aside (`infra/worker/recovery.py`) whose run breaks whoever enters it. The worker that is woken
for it next asks its people instead of entering it. What they say is a row like any other: the decision on that request,
a stop, or a message written below the card. All this happens under the thread's lease.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from agent.approval import TURN, ApprovalKind, ApprovalRequest, Decision
from agent.execution.turn_flow import ANSWERED
from agent.ids import ApprovalId, ThreadId, ToolName
from agent.plan.operations import digest_of
from agent.ports import Approvals, Runs, RunStatus
from bot.ports import Post
from infra.db.database import Database
from infra.db.tables import InboxRow, PostRow, RunRow, ThreadRow
from infra.stores.mailbox import IS_MESSAGE


class SetAsideThreads:
    """Asks the people of threads that are set aside, and releases those that they say something about."""

    def __init__(self, database: Database, approvals: Approvals, runs: Runs) -> None:
        self._database = database
        self._approvals = approvals
        self._runs = runs

    async def released(self, thread: ThreadId, set_aside_at: datetime) -> bool:
        """Return whether the thread may be entered now; if not, its people are asked, once.

        A stop counts before all else, and is all that the next entry does.
        """
        record = (await self._approvals.read(thread)).get(_request_id(thread, set_aside_at))
        if await self._has_untaken(thread, ~IS_MESSAGE):
            await self._release(thread, {}, record and record.id, "stopped")
        elif record is None:
            return not await self._ask(thread, set_aside_at)
        elif record.decision is not Decision.PENDING:
            await self._release(thread, {"takeovers": 0} if record.decision is not Decision.LEAVE else {})
        elif await self._has_answer(thread, record.id):
            await self._release(thread, {"takeovers": 0}, record.id, ANSWERED)
        else:
            return False
        return True

    async def _ask(self, thread: ThreadId, set_aside_at: datetime) -> bool:
        """Ask the thread's people; return False where nothing is left to be entered: an answer was being shown."""
        turns = select(func.max(RunRow.turn), func.max(RunRow.turn).filter(RunRow.ended_at.is_(None)))
        last, turn = (await self._database.execute(turns.where(RunRow.of_thread(thread)))).one()
        if turn is None:
            if not await self._has_untaken(thread, IS_MESSAGE):
                await self._release(thread, {})
                return False
            turn = (last or 0) + 1
            await self._runs.begin(thread, turn)
        run = await self._runs.read(thread, turn)
        if run.status is RunStatus.RUNNING:
            await self._runs.set_status(thread, turn, RunStatus.WAITING)
        request = _request_id(thread, set_aside_at)
        await self._approvals.ask(
            ApprovalRequest(
                id=request,
                thread=thread,
                turn=turn,
                node=TURN,
                kind=ApprovalKind.SET_ASIDE,
                title="",
                tool=ToolName("recovery"),
                args={},
                digest=digest_of([request]),
                author=run.requester,
            )
        )
        return True

    async def _release(
        self, thread: ThreadId, values: Mapping[str, Any], withdrawn: ApprovalId | None = None, why: str = ""
    ) -> None:
        """Let the thread be entered. A takeover after a stop sets it aside again at once: it counts on."""
        if withdrawn is not None:
            await self._approvals.withdraw(thread, withdrawn, why)
        free = update(ThreadRow).where(ThreadRow.of_thread(thread)).values(set_aside_at=None, **values)
        await self._database.execute(free)

    async def _has_untaken(self, thread: ThreadId, kind: ColumnElement[bool]) -> bool:
        untaken = select(InboxRow.id).where(InboxRow.of_thread(thread), InboxRow.turn.is_(None), kind).limit(1)
        return (await self._database.execute(untaken)).first() is not None

    async def _has_answer(self, thread: ThreadId, request: ApprovalId) -> bool:
        """Return whether somebody wrote below the card: what was written before it may be why the run breaks."""
        card = select(PostRow.ts).where(
            PostRow.of_thread(thread), PostRow.post == Post.CARD.value, PostRow.key == request
        )
        later = select(InboxRow.id).where(
            InboxRow.of_thread(thread), InboxRow.turn.is_(None), IS_MESSAGE, InboxRow.ts > card.scalar_subquery()
        )
        return (await self._database.execute(later.limit(1))).first() is not None


def _request_id(thread: ThreadId, set_aside_at: datetime) -> ApprovalId:
    return ApprovalId(digest_of([thread, "set aside", set_aside_at.astimezone(UTC).isoformat()])[:32])
