"""The audit: what was asked, decided, started and finished, written with the change it records."""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import Digest, NodeId, ThreadId, thread_parts
from infra.tables import AuditRow
from sandbox.script import Json


class AuditEvent(StrEnum):
    """What an audit row records."""

    ASKED = "asked"
    DECIDED = "decided"
    STARTED = "started"
    FINISHED = "finished"


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
    """Append a row in this transaction. `details` hold names and states only: arguments may be secret,
    and the digest stands for them."""
    values = {
        "tenant": thread_parts(thread).tenant,
        "thread": thread,
        "node": node,
        "event": event.value,
        "by": by,
        "digest": digest,
        "details": details,
    }
    await connection.execute(insert(AuditRow).values(values))
