"""The names of people and channels, for models to read."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from agent.ids import ChannelId, ThreadId, UserId, thread_parts
from bot.errors import BotError
from bot.slack.membership import Principals

_log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 600.0
TIMEOUT_SECONDS = 3.0
"""A plan does not wait longer for names."""


class SlackDirectory:
    """The `Directory` of `agent/ports.py`."""

    def __init__(self, principals: Principals) -> None:
        self._principals = principals

    async def names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        """Return id -> name of those that Slack tells in time."""
        requests = {
            asked: asyncio.create_task(self._name(thread, asked), name=f"name of {asked}")
            for asked in dict.fromkeys(ids)
        }
        if not requests:
            return {}
        try:
            done, _ = await asyncio.wait(requests.values(), timeout=TIMEOUT_SECONDS)
        finally:
            for request in requests.values():
                request.cancel()
            await asyncio.gather(*requests.values(), return_exceptions=True)
        return {asked: name for asked, request in requests.items() if request in done and (name := request.result())}

    async def _name(self, thread: ThreadId, asked: str) -> str:
        """Return the name; empty when Slack does not tell it, or for a private channel other than the thread's own."""
        tenant, here, _ = thread_parts(thread)
        try:
            if asked.startswith(("U", "W")):
                return (await self._principals.person(tenant, UserId(asked), max_age_seconds=MAX_AGE_SECONDS)).name
            if asked.startswith("D"):
                return ""
            channel = await self._principals.channel(ChannelId(asked), max_age_seconds=MAX_AGE_SECONDS)
        except BotError as error:
            _log.info("Slack does not tell the name of %s: %s", asked, error)
            return ""
        return channel.name if channel is not None and (channel.public or asked == here) else ""
