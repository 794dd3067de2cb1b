"""Reminders and escalations: whom to remind, and whom else to ask, once nobody has decided for a while."""

import logging
from dataclasses import replace

from agent.approval import Requirement
from agent.policy.requirement import brought_on
from bot.errors import BotError
from bot.ports import Requirements
from bot.slack.membership import Principals

_log = logging.getLogger(__name__)


class DueRequests:
    """A worker's chore. What it stores, the thread's publisher shows."""

    def __init__(self, requirements: Requirements, principals: Principals) -> None:
        self._requirements = requirements
        self._principals = principals

    async def bring_on(self) -> None:
        """Take the next step about each request that is due. One whose channel Slack does not tell comes later."""
        for due in await self._requirements.due():
            if (before := due.request.requirement) is None:
                continue
            after = brought_on(before, due.waited)
            try:
                if after.escalated and not before.escalated:
                    after = replace(after, escalated_to=await self._places(after))
                await self._requirements.bring_on(due, after)
            except BotError as error:
                _log.warning("cannot escalate %s yet: %s", due.request.id, error)
                await self._requirements.postpone(due)

    async def _places(self, requirement: Requirement) -> tuple[str, ...]:
        """Return where copies of the card are to stand: the people, and the channel if the app may write there."""
        escalation = requirement.escalation
        if escalation is None:
            return ()
        people = tuple(sorted(escalation.users))
        if not escalation.channel:
            return people
        channel = await self._principals.channel_wanted(escalation.channel)
        if channel is None or not channel.writable:
            _log.warning("cannot escalate to the channel %r of a policy: the app is not in it", escalation.channel)
            return people
        return (*people, channel.id)
