"""The door: a message becomes a row and a wake job in one transaction, once."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import ARRAY, Exists, Select, bindparam, or_, select

from agent.ids import ThreadId, thread_parts
from bot.ports import Incoming, Kind, Receipt
from infra.db.database import Database
from infra.db.group_commit import GroupCommit
from infra.db.tables import InboxRow, RunRow, SafeText
from infra.stores.mailbox import IS_MESSAGE
from infra.worker.queue import with_wake

_COLUMNS = ("tenant", "thread", "app", "event_id", "channel", "ts", "author", "text", "kind", "root_channel")

# One statement, so that Slack's ack waits for one round trip: under load a transaction of several spends
# most of its time waiting for its turn between them. Each parameter is a column, of one message a thread:
# a thread that is returned has taken its message in. No conflict target is named: either unique
# constraint may speak.
_ACCEPT = with_wake(f"""
    given AS (
        SELECT * FROM unnest({", ".join(f"CAST(:{each} AS text[])" for each in _COLUMNS)})
            AS each ({", ".join(_COLUMNS)})
        ORDER BY thread
    ),
    woken AS (
        INSERT INTO inbox (tenant, thread, app, event_id, channel, ts, author, text, kind)
        SELECT tenant, thread, app, event_id, channel, ts, author, text, kind FROM given
        ON CONFLICT DO NOTHING RETURNING thread
    ),
    root AS (
        INSERT INTO threads (tenant, thread, channel)
        SELECT tenant, thread, root_channel FROM given JOIN woken USING (thread) ORDER BY thread
        ON CONFLICT DO NOTHING
    )
""").bindparams(*(bindparam(each, type_=ARRAY(SafeText())) for each in _COLUMNS))  # noqa: S608 - names of our own


class PostgresInbox:
    """An Inbox. Messages that come close together are taken in together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group: GroupCommit[Incoming, Receipt] = GroupCommit(self._accept, attrgetter("thread"))

    async def accept(self, incoming: Incoming) -> Receipt:
        """Store the message, unless it or its event is known."""
        if incoming.kind is Kind.STOP:
            async with self._database.autocommit() as connection:
                if not (await connection.execute(_under_way(incoming.thread))).scalar_one():
                    return Receipt.IDLE
        return await self._group.put(incoming)

    async def _accept(self, group: Sequence[Incoming]) -> Sequence[Receipt]:
        rows = [
            (
                each.tenant,
                each.thread,
                each.app,
                each.event_id,
                each.channel,
                each.ts,
                each.author,
                each.text,
                each.kind.value,
                thread_parts(each.thread).channel,
            )
            for each in group
        ]
        values = {name: list(column) for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)}
        async with self._database.autocommit() as connection:
            new = {each.thread for each in await connection.execute(_ACCEPT, values)}
        return [Receipt.ACCEPTED if each.thread in new else Receipt.DUPLICATE for each in group]

    async def engaged(self, thread: ThreadId) -> bool:
        """Tell whether a message of this thread was ever accepted."""
        row = select(InboxRow.id).where(InboxRow.tenant == thread_parts(thread).tenant, InboxRow.thread == thread)
        async with self._database.autocommit() as connection:
            return (await connection.execute(row.limit(1))).first() is not None

    async def waiting(self, thread: ThreadId) -> bool:
        """Tell whether a message of this thread is in no turn yet."""
        async with self._database.autocommit() as connection:
            return (await connection.execute(select(_untaken(thread)))).scalar_one()


def _under_way(thread: ThreadId) -> Select[bool]:
    """Ask whether there is anything in the thread to stop: a turn that has not ended, or a message no turn took."""
    tenant = thread_parts(thread).tenant
    runs = select(RunRow.turn).where(RunRow.tenant == tenant, RunRow.thread == thread, RunRow.ended_at.is_(None))
    return select(or_(runs.exists(), _untaken(thread)))


def _untaken(thread: ThreadId) -> Exists:
    mine = (InboxRow.tenant == thread_parts(thread).tenant, InboxRow.thread == thread)
    return select(InboxRow.id).where(*mine, InboxRow.turn.is_(None), IS_MESSAGE).exists()
