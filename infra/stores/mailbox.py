"""Messages of people to the agent, and the turns that answer to them. A stop is a row among the messages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, RowMapping, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from agent.ids import NodeId, ThreadId, UserId
from agent.ports import Heard, Mail, Message
from bot.ports import Kind
from infra.db.database import Database
from infra.db.tables import InboxRow, OperationRow, RunRow, thread_key
from infra.worker.notifications import Notifier

IS_MESSAGE = InboxRow.kind != Kind.STOP.value
"""Whether a row is a message, not a stop."""

_MESSAGES = (
    select(InboxRow.turn, InboxRow.id, InboxRow.author, InboxRow.text, InboxRow.at)
    .where(InboxRow.of_given_thread(), IS_MESSAGE)
    .order_by(InboxRow.id)
)
_UNTAKEN = _MESSAGES.where(InboxRow.turn.is_(None))
_MAIL = (
    select(InboxRow.id, InboxRow.author, InboxRow.text, InboxRow.at, InboxRow.kind)
    .where(InboxRow.of_given_thread(), or_(InboxRow.turn.is_(None), (InboxRow.turn == bindparam("turn")) & ~IS_MESSAGE))
    .order_by(InboxRow.id)
)


class PostgresMailbox:
    """A Mailbox."""

    def __init__(self, database: Database, views: Notifier) -> None:
        self._database = database
        self._views = views

    async def untaken(self, thread: ThreadId) -> Sequence[Message]:
        """Return the messages that no plan answers to yet."""
        return [message for _, message in _read(await self._database.execute(_UNTAKEN, thread_key(thread)))]

    async def heard(self, thread: ThreadId, turn: int, node: NodeId) -> Heard:
        """Return the turn's messages, and who wrote anything before the node was planned."""
        mine = InboxRow.of_thread(thread) & IS_MESSAGE
        planned = select(OperationRow.at).where(OperationRow.of_thread(thread), OperationRow.adds == node)
        planned_at = planned.limit(1).scalar_subquery()
        before = select(func.array_agg(InboxRow.author.distinct())).where(
            mine, InboxRow.at <= func.coalesce(planned_at, func.now())
        )
        columns = (InboxRow.id, InboxRow.author, InboxRow.text, InboxRow.at)
        rows = (
            select(*columns, before.scalar_subquery().label("authors"), planned_at.label("planned_at"))
            .where(mine, or_(InboxRow.turn.is_(None), InboxRow.turn == turn))
            .order_by(InboxRow.id)
        )
        found = (await self._database.execute(rows)).all()
        return Heard(
            messages=[Message(id=row.id, author=UserId(row.author), text=row.text, at=row.at) for row in found],
            authors={UserId(author) for row in found[:1] for author in row.authors or ()},
            planned_at=found[0].planned_at if found else None,
        )

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", error: str = ""
    ) -> None:
        """Mark messages as taken and keep the reply and the error with the turn's row."""
        mark = (
            update(InboxRow)
            .where(InboxRow.of_thread(thread), InboxRow.id.in_(messages), InboxRow.turn.is_(None))
            .values(turn=turn)
        )
        run = RunRow.of_turn(thread, turn)
        if not reply and not error:
            await self._database.execute(mark)
            self._views.notify(thread)
            return
        async with self._database.begin() as connection:
            await connection.execute(mark)
            if reply:
                replies = (await connection.execute(select(RunRow.replies).where(run).with_for_update())).scalar_one()
                await connection.execute(update(RunRow).where(run).values(replies=[*replies, reply]))
            if error:
                await connection.execute(update(RunRow).where(run).values(trouble=error))
        self._views.notify(thread)

    async def mail(self, thread: ThreadId, turn: int) -> Mail:
        """Return what waits, and whether the turn was stopped."""
        rows = await self._database.execute(_MAIL, {**thread_key(thread), "turn": turn})
        return mail_in(rows.mappings().all())

    async def stopped(self, thread: ThreadId, turn: int) -> UserId | None:
        """Return who stopped the turn; a stop that waits is taken for it, with the messages before it."""
        mine = InboxRow.of_thread(thread)
        stop = (
            select(InboxRow.id, InboxRow.author, InboxRow.turn)
            .where(mine, ~IS_MESSAGE, or_(InboxRow.turn.is_(None), InboxRow.turn == turn))
            .order_by(InboxRow.turn.nulls_last(), InboxRow.id)
            .limit(1)
        )
        async with self._database.autocommit() as connection:
            found = (await connection.execute(stop)).first()
            if found is None:
                return None
            if found.turn is None:
                before = update(InboxRow).where(mine, InboxRow.turn.is_(None), InboxRow.id <= found.id)
                await connection.execute(before.values(turn=turn))
        if found.turn is None:
            self._views.notify(thread)
        return UserId(found.author)

    async def drop_late_stops(self, thread: ThreadId, turn: int) -> None:
        """Take the stops with no untaken message before them."""
        untaken = InboxRow.of_thread(thread) & InboxRow.turn.is_(None)
        first_message = select(func.min(InboxRow.id)).where(untaken, IS_MESSAGE).scalar_subquery()
        late = update(InboxRow).where(untaken, ~IS_MESSAGE, or_(first_message.is_(None), InboxRow.id < first_message))
        await self._database.execute(late.values(turn=turn))


def mail_in(rows: Sequence[Mapping[str, Any] | RowMapping]) -> Mail:
    """Return the mail that rows hold: messages that wait, and stops."""
    messages = tuple(
        Message(id=row["id"], author=UserId(row["author"]), text=row["text"], at=row["at"])
        for row in rows
        if row["kind"] != Kind.STOP.value
    )
    return Mail(messages=messages, stop=len(messages) < len(rows))


async def messages_of(
    connection: AsyncConnection, thread: ThreadId, *which: ColumnElement[bool]
) -> Sequence[tuple[int | None, Message]]:
    """Return (turn, message) for the thread's messages that match, in order."""
    return _read(await connection.execute(_MESSAGES.where(*which), thread_key(thread)))


def _read(rows: Iterable[Row[*tuple[Any, ...]]]) -> Sequence[tuple[int | None, Message]]:
    return [(row.turn, Message(id=row.id, author=UserId(row.author), text=row.text, at=row.at)) for row in rows]
