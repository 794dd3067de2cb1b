"""Who the app is in the workspace it is installed in, asked of Slack once."""

import asyncio
from dataclasses import dataclass
from typing import Any

from agent.ids import Tenant, UserId
from bot.errors import SlackUnreachable
from bot.web_api import WebApi


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The installation: its team, and the app's own user and bot id there."""

    tenant: Tenant
    enterprise: str | None
    user: UserId
    bot: str


class Identities:
    """Knows the installation after the first successful `auth.test`; a failed one is asked again."""

    def __init__(self, api: WebApi) -> None:
        self._api = api
        self._known: Identity | None = None
        self._asking = asyncio.Lock()

    async def current(self) -> Identity:
        """Return the installation.

        Raises:
            BotError: Slack refused the token or could not be reached.
        """
        async with self._asking:
            if self._known is None:
                answer = await self._api.write("auth.test")
                enterprise = answer.get("enterprise_id")
                self._known = Identity(
                    tenant=Tenant(_text(answer, "team_id")),
                    enterprise=enterprise if isinstance(enterprise, str) else None,
                    user=UserId(_text(answer, "user_id")),
                    bot=_text(answer, "bot_id"),
                )
            return self._known


def _text(answer: Any, key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise SlackUnreachable("auth.test")
    return value
