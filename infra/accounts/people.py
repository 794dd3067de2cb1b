"""People's accounts as tools use them: the `Accounts` of `agent/ports.py`; a token is refreshed once for all."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from agent.ids import ThreadId, UserId, thread_parts
from agent.tool import Account, ToolError
from infra.accounts.clients import Clients
from infra.accounts.provider import GrantLost, Provider, ProviderFailed, Tokens
from infra.accounts.rows import AccountRows, LockedAccount, StoredAccount, Whose
from infra.accounts.sealed_tokens import SealedTokens

EARLY = timedelta(seconds=30)
"""How long before its end a token is refreshed: the call that uses it takes time, too."""

REFRESHES_AT_ONCE = 4
"""Of one process: each holds a connection of the database while the provider is asked."""

_log = logging.getLogger(__name__)


class PeoplesAccounts:
    """The accounts of all people."""

    def __init__(
        self,
        rows: AccountRows,
        providers: Mapping[str, Provider],
        clients: Clients,
        sealed: SealedTokens,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rows = rows
        self._providers = providers
        self._clients = clients
        self._sealed = sealed
        self._clock = clock
        self._locks: WeakValueDictionary[Whose, asyncio.Lock] = WeakValueDictionary()
        self._refreshes = asyncio.Semaphore(REFRESHES_AT_ONCE)

    def title(self, provider: str) -> str:
        """Return the provider's name for people."""
        known = self._providers.get(provider)
        return known.title if known else provider

    async def account(self, thread: ThreadId, person: UserId, provider: str) -> Account | None:
        """Return the account that the person has connected; None: none that can be used."""
        self._known(provider)
        stored = await self._rows.read(_whose(thread, person, provider))
        tokens = None if stored is None else self._sealed.tokens(stored)
        if tokens is None or not (tokens.refresh or self._lasts(tokens)):
            return None
        return Account(provider=provider, subject=tokens.subject)

    async def token(self, thread: ThreadId, person: UserId, provider: str, *, refused: str = "") -> str | None:
        """Return an access token; None: the person must connect again."""
        known, whose = self._known(provider), _whose(thread, person, provider)
        stored = await self._rows.read(whose)
        if stored is None:
            return None
        tokens = self._sealed.tokens(stored)
        if tokens is not None and self._good(tokens, refused):
            if self._sealed.is_stale(stored):
                await self._seal_anew(whose)
            return tokens.access
        lock = self._locks.setdefault(whose, asyncio.Lock())
        async with lock, self._refreshes, self._rows.locked(whose) as locked:
            return await self._refreshed(known, locked, refused, stored.version)

    async def _refreshed(self, provider: Provider, locked: LockedAccount, refused: str, seen: int) -> str | None:
        """Return the token as whoever held the lock before left it, or a new one; `seen` is the version read before."""
        now = locked.now
        tokens = None if now is None else self._sealed.tokens(now)
        if now is None or tokens is None:
            return None
        is_new = now.version != seen and tokens.access != refused and self._lasts(tokens, timedelta(0))
        if is_new or self._good(tokens, refused):
            return tokens.access
        if not tokens.refresh:
            return None
        try:
            async with asyncio.timeout(2 * provider.config.timeout_seconds):
                new = await provider.refresh(await self._clients.of(provider), tokens)
        except GrantLost:
            _log.info(
                "%s no longer takes an account of %s: it is to be connected again", provider.name, now.whose.person
            )
            await locked.delete()
            return None
        except (ProviderFailed, TimeoutError) as error:
            raise ToolError("unavailable", f"the account at {provider.title} cannot be used just now") from error
        await locked.replace(self._next(now, new))
        return new.access

    async def _seal_anew(self, whose: Whose) -> None:
        """Encrypt the tokens with the newest key, so that the older ones can go."""
        async with self._rows.locked(whose) as locked:
            tokens = None if locked.now is None else self._sealed.tokens(locked.now)
            if locked.now is not None and tokens is not None:
                await locked.replace(self._next(locked.now, tokens))

    def _next(self, now: StoredAccount, tokens: Tokens) -> StoredAccount:
        return replace(self._sealed.account(now.whose, tokens, now.version + 1), connected_at=now.connected_at)

    def _good(self, tokens: Tokens, refused: str) -> bool:
        return tokens.access != refused and self._lasts(tokens)

    def _lasts(self, tokens: Tokens, early: timedelta = EARLY) -> bool:
        return tokens.expires_at is None or tokens.expires_at - early > self._clock()

    def _known(self, provider: str) -> Provider:
        if provider not in self._providers:
            raise ToolError("no_account", f"there is no [accounts.{provider}] in the configuration")
        return self._providers[provider]


def _whose(thread: ThreadId, person: UserId, provider: str) -> Whose:
    return Whose(tenant=thread_parts(thread).tenant, person=person, provider=provider)
