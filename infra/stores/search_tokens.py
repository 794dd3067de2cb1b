"""The rights to search that people's messages brought: sealed, and deleted a few minutes later.

A token is of use only together with the app's own bot token, which is in no table; the key that seals it is derived
from that one, so that every process of the app has it, and a dump of the database holds nothing that opens it.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, func, select

from agent.ids import ThreadId, UserId
from infra.db.database import Database
from infra.db.tables import SearchTokenRow

LIFE = timedelta(minutes=10)
"""Slack says that a token is short-lived, and not how long it lives; none is of use later than this."""

_MOST_CHARACTERS = 1000


class TokenSeal:
    """Seals tokens for one person and thread, and opens them as long as they live."""

    def __init__(self, bot_token: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"greenlight search tokens").derive(bot_token.encode())
        self._fernet = Fernet(urlsafe_b64encode(derived))

    def seal(self, thread: ThreadId, author: UserId, token: str) -> str:
        """Return what is stored; empty for no token, and for what cannot be one."""
        if not token or len(token) > _MOST_CHARACTERS:
            return ""
        return self._fernet.encrypt(json.dumps([thread, author, token]).encode()).decode()

    def open(self, thread: ThreadId, author: UserId, sealed: str) -> str | None:
        """Return the token; None: it is too old, of somebody else, or was sealed with another bot token."""
        try:
            opened = json.loads(self._fernet.decrypt(sealed, ttl=int(LIFE.total_seconds())))
        except (InvalidToken, ValueError):
            return None
        match opened:
            case [str(of_thread), str(of_author), str(token)] if (of_thread, of_author) == (thread, author):
                return token
            case _:
                return None


Sealing = Callable[[ThreadId, UserId, str], str]
"""As `TokenSeal.seal`."""


def sealed_by_nobody(_thread: ThreadId, _author: UserId, _token: str) -> str:
    """Keep no token."""
    return ""


class PostgresSearchTokens:
    """A SearchTokens. `PostgresInbox` writes the rows, with the messages that bring the tokens."""

    def __init__(self, database: Database, seal: TokenSeal) -> None:
        self._database = database
        self._seal = seal

    async def find(self, thread: ThreadId, author: UserId) -> str | None:
        """Return the token of the person's newest message in the thread, if it still lives."""
        row = select(SearchTokenRow.sealed).where(
            SearchTokenRow.of_thread(thread), SearchTokenRow.author == author, SearchTokenRow.expires_at > func.now()
        )
        sealed = (await self._database.execute(row)).scalar_one_or_none()
        return None if sealed is None else self._seal.open(thread, author, sealed)

    async def forget(self, thread: ThreadId, author: UserId) -> None:
        """Delete a token that Slack takes no longer."""
        row = delete(SearchTokenRow).where(SearchTokenRow.of_thread(thread), SearchTokenRow.author == author)
        await self._database.execute(row)

    async def prune(self) -> int:
        """Delete those that are too old; return how many."""
        old = delete(SearchTokenRow).where(SearchTokenRow.expires_at <= func.now())
        return (await self._database.execute(old)).rowcount
