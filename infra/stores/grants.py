"""Grants as rows: made, used by the requests they cover, revoked."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, null, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from agent.approval import ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.grant import Grant, GrantId, GrantKind, conditions_from_json, conditions_json
from agent.ids import ChannelId, Digest, Tenant, ThreadId, ToolName, UserId, thread_parts
from agent.plan.operations import digest_of
from bot.ports import LOOKS_BACK_DAYS, PastCall
from infra.db.database import Database, announce
from infra.db.tables import ApprovalRow, GrantRow
from infra.stores.approvals import STARTED, PostgresApprovals, asking, record_in, request_in
from infra.stores.audit import AuditEvent, recording, recording_of_tenant
from infra.worker.notifications import Notifier
from infra.worker.queue import Queue
from sandbox.script import Json

_VALID = (GrantRow.revoked_at.is_(None), GrantRow.expires_at > func.now(), GrantRow.uses < GrantRow.most_uses)

_MOST_PAST = 200

_log = logging.getLogger(__name__)


class PostgresGrants:
    """The bot's Grants."""

    def __init__(self, database: Database, queue: Queue, views: Notifier) -> None:
        self._database = database
        self._queue = queue
        self._views = views

    async def make(self, tenant: Tenant, grant: Grant, *, place: ChannelId) -> bool:
        """Insert the grant with its audit row, unless there is one of its id; return whether there was none.

        Its uses begin at 0 and its time is the database's.
        """
        conditions = conditions_json(grant.conditions)
        values = insert(GrantRow).values(
            tenant=tenant,
            id=grant.id,
            kind=grant.kind.value,
            channel=grant.channel,
            thread=grant.thread or "",
            turn=grant.turn,
            tool=grant.tool,
            conditions=conditions,
            made_by=grant.made_by,
            expires_at=grant.expires_at,
            most_uses=grant.most_uses,
        )
        row = values.on_conflict_do_nothing().returning(GrantRow.id)
        details: Mapping[str, Json] = {
            "grant": grant.id,
            "kind": grant.kind.value,
            "channel": grant.channel,
            "thread": grant.thread or "",
            "tool": grant.tool,
            "uses": grant.most_uses,
            "until": grant.expires_at.astimezone(UTC).isoformat(),
            "place": place,
        }
        digest = Digest(digest_of(conditions))
        async with self._database.begin() as connection:
            if (await connection.execute(row)).first() is None:
                return False
            await connection.execute(
                recording_of_tenant(tenant, AuditEvent.GRANTED, digest=digest, by=grant.made_by, details=details)
            )
        return True

    async def revoke(self, tenant: Tenant, grant: GrantId, *, by: UserId, place: ChannelId) -> bool:
        """Take a grant back; calls that it let run and that were not started ask a person. Return whether it stood."""
        revoked = (
            update(GrantRow)
            .where(GrantRow.tenant == tenant, GrantRow.id == grant, GrantRow.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(GrantRow.conditions)
        )
        reopened = (
            update(ApprovalRow)
            .where(ApprovalRow.tenant == tenant, ApprovalRow.grant_id == grant, ~STARTED)
            .where(ApprovalRow.status == Decision.APPROVED.value)
            .values(status=Decision.PENDING.value, decided_at=null(), grant_id="")
            .returning(ApprovalRow.thread)
        )
        async with self._database.begin() as connection:
            if (row := (await connection.execute(revoked)).first()) is None:
                return False
            # The row locks the end of the chain at once: what was started before is seen, what comes after is refused.
            await connection.execute(text("SET CONSTRAINTS greenlight_audit_link IMMEDIATE"))
            digest, details = Digest(digest_of(row.conditions)), {"grant": grant, "place": place}
            await connection.execute(
                recording_of_tenant(tenant, AuditEvent.REVOKED, digest=digest, by=by, details=details)
            )
            threads = {ThreadId(thread) for (thread,) in await connection.execute(reopened)}
            for thread in sorted(threads):
                await self._queue.wake(connection, thread)
        return True

    async def standing(self, tenant: Tenant, channel: ChannelId | None = None) -> Sequence[Grant]:
        """Return the standing rules, of one channel or of all, newest first."""
        where = [GrantRow.tenant == tenant, GrantRow.kind == GrantKind.RULE.value, *_VALID]
        return await self._found(*where, *([] if channel is None else [GrantRow.channel == channel]))

    async def find(self, tenant: Tenant, grant: GrantId) -> Grant | None:
        """Return a grant, however it stands."""
        return next(iter(await self._found(GrantRow.tenant == tenant, GrantRow.id == grant)), None)

    async def covering(self, request: ApprovalRequest) -> Sequence[Grant]:
        """Return the valid grants that cover a request, those of its own turn first."""
        parts = thread_parts(request.thread)
        found = await self._found(
            GrantRow.tenant == parts.tenant,
            GrantRow.tool == request.tool,
            GrantRow.channel == parts.channel,
            or_(GrantRow.thread == "", GrantRow.thread == request.thread),
            *_VALID,
        )
        return sorted((grant for grant in found if grant.covers(request)), key=lambda grant: grant.kind.value)

    async def use(self, grant: Grant, request: ApprovalRequest) -> DecisionRecord | None:
        """Store the request as answered by the grant and count the use, if both can be; else change nothing."""
        parts = thread_parts(request.thread)
        counted = (
            update(GrantRow)
            .where(GrantRow.tenant == parts.tenant, GrantRow.id == grant.id, *_VALID)
            .values(uses=GrantRow.uses + 1)
            .returning(GrantRow.uses)
        )
        answered = asking(
            request, status=Decision.APPROVED.value, decided_at=func.now(), grant_id=grant.id, expires_at=None
        )
        details = {"question": request.id, "decision": Decision.APPROVED.value, "grant": grant.id}
        async with self._database.begin() as connection:
            if (await connection.execute(counted)).first() is None:
                return None
            row = (await connection.execute(answered)).first()
            if row is None:  # it was asked before
                await connection.rollback()
                return None
            await connection.execute(
                recording(request.thread, request.node, AuditEvent.DECIDED, digest=request.digest, details=details)
            )
            await announce(connection, request.thread)
        self._views.notify(request.thread)
        return record_in(row)

    async def past(self, tenant: Tenant, channel: ChannelId, tool: ToolName) -> Sequence[PastCall]:
        """Return what people decided about calls of this tool in a channel lately, newest first."""
        rows = (
            select(ApprovalRow.__table__)
            .where(ApprovalRow.tenant == tenant, ApprovalRow.tool == tool)
            .where(ApprovalRow.asked_at > func.now() - timedelta(days=LOOKS_BACK_DAYS))
            .where(func.split_part(ApprovalRow.thread, ":", 2) == channel)
            .where(ApprovalRow.kind == ApprovalKind.APPROVE.value, ApprovalRow.grant_id == "")
            .where(ApprovalRow.status.in_([Decision.APPROVED.value, Decision.REJECTED.value]))
            .order_by(ApprovalRow.asked_at.desc())
            .limit(_MOST_PAST)
        )
        return [PastCall(request=request_in(row), record=record_in(row)) for row in await self._database.execute(rows)]

    async def _found(self, *which: ColumnElement[bool]) -> Sequence[Grant]:
        rows = select(GrantRow.__table__).where(*which).order_by(GrantRow.made_at.desc())
        grants: list[Grant] = []
        for row in await self._database.execute(rows):
            try:
                grants.append(_grant(row))
            except ValueError as error:  # a later version wrote it: it covers nothing here
                _log.warning("cannot read the grant %s: %s", row.id, error)
        return grants


def _grant(row: Row[*tuple[Any, ...]]) -> Grant:
    return Grant(
        id=GrantId(row.id),
        kind=GrantKind(row.kind),
        channel=ChannelId(row.channel),
        tool=ToolName(row.tool),
        conditions=conditions_from_json(row.conditions),
        made_by=UserId(row.made_by),
        made_at=row.made_at,
        expires_at=row.expires_at,
        most_uses=row.most_uses,
        uses=row.uses,
        thread=ThreadId(row.thread) if row.thread else None,
        turn=row.turn,
    )


class GrantedApprovals:
    """The runner's Approvals: a request that a valid grant covers is answered by it, every other one by people.

    `may_grant` says whether the person who made a grant may still approve such a call; in doubt a person is asked.
    """

    def __init__(
        self,
        approvals: PostgresApprovals,
        grants: PostgresGrants,
        may_grant: Callable[[UserId, ApprovalRequest], Awaitable[bool]],
    ) -> None:
        self._approvals = approvals
        self._grants = grants
        self._may_grant = may_grant
        self.deny = approvals.deny
        self.read = approvals.read
        self.decide = approvals.decide
        self.withdraw = approvals.withdraw
        self.extend = approvals.extend

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        """Insert the row unless it exists; return it as it stands."""
        takes = request.requirement
        if takes is not None and (takes.allowed or not takes.is_single):  # a grant is one person's approval
            return await self._approvals.ask(request)
        for grant in await self._grants.covering(request):
            may = await self._may_grant(grant.made_by, request)
            if may and (record := await self._grants.use(grant, request)) is not None:
                return record
        return await self._approvals.ask(request)
