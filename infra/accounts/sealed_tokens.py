"""A person's tokens as they are kept: encrypted together with whose they are, so that no row passes for another's."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from agent.redaction import SECRETS
from infra.accounts.keys import Keyring
from infra.accounts.provider import Tokens
from infra.accounts.rows import StoredAccount, Whose

_HIDDEN_AT_ONCE = 512
"""Tokens used last that this process hides wherever they turn up."""


class SealedTokens:
    """Seals tokens and opens them; those that were opened last are hidden everywhere."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._hidden: OrderedDict[str, None] = OrderedDict()

    def account(self, whose: Whose, tokens: Tokens, version: int = 1) -> StoredAccount:
        """Return what is kept of tokens."""
        about = {**vars(whose), "access": tokens.access, "refresh": tokens.refresh}
        self._hide(whose, tokens)
        return StoredAccount(
            whose=whose,
            sealed=self._keys.seal(json.dumps(about)),
            subject=tokens.subject,
            scopes=tokens.scopes,
            expires_at=tokens.expires_at,
            version=version,
        )

    def tokens(self, stored: StoredAccount) -> Tokens | None:
        """Return the tokens; None when no key fits, or they are somebody else's."""
        text = self._keys.open(stored.sealed)
        told: Any = None if text is None else json.loads(text)
        if not isinstance(told, dict):
            return None
        kept = cast("Mapping[str, str]", told)
        if any(kept.get(name) != value for name, value in vars(stored.whose).items()):
            return None
        tokens = Tokens(
            access=kept["access"],
            refresh=kept["refresh"],
            expires_at=stored.expires_at,
            scopes=stored.scopes,
            subject=stored.subject,
        )
        self._hide(stored.whose, tokens)
        return tokens

    def is_stale(self, stored: StoredAccount) -> bool:
        """Return whether an older key encrypted it."""
        return self._keys.is_stale(stored.sealed)

    def _hide(self, whose: Whose, tokens: Tokens) -> None:
        for token in filter(None, (tokens.access, tokens.refresh)):
            self._hidden[token] = None
            self._hidden.move_to_end(token)
            SECRETS.learn(f"a token of {whose.provider}", token)
        while len(self._hidden) > _HIDDEN_AT_ONCE:
            SECRETS.unlearn(self._hidden.popitem(last=False)[0])
