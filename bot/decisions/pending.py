"""`/greenlight pending`: the open requests that the caller may decide, and those about their own work."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.approval import DECISIONS, GRANTS, Decision
from agent.ids import ApprovalId, ChannelId, thread_parts
from bot.blocks.help import MOST_RUNS, pending
from bot.decisions.approvals import ApprovalHandler
from bot.elements import Rendered
from bot.errors import BotError
from bot.payloads import Answer, Command
from bot.ports import OpenRequests, PendingRequest
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals

MOST_REQUESTS = 200
"""The newest of the team's open requests that are looked at."""

MOST_CHECKED = 50
"""Of those in the caller's channels: whether somebody may decide takes a look at Slack each."""

MOST_CHANNELS = 20


@dataclass(frozen=True, kw_only=True)
class PendingHandler:
    """Lists what waits for a person, and what of theirs waits for others."""

    requests: OpenRequests
    principals: Principals
    clicks: ApprovalHandler
    api: WebApi

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Return what waits, newest first. A request stands here only for who is in its channel, or asked for it.

        Raises:
            BotError: Slack does not say who is where; so also with `AgentError`.
        """
        every = await self.requests.open_requests(identity.tenant, MOST_REQUESTS)
        here = await self._mine_and_seen(command, every)
        theirs = [one for one in here[:MOST_CHECKED] if await self._may_decide(command, identity, one)]
        own = [one for one in here if one.request.author == command.user and one not in theirs]
        shown = [*theirs[:MOST_RUNS], *own[:MOST_RUNS]]
        return pending(theirs, own, await self._links(shown), more=len(every) == MOST_REQUESTS)

    async def _mine_and_seen(self, command: Command, every: Sequence[PendingRequest]) -> Sequence[PendingRequest]:
        """Return the requests in the caller's channels, or about their own work."""
        channels = list(dict.fromkeys(_channel(one) for one in every))[:MOST_CHANNELS]
        seen = {channel for channel in channels if await self._is_in(command, channel)}
        return [one for one in every if _channel(one) in seen or one.request.author == command.user]

    async def _is_in(self, command: Command, channel: ChannelId) -> bool:
        return await self.principals.in_channel(channel, command.user)

    async def _may_decide(self, command: Command, identity: Identity, one: PendingRequest) -> bool:
        answer = Answer(
            approval=one.request.id,
            version=1,
            decision=_grant_of(one),
            user=command.user,
            channel=_channel(one),
        )
        return await self.clicks.refusal(answer, identity.tenant, one.request) is None

    async def _links(self, shown: Sequence[PendingRequest]) -> Mapping[ApprovalId, str]:
        links: dict[ApprovalId, str] = {}
        for one in shown:
            parts = thread_parts(one.request.thread)
            with contextlib.suppress(BotError):
                ts = one.card_ts or parts.root_ts
                found = await self.api.read("chat.getPermalink", channel=parts.channel, message_ts=ts)
                links[one.request.id] = str(found.get("permalink", ""))
        return links


def _channel(one: PendingRequest) -> ChannelId:
    return ChannelId(thread_parts(one.request.thread).channel)


def _grant_of(one: PendingRequest) -> Decision:
    """Return an answer to this kind of request that lets the work go on."""
    return next((decision for decision in DECISIONS[one.request.kind] if decision in GRANTS), Decision.ACCEPT)
