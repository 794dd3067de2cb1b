"""How much one person may have under way: beyond that nothing new is taken in, and they read so.

Follow-ups, stops and clicks are always taken. A process counts and stores one person's requests one after the other;
with several bot processes each may take in one more than the limit at the same moment.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from agent.ids import Tenant, ThreadId, UserId, thread_parts
from bot import wording
from bot.ports import Inbox, Incoming, Kind


@dataclass(frozen=True, kw_only=True)
class PersonLimits:
    """The most that one person may have under way."""

    #: Requests at work at the same time. One that waits for people is not at work.
    runs_per_person: int = field(default=10, metadata={"ge": 1, "le": 10_000})
    #: Open cards about the person's requests. A request under way may still ask for more.
    cards_per_person: int = field(default=50, metadata={"ge": 1, "le": 100_000})


DEFAULT_LIMITS = PersonLimits()


class PersonLimiter:
    """Keeps people to their limits."""

    def __init__(self, inbox: Inbox, limits: PersonLimits) -> None:
        self._inbox = inbox
        self._limits = limits
        self._locks: WeakValueDictionary[tuple[Tenant, UserId], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def admitting(self, tenant: Tenant, user: UserId, thread: ThreadId | None = None) -> AsyncGenerator[str]:
        """Yield why this person's message begins nothing now, empty when it may; store it in the block.

        `thread` is where it was written; None: it will open one.
        """
        async with self._locks.setdefault((tenant, user), asyncio.Lock()):
            load = await self._inbox.load(tenant, user, thread)
            if load.under_way:
                yield ""
            elif load.runs >= self._limits.runs_per_person:
                yield wording.too_many_runs(load.runs)
            elif load.cards >= self._limits.cards_per_person:
                yield wording.too_many_cards(load.cards)
            else:
                yield ""

    async def take(self, thread: ThreadId, by: UserId, event: str, text: str, *, app: str) -> str:
        """Store what a button or a form stands for as that person's message; return why not, empty when it is stored.

        `event` is the same for each delivery of one click.
        """
        place = thread_parts(thread)
        async with self.admitting(place.tenant, by, thread) as refusal:
            if not refusal:
                incoming = Incoming(
                    tenant=place.tenant,
                    app=app,
                    event_id=event,
                    channel=place.channel,
                    ts=event,
                    thread=thread,
                    author=by,
                    text=text,
                    kind=Kind.REPLY,
                )
                await self._inbox.accept(incoming)
            return refusal
