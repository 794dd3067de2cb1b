"""The door: a message becomes a row and a wake job in one transaction, once."""

from sqlalchemy import Select, bindparam, or_, select

from agent.ids import ThreadId, thread_parts
from bot.ports import Incoming, Kind, Receipt
from infra.database import Database
from infra.queue import waking
from infra.stores.mailbox import IS_MESSAGE
from infra.tables import InboxRow, RunRow, SafeText

# One statement, so that Slack's ack waits for one round trip: under load a transaction of several spends
# most of its time waiting for its turn between them. No conflict target is named: either unique
# constraint may speak.
_ACCEPT = waking("""
    woken AS (
        INSERT INTO inbox (tenant, thread, app, event_id, channel, ts, author, text, kind)
        VALUES (:tenant, :thread, :app, :event_id, :channel, :ts, :author, :text, :kind)
        ON CONFLICT DO NOTHING RETURNING thread
    ),
    root AS (
        INSERT INTO threads (tenant, thread, channel) SELECT :tenant, thread, :root_channel FROM woken
        ON CONFLICT DO NOTHING
    )
""").bindparams(
    *(
        bindparam(name, type_=SafeText())
        for name in (
            "tenant",
            "thread",
            "app",
            "event_id",
            "channel",
            "ts",
            "author",
            "text",
            "kind",
            "root_channel",
        )
    )
)


class PostgresInbox:
    """An Inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, incoming: Incoming) -> Receipt:
        """Store the message, unless it or its event is known."""
        values = {
            "tenant": incoming.tenant,
            "thread": incoming.thread,
            "app": incoming.app,
            "event_id": incoming.event_id,
            "channel": incoming.channel,
            "ts": incoming.ts,
            "author": incoming.author,
            "text": incoming.text,
            "kind": incoming.kind.value,
            "root_channel": thread_parts(incoming.thread).channel,
        }
        async with self._database.singly() as connection:
            if incoming.kind is Kind.STOP and not (await connection.execute(_under_way(incoming.thread))).scalar_one():
                return Receipt.IDLE
            new = (await connection.execute(_ACCEPT, values)).first()
        return Receipt.DUPLICATE if new is None else Receipt.ACCEPTED

    async def engaged(self, thread: ThreadId) -> bool:
        """Tell whether a message of this thread was ever accepted."""
        row = select(InboxRow.id).where(InboxRow.tenant == thread_parts(thread).tenant, InboxRow.thread == thread)
        async with self._database.singly() as connection:
            return (await connection.execute(row.limit(1))).first() is not None


def _under_way(thread: ThreadId) -> Select[bool]:
    """Ask whether there is anything in the thread to stop: a turn that has not ended, or a message no turn took."""
    tenant = thread_parts(thread).tenant
    runs = select(RunRow.turn).where(RunRow.tenant == tenant, RunRow.thread == thread, RunRow.ended_at.is_(None))
    messages = select(InboxRow.id).where(
        InboxRow.tenant == tenant, InboxRow.thread == thread, InboxRow.turn.is_(None), IS_MESSAGE
    )
    return select(or_(runs.exists(), messages.exists()))
