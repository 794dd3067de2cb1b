"""Attempts of packages: a row each, and an artifact with the long parts: logs, calls, answers of tools."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.events import AttemptEnded, RecordedAnswer, SummarizedCall
from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.artifacts import JSON, content_of, value_of
from agent.plan.operations import Add, digest_of, operation_from_json
from agent.plan.sources import OutputSources
from bot.ports import PackageView
from infra.db.database import Database
from infra.db.tables import ArtifactRow, AttemptRow, AuditRow, NodeRow, OperationRow, thread_key
from infra.stores.artifacts import digest_of_content, keep
from infra.stores.audit import AuditEvent, recording
from sandbox.script import Json

_COLUMNS = ("node", "attempt", "kind", "code", "error", "traceback", "milliseconds", "at", "of")
"""What a row holds of an attempt; the artifact holds the rest."""


class PostgresAttempts:
    """The agent's Attempts and the bot's Packages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, thread: ThreadId, node: NodeId) -> Sequence[AttemptEnded]:
        """Return the node's ended attempts, in order. Without their record they have no logs, calls and answers."""
        rows = (
            select(AttemptRow.__table__, ArtifactRow.content)
            .outerjoin(
                ArtifactRow, and_(ArtifactRow.tenant == AttemptRow.tenant, ArtifactRow.digest == AttemptRow.record)
            )
            .where(AttemptRow.of_thread(thread), AttemptRow.node == node)
            .order_by(AttemptRow.attempt)
        )
        return [_event(row) for row in (await self._database.execute(rows)).mappings()]

    async def package(self, thread: ThreadId, node: NodeId) -> PackageView | None:
        """Return a package with its attempts, or None when the thread has no such node."""
        row = select(NodeRow.title).where(NodeRow.of_thread(thread), NodeRow.node == node)
        title = (await self._database.execute(row)).scalar_one_or_none()
        if title is None:
            return None
        added = select(OperationRow.author, OperationRow.operation).where(
            OperationRow.of_thread(thread), OperationRow.adds.is_not(None)
        )
        sources = OutputSources()
        for author, operation in await self._database.execute(added.order_by(OperationRow.seq)):
            if isinstance(add := operation_from_json(operation), Add):
                sources.add(UserId(author), add.node)
        attempts = tuple(await self.of(thread, node))
        return PackageView(thread=thread, node=node, title=title, attempts=attempts, sources=sources.of(node))


async def write_attempts(connection: AsyncConnection, ended: Sequence[tuple[ThreadId, AttemptEnded]]) -> None:
    """Store attempts with their records; one that was made again replaces the stored one."""
    records = await asyncio.to_thread(_records, [event for _, event in ended])
    # In one order everywhere: two writers never wait for each other.
    for position in sorted(records, key=lambda position: digest_of_content(records[position])):
        thread, event = ended[position]
        await keep(connection, thread, f"{event.node}-attempt-{event.attempt}.json", records[position], JSON)
    rows = [
        _row(thread, event, digest_of_content(records[position]) if position in records else None)
        for position, (thread, event) in enumerate(ended)
    ]
    for position in sorted(records):
        await _audit_calls(connection, *ended[position], digest_of_content(records[position]))
    row = insert(AttemptRow)
    kept = ("tenant", "thread", "node", "attempt")
    newest = {name: row.excluded[name] for name in rows[0] if name not in kept}
    await connection.execute(row.on_conflict_do_update(index_elements=kept, set_=newest), rows)


async def _audit_calls(connection: AsyncConnection, thread: ThreadId, event: AttemptEnded, seal: Digest) -> None:
    """Record which tools a script called, the refused ones too; once, however often the attempt is noted."""
    if not event.calls:
        return
    seal = digest_of([event.attempt, seal])
    same = select(AuditRow.id).where(
        AuditRow.of_thread(thread),
        AuditRow.node == event.node,
        AuditRow.event == AuditEvent.CALLED.value,
        AuditRow.digest == seal,
    )
    if (await connection.execute(same.limit(1))).first() is None:
        calls: list[Json] = [{"tool": call.tool, "ok": call.ok} for call in event.calls]
        details: Mapping[str, Json] = {"attempt": event.attempt, "kind": event.kind, "calls": calls}
        await connection.execute(recording(thread, event.node, AuditEvent.CALLED, digest=seal, details=details))


def _row(thread: ThreadId, event: AttemptEnded, record: Digest | None) -> Mapping[str, object]:
    return {**thread_key(thread), **{name: getattr(event, name) for name in _COLUMNS}, "record": record}


def _records(events: Sequence[AttemptEnded]) -> Mapping[int, bytes]:
    """Return the records of attempts by their position; a script's answers come to a MiB and more."""
    return {position: record for position, event in enumerate(events) if (record := _record(event))}


def _record(event: AttemptEnded) -> bytes | None:
    if not (event.logs or event.calls or event.answers):
        return None
    calls: list[Json] = [vars(call) for call in event.calls]
    answers: list[Json] = [_answer_json(answer) for answer in event.answers]
    return content_of(event.node, {"logs": event.logs, "calls": calls, "answers": answers}).content


def _answer_json(answer: RecordedAnswer) -> Json:
    return {name: value for name, value in vars(answer).items() if name != "error" or value}


def _event(row: RowMapping) -> AttemptEnded:
    record: Any = {} if row["content"] is None else value_of(row["content"], JSON)
    return AttemptEnded(
        **{name: row[name] for name in _COLUMNS},
        logs=record.get("logs", ""),
        calls=tuple(SummarizedCall(**call) for call in record.get("calls", ())),
        answers=tuple(RecordedAnswer(**answer) for answer in record.get("answers", ())),
    )
