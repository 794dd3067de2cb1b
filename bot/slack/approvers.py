"""Who may approve where: whether anybody in a conversation may grant a request, and where else it can be asked."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.approval import ABOUT_TURN, Allowed, ApprovalPolicy, ApprovalRequest, Clicker, may_decide_on
from agent.ids import UserId, thread_parts
from bot.errors import BotError
from bot.slack.membership import FRESH, RECENT_SECONDS, Channel, Principals

_log = logging.getLogger(__name__)

MOST_MEMBERS = 50
"""Of a conversation that are looked at; a larger one is taken to have an approver."""

_MOST_REMEMBERED = 1000


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at the conversation of a request showed."""

    #: Somebody there may grant it, or it could not be learnt: then the click decides.
    anybody: bool
    #: The channel of the policy, where somebody may; empty when there is none.
    place: str = ""


class Approvers:
    """Looks for approvers, through Slack's facts about people."""

    def __init__(
        self,
        principals: Principals,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._principals = principals
        self._policy_for = policy_for
        self._clock = clock
        #: Request -> when its conversation was looked at, and what that showed.
        self._looks: dict[str, tuple[float, Look]] = {}

    async def look(self, request: ApprovalRequest) -> Look:
        """Return who may grant the request where it was asked; that nobody may can be a minute old."""
        policy = self._policy_for(request)
        author = Clicker(user=request.author, is_full_member=True, in_channel=True, groups=frozenset())
        if request.kind in ABOUT_TURN or isinstance(may_decide_on(policy, request, author), Allowed):
            return Look(anybody=True)
        at, look = self._looks.get(request.id, (0.0, None))
        if look is None or (not look.anybody and self._clock() - at > RECENT_SECONDS):
            look = await self._look(request, policy)
            if len(self._looks) >= _MOST_REMEMBERED:
                self._looks.clear()
            self._looks[request.id] = (self._clock(), look)
        return look

    async def any_in(self, channel: Channel, request: ApprovalRequest) -> bool:
        """Return whether somebody who is in the channel, or may join it, may grant the request. Raises `BotError`."""
        if channel.public:
            return True
        number = 0
        async for member in self._principals.members(channel.id):
            number += 1
            if number > MOST_MEMBERS or (member != request.author and await self.may_grant(member, request)):
                return True
        return False

    async def may_grant(self, user: UserId, request: ApprovalRequest) -> bool:
        """Return whether a person may grant the request in a conversation that they are in. Raises `BotError`."""
        policy, tenant = self._policy_for(request), thread_parts(request.thread).tenant
        person = await self._principals.person(tenant, user)
        groups = await self._principals.groups(user, policy.every_group) if policy.every_group else frozenset[str]()
        clicker = Clicker(user=user, is_full_member=person.is_member, in_channel=True, groups=groups)
        return isinstance(may_decide_on(policy, request, clicker), Allowed)

    async def may_grant_now(self, user: UserId, request: ApprovalRequest) -> bool:
        """Return whether a person may grant the request where it was asked, as of now; in doubt they may not."""
        policy, parts = self._policy_for(request), thread_parts(request.thread)
        try:
            person = await self._principals.person(parts.tenant, user, max_age_seconds=FRESH)
            there = await self._principals.in_channel(parts.channel, user)
            groups = await self._principals.groups(user, policy.every_group) if policy.every_group else frozenset[str]()
        except BotError as error:
            _log.warning("could not learn whether %s may approve: %s", user, error)
            return False
        clicker = Clicker(user=user, is_full_member=person.is_member, in_channel=there, groups=groups)
        return isinstance(may_decide_on(policy, request, clicker), Allowed)

    async def _look(self, request: ApprovalRequest, policy: ApprovalPolicy) -> Look:
        here = thread_parts(request.thread).channel
        try:
            if not here.startswith("D"):  # the author is alone in a direct message with the app
                channel = await self._principals.channel(here)
                if channel is None or await self.any_in(channel, request):
                    return Look(anybody=True)
        except BotError as error:
            _log.warning("cannot see who may approve in %s: %s", here, error)
            return Look(anybody=True)
        try:
            return Look(anybody=False, place=await self._named_place(request, policy.channel))
        except BotError as error:
            _log.warning("cannot look for the channel %r of a policy: %s", policy.channel, error)
            return Look(anybody=False)

    async def _named_place(self, request: ApprovalRequest, wanted: str) -> str:
        if not wanted:
            return ""
        channel = await self._principals.channel_wanted(wanted)
        if channel is None or not channel.writable or not await self.any_in(channel, request):
            _log.warning("nobody can be asked in the channel %r of a policy: the app or an approver is missing", wanted)
            return ""
        return "" if channel.id == thread_parts(request.thread).channel else channel.id
