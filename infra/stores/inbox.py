"""The door: a message becomes a row and a wake job in one transaction, once."""

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert

from agent.ids import ThreadId, thread_parts
from bot.ports import Incoming, Kind, Receipt
from infra.database import Database, announce
from infra.queue import Queue
from infra.stores.mailbox import IS_MESSAGE
from infra.tables import InboxRow, RunRow, ThreadRow


class PostgresInbox:
    """An Inbox."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    async def accept(self, incoming: Incoming) -> Receipt:
        """Store the message, unless it or its event is known."""
        thread = incoming.thread
        root = insert(ThreadRow).values(tenant=incoming.tenant, thread=thread, channel=thread_parts(thread).channel)
        message = insert(InboxRow).values(
            tenant=incoming.tenant,
            thread=thread,
            app=incoming.app,
            event_id=incoming.event_id,
            channel=incoming.channel,
            ts=incoming.ts,
            author=incoming.author,
            text=incoming.text,
            kind=incoming.kind.value,
        )
        async with self._database.begin() as connection:
            if incoming.kind is Kind.STOP and not (await connection.execute(_under_way(thread))).scalar_one():
                return Receipt.IDLE
            # Either unique constraint may speak, so no target is named.
            new = (await connection.execute(message.on_conflict_do_nothing().returning(InboxRow.id))).first()
            if new is None:
                return Receipt.DUPLICATE
            await connection.execute(root.on_conflict_do_nothing())
            await announce(connection, thread)
            await self._queue.wake(connection, thread)
        return Receipt.ACCEPTED

    async def engaged(self, thread: ThreadId) -> bool:
        """Tell whether a message of this thread was ever accepted."""
        row = select(InboxRow.id).where(InboxRow.tenant == thread_parts(thread).tenant, InboxRow.thread == thread)
        async with self._database.begin() as connection:
            return (await connection.execute(row.limit(1))).first() is not None


def _under_way(thread: ThreadId) -> Select[bool]:
    """Ask whether there is anything in the thread to stop: a turn that has not ended, or a message no turn took."""
    tenant = thread_parts(thread).tenant
    runs = select(RunRow.turn).where(RunRow.tenant == tenant, RunRow.thread == thread, RunRow.ended_at.is_(None))
    messages = select(InboxRow.id).where(
        InboxRow.tenant == tenant, InboxRow.thread == thread, InboxRow.turn.is_(None), IS_MESSAGE
    )
    return select(or_(runs.exists(), messages.exists()))
