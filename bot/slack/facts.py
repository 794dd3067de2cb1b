"""Keeps what people ask to remember: who may do that where, within which bounds, and who may change it."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from agent.facts import (
    LONGEST,
    Fact,
    FactId,
    FactScope,
    Place,
    Readable,
    may_be_corrected_in,
    may_change,
    namespace_of,
    one_line,
    readable,
)
from agent.ids import ChannelId, NodeId, Tenant, ThreadId, UserId, thread_id, thread_parts
from agent.limits import MemoryLimits
from agent.plan.json_values import sanitized_text
from agent.plan.operations import digest_of
from agent.redaction import SECRETS
from agent.wishes import Wish
from bot.errors import BotError
from bot.ports import FactBook, Kept, Proposal
from bot.slack.client import WebApi
from bot.slack.membership import FRESH, RECENT_SECONDS, Principals

PROPOSED_CONFIDENCE = 0.8
"""Of what a model proposed and a person approved."""

_LINK_SECONDS = 1.0
_PLACE_SECONDS = 3.0
_ID_CHARACTERS = 8
_HIDDEN = "[secret "
"""Begins what stands in a text in place of a secret (`agent/redaction.py`)."""


class FactRefusal(StrEnum):
    """Why nothing is remembered or changed."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    SECRET = "secret"  # noqa: S105 -- the name of a reason
    #: What others read elsewhere is said in a public channel of this workspace alone.
    NOT_HERE = "not_here"
    #: So are its new words, or where it stands.
    NOT_CORRECTED_HERE = "not_corrected_here"
    FULL = "full"
    KNOWN = "known"
    OFF = "off"
    NO_SUCH = "no_such"
    NOT_YOURS = "not_yours"


async def place_of(principals: Principals, thread: ThreadId, max_age_seconds: float) -> Place | None:
    """Return who can read a thread's conversation; None when the app cannot see it.

    Raises:
        BotError: Slack cannot say.
    """
    tenant, channel, _ = thread_parts(thread)
    if channel.startswith("D"):
        return Place(tenant=tenant, channel=channel, public=False)
    found = await principals.channel(channel, max_age_seconds=max_age_seconds)
    if found is None:
        return None
    return Place(tenant=tenant, channel=channel, public=found.public, shared=found.shared)


class SlackPlaces:
    """The `Places` of `agent/ports.py`."""

    def __init__(self, principals: Principals) -> None:
        self._principals = principals

    async def of(self, thread: ThreadId) -> Place | None:
        """Return it; in doubt None."""
        with contextlib.suppress(BotError, TimeoutError):
            async with asyncio.timeout(_PLACE_SECONDS):
                return await place_of(self._principals, thread, RECENT_SECONDS)
        return None


@dataclass(frozen=True, kw_only=True)
class Said:
    """Who wants something remembered, and where."""

    thread: ThreadId
    person: UserId
    #: Equal for every delivery of the same wish.
    key: str
    #: The timestamp of the message that says it; empty: there is none.
    ts: str = ""
    #: Of words that a model wrote; None: the person did.
    proposal: Proposal | None = None


