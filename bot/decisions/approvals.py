"""Clicks on cards: look the request up, check that this person may, decide, lock the card.

The button carries no authority: everything is read again here, and every click is answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias, TypeVar

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.approval import (
    DECISIONS,
    GRANTS,
    RUNS_CALL,
    Allowed,
    ApprovalPolicy,
    ApprovalRequest,
    Clicker,
    Decision,
    Refusal,
    Requirement,
    may_decide_on,
)
from agent.approval import Refused as NotAllowed
from agent.errors import AgentError
from agent.ids import ChannelId, Tenant, UserId, thread_parts
from agent.policy.call_policy import RefusedCall
from agent.ports import Approvals
from bot import wording
from bot.cards.card import PreviewsOf, card, choices, no_previews
from bot.cards.group_card import group_card
from bot.decisions.click_policy import ClickPolicy
from bot.decisions.rules import RulesHandler
from bot.elements import Rendered, mention, quoted
from bot.errors import BotError, SlackRefused
from bot.payloads import Answer, Click, GroupClick, Payload
from bot.ports import ApprovalView, ClickLog, Posted, PostedMessage, RunViews, card_slot, cut
from bot.slack.client import WebApi
from bot.slack.membership import FRESH, Principals
from bot.slack.names import StableNames

_log = logging.getLogger(__name__)

Fact = TypeVar("Fact")

Answering: TypeAlias = Click | Answer
"""An answer that a person gives by a button or by a form."""


_MOST_CHECKS = 5
"""How often a person is checked whose request others bring on at the same moment."""


class Objection(NamedTuple):
    """Why an answer does not count."""

    #: For the audit: a `Refusal`, or one of our own words.
    why: str
    #: For the person.
    words: str
    #: Whether the card reads otherwise by now, or is closed.
    stale: bool = False
    #: The request as it reads by now, where that is known.
    now: ApprovalView | None = None


class ApprovalHandler:
    """Turns clicks into decisions. Raises `BotError` or `AgentError`; then nothing was decided or it is noted."""

    def __init__(
        self,
        approvals: Approvals,
        views: RunViews,
        posted: Posted,
        clicks: ClickLog,
        principals: Principals,
        api: WebApi,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        names: StableNames,
        rules: RulesHandler,
        previews_of: PreviewsOf = no_previews,
        click_policy: ClickPolicy | None = None,
    ) -> None:
        """`click_policy` applies today's policy; without it a request takes what it was posted with."""
        self._approvals = approvals
        self._views = views
        self._posted = posted
        self._clicks = clicks
        self._principals = principals
        self._api = api
        self._policy_for = policy_for
        self._names = names
        self._rules = rules
        self._previews_of = previews_of
        self._click_policy = click_policy

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once, then answer the click."""
        await ack()
        if (click := Click.read(body)) is not None:
            await self._answer(click, (await self._principals.identity()).tenant)
        elif (together := GroupClick.read(body)) is not None:
            await self._answer_together(together.clicks, (await self._principals.identity()).tenant)
        elif isinstance(url := body.get("response_url"), str) and url:
            await self._api.respond(url, response_type="ephemeral", replace_original=False, text=wording.NOT_A_DECISION)

    async def _answer(self, click: Click, tenant: Tenant) -> None:
        """Decide the request if everything is as the card said and the person may; answer in any case."""
        if (why_not := await self._decided(click, tenant)) is not None:
            await self.whisper(click, why_not)
        else:
            await self._offer_rule(click, tenant)

    async def _answer_together(self, clicks: Sequence[Click], tenant: Tenant) -> None:
        """Decide each request of a shared card that the button named, like a click on its own button."""
        answers = [await self._decided(click, tenant) for click in clicks]
        refused = [why_not for why_not in answers if why_not is not None]
        if refused:
            await self.whisper(clicks[0], wording.group_refused(len(clicks) - len(refused), len(clicks), refused))
        if (
            counted := next((click for click, no in zip(clicks, answers, strict=True) if no is None), None)
        ) is not None:
            await self._offer_rule(counted, tenant)

    async def _offer_rule(self, click: Click, tenant: Tenant) -> None:
        """Offer a rule to who has just approved a call, if calls like it were approved often enough.

        The click has counted, so that nobody is told of an offer that fails.
        """
        if click.decision is not Decision.APPROVED:
            return
        try:
            view = await self._views.approval(tenant, click.approval)
            if view is not None and view.record.decision is Decision.APPROVED:
                await self._rules.offer(click.channel, click.thread_ts, click.user, view)
        except (BotError, AgentError) as error:
            _log.warning("could not offer a rule for %s: %s", click.approval, error)

    async def _decided(self, click: Click, tenant: Tenant) -> str | None:
        """Decide the request if it may be; return why the click did not count, as ready mrkdwn.

        Others may bring the request to another stage in between: then this person is checked for that one.
        """
        view = await self._views.approval(tenant, click.approval)
        for _ in range(_MOST_CHECKS):
            if view is None:
                return wording.QUESTION_UNKNOWN
            today = await self.examined(click, tenant, view)
            if isinstance(today, Objection):
                await self.refuse(click, view, today)
                return today.words
            if await self._decide(click, tenant, today):
                return None
            view = await self._views.approval(tenant, click.approval)
            if view is None or not view.is_open or self.checked(view) == self.checked(today):
                break
        return (await self.too_late(click, tenant)).words

    def checked(self, view: ApprovalView) -> Requirement:
        """Return what people are checked for who are about to approve the request as it is seen."""
        return view.request.requirement or Requirement(stages=(self._policy_for(view.request),))

    async def objection(self, click: Answering, tenant: Tenant, view: ApprovalView) -> Objection | None:
        """Return why this answer does not count as the request stands now; None: it may be given."""
        found = await self.examined(click, tenant, view)
        return found if isinstance(found, Objection) else None

    async def examined(self, click: Answering, tenant: Tenant, view: ApprovalView) -> Objection | ApprovalView:
        """Return why this answer does not count as the request stands now, or the request with what it takes today.

        Who may decide is read fresh from Slack, and what lets a call run takes what today's policy asks for, too.
        """
        if (why := objection_of(click, view)) is not None:
            return why
        today = await self._today(click, view)
        if today is None:
            return Objection("outdated", wording.QUESTION_OUTDATED, stale=True)
        if isinstance(today, RefusedCall):
            return Objection(f"rule:{today.rule}", wording.refused_by_rule(quoted(today.words)))
        if (refusal := await self.refusal(click, tenant, today.request)) is not None:
            words = wording.refusal(refusal, view.request.kind)
            return Objection(refusal.value, words, stale=today is not view, now=today)
        if click.decision in RUNS_CALL and click.user in {vote.by for vote in today.votes}:
            return Objection("voted", wording.VOTED_ALREADY)
        return today

    async def _decide(self, click: Click, tenant: Tenant, view: ApprovalView) -> bool:
        """Decide, and bring the card up to date; return whether the click counted."""
        decided = await self._approvals.decide(
            tenant,
            click.approval,
            version=click.version,
            by=click.user,
            decision=click.decision,
            place=click.channel,
            checked=self.checked(view),
        )
        if decided is not None and decided.decision is not Decision.PENDING:
            await self.lock(click, replace(view, record=decided))
        elif decided is not None and (now := await self._views.approval(tenant, click.approval)) is not None:
            await self.lock(click, now)  # one of several approvals
        return decided is not None

    async def too_late(self, click: Answering, tenant: Tenant) -> Objection:
        """Bring the card up to date after a lost race, record it, and return what the person is to be told."""
        now = await self._views.approval(tenant, click.approval)
        if now is None:
            return Objection("unknown", wording.QUESTION_UNKNOWN, stale=True)
        voted = now.is_open and click.decision in RUNS_CALL and click.user in {vote.by for vote in now.votes}
        objection = Objection("voted", wording.VOTED_ALREADY, stale=True) if voted else _stale(now)
        await self.refuse(click, now, objection)
        return objection

    async def refuse(self, click: Answering, view: ApprovalView, objection: Objection) -> None:
        """Record that the answer changed nothing, and bring a card up to date that reads otherwise by now."""
        await self._clicks.refused(
            view.request, by=click.user, decision=click.decision, why=objection.why, place=click.channel
        )
        if objection.stale:
            await self.lock(click, objection.now or view)

    async def whisper(self, click: Answering, words: str) -> None:
        """Tell the clicker alone."""
        try:
            await self._api.write(
                "chat.postEphemeral", channel=click.channel, user=click.user, thread_ts=click.thread_ts, text=words
            )
        except SlackRefused:
            if not click.response_url:
                raise
            await self._api.respond(click.response_url, response_type="ephemeral", replace_original=False, text=words)

    async def refusal(self, click: Answering, tenant: Tenant, request: ApprovalRequest) -> Refusal | None:
        """Return why this person may not decide this, read fresh from Slack; None when they may."""
        approving = click.decision in GRANTS
        stages = (self._policy_for(request),)
        if not approving and request.requirement is not None:  # whoever decides in any stage may reject
            stages = request.requirement.every
        refusal: Refusal | None = None
        for policy in stages:
            clicker = await self._clicker(click.user, click.channel, tenant, policy)
            match may_decide_on(policy, request, clicker, approving=approving):
                case Allowed():
                    return None
                case NotAllowed(reason=reason):
                    refusal = refusal or reason
        return refusal

    async def _today(self, click: Answering, view: ApprovalView) -> ApprovalView | RefusedCall | None:
        """Return the request with what it takes today, if the click would let its call run."""
        if self._click_policy is None or click.decision not in RUNS_CALL:
            return view
        return await self._click_policy.today(view)

    async def grant_refusal(
        self, user: UserId, channel: ChannelId, tenant: Tenant, request: ApprovalRequest
    ) -> Refusal | None:
        """Return why a person may not grant a request in this channel, read fresh from Slack; None when they may."""
        policy = self._policy_for(request)
        match may_decide_on(policy, request, await self._clicker(user, channel, tenant, policy)):
            case Allowed():
                return None
            case NotAllowed(reason=reason):
                return reason

    async def _clicker(self, user: UserId, channel: ChannelId, tenant: Tenant, policy: ApprovalPolicy) -> Clicker:
        """Ask Slack at once for all that the policy needs; a fact it does not tell is None and counts against them."""
        anyone, every_group = any(part.is_for_anyone for part in policy.parts), policy.every_group
        person, in_channel, groups = await asyncio.gather(
            _fact(self._principals.person(tenant, user, max_age_seconds=FRESH)),
            _fact(self._principals.in_channel(channel, user)) if anyone else _no_fact(),
            _fact(self._principals.groups(user, every_group)) if every_group else _no_fact(),
        )
        seen = in_channel is not False or await self._sees(channel)
        return Clicker(
            user=user,
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

    async def _rendered(self, now: ApprovalView, place: str) -> Rendered:
        """Return the message with the buttons of the card on which a request stands, as it reads now."""
        policy = self._policy_for(now.request)
        if now.card is not None:
            views = await self._views.on_card(thread_parts(now.request.thread).tenant, now.request.id)
            newest = [now if view.request.id == now.request.id else view for view in views]
            if len(newest) > 1:
                names = {one: name for view in newest for one, name in (await self._names.of(view)).items()}
                return group_card([await self._names.in_view(view) for view in newest], policy, names)
        named, names = await self._names.in_view(now), await self._names.of(now)
        *_, closing = card(named, policy, names, place=place, previews_of=self._previews_of)
        return closing

    async def lock(self, click: Answering, now: ApprovalView) -> None:
        """Show on the clicked card how its request reads now; when that fails, the publisher will."""
        if not click.message_ts and not click.response_url:
            return
        place = place_of(click, now) or ""
        closing = await self._rendered(now, place)
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
        message, slot = PostedMessage(click.message_ts, shown), card_slot(now.card or click.approval, place)
        try:
            await self._posted.post(now.request.thread, now.request.turn, slot, message)
        except AgentError as error:  # the click has counted all the same; the publisher edits once more
            _log.warning("could not record the card of %s: %s", click.approval, error)


def objection_of(click: Answering, view: ApprovalView) -> Objection | None:
    """Return why this answer does not fit the request as it stands now, whoever gives it."""
    if place_of(click, view) is None:
        return Objection("not_asked_here", wording.QUESTION_UNKNOWN)
    if not view.is_open or view.version != click.version:
        return _stale(view)
    if view.frozen and click.decision in RUNS_CALL:
        return Objection("frozen", wording.FROZEN_CLICK)
    if click.decision in choices(view):
        return None
    if click.decision in RUNS_CALL and click.decision in DECISIONS[view.request.kind]:
        return Objection("not_shown_whole", wording.NOT_SHOWN_WHOLE)
    return Objection("not_for_this_question", wording.NOT_FOR_THIS_QUESTION)


def _stale(now: ApprovalView) -> Objection:
    """Return why an answer comes too late, to a request that reads otherwise by now or is closed."""
    if now.is_open:
        return Objection("outdated", wording.QUESTION_OUTDATED, stale=True)
    by = mention(now.record.by) if now.record.by else ""
    return Objection("too_late", wording.already(now.record.decision, by), stale=True)


def place_of(click: Answering, view: ApprovalView) -> str | None:
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
