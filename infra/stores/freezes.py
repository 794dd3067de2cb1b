"""Freezes: an administrator stops red calls of a workspace, a channel or a tool, and lets them go on."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Delete, bindparam, delete, select
from sqlalchemy.dialects.postgresql import Insert, insert

from agent.approval import Freeze, FreezeScope
from agent.ids import ChannelId, Digest, Tenant, UserId
from agent.plan.operations import digest_of
from infra.db.database import Database
from infra.db.tables import FreezeRow
from infra.stores.audit import AuditEvent, recording_of_tenant
from infra.worker.queue import with_wake
from sandbox.script import Json

_WAKE_OPEN = with_wake(
    "woken AS (SELECT DISTINCT thread FROM runs WHERE tenant = :tenant AND ended_at IS NULL)"
).bindparams(bindparam("tenant"))


class PostgresFreezes:
    """The bot's Freezes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def freeze(self, tenant: Tenant, freeze: Freeze, *, by: UserId, place: ChannelId) -> bool:
        """Insert the row, with its audit row, and wake every open run, so that its cards say so."""
        row = insert(FreezeRow).values(**_key(tenant, freeze), by=by).on_conflict_do_nothing()
        return await self._change(row, AuditEvent.FROZEN, tenant, freeze, by, place)

    async def lift(self, tenant: Tenant, freeze: Freeze, *, by: UserId, place: ChannelId) -> bool:
        """Delete the row, with its audit row, and wake every open run, so that approved calls go on."""
        key = (getattr(FreezeRow, name) == value for name, value in _key(tenant, freeze).items())
        return await self._change(delete(FreezeRow).where(*key), AuditEvent.LIFTED, tenant, freeze, by, place)

    async def standing(self, tenant: Tenant) -> Sequence[Freeze]:
        """Return the freezes that stand, oldest first."""
        rows = select(FreezeRow.scope, FreezeRow.target).where(FreezeRow.tenant == tenant).order_by(FreezeRow.at)
        found = await self._database.execute(rows)
        return [Freeze(scope=FreezeScope(row.scope), target=row.target) for row in found]

    async def _change(
        self, change: Insert | Delete, event: AuditEvent, tenant: Tenant, freeze: Freeze, by: UserId, place: ChannelId
    ) -> bool:
        details: Mapping[str, Json] = {"scope": freeze.scope.value, "target": freeze.target, "place": place}
        digest = Digest(digest_of([freeze.scope.value, freeze.target]))
        async with self._database.begin() as connection:
            if (await connection.execute(change.returning(FreezeRow.scope))).first() is None:
                return False
            await connection.execute(recording_of_tenant(tenant, event, digest=digest, by=by, details=details))
            await connection.execute(_WAKE_OPEN, {"tenant": tenant})
        return True


def _key(tenant: Tenant, freeze: Freeze) -> Mapping[str, str]:
    return {"tenant": tenant, "scope": freeze.scope.value, "target": freeze.target}
