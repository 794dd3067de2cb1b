"""One row per turn of a thread: who asked, where it stands, what was answered."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import NoResultFound

from agent.facts import FactId
from agent.ids import NodeId, ThreadId, UserId, thread_parts
from agent.ports import Choice, Message, PastTurn, Recalled, Reflection, Run, RunStatus
from agent.runbooks import RunbookUsed
from bot.ports import Kind
from infra.db.database import Database
from infra.db.tables import InboxRow, OperationRow, RunRow, thread_key
from infra.stores.mailbox import IS_MESSAGE, mail_in, messages_of
from infra.worker.notifications import Notifier

_MOVE = text("""
    UPDATE runs SET status = :status
    WHERE tenant = :tenant AND thread = :thread AND turn = :turn AND ended_at IS NULL
""")

# In place of one that it repeats (`Reflection.repeats`).
_REFLECT = text("""
    UPDATE runs SET reflections = (
        SELECT json_agg(value ORDER BY place) FROM (
            SELECT value, place FROM json_array_elements(reflections) WITH ORDINALITY AS kept (value, place)
            WHERE :basis = '' OR value->>'basis' IS DISTINCT FROM :basis OR value->>'author' IS DISTINCT FROM :author
            UNION ALL SELECT CAST(:added AS json), 1 + json_array_length(reflections)
        ) AS all_of_them
    ) WHERE tenant = :tenant AND thread = :thread AND turn = :turn
""")

_READ = (
    RunRow.requester,
    RunRow.status,
    RunRow.replies,
    RunRow.trouble,
    RunRow.answer,
    RunRow.reflections,
    RunRow.recalled,
    RunRow.runbooks,
)

_WITH_MAIL = (
    select(*_READ, InboxRow.id, InboxRow.author, InboxRow.text, InboxRow.at, InboxRow.kind)
    .outerjoin_from(RunRow, InboxRow, InboxRow.of_given_thread() & (InboxRow.turn == bindparam("turn")))
    .where(RunRow.of_given_thread(), RunRow.turn == bindparam("turn"))
    .order_by(InboxRow.id)
)

_OUTSIDE = "outside"
_OF_CANVAS = ("canvas", "shown", "whole")
_NO_CANVAS: Mapping[str, Any] = {}


class PostgresRuns:
    """Runs. Every change notifies the views of this process."""

    def __init__(self, database: Database, views: Notifier) -> None:
        self._database = database
        self._views = views

    async def begin(self, thread: ThreadId, turn: int) -> None:
        """Insert the turn's row, asked for by the author of the first untaken message, or else of the
        turn's first operation."""
        first_message = (
            select(InboxRow.author)
            .where(InboxRow.of_thread(thread), InboxRow.turn.is_(None), IS_MESSAGE)
            .order_by(InboxRow.id)
            .limit(1)
        )
        first_operation = (
            select(OperationRow.author)
            .where(OperationRow.of_thread(thread), OperationRow.turn == turn)
            .order_by(OperationRow.seq)
            .limit(1)
        )
        row = insert(RunRow).values(
            **thread_key(thread),
            turn=turn,
            channel=thread_parts(thread).channel,
            status=RunStatus.PLANNING.value,
            requester=func.coalesce(first_message.scalar_subquery(), first_operation.scalar_subquery(), literal("")),
        )
        await self._database.execute(row.on_conflict_do_nothing())
        self._views.notify(thread)

    async def set_status(self, thread: ThreadId, turn: int, status: RunStatus) -> None:
        """Move the turn unless it has ended."""
        await self._database.execute(_MOVE, {**thread_key(thread), "turn": turn, "status": status.value})
        self._views.notify(thread)

    async def finish(self, thread: ThreadId, turn: int, status: RunStatus, answer: str, error: str = "") -> None:
        """End the turn; the first end stands."""
        ended = (
            update(RunRow)
            .where(RunRow.of_turn(thread, turn), RunRow.ended_at.is_(None))
            .values(
                status=status.value,
                answer=answer,
                trouble=case((literal(error) == "", RunRow.trouble), else_=error),
                ended_at=func.now(),
            )
        )
        await self._database.execute(ended)
        self._views.notify(thread)

    async def read(self, thread: ThreadId, turn: int) -> Run:
        """Return the turn's row.

        Raises:
            sqlalchemy.exc.NoResultFound: the turn was not begun.
        """
        rows = (await self._database.execute(_WITH_MAIL, {**thread_key(thread), "turn": turn})).mappings().all()
        if not rows:
            raise NoResultFound
        row, mail = rows[0], mail_in([found for found in rows if found["id"] is not None])
        stopped_by = next((found["author"] for found in rows if found["kind"] == Kind.STOP.value), None)
        return Run(
            thread=thread,
            turn=turn,
            requester=UserId(row["requester"]),
            status=RunStatus(row["status"]),
            messages=tuple(mail.messages),
            replies=tuple(row["replies"]),
            error=row["trouble"],
            answer=row["answer"],
            stopped_by=None if stopped_by is None else UserId(stopped_by),
            reflections=tuple(reflection_in(reflection) for reflection in row["reflections"]),
            recalled=recalled_in(row["recalled"]),
            runbooks=runbooks_in(row["runbooks"]),
        )

    async def reflected(self, thread: ThreadId, turn: int, reflection: Reflection) -> None:
        """Add to the turn's reflections, in place of one that it repeats; one runner writes them."""
        values = {"turn": turn, "basis": reflection.basis, "author": reflection.author or ""}
        added = json.dumps(_reflection_json(reflection))
        await self._database.execute(_REFLECT, {**thread_key(thread), **values, "added": added})

    async def recalled(self, thread: ThreadId, turn: int, facts: Sequence[Recalled]) -> None:
        """Add to the facts of the turn; one runner writes them."""
        async with self._database.begin() as connection:
            row = select(RunRow.recalled).where(RunRow.of_turn(thread, turn)).with_for_update()
            before = recalled_in((await connection.execute(row)).scalar_one())
            told = dict.fromkeys((*before, *facts))
            every = [[one.author, one.fact, *([_OUTSIDE] if one.outside else ())] for one in told]
            await connection.execute(update(RunRow).where(RunRow.of_turn(thread, turn)).values(recalled=every))

    async def followed(self, thread: ThreadId, turn: int, runbooks: Sequence[RunbookUsed]) -> None:
        """Add to the runbooks of the turn; one runner writes them."""
        async with self._database.begin() as connection:
            row = select(RunRow.runbooks).where(RunRow.of_turn(thread, turn)).with_for_update()
            before = runbooks_in((await connection.execute(row)).scalar_one())
            every = [_runbook_json(used) for used in dict.fromkeys((*before, *runbooks))]
            await connection.execute(update(RunRow).where(RunRow.of_turn(thread, turn)).values(runbooks=every))
        self._views.notify(thread)

    async def past(self, thread: ThreadId, before_turn: int, after_turn: int = 0) -> Sequence[PastTurn]:
        """Return the ended turns between the two."""
        ended = (
            select(RunRow.turn, RunRow.answer, RunRow.replies, RunRow.runbooks, RunRow.recalled)
            .where(RunRow.of_thread(thread), RunRow.turn > after_turn, RunRow.turn < before_turn)
            .where(RunRow.ended_at.is_not(None))
            .order_by(RunRow.turn)
        )
        asked: dict[int, list[Message]] = defaultdict(list)
        async with self._database.autocommit() as connection:
            turns = (await connection.execute(ended)).all()
            between = and_(InboxRow.turn > after_turn, InboxRow.turn < before_turn)
            for turn, message in await messages_of(connection, thread, between):
                asked[turn or 0].append(message)
        return [
            PastTurn(
                turn=row.turn,
                requests=tuple(asked[row.turn]),
                answer=row.answer,
                replies=tuple(row.replies),
                outside=any(book.canvas for book in runbooks_in(row.runbooks))
                or any(told.outside for told in recalled_in(row.recalled)),
            )
            for row in turns
        ]


