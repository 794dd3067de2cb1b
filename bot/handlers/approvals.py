"""Clicks on cards: look the request up, check that this person may, decide, lock the card.

The button carries no authority: everything is read again here, and every click is answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.approval import (
    DECISIONS,
    GRANTS,
    RUNS_CALL,
    Allowed,
    ApprovalPolicy,
    ApprovalRequest,
    Clicker,
    may_decide,
)
from agent.approval import Refused as NotAllowed
from agent.errors import AgentError
from agent.ids import ChannelId, Tenant, thread_parts
from agent.ports import Approvals
from bot import wording
from bot.blocks.card import card, choices
from bot.blocks.elements import mention
from bot.errors import BotError, SlackRefused
from bot.payloads import Click, Payload
from bot.ports import ApprovalView, Posted, PostedMessage, RunViews, card_slot, cut
from bot.slack.client import WebApi
from bot.slack.membership import FRESH, Principals
from bot.slack.names import StableNames

_log = logging.getLogger(__name__)

Fact = TypeVar("Fact")


class ApprovalHandler:
    """Turns clicks into decisions. Raises `BotError` or `AgentError`; then nothing was decided or it is noted."""

    def __init__(
        self,
        approvals: Approvals,
        views: RunViews,
        posted: Posted,
        principals: Principals,
        api: WebApi,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        names: StableNames,
    ) -> None:
        self._approvals = approvals
        self._views = views
        self._posted = posted
        self._principals = principals
        self._api = api
        self._policy_for = policy_for
        self._names = names

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once, then answer the click."""
        await ack()
        if (click := Click.read(body)) is not None:
            await self._answer(click, (await self._principals.identity()).tenant)
        elif isinstance(url := body.get("response_url"), str) and url:
            await self._api.respond(url, response_type="ephemeral", replace_original=False, text=wording.NOT_A_DECISION)

    async def _answer(self, click: Click, tenant: Tenant) -> None:
        """Decide the request if everything is as the card said and the person may; answer in any case."""
        view = await self._views.approval(tenant, click.approval)
        if view is None or _place_of(click, view) is None:
            await self._whisper(click, wording.QUESTION_UNKNOWN)
        elif not view.is_open or view.version != click.version:
            await self._too_late(click, view)
        elif click.decision not in choices(view):
            cut_short = click.decision in RUNS_CALL and click.decision in DECISIONS[view.request.kind]
            await self._whisper(click, wording.NOT_SHOWN_WHOLE if cut_short else wording.NOT_FOR_THIS_QUESTION)
        elif (refusal := await self._refusal(click, tenant, view.request)) is not None:
            await self._whisper(click, refusal)
        else:
            await self._decide(click, tenant, view)

    async def _decide(self, click: Click, tenant: Tenant, view: ApprovalView) -> None:
        decided = await self._approvals.decide(
            tenant, click.approval, version=click.version, by=click.user, decision=click.decision
        )
        if decided is not None:
            await self._lock(click, replace(view, record=decided))
        elif (now := await self._views.approval(tenant, click.approval)) is not None:
            await self._too_late(click, now)
        else:
            await self._whisper(click, wording.QUESTION_UNKNOWN)

    async def _whisper(self, click: Click, words: str) -> None:
        """Tell the clicker alone."""
        try:
            await self._api.write(
                "chat.postEphemeral", channel=click.channel, user=click.user, thread_ts=click.thread_ts, text=words
            )
        except SlackRefused:
            if not click.response_url:
                raise
            await self._api.respond(click.response_url, response_type="ephemeral", replace_original=False, text=words)

    async def _refusal(self, click: Click, tenant: Tenant, request: ApprovalRequest) -> str | None:
        """Return why this person may not decide this, read fresh from Slack; None when they may."""
        policy = self._policy_for(request)
        clicker = await self._clicker(click, tenant, policy)
        match may_decide(policy, request.author, clicker, approving=click.decision in GRANTS):
            case Allowed():
                return None
            case NotAllowed(reason=reason):
                return wording.refusal(reason, request.kind)

    async def _clicker(self, click: Click, tenant: Tenant, policy: ApprovalPolicy) -> Clicker:
        """Ask Slack at once for all that the policy needs; a fact it does not tell is None and counts against them."""
        anyone = policy.users is None and policy.groups is None
        person, in_channel, groups = await asyncio.gather(
            _fact(self._principals.person(tenant, click.user, max_age_seconds=FRESH)),
            _fact(self._principals.in_channel(click.channel, click.user)) if anyone else _no_fact(),
            _fact(self._principals.groups(click.user, policy.groups)) if policy.groups else _no_fact(),
        )
        seen = in_channel is not False or await self._sees(click.channel)
        return Clicker(
            user=click.user,
            is_full_member=None if person is None else person.is_member,
            in_channel=in_channel,
            groups=groups,
            channel_is_seen=seen,
        )

    async def _sees(self, channel: ChannelId) -> bool:
        """Return whether the app can see the channel: it is told of no member of one that it was removed from."""
        try:
            return await self._principals.channel(channel) is not None
        except BotError as error:
            _log.warning("could not learn whether the app is still in %s: %s", channel, error)
            return True

    async def _too_late(self, click: Click, now: ApprovalView) -> None:
        """Bring the card up to date and say why the click did not count."""
        await self._lock(click, now)
        if now.is_open:
            await self._whisper(click, wording.QUESTION_OUTDATED)
        else:
            by = mention(now.record.by) if now.record.by else ""
            await self._whisper(click, wording.already(now.record.decision, by))

    async def _lock(self, click: Click, now: ApprovalView) -> None:
        """Show on the clicked card how its request reads now; when that fails, the publisher will."""
        named, place = await self._names.in_view(now), _place_of(click, now) or ""
        *_, closing = card(named, self._policy_for(now.request), await self._names.of(now.request), place=place)
        try:
            if click.response_url:
                await self._api.respond(
                    click.response_url, replace_original=True, text=closing.text, blocks=closing.blocks
                )
            else:
                await self._api.write(
                    "chat.update", channel=click.channel, ts=click.message_ts, text=closing.text, blocks=closing.blocks
                )
        except BotError as error:
            _log.warning("could not update the card of %s: %s", click.approval, error)
            return
        shown = closing.digest if now.shown_whole else cut(closing.digest)  # nothing but a whole card undoes a cut one
        message = PostedMessage(click.message_ts, shown)
        try:
            await self._posted.post(now.request.thread, now.request.turn, card_slot(click.approval, place), message)
        except AgentError as error:  # the click has counted all the same; the publisher edits once more
            _log.warning("could not record the card of %s: %s", click.approval, error)


def _place_of(click: Click, view: ApprovalView) -> str | None:
    """Return where the clicked copy of the card stands besides the thread; None: nowhere the request was asked."""
    if click.channel == thread_parts(view.request.thread).channel:
        return ""
    if click.channel in view.places:
        return click.channel
    # A person has one direct message with the app.
    return click.user if click.channel.startswith("D") and click.user in view.places else None


async def _fact(asked: Awaitable[Fact]) -> Fact | None:
    """Return the fact, or None when Slack does not tell it."""
    try:
        return await asked
    except BotError as error:
        _log.warning("could not learn all about a clicker: %s", error)
        return None


async def _no_fact() -> None:
    """Stand in for a fact the policy does not need."""
