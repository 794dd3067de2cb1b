"""The thread's append-only plan, in the order its row lock gives."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import Insert, RowMapping, Text, bindparam, func, insert, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import TURN
from agent.errors import DuplicateNode
from agent.ids import Digest, NodeId, ThreadId, UserId, thread_parts
from agent.plan.operations import Add, LoggedOperation, Operation, operation_from_json, operation_json
from infra.db.database import Database, announce
from infra.db.tables import OperationRow, ThreadRow, json_text, thread_key
from infra.stores.audit import AuditEvent, recording
from infra.stores.thread_cache import ThreadCache
from sandbox.script import Json

_KEPT_BYTES = 16 * 1024 * 1024
"""The most JSON whose operations a process keeps: about a hundred long threads."""

_ONE_ADD_PER_NODE = "uq_operations_tenant_thread_adds"

_AFTER = (
    select(
        OperationRow.seq,
        OperationRow.turn,
        OperationRow.author,
        OperationRow.operation,
        func.octet_length(sql_cast(OperationRow.operation, Text)).label("size"),
    )
    .where(OperationRow.of_given_thread(), OperationRow.seq > bindparam("last"))
    .order_by(OperationRow.seq)
)


class PostgresOperationLog:
    """An OperationLog. What it has read of a thread is not read again: operations are appended and never change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: ThreadCache[list[LoggedOperation]] = ThreadCache(_KEPT_BYTES)

    async def append(
        self, thread: ThreadId, turn: int, author: UserId, operations: Sequence[Operation]
    ) -> Sequence[LoggedOperation]:
        """Store operations; two appenders wait for each other, so no number is seen before a smaller one."""
        if not operations:
            return ()
        try:
            async with self._database.begin() as connection:
                last = await _allot(connection, thread, len(operations))
                logged = [
                    LoggedOperation(seq=seq, turn=turn, author=author, operation=operation)
                    for seq, operation in enumerate(operations, start=last - len(operations) + 1)
                ]
                rows = [_values(thread, entry) for entry in logged]
                await connection.execute(insert(OperationRow), rows)
                await announce(connection, thread, beside=_revision(thread, logged, rows))
        except IntegrityError as error:
            if not (isinstance(error.orig, UniqueViolation) and error.orig.diag.constraint_name == _ONE_ADD_PER_NODE):
                raise
            raise DuplicateNode(await self._known(thread, _added(operations))) from error
        return logged

    async def after(self, thread: ThreadId, seq: int) -> Sequence[LoggedOperation]:
        """Return the operations after `seq`."""
        known = self.known(thread)
        found = (await self._database.execute(_AFTER, thread_key(thread) | {"last": last_seq(known)})).mappings().all()
        return self.extended(thread, known, found, seq)

    async def whole(self, connection: AsyncConnection, thread: ThreadId) -> Sequence[LoggedOperation]:
        """Return all operations, in the caller's transaction, which holds the thread's row."""
        known = self.known(thread)
        found = (await connection.execute(_AFTER, thread_key(thread) | {"last": last_seq(known)})).mappings().all()
        return self.extended(thread, known, found, 0)

    def known(self, thread: ThreadId) -> Sequence[LoggedOperation]:
        """Return the operations that need not be read again."""
        return self._read.get(thread) or ()

    def extended(
        self,
        thread: ThreadId,
        known: Sequence[LoggedOperation],
        found: Sequence[Mapping[str, Any] | RowMapping],
        seq: int,
    ) -> Sequence[LoggedOperation]:
        """Keep the rows found after the known operations; return the operations after `seq`."""
        known = self._read.get(thread) or known  # another reader may have come first meanwhile
        new = [row for row in found if row["seq"] > last_seq(known)]
        if new:
            kept = [*known, *map(_logged, new)]
            self._read.keep(thread, kept, self._read.size_of(thread) + sum(row["size"] for row in new))
            known = kept
        return known[bisect_right(known, seq, key=lambda entry: entry.seq) :]

    async def _known(self, thread: ThreadId, added: Sequence[NodeId]) -> NodeId:
        """Return the first of the nodes that is in the log, or that the operations add twice."""
        rows = select(OperationRow.adds).where(OperationRow.of_thread(thread), OperationRow.adds.in_(added))
        stored = set((await self._database.execute(rows)).scalars())
        return next(node for at, node in enumerate(added) if node in stored or node in added[:at])


def last_seq(logged: Sequence[LoggedOperation]) -> int:
    """Return the number of the last of them; 0 when there is none."""
    return logged[-1].seq if logged else 0


def _logged(row: Mapping[str, Any] | RowMapping) -> LoggedOperation:
    operation = operation_from_json(row["operation"])
    return LoggedOperation(seq=row["seq"], turn=row["turn"], author=UserId(row["author"]), operation=operation)


def _added(operations: Sequence[Operation]) -> list[NodeId]:
    return [operation.node.id for operation in operations if isinstance(operation, Add)]


def _revision(thread: ThreadId, logged: Sequence[LoggedOperation], rows: Sequence[Mapping[str, object]]) -> Insert:
    """Return the audit's row about these operations."""
    # As the rows hold them: a model's text may have half a character, which canonical JSON refuses.
    digest = Digest(hashlib.sha256(json_text([row["operation"] for row in rows]).encode()).hexdigest())
    details: Mapping[str, Json] = {"turn": logged[0].turn, "first": logged[0].seq, "last": logged[-1].seq}
    return recording(thread, TURN, AuditEvent.PLANNED, digest=digest, by=logged[0].author, details=details)


def _values(thread: ThreadId, logged: LoggedOperation) -> Mapping[str, object]:
    operation = logged.operation
    adds = operation.node.id if isinstance(operation, Add) else None
    return thread_key(thread) | vars(logged) | {"operation": operation_json(operation), "adds": adds}


async def _allot(connection: AsyncConnection, thread: ThreadId, count: int) -> int:
    """Return the last of `count` fresh numbers, holding the thread's row until the transaction ends."""
    row = upsert(ThreadRow).values(**thread_key(thread), channel=thread_parts(thread).channel, last_seq=count)
    allotted = row.on_conflict_do_update(
        index_elements=[ThreadRow.tenant, ThreadRow.thread], set_={"last_seq": ThreadRow.last_seq + count}
    ).returning(ThreadRow.last_seq)
    return (await connection.execute(allotted)).scalar_one()