def recalled_in(value: Any) -> tuple[Recalled, ...]:
    """Return the facts that a turn's row names."""
    return tuple(
        Recalled(author=UserId(author), fact=FactId(fact), outside=bool(more)) for author, fact, *more in value or ()
    )


def runbooks_in(value: Any) -> tuple[RunbookUsed, ...]:
    """Return the runbooks that a turn's row names."""
    return tuple(_runbook_in(*entry) for entry in value or ())


def cited_in(value: Any) -> tuple[RunbookUsed, ...]:
    """Return the runbooks of a turn's row that models read whole."""
    return tuple(used for used in runbooks_in(value) if used.whole)


def _runbook_in(name: str, source: str, more: Mapping[str, Any] = _NO_CANVAS) -> RunbookUsed:
    return replace(RunbookUsed(name=name, source=source), **more)


def _runbook_json(used: RunbookUsed) -> Sequence[object]:
    """Return a runbook as a turn's row holds it: name and source, and of a canvas what else is known."""
    return [used.name, used.source, *([{key: getattr(used, key) for key in _OF_CANVAS}] if used.canvas else ())]


def _reflection_json(reflection: Reflection) -> Mapping[str, object]:
    """Return a decision as a turn's row holds it; what is empty is left out."""
    texts = {"why": reflection.why, "round": reflection.round, "author": reflection.author, "basis": reflection.basis}
    marks = {"at_end": reflection.at_end, "beyond": reflection.beyond}
    at = {} if reflection.at is None else {"at": reflection.at.isoformat()}
    more = {key: value for key, value in (texts | marks).items() if value}
    return {"choice": reflection.choice.value, "failed": list(reflection.failed), **more, **at}


def reflection_in(value: Mapping[str, Any]) -> Reflection:
    """Return a decision as a turn's row holds it."""
    return Reflection(
        choice=Choice(value["choice"]),
        failed=tuple(NodeId(node) for node in value["failed"]),
        why=value.get("why", ""),
        at_end=value.get("at_end", False),
        beyond=value.get("beyond", False),
        round=value.get("round", 0),
        author=UserId(value["author"]) if "author" in value else None,
        at=datetime.fromisoformat(value["at"]) if "at" in value else None,
        basis=value.get("basis", ""),
    )
