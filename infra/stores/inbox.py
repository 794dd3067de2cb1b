"""The inbox: a message becomes a row and a wake job in one transaction, once."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import ARRAY, Exists, bindparam, or_, select, text

from agent.approval import Decision
from agent.ids import Tenant, ThreadId, UserId, thread_parts
from agent.ports import RunStatus
from bot.ports import Incoming, Kind, Load, Receipt
from infra.db.database import Database
from infra.db.group_commit import GroupCommit
from infra.db.tables import InboxRow, RunRow, SafeText
from infra.stores.mailbox import IS_MESSAGE
from infra.stores.search_tokens import LIFE, Sealing, sealed_by_nobody
from infra.worker.queue import with_wake

_COLUMNS = ("tenant", "thread", "app", "event_id", "channel", "ts", "author", "text", "kind", "root_channel", "sealed")

# One statement, so that Slack's ack waits for one round trip: under load a transaction of several spends most of its
# time waiting for its turn between them. Each parameter is a column, with one message of each thread: the statement
# returns the threads whose message is new. It names no conflict target: either unique constraint may be violated.
_ACCEPT = with_wake(f"""
    given AS (
        SELECT * FROM unnest({", ".join(f"CAST(:{column} AS text[])" for column in _COLUMNS)})
            AS message ({", ".join(_COLUMNS)})
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
    ),
    searching AS (
        INSERT INTO search_tokens (tenant, thread, author, sealed, expires_at)
        SELECT tenant, thread, author, sealed, now() + CAST(:life AS interval) FROM given JOIN woken USING (thread)
        WHERE sealed <> '' ORDER BY thread
        ON CONFLICT (tenant, thread, author) DO UPDATE
            SET sealed = EXCLUDED.sealed, expires_at = EXCLUDED.expires_at
    )
""").bindparams(*(bindparam(column, type_=ARRAY(SafeText())) for column in _COLUMNS))  # noqa: S608 - names of our own


_LOAD = text("""
    SELECT
        EXISTS (SELECT 1 FROM runs WHERE tenant = :tenant AND thread = :thread AND ended_at IS NULL)
        OR EXISTS (SELECT 1 FROM inbox WHERE tenant = :tenant AND thread = :thread AND turn IS NULL AND kind <> :stop)
        AS under_way,
        (SELECT count(*) FROM (
            SELECT thread FROM runs
            WHERE tenant = :tenant AND requester = :user AND ended_at IS NULL AND status <> :waiting
            UNION
            SELECT thread FROM inbox WHERE tenant = :tenant AND author = :user AND turn IS NULL AND kind <> :stop
        ) AS at_work) AS runs,
        (SELECT count(*) FROM approvals WHERE tenant = :tenant AND author = :user AND status = :pending) AS cards
""").bindparams(stop=Kind.STOP.value, waiting=RunStatus.WAITING.value, pending=Decision.PENDING.value)


class PostgresInbox:
    """An Inbox. Messages that arrive close together are stored together."""

    def __init__(self, database: Database, seal: Sealing = sealed_by_nobody) -> None:
        self._database = database
        self._seal = seal
        self._group: GroupCommit[Incoming, Receipt] = GroupCommit(self._accept, attrgetter("thread"))

    async def accept(self, incoming: Incoming) -> Receipt:
        """Store the message, unless it or its event is known."""
        if incoming.kind is Kind.STOP and not await self._under_way(incoming.thread):
            return Receipt.IDLE
        return await self._group.put(incoming)

    async def _accept(self, group: Sequence[Incoming]) -> Sequence[Receipt]:
        rows = [
            vars(message)
            | {
                "kind": message.kind.value,
                "root_channel": thread_parts(message.thread).channel,
                "sealed": self._seal(message.thread, message.author, message.search_token),
            }
            for message in group
        ]
        values = {column: [row[column] for row in rows] for column in _COLUMNS} | {"life": LIFE}
        async with self._database.autocommit() as connection:
            new = {row.thread for row in await connection.execute(_ACCEPT, values)}
        return [Receipt.ACCEPTED if message.thread in new else Receipt.DUPLICATE for message in group]

    async def engaged(self, thread: ThreadId) -> bool:
        """Return whether a message of this thread was ever accepted."""
        row = select(InboxRow.id).where(InboxRow.of_thread(thread)).limit(1)
        return (await self._database.execute(row)).first() is not None

    async def load(self, tenant: Tenant, user: UserId, thread: ThreadId | None) -> Load:
        """Return what the person has under way."""
        values = {"tenant": tenant, "user": user, "thread": thread or ""}
        async with self._database.autocommit() as connection:
            return Load(*(await connection.execute(_LOAD, values)).one())

    async def waiting(self, thread: ThreadId) -> bool:
        """Return whether no turn has taken a message of this thread yet."""
        return (await self._database.execute(select(_untaken(thread)))).scalar_one()

    async def _under_way(self, thread: ThreadId) -> bool:
        """Return whether there is anything in the thread to stop: a turn that has not ended, or an untaken message."""
        runs = select(RunRow.turn).where(RunRow.of_thread(thread), RunRow.ended_at.is_(None))
        return (await self._database.execute(select(or_(runs.exists(), _untaken(thread))))).scalar_one()


def _untaken(thread: ThreadId) -> Exists:
    return select(InboxRow.id).where(InboxRow.of_thread(thread), InboxRow.turn.is_(None), IS_MESSAGE).exists()
