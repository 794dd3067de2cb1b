"""What people and channels are called, for models to read: asked of Slack, remembered for ten minutes."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from agent.ids import Tenant, ThreadId, UserId, thread_parts
from bot.errors import BotError
from bot.slack.client import WebApi
from bot.slack.membership import Principals

_log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 600.0
PATIENCE_SECONDS = 3.0
"""A plan does not wait longer for names."""

_MOST_REMEMBERED = 10_000


class SlackDirectory:
    """The `Directory` of `agent/ports.py`. A channel's name is told when it is public, or the thread's own."""

    def __init__(self, api: WebApi, principals: Principals, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._principals = principals
        self._clock = clock
        self._known: dict[tuple[Tenant, str, bool], tuple[float, str]] = {}

    async def names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        """Return id -> name of those that Slack tells in time."""
        asked = [asyncio.create_task(self._name(thread, each), name=f"name of {each}") for each in dict.fromkeys(ids)]
        if not asked:
            return {}
        try:
            done, _ = await asyncio.wait(asked, timeout=PATIENCE_SECONDS)
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        found = [each.result() for each in asked if each in done]
        return {one: name for one, name in found if name}

    async def _name(self, thread: ThreadId, id: str) -> tuple[str, str]:
        tenant, channel, _ = thread_parts(thread)
        key = (tenant, id, id == channel)
        known = self._known.get(key)
        if known is not None and self._clock() - known[0] < REMEMBERED_SECONDS:
            return id, known[1]
        try:
            name = await self._ask(tenant, id, here=id == channel)
        except BotError as error:
            _log.info("Slack does not tell the name of %s: %s", id, error)
            return id, ""
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = (self._clock(), name)
        return id, name

    async def _ask(self, tenant: Tenant, id: str, *, here: bool) -> str:
        if id.startswith(("U", "W")):
            return (await self._principals.person(tenant, UserId(id))).name
        if id.startswith("D"):
            return ""
        found: object = (await self._api.read("conversations.info", channel=id)).get("channel")
        if not isinstance(found, Mapping):
            return ""
        channel = cast("Mapping[str, Any]", found)
        public = channel.get("is_channel") is True and channel.get("is_private") is False
        return str(channel.get("name") or "") if public or here else ""
