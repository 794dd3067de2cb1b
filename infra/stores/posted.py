"""Which messages stand in Slack, so that each is posted once and edited only when it differs."""

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from agent.ids import ThreadId, thread_parts
from bot.ports import PostedMessage, Slot
from infra.db.database import Database
from infra.db.tables import PostRow, RunRow


class PostgresPosted:
    """Posted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, thread: ThreadId, turn: int, slot: Slot) -> bool:
        """Commit that a try to post begins; False when one began before."""
        row = insert(PostRow).values(_key(thread, turn, slot)).on_conflict_do_nothing()
        async with self._database.autocommit() as connection:
            return (await connection.execute(row.returning(PostRow.turn))).first() is not None

    async def post(self, thread: ThreadId, turn: int, slot: Slot, message: PostedMessage) -> None:
        """Note the message's `ts` and what it shows."""
        stands = {"ts": message.ts, "shown": message.shown}
        row = insert(PostRow).values(_key(thread, turn, slot) | stands)
        keys = ["tenant", "thread", "turn", "post", "key"]
        async with self._database.autocommit() as connection:
            await connection.execute(row.on_conflict_do_update(index_elements=keys, set_=stands))

    async def settle(self, thread: ThreadId, turn: int) -> None:
        """Note that the turn shows all it ever will."""
        settled = (
            update(RunRow)
            .where(RunRow.tenant == thread_parts(thread).tenant, RunRow.thread == thread, RunRow.turn == turn)
            .values(settled=True)
        )
        async with self._database.autocommit() as connection:
            await connection.execute(settled)


def _key(thread: ThreadId, turn: int, slot: Slot) -> dict[str, object]:
    tenant = thread_parts(thread).tenant
    return {"tenant": tenant, "thread": thread, "turn": turn, "post": slot.post.value, "key": slot.key}
