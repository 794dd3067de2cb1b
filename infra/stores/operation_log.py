"""The thread's append-only plan, in the order its row lock gives."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import Row, Text, cast, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import DuplicateNode
from agent.ids import NodeId, ThreadId, UserId, thread_parts
from agent.plan.operations import Add, LoggedOperation, Operation, operation_from_json, operation_json
from infra.db.database import Database, announce
from infra.db.tables import OperationRow, ThreadRow, thread_key
from infra.stores.thread_cache import ThreadCache

_KEPT_BYTES = 16 * 1024 * 1024
"""The most JSON whose operations a process keeps: about a hundred long threads."""

_ONE_ADD_PER_NODE = "uq_operations_tenant_thread_adds"


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
                await connection.execute(insert(OperationRow), [_values(thread, entry) for entry in logged])
                await announce(connection, thread)
        except IntegrityError as error:
            if not (isinstance(error.orig, UniqueViolation) and error.orig.diag.constraint_name == _ONE_ADD_PER_NODE):
                raise
            raise DuplicateNode(await self._known(thread, _added(operations))) from error
        return logged

    async def after(self, thread: ThreadId, seq: int) -> Sequence[LoggedOperation]:
        """Return the operations after `seq`."""
        known = self._read.get(thread) or []
        last = _last_seq(known)
        rows = (
            select(
                OperationRow.seq,
                OperationRow.turn,
                OperationRow.author,
                OperationRow.operation,
                func.octet_length(cast(OperationRow.operation, Text)).label("size"),
            )
            .where(OperationRow.of_thread(thread), OperationRow.seq > last)
            .order_by(OperationRow.seq)
        )
        found = (await self._database.execute(rows)).all()
        # Another reader may have come first meanwhile.
        known = self._read.get(thread) or known
        new = [row for row in found if row.seq > _last_seq(known)]
        if new:
            known = [*known, *map(_logged, new)]
            self._read.keep(thread, known, self._read.size_of(thread) + sum(row.size for row in new))
        return known[bisect_right(known, seq, key=lambda entry: entry.seq) :]

    async def _known(self, thread: ThreadId, added: Sequence[NodeId]) -> NodeId:
        """Return the first of the nodes that is in the log, or that the operations add twice."""
        rows = select(OperationRow.adds).where(OperationRow.of_thread(thread), OperationRow.adds.in_(added))
        stored = set((await self._database.execute(rows)).scalars())
        return next(node for at, node in enumerate(added) if node in stored or node in added[:at])


def _last_seq(logged: Sequence[LoggedOperation]) -> int:
    return logged[-1].seq if logged else 0


def _logged(row: Row[Any]) -> LoggedOperation:
    return LoggedOperation(
        seq=row.seq, turn=row.turn, author=UserId(row.author), operation=operation_from_json(row.operation)
    )


def _added(operations: Sequence[Operation]) -> list[NodeId]:
    return [operation.node.id for operation in operations if isinstance(operation, Add)]


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
