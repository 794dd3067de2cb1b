"""The audit: requests, decisions, red calls and calls of scripts, each written with the change it records."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import CTE, Select, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import Digest, NodeId, ThreadId
from infra.db.tables import AuditRow, thread_key
from sandbox.script import Json


class AuditEvent(StrEnum):
    """The kind of an audit row."""

    ASKED = "asked"
    DECIDED = "decided"
    STARTED = "started"
    FINISHED = "finished"
    CALLED = "called"


def with_record(
    change: CTE,
    thread: ThreadId,
    node: NodeId,
    event: AuditEvent,
    *,
    digest: Digest | None = None,
    by: str | None = None,
    details: Mapping[str, Json],
) -> Select[*tuple[Any, ...]]:
    """Return a statement that makes the change, records it in a row, and returns what the change returns.

    A change that returns no row was not made, and is not recorded. One statement: a red call waits for two of them,
    and each round trip less is felt. `details` are as in `record`. Without a digest the change returns it.
    """
    values = _values(thread, node, event, by, details)
    columns = AuditRow.__table__.c
    given = [literal(value, columns[name].type).label(name) for name, value in values.items()]
    seal = change.c.digest if digest is None else literal(digest, columns["digest"].type)
    row = insert(AuditRow).from_select([*values, "digest"], select(*given, seal.label("digest")).select_from(change))
    return select(*change.c).add_cte(row.cte("recorded"))


async def record(
    connection: AsyncConnection,
    thread: ThreadId,
    node: NodeId,
    event: AuditEvent,
    *,
    digest: Digest,
    by: str | None = None,
    details: Mapping[str, Json],
) -> None:
    """Append a row in this transaction.

    `details` hold names and states only: arguments may be secret, and the digest stands for them.
    """
    await connection.execute(insert(AuditRow).values(**_values(thread, node, event, by, details), digest=digest))


def _values(
    thread: ThreadId, node: NodeId, event: AuditEvent, by: str | None, details: Mapping[str, Json]
) -> Mapping[str, object]:
    return {**thread_key(thread), "node": node, "event": event.value, "by": by, "details": details}
