"""Short-lived rights an interaction gives the app: trigger_ids (one modal, 3 s) and response_urls (5 uses, 30 min)."""

import secrets
from dataclasses import dataclass

from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.errors import found, refuse_if

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 30 * 60.0
RESPONSE_URL_USES = 5


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


class Tickets:
    """The rights given out and not yet forgotten."""

    def __init__(self, clock: Clock, *, trigger_seconds: float = TRIGGER_SECONDS) -> None:
        self._clock = clock
        self._trigger_seconds = trigger_seconds
        self._triggers: dict[str, Trigger] = {}
        self._response_urls: dict[str, ResponseUrl] = {}

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
