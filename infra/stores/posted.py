"""The messages in Slack, noted so that each is posted once and edited only when it differs."""

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from agent.ids import ThreadId
from bot.ports import PostedMessage, Slot
from infra.db.database import Database
from infra.db.tables import PostRow, RunRow, thread_key
from infra.worker.queue import Queue

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
        await self._database.execute(row.on_conflict_do_update(index_elements=_KEYS, set_=stands))

    async def ask_elsewhere(self, thread: ThreadId, turn: int, slot: Slot) -> None:
        """Note the place, unless it is known, and wake the thread."""
        waits = {"ts": "", "shown": ""}
        row = insert(PostRow).values(_key(thread, turn, slot) | waits)
        row = row.on_conflict_do_update(index_elements=_KEYS, set_=waits, where=PostRow.ts.is_(None))
        async with self._database.begin() as connection:
            await connection.execute(row)
            await self._queue.wake(connection, thread)

    async def settle(self, thread: ThreadId, turn: int) -> None:
        """Note that the turn shows all it ever will."""
        await self._database.execute(update(RunRow).where(RunRow.of_turn(thread, turn)).values(settled=True))


def _key(thread: ThreadId, turn: int, slot: Slot) -> dict[str, str | int]:
    return thread_key(thread) | {"turn": turn, "post": slot.post.value, "key": slot.key}
