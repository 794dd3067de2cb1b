"""The names of people and channels, for models and people to read."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from agent.approval import ApprovalRequest
from agent.ids import ChannelId, ThreadId, UserId, thread_parts
from bot.errors import BotError
from bot.slack.membership import Principals
from sandbox.script import Json

_log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 600.0
TIMEOUT_SECONDS = 3.0
"""Nothing waits longer for names."""

ASKED_AGAIN_SECONDS = 60.0
"""The pause before Slack is asked again for names that it did not tell."""

MOST_IDS = 20
"""Of one request that are named."""

_MOST_REQUESTS = 1000

_ID = re.compile(r"(?<![A-Za-z0-9])[CGUW](?=[A-Z]{0,14}[0-9])[A-Z0-9]{3,14}(?![A-Za-z0-9])")
"""What may be the id of a person or a channel."""


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


class ArgumentNames:
    """The names beside the ids in the arguments of requests: the same at each look, so that a card does not flicker."""

    def __init__(self, directory: SlackDirectory, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        #: Request -> when Slack was last asked, and what it has told so far.
        self._known: dict[str, tuple[float, Mapping[str, str]]] = {}

    async def of(self, request: ApprovalRequest) -> Mapping[str, str]:
        """Return id -> name, without the ids that Slack does not know or tell in time."""
        ids = tuple(ids_in(request.args))
        if not ids:
            return {}
        asked_at, names = self._known.get(request.id, (None, dict[str, str]()))
        missing = [asked for asked in ids if asked not in names]
        if asked_at is None or (missing and self._clock() - asked_at > ASKED_AGAIN_SECONDS):
            told = await self._directory.names(request.thread, missing)
            names = {asked: name for asked in ids if (name := names.get(asked) or told.get(asked, ""))}
            if len(self._known) >= _MOST_REQUESTS:
                self._known.pop(next(iter(self._known)))
            self._known[request.id] = (self._clock(), names)
        return names


def ids_in(args: Mapping[str, Json]) -> Iterator[str]:
    """Yield what may be ids of people and channels in arguments, each once, MOST_IDS at most (pure)."""
    found: set[str] = set()
    for text in _texts(args):
        for match in _ID.finditer(text):
            if match[0] not in found:
                found.add(match[0])
                yield match[0]
            if len(found) == MOST_IDS:
                return


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for part in value.values():
                yield from _texts(part)
        case list() | tuple():
            for part in value:
                yield from _texts(part)
        case _:
            return
