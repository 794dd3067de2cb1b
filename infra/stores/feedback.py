"""What people think of answers, and the turns that somebody found bad."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from agent.approval import TURN
from agent.ids import Tenant, ThreadId, UserId
from agent.plan.operations import digest_of
from infra.db.database import Database
from infra.db.tables import FeedbackRow, InboxRow, RunRow, thread_key
from infra.stores.audit import AuditEvent, recording
from sandbox.script import Json

UP, DOWN = "up", "down"


@dataclass(frozen=True, kw_only=True)
class BadTurn:
    """A turn whose answer somebody found bad."""

    tenant: Tenant
    thread: ThreadId
    turn: int
    #: What people had asked, in order.
    requests: tuple[str, ...]
    #: Why it was bad, in people's words; those who gave no reason are left out.
    reasons: tuple[str, ...]


class PostgresFeedback:
    """The bot's Feedback."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(self, thread: ThreadId, turn: int, *, by: UserId, good: bool, reason: str = "") -> bool:
        """Store it with its audit row; False: the turn has no answer, and no reply."""
        has_words = or_(RunRow.answer != "", func.json_array_length(RunRow.replies) > 0)
        answered = exists().where(RunRow.of_turn(thread, turn), has_words)
        new = {"thumb": UP if good else DOWN, "reason": reason, "at": func.now()}
        row = insert(FeedbackRow).values(**thread_key(thread), turn=turn, by=by, **new)
        change = row.on_conflict_do_update(index_elements=["tenant", "thread", "turn", "by"], set_=new)
        details: Mapping[str, Json] = {"turn": turn, "thumb": UP if good else DOWN}
        digest = digest_of([turn, details["thumb"], reason])
        async with self._database.begin() as connection:
            if not (await connection.execute(select(answered))).scalar_one():
                return False
            await connection.execute(change)
            await connection.execute(recording(thread, TURN, AuditEvent.RATED, digest=digest, by=by, details=details))
        return True

    async def bad_turns(self, most: int) -> Sequence[BadTurn]:
        """Return the turns whose answer somebody found bad, the newest opinion first."""
        rows = (
            select(
                FeedbackRow.tenant,
                FeedbackRow.thread,
                FeedbackRow.turn,
                func.array_agg(FeedbackRow.reason).label("reasons"),
            )
            .where(FeedbackRow.thumb == DOWN)
            .group_by(FeedbackRow.tenant, FeedbackRow.thread, FeedbackRow.turn)
            .order_by(func.max(FeedbackRow.at).desc())
            .limit(most)
        )
        found: list[BadTurn] = []
        async with self._database.begin() as connection:
            for tenant, thread, turn, reasons in (await connection.execute(rows)).all():
                of_turn = (InboxRow.of_thread(ThreadId(thread)), InboxRow.turn == turn)
                texts = await connection.execute(select(InboxRow.text).where(*of_turn).order_by(InboxRow.id))
                found.append(
                    BadTurn(
                        tenant=Tenant(tenant),
                        thread=ThreadId(thread),
                        turn=turn,
                        requests=tuple(text for (text,) in texts),
                        reasons=tuple(reason for reason in reasons if reason),
                    )
                )
        return found
