"""Short-lived rights that people's doings give the app.

trigger_ids (one modal, 3 s), response_urls (5 uses, 30 min) and action_tokens (searches as the person who wrote).
"""

import secrets
from dataclasses import dataclass

from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.errors import found, refuse_if

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 30 * 60.0
RESPONSE_URL_USES = 5
ACTION_TOKEN_SECONDS = 10 * 60.0
"""Slack calls the token short-lived and does not say how long it lives."""


@dataclass(kw_only=True)
class Trigger:
    """The right to open one modal for one person."""

    user: str
    expires_at: float
    used: bool = False


@dataclass(kw_only=True)
class ResponseUrl:
    """The right to answer one interaction without a token."""

    user: str
    channel: str
    expires_at: float
    #: The message that was clicked, for replace_original and delete_original.
    message_ts: str | None = None
    ephemeral: bool = False
    uses: int = 0


@dataclass(frozen=True, kw_only=True)
class ActionToken:
    """The right to search with one person's rights."""

    user: str
    expires_at: float


class Tickets:
    """The rights given out and not yet forgotten."""

    def __init__(self, clock: Clock, *, trigger_seconds: float = TRIGGER_SECONDS) -> None:
        self._clock = clock
        self._trigger_seconds = trigger_seconds
        self._triggers: dict[str, Trigger] = {}
        self._response_urls: dict[str, ResponseUrl] = {}
        self.action_tokens: dict[str, ActionToken] = {}

    def new_trigger(self, user: str) -> str:
        """Return a trigger_id for what `user` just did."""
        trigger_id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        expires_at = self._clock.now() + self._trigger_seconds
        self._triggers[trigger_id] = Trigger(user=user, expires_at=expires_at)
        return trigger_id

    def use_trigger(self, trigger_id: str) -> Trigger:
        """Spend a trigger_id.

        Raises:
            SlackError: It is unknown, older than 3 seconds or spent.
        """
        trigger = found(self._triggers.get(trigger_id), "invalid_trigger_id")
        refuse_if(trigger.used, "exchanged_trigger_id")
        refuse_if(self._clock.now() > trigger.expires_at, "expired_trigger_id")
        trigger.used = True
        return trigger

    def new_response_url(
        self, user: str, channel: str, *, message_ts: str | None = None, ephemeral: bool = False
    ) -> str:
        """Return the secret part of a response_url."""
        secret = secrets.token_urlsafe(24)
        self._response_urls[secret] = ResponseUrl(
            user=user,
            channel=channel,
            message_ts=message_ts,
            ephemeral=ephemeral,
            expires_at=self._clock.now() + RESPONSE_URL_SECONDS,
        )
        return secret

    def use_response_url(self, secret: str) -> ResponseUrl:
        """Spend one use of a response_url.

        Raises:
            SlackError: It is unknown, older than 30 minutes or used 5 times already.
        """
        right = found(self._response_urls.get(secret), "invalid_url")
        refuse_if(self._clock.now() > right.expires_at, "expired_url")
        refuse_if(right.uses >= RESPONSE_URL_USES, "used_url")
        right.uses += 1
        return right

    def new_action_token(self, user: str) -> str:
        """Return the action_token for what `user` just wrote."""
        secret = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self.action_tokens[secret] = ActionToken(user=user, expires_at=self._clock.now() + ACTION_TOKEN_SECONDS)
        return secret

    def searcher(self, action_token: str) -> str:
        """Return the person whom an action_token lets search.

        Raises:
            SlackError: It is unknown or too old.
        """
        token = found(self.action_tokens.get(action_token), "invalid_action_token")
        refuse_if(self._clock.now() > token.expires_at, "invalid_action_token")
        return token.user
