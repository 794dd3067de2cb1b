"""What people wrote to the agent, and which turn answers to it."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from agent.ids import ThreadId, UserId, thread_parts
from agent.ports import Message
from infra.database import Database
from infra.tables import InboxRow, RunRow
from infra.wakeups import Bell


class PostgresMailbox:
    """A Mailbox."""

    def __init__(self, database: Database, views: Bell) -> None:
        self._database = database
        self._views = views

    async def untaken(self, thread: ThreadId) -> Sequence[Message]:
        """Return what no plan answers to yet."""
        async with self._database.begin() as connection:
            return [message for _, message in await messages_of(connection, thread, InboxRow.turn.is_(None))]

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", trouble: str = ""
    ) -> None:
        """Mark messages as taken and keep the reply and the trouble with the turn's row."""
        tenant = thread_parts(thread).tenant
        mark = (
            update(InboxRow)
            .where(InboxRow.tenant == tenant, InboxRow.thread == thread)
            .where(InboxRow.id.in_(messages), InboxRow.turn.is_(None))
            .values(turn=turn)
        )
        run = (RunRow.tenant == tenant, RunRow.thread == thread, RunRow.turn == turn)
        async with self._database.begin() as connection:
            await connection.execute(mark)
            if reply:
                replies = (await connection.execute(select(RunRow.replies).where(*run).with_for_update())).scalar_one()
                await connection.execute(update(RunRow).where(*run).values(replies=[*replies, reply]))
            if trouble:
                await connection.execute(update(RunRow).where(*run).values(trouble=trouble))
        self._views.ring(thread)


async def messages_of(
    connection: AsyncConnection, thread: ThreadId, *which: ColumnElement[bool]
) -> Sequence[tuple[int | None, Message]]:
    """Return (turn, message) for the thread's messages that match, in order."""
    rows = (
        select(InboxRow.turn, InboxRow.id, InboxRow.author, InboxRow.text, InboxRow.at)
        .where(InboxRow.tenant == thread_parts(thread).tenant, InboxRow.thread == thread, *which)
        .order_by(InboxRow.id)
    )
    return [
        (each.turn, Message(id=each.id, author=UserId(each.author), text=each.text, at=each.at))
        for each in (await connection.execute(rows)).all()
    ]
