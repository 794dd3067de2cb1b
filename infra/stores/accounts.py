"""People's accounts as rows: connected, refreshed under a row lock, disconnected; and people's ways to them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.ids import ApprovalId, Digest, Tenant, UserId
from agent.tool import Account
from infra.accounts.rows import Flow, RegisteredClient, StoredAccount, Whose
from infra.db.database import Database
from infra.db.tables import AccountClientRow, AccountFlowRow, AccountRow
from infra.stores.approvals import PostgresApprovals
from infra.stores.audit import AuditEvent, recording_of_tenant, runs_as

_KEPT = timedelta(days=1)
"""How long a flow's row outlives its time."""


class PostgresAccounts:
    """The AccountRows, FlowRows and ClientRows."""

    def __init__(self, database: Database, approvals: PostgresApprovals) -> None:
        self._database = database
        self._approvals = approvals

    async def read(self, whose: Whose) -> StoredAccount | None:
        """Return the account."""
        row = (await self._database.execute(select(AccountRow.__table__).where(*_of(whose)))).first()
        return None if row is None else _account(row)

    async def of(self, tenant: Tenant, person: UserId) -> Sequence[StoredAccount]:
        """Return the person's accounts."""
        rows = select(AccountRow.__table__).where(AccountRow.tenant == tenant, AccountRow.person == person)
        return [_account(row) for row in await self._database.execute(rows.order_by(AccountRow.provider))]

    async def tenant_of(self, person: UserId, provider: str) -> Tenant | None:
        """Return where the person has an account at the provider; None: nowhere."""
        rows = select(AccountRow.tenant).where(AccountRow.person == person, AccountRow.provider == provider)
        tenant = (await self._database.execute(rows.limit(1))).scalar_one_or_none()
        return None if tenant is None else Tenant(tenant)

    @asynccontextmanager
    async def locked(self, whose: Whose) -> AsyncGenerator["_Locked"]:
        """Lock the account's row."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(AccountRow.__table__).where(*_of(whose)).with_for_update())).first()
            yield _Locked(connection, None if row is None else _account(row))

    async def connect(self, account: StoredAccount) -> None:
        """Store the account and answer the requests that wait for it, in one transaction."""
        whose = account.whose
        values = _values(account)
        row = insert(AccountRow).values(**vars(whose), **values)
        anew = {**values, "version": AccountRow.version + 1, "connected_at": func.now()}
        stored = row.on_conflict_do_update(index_elements=["tenant", "person", "provider"], set_=anew)
        async with self._database.begin() as connection:
            await connection.execute(stored)
            await connection.execute(_recorded(account, AuditEvent.CONNECTED))
            await self._approvals.close_connects(connection, whose.tenant, whose.person, whose.provider)

    async def disconnect(self, whose: Whose) -> StoredAccount | None:
        """Delete the account, with the audit row."""
        async with self._database.begin() as connection:
            deleted = delete(AccountRow).where(*_of(whose)).returning(AccountRow.__table__)
            if (row := (await connection.execute(deleted)).first()) is None:
                return None
            account = _account(row)
            await connection.execute(_recorded(account, AuditEvent.DISCONNECTED))
        return account

    async def offer(self, flow: Flow, seconds: float) -> None:
        """Store the flow; old ones go."""
        row = insert(AccountFlowRow).values(
            **vars(flow.whose),
            ticket=flow.ticket,
            approval=flow.approval,
            name=flow.name,
            expires_at=func.now() + timedelta(seconds=seconds),
        )
        async with self._database.begin() as connection:
            await connection.execute(delete(AccountFlowRow).where(AccountFlowRow.expires_at < func.now() - _KEPT))
            await connection.execute(row)

    async def offered(self, ticket: str) -> Flow | None:
        """Return the flow that can begin."""
        rows = select(AccountFlowRow.__table__).where(*_can_begin(ticket))
        row = (await self._database.execute(rows)).first()
        return None if row is None else _flow(row)

    async def begin(self, ticket: str, *, state: str, browser: str, verifier: bytes, seconds: float) -> Flow | None:
        """Begin it: of any number at the same moment one does."""
        expires_at = func.now() + timedelta(seconds=seconds)
        begun = (
            update(AccountFlowRow)
            .where(*_can_begin(ticket))
            .values(state=state, browser=browser, verifier=verifier, expires_at=expires_at)
            .returning(AccountFlowRow.__table__)
        )
        row = (await self._database.execute(begun)).first()
        return None if row is None else _flow(row)

    async def take(self, state: str, browser: str) -> Flow | None:
        """End it, once."""
        taken = (
            update(AccountFlowRow)
            .where(AccountFlowRow.state == state, AccountFlowRow.browser == browser, AccountFlowRow.state != "")
            .where(AccountFlowRow.ended_at.is_(None), AccountFlowRow.expires_at > func.now())
            .values(ended_at=func.now())
            .returning(AccountFlowRow.__table__)
        )
        row = (await self._database.execute(taken)).first()
        return None if row is None else _flow(row)

    async def client(self, provider: str) -> RegisteredClient | None:
        """Return the registered client."""
        rows = select(AccountClientRow.__table__).where(AccountClientRow.provider == provider)
        row = (await self._database.execute(rows)).first()
        if row is None:
            return None
        return RegisteredClient(
            issuer=row.issuer, redirect=row.redirect, client_id=row.client_id, sealed=row.sealed, method=row.method
        )

    async def register(self, provider: str, client: RegisteredClient) -> None:
        """Keep the client."""
        row = insert(AccountClientRow).values(provider=provider, **vars(client))
        await self._database.execute(row.on_conflict_do_update(index_elements=["provider"], set_=vars(client)))


class _Locked:
    """A locked account."""

    def __init__(self, connection: AsyncConnection, now: StoredAccount | None) -> None:
        self._connection = connection
        self.now = now

    async def replace(self, account: StoredAccount) -> None:
        """Store it."""
        changed = update(AccountRow).where(*_of(account.whose)).values(**_values(account), version=account.version)
        await self._connection.execute(changed)
        self.now = account

    async def delete(self) -> None:
        """Delete it."""
        if self.now is not None:
            await self._connection.execute(delete(AccountRow).where(*_of(self.now.whose)))
            await self._connection.execute(_recorded(self.now, AuditEvent.DISCONNECTED))
        self.now = None


def _of(whose: Whose) -> tuple[Any, ...]:
    return (
        AccountRow.tenant == whose.tenant,
        AccountRow.person == whose.person,
        AccountRow.provider == whose.provider,
    )


def _can_begin(ticket: str) -> tuple[Any, ...]:
    return (
        AccountFlowRow.ticket == ticket,
        AccountFlowRow.state == "",
        AccountFlowRow.ended_at.is_(None),
        AccountFlowRow.expires_at > func.now(),
    )


def _values(account: StoredAccount) -> dict[str, Any]:
    return {
        "sealed": account.sealed,
        "subject": account.subject,
        "scopes": account.scopes,
        "expires_at": account.expires_at,
    }


def _recorded(account: StoredAccount, event: AuditEvent) -> Any:
    whose = account.whose
    details = runs_as(Account(provider=whose.provider, subject=account.subject))
    digest = Digest(str(details["runs_as"]))
    return recording_of_tenant(whose.tenant, event, digest=digest, by=whose.person, details=details)


def _account(row: Row[*tuple[Any, ...]]) -> StoredAccount:
    return StoredAccount(
        whose=Whose(tenant=Tenant(row.tenant), person=UserId(row.person), provider=row.provider),
        sealed=row.sealed,
        subject=row.subject,
        scopes=row.scopes,
        expires_at=row.expires_at,
        version=row.version,
        connected_at=row.connected_at,
    )


def _flow(row: Row[*tuple[Any, ...]]) -> Flow:
    return Flow(
        whose=Whose(tenant=Tenant(row.tenant), person=UserId(row.person), provider=row.provider),
        ticket=row.ticket,
        approval=ApprovalId(row.approval),
        name=row.name,
        verifier=row.verifier or b"",
    )
