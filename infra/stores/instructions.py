"""The instructions of channels: the operator's from the configuration, and what people there wrote as rows."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ChannelId, Digest, Tenant, ThreadId, UserId, thread_parts
from agent.plan.operations import digest_of
from agent.ports import Instruction
from bot.ports import Deletion
from infra.db.database import Database
from infra.db.tables import AuditRow, InstructionRow
from infra.stores.audit import AuditEvent, recording_of_tenant
from sandbox.script import Json


class PostgresInstructions:
    """The bot's ChannelInstructions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, tenant: Tenant, channel: ChannelId) -> Instruction | None:
        """Return what people wrote, if they did."""
        here = (InstructionRow.tenant == tenant, InstructionRow.channel == channel)
        row = (await self._database.execute(select(InstructionRow.__table__).where(*here))).first()
        return None if row is None else Instruction(text=row.text, by=UserId(row.by), at=row.at)

    async def write(self, tenant: Tenant, channel: ChannelId, text: str, *, by: UserId) -> None:
        """Put it in place of what was there, with its audit row."""
        here = (InstructionRow.tenant == tenant, InstructionRow.channel == channel)
        new = {"text": text, "by": by, "at": func.now()}
        row = insert(InstructionRow).values(tenant=tenant, channel=channel, **new)
        change = row.on_conflict_do_update(index_elements=["tenant", "channel"], set_=new)
        details: Mapping[str, Json] = {"place": channel}
        digest = _digest(channel, text)
        async with self._database.begin() as connection:
            await connection.execute(change if text else delete(InstructionRow).where(*here))
            recorded = recording_of_tenant(tenant, AuditEvent.INSTRUCTED, digest=digest, by=by, details=details)
            await connection.execute(recorded)


async def cleared_in(connection: AsyncConnection, tenant: Tenant, channel: ChannelId) -> Deletion | None:
    """Return who cleared what people wrote for a channel, where nobody wrote anything since."""
    newest = (
        select(AuditRow.by, AuditRow.at, AuditRow.digest)
        .where(AuditRow.tenant == tenant, AuditRow.thread == "", AuditRow.event == AuditEvent.INSTRUCTED.value)
        .where(AuditRow.details["place"].as_string() == channel)
        .order_by(AuditRow.id.desc())
        .limit(1)
    )
    row = (await connection.execute(newest)).first()
    if row is None or row.digest != _digest(channel, ""):
        return None
    return Deletion(by=UserId(row.by) if row.by else None, at=row.at)


def _digest(channel: ChannelId, text: str) -> Digest:
    return Digest(digest_of([channel, text]))


class AllInstructions:
    """The agent's Instructions. `configured` returns the operator's for a channel; empty: none."""

    def __init__(self, stored: PostgresInstructions, configured: Mapping[str, str], elsewhere: str) -> None:
        self._stored = stored
        self._configured = configured
        self._elsewhere = elsewhere

    async def of(self, thread: ThreadId) -> Sequence[Instruction]:
        """Return those of a thread's channel, the operator's first."""
        parts = thread_parts(thread)
        theirs = self._configured.get(parts.channel, self._elsewhere)
        own = await self._stored.read(parts.tenant, parts.channel)
        return [*([Instruction(text=theirs)] if theirs else []), *([] if own is None else [own])]
