"""The messages in Slack, noted so that each is posted once and edited only when it differs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, or_, select, text, update
from sqlalchemy.dialects.postgresql import Insert, insert

from agent.ids import ApprovalId, ThreadId
from bot.ports import Post, PostedMessage, Slot
from infra.db.database import Database
from infra.db.tables import ApprovalRow, PostRow, thread_key
from infra.stores.audit import AuditEvent, recording, with_record
from infra.worker.queue import Queue
from sandbox.script import Json

_SETTLE = text("UPDATE runs SET settled = true WHERE tenant = :tenant AND thread = :thread AND turn = :turn")
_KEYS = ("tenant", "thread", "turn", "post", "key")


class PostgresPosted:
    """Posted."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    async def begin(self, thread: ThreadId, turn: int, slot: Slot) -> bool:
        """Commit that posting begins; return False when it began before."""
        row = insert(PostRow).values(_key(thread, turn, slot)).on_conflict_do_nothing()
        return (await self._database.execute(row.returning(PostRow.turn))).first() is not None

    async def post(self, thread: ThreadId, turn: int, slot: Slot, message: PostedMessage) -> None:
        """Note the message's `ts` and the digest of its content."""
        stands = {"ts": message.ts, "shown": message.shown}
        row = insert(PostRow).values(_key(thread, turn, slot) | stands)
        row = row.on_conflict_do_update(index_elements=_KEYS, set_=stands)
        if slot.post is Post.CARD and "#" not in slot.key:
            await self._database.execute(_with_first_posting(row, thread, turn, slot, message))
        else:
            await self._database.execute(row)

    async def ask_elsewhere(self, thread: ThreadId, turn: int, slot: Slot) -> None:
        """Note the place, unless it is known, and wake the thread."""
        waits = {"ts": "", "shown": ""}
        row = insert(PostRow).values(_key(thread, turn, slot) | waits)
        row = row.on_conflict_do_update(index_elements=_KEYS, set_=waits, where=PostRow.ts.is_(None))
        async with self._database.begin() as connection:
            await connection.execute(row)
            await self._queue.wake(connection, thread)

    async def join(self, thread: ThreadId, leader: ApprovalId, members: Sequence[ApprovalId]) -> None:
        """Note the card of requests that have none yet, each with an audit row."""
        # A card of its own may stand unrecorded, because a process died while it was posted: it is looked for instead.
        begun = (
            exists()
            .where(PostRow.of_thread(thread), PostRow.post == Post.CARD.value, PostRow.key == ApprovalRow.id)
            .correlate(ApprovalRow)
        )
        joined = (
            update(ApprovalRow)
            .where(ApprovalRow.of_thread(thread), ApprovalRow.id.in_(members), ApprovalRow.card == "")
            .where(or_(ApprovalRow.id == leader, ~begun))
            .values(card=leader)
            .returning(ApprovalRow.id, ApprovalRow.node, ApprovalRow.digest)
        )
        async with self._database.begin() as connection:
            for row in (await connection.execute(joined)).all():
                details: dict[str, Json] = {"question": row.id, "card": leader}
                await connection.execute(
                    recording(thread, row.node, AuditEvent.POSTED, digest=row.digest, details=details)
                )

    async def settle(self, thread: ThreadId, turn: int) -> None:
        """Note that the turn shows all it ever will."""
        await self._database.execute(_SETTLE, {**thread_key(thread), "turn": turn})


def _with_first_posting(
    row: Insert, thread: ThreadId, turn: int, slot: Slot, message: PostedMessage
) -> Select[*tuple[Any, ...]]:
    """Return the statement that stores a card's row and, when no message stood there before, records the posting."""
    keys = (getattr(PostRow, name) == value for name, value in _key(thread, turn, slot).items())
    stood = select(PostRow.ts).where(*keys, PostRow.ts.is_not(None), PostRow.ts != "")
    approval = slot.key.partition("@")[0]
    asked = select(ApprovalRow.node, ApprovalRow.digest).where(ApprovalRow.of_thread(thread))
    new = asked.where(ApprovalRow.id == approval, ~stood.exists()).cte("asked")
    details: dict[str, Json] = {"question": approval, "ts": message.ts, "message": message.shown}
    if slot.place:  # its id may be a person's
        details["elsewhere"] = True
    recorded = with_record(new, thread, None, AuditEvent.POSTED, details=details)
    return recorded.add_cte(row.returning(PostRow.turn).cte("noted"))


def _key(thread: ThreadId, turn: int, slot: Slot) -> dict[str, str | int]:
    return thread_key(thread) | {"turn": turn, "post": slot.post.value, "key": slot.key}
