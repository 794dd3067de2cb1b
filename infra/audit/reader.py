"""Reads the chain of a tenant out of the database."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, and_, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import Tenant
from infra.audit.chain import Entry, Position
from infra.db.database import Database
from infra.db.tables import AuditHeadRow, AuditLinkRow, AuditPersonRow, AuditRow, LedgerRow
from infra.stores.audit import AuditEvent

_PAGE = 1_000

_ROW_OF_LINK = and_(AuditRow.tenant == AuditLinkRow.tenant, AuditRow.id == AuditLinkRow.entry)


async def tenants(database: Database) -> Sequence[Tenant]:
    """Return the tenants that have an audit."""
    rows = await database.execute(select(AuditHeadRow.tenant).order_by(AuditHeadRow.tenant))
    return [Tenant(tenant) for tenant in rows.scalars()]


class AuditReader:
    """Reads one tenant's chain within one snapshot."""

    def __init__(self, connection: AsyncConnection, tenant: Tenant) -> None:
        self._connection = connection
        self._tenant = tenant

    async def end(self) -> Position:
        """Return where the chain ends."""
        row = select(AuditHeadRow.seq, AuditHeadRow.hash).where(AuditHeadRow.tenant == self._tenant)
        found = (await self._connection.execute(row)).first()
        return Position() if found is None else Position(seq=found.seq, hash=found.hash)

    async def begin(self, since: datetime | None) -> Position:
        """Return the place right before the first row since then, or before what its red calls rest on."""
        if since is None:
            return Position()
        mine = AuditLinkRow.tenant == self._tenant
        first = select(func.min(AuditLinkRow.seq)).join(AuditRow, _ROW_OF_LINK).where(mine)
        begin = await self._number(first.where(AuditRow.at >= since)) or (await self.end()).seq + 1
        while True:
            started = (
                select(AuditRow.thread, AuditRow.node)
                .join(AuditLinkRow, _ROW_OF_LINK)
                .where(mine, AuditLinkRow.seq >= begin, AuditRow.event == AuditEvent.STARTED)
            )
            about = tuple_(AuditRow.thread, AuditRow.node).in_(started)
            asked = await self._number(first.where(about, AuditRow.event == AuditEvent.ASKED)) or begin
            if asked >= begin:
                break
            begin = asked
        row = select(AuditLinkRow.hash).where(mine, AuditLinkRow.seq == begin - 1)
        return Position(seq=begin - 1, hash=(await self._connection.execute(row)).scalar_one_or_none() or "")

    async def _number(self, query: Select[int]) -> int:
        """Return the query's number; 0 instead of null."""
        return (await self._connection.execute(query)).scalar_one() or 0

    async def entries(self, begin: Position) -> AsyncIterator[Entry]:
        """Yield the rows behind a place, in order."""
        last = begin.seq
        while True:
            rows = (await self._connection.execute(_page(self._tenant, last))).mappings().all()
            for row in rows:
                last = row["seq"]
                yield Entry(**row)
            if len(rows) < _PAGE:
                return

    async def strays(self) -> AsyncIterator[str]:
        """Yield what stands beside the chain: rows without a place in it, and calls that it does not know."""
        missing = (
            select(func.count())
            .select_from(AuditRow)
            .outerjoin(AuditLinkRow, _ROW_OF_LINK)
            .where(AuditRow.tenant == self._tenant, AuditLinkRow.seq.is_(None))
        )
        if count := (await self._connection.execute(missing)).scalar_one():
            yield f"{count} rows have no place in the chain"
        started = (
            select(AuditRow.id)
            .where(AuditRow.tenant == LedgerRow.tenant, AuditRow.thread == LedgerRow.thread)
            .where(AuditRow.node == LedgerRow.node, AuditRow.digest == LedgerRow.digest)
            .where(AuditRow.event == AuditEvent.STARTED)
            .where(AuditRow.details["attempt"].as_integer() == LedgerRow.attempt)
        )
        unknown = select(func.count()).select_from(LedgerRow).where(LedgerRow.tenant == self._tenant, ~started.exists())
        if count := (await self._connection.execute(unknown)).scalar_one():
            yield f"the ledger has {count} calls that the audit does not know"


def _page(tenant: Tenant, after: int) -> Select[*tuple[Any, ...]]:
    at = func.to_char(func.timezone("UTC", AuditRow.at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    return (
        select(
            AuditLinkRow.seq,
            at.label("at"),
            AuditRow.thread,
            AuditRow.node,
            AuditRow.event,
            AuditLinkRow.person,
            func.nullif(AuditRow.by, "").label("by"),
            AuditPersonRow.salt,
            AuditRow.digest,
            cast(AuditRow.details, Text).label("details"),
            AuditLinkRow.hash,
        )
        .join(AuditRow, _ROW_OF_LINK)
        .outerjoin(AuditPersonRow, and_(AuditPersonRow.tenant == AuditRow.tenant, AuditPersonRow.person == AuditRow.by))
        .where(AuditLinkRow.tenant == tenant, AuditLinkRow.seq > after)
        .order_by(AuditLinkRow.seq)
        .limit(_PAGE)
    )
