"""How a person connects an account: from a link that only they were shown, to the provider, and back in one browser.

Each step is taken once and in time. Whoever passes the link on gains nothing: the page says whose account it will be,
and what comes back from the provider counts in the browser alone that read the page.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from agent.ids import ApprovalId, Tenant, UserId
from bot.ports import ConnectedAccount, Disconnected
from infra.accounts.clients import Clients
from infra.accounts.keys import Keyring
from infra.accounts.provider import GrantLost, Provider, ProviderFailed, code_in
from infra.accounts.rows import AccountRows, Flow, FlowRows, Whose, digest
from infra.accounts.sealed_tokens import SealedTokens
from infra.accounts.settings import CONNECT, AccountsTable

OFFER_SECONDS = 600.0
"""How long a link counts that a person was shown, and how long they may take at the provider."""

_SECRET_BYTES = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A person sets out."""

    #: The provider's page.
    url: str
    #: Stays in their browser.
    cookie: str = field(repr=False)


class Ending(Enum):
    """How a person's way ended."""

    CONNECTED = auto()
    #: They, or the provider, said no.
    REFUSED = auto()
    #: The link, or what came back, was used before, is too old, or is somebody else's. Nothing changed.
    NOT_VALID = auto()
    #: The provider could not be asked. Nothing changed.
    FAILED = auto()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of a person's way."""

    ending: Ending
    #: The provider, for people.
    title: str = ""
    #: Who they are there.
    subject: str = ""


class Connecting:
    """The bot's `Accounts`, and what the pages do."""

    def __init__(
        self,
        settings: AccountsTable,
        providers: Mapping[str, Provider],
        clients: Clients,
        rows: AccountRows,
        flows: FlowRows,
        keys: Keyring,
        sealed: SealedTokens,
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._clients = clients
        self._rows = rows
        self._flows = flows
        self._keys = keys
        self._sealed = sealed

    # For the bot

    @property
    def titles(self) -> Mapping[str, str]:
        """The providers' names, and those for people."""
        return {name: provider.title for name, provider in self._providers.items()}

    async def offer(self, tenant: Tenant, person: UserId, provider: str, name: str, approval: ApprovalId) -> str:
        """Return a link for one person alone: it counts once, and for some minutes."""
        ticket = secrets.token_urlsafe(_SECRET_BYTES)
        whose = Whose(tenant=tenant, person=person, provider=provider)
        flow = Flow(whose=whose, ticket=digest(ticket), approval=approval, name=name)
        await self._flows.offer(flow, OFFER_SECONDS)
        return f"{self._settings.base_url}{CONNECT}?ticket={ticket}"

    async def connected(self, tenant: Tenant, person: UserId) -> list[ConnectedAccount]:
        """Return the person's accounts."""
        return [
            ConnectedAccount(
                provider=stored.whose.provider,
                title=self._settings.title(stored.whose.provider),
                subject=stored.subject,
                since=stored.connected_at,
                scopes=stored.scopes,
            )
            for stored in await self._rows.of(tenant, person)
        ]

    async def disconnect(self, tenant: Tenant, person: UserId, provider: str) -> Disconnected:
        """Delete the account here, then have the provider revoke its tokens."""
        stored = await self._rows.disconnect(Whose(tenant=tenant, person=person, provider=provider))
        if stored is None:
            return Disconnected.NOT_THERE
        tokens, known = self._sealed.tokens(stored), self._providers.get(provider)
        if tokens is None or known is None:
            return Disconnected.HERE
        try:
            revoked = await known.revoke(await self._clients.of(known), tokens)
        except ProviderFailed as error:
            _log.warning("an account of %s was deleted here, and not revoked there: %s", provider, error)
            return Disconnected.HERE
        return Disconnected.EVERYWHERE if revoked else Disconnected.HERE

    # For the pages

    async def offered(self, ticket: str) -> tuple[Flow, str] | None:
        """Return what a link is for, and the provider for people; None: it counts no more."""
        flow = await self._flows.offered(digest(ticket))
        return None if flow is None else (flow, self._settings.title(flow.whose.provider))

    async def begin(self, ticket: str) -> Begun | Ended:
        """Set out with a link; it counts no more from then on."""
        found = await self.offered(ticket)
        provider = None if found is None else self._providers.get(found[0].whose.provider)
        if found is None or provider is None:
            return Ended(ending=Ending.NOT_VALID)
        state, cookie, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        try:
            client = await self._clients.of(provider)
            url = await provider.authorize_url(client, self._clients.redirect, state, verifier)
        except ProviderFailed as error:
            _log.warning("nobody can connect an account: %s", error)
            return Ended(ending=Ending.FAILED, title=provider.title)
        sealed = self._keys.seal(verifier)
        begun = await self._flows.begin(
            digest(ticket), state=digest(state), browser=digest(cookie), verifier=sealed, seconds=OFFER_SECONDS
        )
        return Ended(ending=Ending.NOT_VALID) if begun is None else Begun(url=url, cookie=cookie)

    async def finish(self, told: Mapping[str, str], cookie: str) -> Ended:
        """Take what comes back from a provider, in the browser that set out."""
        flow = await self._flows.take(digest(told.get("state", "")), digest(cookie))
        provider = None if flow is None else self._providers.get(flow.whose.provider)
        verifier = None if flow is None else self._keys.open(flow.verifier)
        if flow is None or provider is None or verifier is None:
            return Ended(ending=Ending.NOT_VALID)
        try:
            return await self._finished(flow, provider, verifier, told)
        except GrantLost:
            return Ended(ending=Ending.REFUSED, title=provider.title)
        except ProviderFailed as error:
            _log.warning("an account was not connected: %s", error)
            return Ended(ending=Ending.FAILED, title=provider.title)

    async def _finished(self, flow: Flow, provider: Provider, verifier: str, told: Mapping[str, str]) -> Ended:
        code = code_in(told, await provider.metadata())
        if not code:
            ending = Ending.NOT_VALID if code is None else Ending.REFUSED
            return Ended(ending=ending, title=provider.title)
        client = await self._clients.of(provider)
        tokens = await provider.exchange(client, self._clients.redirect, code, verifier)
        await self._rows.connect(self._sealed.account(flow.whose, tokens))
        return Ended(ending=Ending.CONNECTED, title=provider.title, subject=tokens.subject)
