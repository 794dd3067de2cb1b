"""Requests that nobody may grant where they were asked: their author names whom, or where, to ask instead."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.approval import ApprovalPolicy, ApprovalRequest
from agent.ids import ThreadId, UserId
from bot import wording
from bot.cards.card import who_may_decide
from bot.elements import Rendered, mention, quoted, words_only
from bot.payloads import MessageEvent, without_mention
from bot.ports import ApprovalView, Posted, RunViews, card_slot
from bot.slack.approvers import Approvers
from bot.slack.membership import Channel, Identity, Principals

_PLACE = re.compile(
    r"(?:ask )?(?:<@(?P<user>[UW][A-Z0-9]{1,20})(?:\|[^<>]{0,100})?>"
    r"|<#(?P<channel>[CG][A-Z0-9]{1,20})(?:\|[^<>]{0,100})?>|(?P<name>#[\w-]{1,80}))[.!]?",
    re.IGNORECASE,
)
"""A message that names a person or a channel, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A person or a channel that was named."""

    id: str
    #: As ready mrkdwn.
    words: str
    #: None: a person.
    channel: Channel | None = None


class ElsewhereHandler:
    """Takes the answer to "who can approve this?"."""

    def __init__(
        self,
        views: RunViews,
        posted: Posted,
        principals: Principals,
        approvers: Approvers,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
    ) -> None:
        self._views = views
        self._posted = posted
        self._principals = principals
        self._approvers = approvers
        self._policy_for = policy_for

    async def answer(self, event: MessageEvent, identity: Identity, thread: ThreadId) -> Rendered | None:
        """Ask where the author of the message says; return what they are told, or None when it is no such answer.

        Raises:
            BotError: nothing was noted; so also with `AgentError`.
        """
        named = _PLACE.fullmatch(without_mention(event.raw, identity.user))
        if named is None:
            return None
        threads = [thread]
        if event.direct and event.thread_ts is None:  # people seldom answer in a thread of a direct message
            threads = [run.thread for run in await self._views.open_in(identity.tenant, event.channel) if run.waiting]
        stuck = [found for asked in threads for found in await self._stuck(asked, event.user)]
        if not stuck:
            return None
        if user := named["user"]:
            place = _Place(id=user, words=mention(user))
        else:
            wanted = named["channel"] or named["name"]
            channel = await self._principals.channel_wanted(wanted)
            words = f"<#{channel.id}>" if channel else quoted(wanted)
            if channel is None or not channel.writable or not await self._knows(event.user, channel):
                return words_only(wording.no_such_place(words))
            place = _Place(id=channel.id, words=words, channel=channel)
        return await self._ask(place, stuck)

    async def _stuck(self, thread: ThreadId, author: UserId) -> list[tuple[int, ApprovalView]]:
        """Return the author's open requests that nobody in the thread may grant, with their turns."""
        return [
            (run.turn, view)
            for run in await self._views.unsettled(thread)
            for view in run.approvals
            if view.is_open and view.request.author == author and not (await self._approvers.look(view.request)).anybody
        ]

    async def _ask(self, place: _Place, stuck: list[tuple[int, ApprovalView]]) -> Rendered:
        refused = ""
        asked = False
        for turn, view in stuck:
            if await self._may_grant(place, view.request):
                await self._posted.ask_elsewhere(view.request.thread, turn, card_slot(view.request.id, place.id))
                asked = True
            else:
                who_may = who_may_decide(self._policy_for(view.request), view.request)
                refused = wording.may_not_grant(place.words, who_may)
        return words_only(wording.asking_in(place.words) if asked else refused)

    async def _may_grant(self, place: _Place, request: ApprovalRequest) -> bool:
        if place.channel is None:
            return await self._approvers.may_grant(UserId(place.id), request)
        return await self._approvers.any_in(place.channel, request)

    async def _knows(self, user: UserId, channel: Channel) -> bool:
        """Return whether a person may know of the channel."""
        return channel.public or await self._principals.in_channel(channel.id, user)
