"""The button "Show" of a card: opens its confidential values for those who may approve it, and records each showing."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.approval import ApprovalRequest, Refusal
from agent.card_facts import card_facts_of
from agent.errors import AgentError
from agent.ids import ApprovalId, ChannelId, Tenant, UserId, thread_parts
from bot import wording
from bot.cards.confidential import confidential_values, loading, withheld
from bot.elements import Block
from bot.errors import BotError, SlackRefused
from bot.payloads import Payload, ShowClick
from bot.ports import ApprovalView, ClickLog, Posted, PostedMessage, RunViews, cut, shown_slot
from bot.slack.client import WebApi
from bot.slack.membership import Principals

_log = logging.getLogger(__name__)

MayApprove: TypeAlias = Callable[[UserId, ChannelId, Tenant, ApprovalRequest], Awaitable[Refusal | None]]
"""Returns why a person who clicked in a channel may not approve a request, read fresh from Slack; None: they may."""


class ConfidentialHandler:
    """Shows confidential values. In doubt it shows nothing, and nothing is shown that was not recorded first."""

    def __init__(
        self,
        views: RunViews,
        posted: Posted,
        clicks: ClickLog,
        principals: Principals,
        api: WebApi,
        refusal: MayApprove,
    ) -> None:
        self._views = views
        self._posted = posted
        self._clicks = clicks
        self._principals = principals
        self._api = api
        self._refusal = refusal

    async def on_show_click(self, ack: AsyncAck, body: Payload) -> None:
        """Open the modal at once, then fill it: a trigger lives three seconds, looking people up may take longer."""
        await ack()
        if (click := ShowClick.read(body)) is None:
            return
        opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading())
        view_id = str(opened["view"]["id"])
        try:
            asked = await self._allowed(click)
        except (BotError, AgentError) as error:
            _log.warning("could not show what is confidential in %s: %s", click.approval, error)
            asked = wording.CONFIDENTIAL_FAILED
        if isinstance(asked, str):
            await self._fill(view_id, withheld(asked))
        else:
            await self._show(asked, view_id)

    async def _allowed(self, click: ShowClick) -> ApprovalView | str:
        """Return the request whose values this person may see, after recording that; else what they read instead."""
        tenant = (await self._principals.identity()).tenant
        view = await self._views.approval(tenant, ApprovalId(click.approval))
        if view is None or not _stands_in(view, click):
            return wording.QUESTION_UNKNOWN
        if not view.is_open or view.version != click.version or not card_facts_of(view.request).confidential:
            return wording.CONFIDENTIAL_GONE
        refusal = await self._refusal(click.user, click.channel, tenant, view.request)
        if refusal is not None:
            await self._clicks.refused(view.request, by=click.user, decision=None, why=refusal, place=click.channel)
            return wording.refusal(refusal, view.request.kind)
        await self._clicks.shown(view.request, by=click.user, place=click.channel)
        return view

    async def _show(self, view: ApprovalView, view_id: str) -> None:
        """Fill the modal; values that Slack refuses to show can be approved by nobody from then on."""
        request, content = view.request, confidential_values(view.asked)
        try:
            await self._fill(view_id, content)
        except SlackRefused as error:
            if error.code in _VIEW_GONE:
                return
            _log.warning("Slack does not show what is confidential in %s: %s", request.id, error)
            message = PostedMessage("", cut(request.digest))
            await self._posted.post(request.thread, request.turn, shown_slot(request.id), message)
            await self._fill(view_id, withheld(wording.NOT_SHOWN_WHOLE))

    async def _fill(self, view_id: str, content: Block) -> None:
        await self._api.write("views.update", view_id=view_id, view=content)


_VIEW_GONE = frozenset({"not_found", "view_not_found", "view_expired"})
"""The person closed the modal meanwhile."""


def _stands_in(view: ApprovalView, click: ShowClick) -> bool:
    """Return whether the request was asked in the conversation of the click."""
    if click.channel in (thread_parts(view.request.thread).channel, *view.places):
        return True
    return click.channel.startswith("D") and click.user in view.places
