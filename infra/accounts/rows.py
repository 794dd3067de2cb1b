"""What is kept of people's accounts, and of those who are about to connect one. `infra/stores/accounts.py` keeps it."""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agent.ids import ApprovalId, Tenant, UserId


@dataclass(frozen=True, kw_only=True)
class Whose:
    """The person and the provider of an account."""

    tenant: Tenant
    person: UserId
    provider: str


@dataclass(frozen=True, kw_only=True)
class StoredAccount:
    """An account that somebody connected."""

    whose: Whose
    #: The tokens, encrypted.
    sealed: bytes = field(repr=False)
    #: Who the person is there, in the provider's words; empty: it does not say.
    subject: str
    scopes: str
    #: When the access token ends; None: the provider does not say.
    expires_at: datetime | None
    #: Moves on with each change.
    version: int = 1
    connected_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A person's way to a provider and back: each of its secrets stands here as a digest, or encrypted."""

    whose: Whose
    #: Of the ticket in the link that only this person was shown.
    ticket: str
    #: The request that waits for the account.
    approval: ApprovalId
    #: How the page names the person.
    name: str
    #: PKCE's verifier, encrypted; empty until the person sets out.
    verifier: bytes = field(default=b"", repr=False)


class LockedAccount(Protocol):
    """An account that nobody else changes meanwhile."""

    @property
    def now(self) -> StoredAccount | None:
        """The account as it is; None: there is none."""
        ...

    async def replace(self, account: StoredAccount) -> None:
        """Store it as it is to be."""
        ...

    async def delete(self) -> None:
        """Delete it."""
        ...


class AccountRows(Protocol):
    """The rows of accounts."""

    async def read(self, whose: Whose) -> StoredAccount | None:
        """Return the account; None: there is none."""
        ...

    async def of(self, tenant: Tenant, person: UserId) -> Sequence[StoredAccount]:
        """Return the person's accounts, in the order of their providers."""
        ...

    def locked(self, whose: Whose) -> AbstractAsyncContextManager[LockedAccount]:
        """Lock the account until the context is left; changes are committed then."""
        ...

    async def connect(self, account: StoredAccount) -> None:
        """Store the account, answer every request of the person that waits for it, and wake their threads."""
        ...

    async def disconnect(self, whose: Whose) -> StoredAccount | None:
        """Delete the account; return it as it was, None when there was none."""
        ...


class FlowRows(Protocol):
    """The rows of people who are about to connect an account. Each step is taken once, in time."""

    async def offer(self, flow: Flow, seconds: float) -> None:
        """Store a flow that can begin within this time."""
        ...

    async def offered(self, ticket: str) -> Flow | None:
        """Return the flow that can begin with this ticket."""
        ...

    async def begin(self, ticket: str, *, state: str, browser: str, verifier: bytes, seconds: float) -> Flow | None:
        """Begin it in this browser, to come back within this time; None: it cannot begin any more."""
        ...

    async def take(self, state: str, browser: str) -> Flow | None:
        """End the flow that comes back in its own browser; None: there is none, or it is too late."""
        ...


@dataclass(frozen=True, kw_only=True)
class RegisteredClient:
    """What a provider made of this app when it registered itself."""

    #: For whom: the provider's issuer and our address there.
    issuer: str
    redirect: str
    client_id: str
    #: The secret, encrypted; empty: it has none.
    sealed: bytes = field(default=b"", repr=False)
    #: How the client shows who it is at the token endpoint.
    method: str = "none"


class ClientRows(Protocol):
    """The rows of registered clients."""

    async def client(self, provider: str) -> RegisteredClient | None:
        """Return the client that was registered last."""
        ...

    async def register(self, provider: str, client: RegisteredClient) -> None:
        """Keep it, in place of an older one."""
        ...


def digest(secret: str) -> str:
    """Return what is kept of a secret that has 256 bits of chance in it."""
    return hashlib.sha256(secret.encode()).hexdigest()