class FactKeeper:
    """Writes, corrects and deletes facts for people. Raises `BotError` when Slack does not say what they may."""

    def __init__(
        self,
        book: FactBook,
        principals: Principals,
        api: WebApi,
        limits: MemoryLimits,
        *,
        admins: frozenset[UserId] = frozenset(),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._book = book
        self._principals = principals
        self._api = api
        self._limits = limits
        self._admins = admins
        self._clock = clock

    async def drafted(self, wish: Wish, said: Said) -> Fact | FactRefusal:
        """Return the fact that would be kept, or why it would not be, as far as that can be told before."""
        words = sanitized_text(one_line(wish.text))
        if (refusal := self._unfit(words)) is not None:
            return refusal
        tenant, channel, _ = thread_parts(said.thread)
        place = await place_of(self._principals, said.thread, FRESH)
        scope = wish.scope or FactScope.CHANNEL
        namespace = None if place is None else namespace_of(scope, place, said.person)
        if place is None or namespace is None:
            return FactRefusal.NOT_HERE
        days, now = wish.days or self._limits.fact_days, self._clock()
        return Fact(
            id=FactId(digest_of([tenant, channel, said.key])[:_ID_CHARACTERS]),
            namespace=namespace,
            text=words,
            by=said.person,
            channel=channel,
            public=place.public,
            shared=place.shared,
            at=now,
            confidence=1.0 if said.proposal is None else PROPOSED_CONFIDENCE,
            expires_at=now + timedelta(days=days) if days else None,
            approved_by=None if said.proposal is None else said.proposal.approved_by,
            outside=() if said.proposal is None else said.proposal.outside,
        )

    async def keep(self, wish: Wish, said: Said) -> Fact | FactRefusal:
        """Remember what a member says; the second delivery of the same changes nothing and returns the fact again."""
        fact = await self.drafted(wish, said)
        if isinstance(fact, FactRefusal):
            return fact
        if said.ts:
            fact = replace(fact, link=await self._link(fact.channel, said.ts))
        match await self._book.keep(fact, most=self._limits.facts):
            case Kept.NEW:
                return fact
            case Kept.FULL:
                return FactRefusal.FULL
            case Kept.KNOWN:
                same = await self._book.find(Tenant(fact.namespace[0]), fact.id)
                return FactRefusal.KNOWN if same is None or same.text != fact.text else same

    async def correct(
        self, tenant: Tenant, id: FactId, words: str, *, by: UserId, place: ChannelId
    ) -> Fact | FactRefusal:
        """Put other words in place of a fact's, which are a person's own and were said in this place."""
        words = sanitized_text(one_line(words))
        if (refusal := self._unfit(words)) is not None:
            return refusal
        fact = await self.changeable(tenant, id, by)
        if isinstance(fact, FactRefusal):
            return fact
        said_in = await place_of(self._principals, thread_id(tenant, place, ""), FRESH)
        if said_in is None or not may_be_corrected_in(fact, said_in):
            return FactRefusal.NOT_CORRECTED_HERE
        corrected = replace(
            fact,
            text=words,
            public=said_in.public,
            shared=said_in.shared,
            confidence=1.0,
            corrected_by=by,
            approved_by=None,
            outside=(),
        )
        return corrected if await self._book.correct(corrected, place=place) else FactRefusal.NO_SUCH

    async def proposal(self, thread: ThreadId, node: NodeId) -> Proposal:
        """Return what is known of words that a step wants to be remembered."""
        return await self._book.proposal(thread, node)

    async def forget(self, tenant: Tenant, id: FactId, *, by: UserId, place: ChannelId) -> Fact | FactRefusal:
        """Delete a fact; return what it was."""
        fact = await self.changeable(tenant, id, by)
        if isinstance(fact, FactRefusal):
            return fact
        return fact if await self._book.forget([fact], by=by, place=place) else FactRefusal.NO_SUCH

    async def forget_all_of(self, tenant: Tenant, person: UserId, place: ChannelId) -> int:
        """Delete every fact that is a person's own, wherever they said it; return how many there were."""
        own = [fact for fact in await self._book.of_person(tenant, person) if fact.owner == person]
        return await self._book.forget(own, by=person, place=place)

    async def readable(self, thread: ThreadId, person: UserId) -> Readable | None:
        """Return what a person may be told in a conversation; None: nothing, as they are not in it or it is unknown."""
        place = await place_of(self._principals, thread, FRESH)
        if place is None:
            return None
        inside = place.direct or place.public or await self._principals.in_channel(place.channel, person)
        return readable(place, person) if inside else None

    async def standing(self, may: Readable) -> Sequence[Fact]:
        """Return the facts that may be read, the newest first."""
        return [fact for fact in await self._book.standing(may) if may.allows(fact)]

    async def of_person(self, tenant: Tenant, person: UserId) -> Sequence[Fact]:
        """Return the facts about a person and those that they said."""
        return await self._book.of_person(tenant, person)

    async def changeable(self, tenant: Tenant, id: FactId, person: UserId) -> Fact | FactRefusal:
        """Return a fact that a person may change now. What they may not see does not exist for them."""
        fact = await self._book.find(tenant, id)
        if fact is None:
            return FactRefusal.NO_SUCH
        who = await self._principals.person(tenant, person, max_age_seconds=FRESH)
        in_channel = fact.scope is FactScope.CHANNEL and await self._principals.in_channel(fact.channel, person)
        if who.is_member and may_change(
            fact, person, in_channel=in_channel, is_admin=who.is_admin or person in self._admins
        ):
            return fact
        return FactRefusal.NOT_YOURS if who.is_member and fact.scope is FactScope.TEAM else FactRefusal.NO_SUCH

    def _unfit(self, words: str) -> FactRefusal | None:
        if not self._limits.facts:
            return FactRefusal.OFF
        if not words:
            return FactRefusal.EMPTY
        if len(words) > LONGEST:
            return FactRefusal.TOO_LONG
        return FactRefusal.SECRET if _HIDDEN in words or SECRETS.hide(words) != words else None

    async def _link(self, channel: ChannelId, ts: str) -> str:
        with contextlib.suppress(BotError, TimeoutError):
            async with asyncio.timeout(_LINK_SECONDS):
                found = await self._api.read("chat.getPermalink", channel=channel, message_ts=ts)
                return str(found.get("permalink", ""))
        return ""
