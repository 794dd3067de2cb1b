"""Standing rules: offered after repeated approvals, made in a modal by those who may approve, listed and revoked."""

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from slack_bolt.context.ack.async_ack import AsyncAck

from agent.approval import ALWAYS_ASKED, ApprovalKind, ApprovalRequest, Decision
from agent.card_facts import card_facts_of
from agent.errors import AgentError
from agent.grant import Anything, AtMost, Condition, Grant, GrantId, GrantKind, OneOf, Suggestion, suggest_rule
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, Tenant, ToolName, UserId, thread_id, thread_parts
from bot import wording
from bot.blocks.details import loading
from bot.cards.rules import (
    LIFETIMES,
    MOST_RULES,
    USES,
    first_page,
    listed,
    made,
    offer,
    refused_page,
    second_page,
)
from bot.elements import Block, Rendered, words_only
from bot.errors import BotError
from bot.payloads import Command, Payload, RuleClick, RuleForm
from bot.ports import ApprovalView, Grants, PastCall, RunViews
from bot.slack.approvers import Approvers
from bot.slack.client import WebApi
from bot.slack.membership import FRESH, Identity, Principals
from sandbox.script import Json

_WORDS = re.compile(r"rules\s*", re.IGNORECASE)

_ANSWER_SECONDS = 2.0
"""For the checks before a submission is acknowledged; Slack waits three seconds."""

OFFERED_AFTER = 3
"""Equal approvals in a channel, the newest included, after which a rule is offered."""


@dataclass(frozen=True, kw_only=True)
class _Basis:
    """What a rule can be made of."""

    request: ApprovalRequest
    suggestion: Suggestion
    #: What people decided about the tool in the channel lately; of calls that held something confidential, nothing.
    past: Sequence[PastCall]


def is_about_rules(text: str) -> bool:
    """Return whether a command is this one."""
    return _WORDS.fullmatch(text.strip()) is not None


class RulesHandler:
    """Keeps no state: it works the same in every process. Raises `BotError` or `AgentError` when it could not."""

    def __init__(
        self,
        grants: Grants,
        views: RunViews,
        principals: Principals,
        approvers: Approvers,
        api: WebApi,
        *,
        admins: frozenset[UserId],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._grants = grants
        self._views = views
        self._principals = principals
        self._approvers = approvers
        self._api = api
        self._admins = admins
        self._clock = clock

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Return the rules that stand in the channel of a command; its members and admins may see them."""
        is_admin = await self._is_admin(identity.tenant, command.user)
        if not is_admin and not await self._principals.in_channel(command.channel, command.user):
            return words_only(wording.RULES_NEED_MEMBERS)
        rules = await self._grants.standing(identity.tenant, command.channel)
        revocable = [
            rule.id
            for rule in rules[:MOST_RULES]
            if is_admin or await self._may_revoke(identity.tenant, rule, command.user)
        ]
        return listed(rules, revocable)

    async def offer(self, channel: ChannelId, thread_ts: str | None, user: UserId, view: ApprovalView) -> None:
        """Offer a rule to who has just approved a call, when calls like it were approved often enough."""
        request = view.request
        if request.kind is not ApprovalKind.APPROVE or channel != thread_parts(request.thread).channel:
            return
        basis = await self._basis(request)
        if basis is None or basis.suggestion.approved < OFFERED_AFTER or basis.suggestion.rejected:
            return
        message = offer(request.id, basis.suggestion.approved, request.tool)
        await self._api.write("chat.postEphemeral", channel=channel, user=user, thread_ts=thread_ts, **message.content)

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Open the modal in which a rule is made, or revoke one."""
        await ack()
        if (click := RuleClick.read(body)) is None:
            return
        tenant = (await self._principals.identity()).tenant
        if click.revokes:
            words = await self._revoke(tenant, click)
            await self._api.respond(click.response_url, response_type="ephemeral", replace_original=False, text=words)
            return
        opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading())
        page = await self._first_page(tenant, ApprovalId(click.value), click.user)
        await self._api.write("views.update", view_id=str(opened["view"]["id"]), view=page)

    async def on_form(self, ack: AsyncAck, body: Payload) -> None:
        """Show what the rule would have covered, then make it."""
        form = RuleForm.read(body)
        if form is None:
            await ack()
            return
        page = _Page.read(form)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                tenant = (await self._principals.identity()).tenant
                grant, basis = await self._grant(tenant, page, form.user)
                parts = thread_parts(basis.request.thread)
                if page.confirmed:
                    await self._grants.make(tenant, grant, place=parts.channel)
        except _Refused as refused:
            await _show(ack, refused_page(str(refused)))
            return
        except (BotError, AgentError, TimeoutError):
            await _show(ack, refused_page(wording.RULE_UNCHECKED))
            return
        if not page.confirmed:
            await _show(ack, second_page(grant, basis.past, page.metadata))
            return
        await ack()
        await self._api.write("chat.postMessage", channel=parts.channel, thread_ts=parts.root_ts, **made(grant).content)

    async def _first_page(self, tenant: Tenant, approval: ApprovalId, user: UserId) -> Block:
        try:
            basis = await self._permitted_basis(tenant, approval, user)
        except _Refused as refused:
            return refused_page(str(refused))
        except (BotError, AgentError):
            return refused_page(wording.RULE_UNCHECKED)
        metadata = _Page(approval=approval).metadata
        return first_page(basis.request.tool, basis.suggestion.conditions, basis.suggestion.seen, metadata)

    async def _grant(self, tenant: Tenant, page: "_Page", user: UserId) -> tuple[Grant, _Basis]:
        """Return the rule that was chosen, not made yet, and what it is made of. Raises `_Refused`."""
        basis = await self._permitted_basis(tenant, page.approval, user)
        conditions = {
            name: _chosen(condition, basis.suggestion.seen[name], page.chosen.get(f"arg:{name}"))
            for name, condition in basis.suggestion.conditions.items()
        }
        lifetime, uses = LIFETIMES.get(page.chosen.get("lifetime", "")), page.chosen.get("uses", "")
        if lifetime is None or uses not in {str(known) for known in USES}:
            raise _Refused(wording.RULE_GONE)
        now = self._clock()
        grant = Grant(
            id=page.grant,
            kind=GrantKind.RULE,
            channel=thread_parts(basis.request.thread).channel,
            tool=basis.request.tool,
            conditions=conditions,
            made_by=user,
            made_at=now,
            expires_at=now + lifetime,
            most_uses=int(uses),
        )
        return grant, basis

    async def _permitted_basis(self, tenant: Tenant, approval: ApprovalId, user: UserId) -> _Basis:
        """Return what a rule can be made of by this person now. Raises `_Refused`."""
        view = await self._views.approval(tenant, approval)
        basis = None if view is None else await self._basis(view.request)
        if view is None or view.record.decision is not Decision.APPROVED:
            raise _Refused(wording.RULE_GONE)
        if basis is None:
            raise _Refused(wording.RULE_NOT_ALIKE)
        if not await self._approvers.may_grant_now(user, view.request):
            raise _Refused(wording.RULE_NOT_YOURS)
        return basis

    async def _basis(self, request: ApprovalRequest) -> _Basis | None:
        """Return what a rule for calls like this one can be made of: what people decided in its channel.

        None: too little, or the call holds something confidential, which no rule may name, or is always asked about.
        """
        if card_facts_of(request).confidential or request.tool in ALWAYS_ASKED:
            return None  # a rule's conditions hold values, and everybody in the channel reads them
        parts = thread_parts(request.thread)
        every = await self._grants.past(parts.tenant, parts.channel, request.tool)
        past = [call for call in every if not card_facts_of(call.request).confidential]
        approved, rejected = (
            [call.args for call in past if call.record.decision is decision]
            for decision in (Decision.APPROVED, Decision.REJECTED)
        )
        suggestion = suggest_rule(request.args, approved, rejected, targets_of(request))
        return None if suggestion is None else _Basis(request=request, suggestion=suggestion, past=past)

    async def _revoke(self, tenant: Tenant, click: RuleClick) -> str:
        rule = await self._grants.find(tenant, GrantId(click.value))
        if rule is None:
            return wording.RULE_GONE
        if not (await self._is_admin(tenant, click.user) or await self._may_revoke(tenant, rule, click.user)):
            return wording.RULE_NOT_YOURS_TO_END
        return wording.rule_revoked(
            stood=await self._grants.revoke(tenant, rule.id, by=click.user, place=click.channel)
        )

    async def _may_revoke(self, tenant: Tenant, rule: Grant, user: UserId) -> bool:
        if rule.made_by == user:
            return (await self._principals.person(tenant, user, max_age_seconds=FRESH)).is_member
        return await self._approvers.may_grant_now(user, _example(tenant, rule))

    async def _is_admin(self, tenant: Tenant, user: UserId) -> bool:
        person = await self._principals.person(tenant, user, max_age_seconds=FRESH)
        return person.is_member and (person.is_admin or user in self._admins)


class _Refused(Exception):
    """No rule is made; the text is what the person reads."""


def targets_of(request: ApprovalRequest) -> Sequence[str] | None:
    """Return the arguments that say what a call changes; None: the tool does not say, so each one may."""
    targets = request.facts.get("targets")
    return [str(name) for name in targets] if isinstance(targets, list) else None


def _chosen(condition: Condition, seen: Sequence[Json], choice: object) -> Condition:
    """Return the condition that a person chose for an argument; one that is fixed stays so."""
    if isinstance(condition, OneOf):
        return condition
    match choice:
        case "any":
            return Anything()
        case "up_to":
            numbers = [value for value in seen if isinstance(value, int | float) and not isinstance(value, bool)]
            if len(numbers) == len(seen):
                return AtMost(most=max(numbers))
        case _:
            pass
    return OneOf(values=tuple(seen))


def _example(tenant: Tenant, rule: Grant) -> ApprovalRequest:
    """Return a request that the rule could answer, to ask who may approve such calls."""
    return ApprovalRequest(
        id=ApprovalId(""),
        thread=thread_id(tenant, rule.channel, "0"),
        turn=0,
        node=NodeId(""),
        kind=ApprovalKind.APPROVE,
        title="",
        tool=ToolName(rule.tool),
        args={},
        digest=Digest(""),
        author=UserId(""),
    )


class _Page(BaseModel):
    """What a page of the modal carries: of which call the rule is made and, on the second page, what was chosen."""

    model_config = ConfigDict(frozen=True)

    approval: ApprovalId = ApprovalId("")
    grant: GrantId = GrantId("")
    #: block id -> value.
    chosen: Mapping[str, str] = {}
    #: Whether the person has seen what the rule would have covered.
    confirmed: bool = False

    @classmethod
    def read(cls, form: RuleForm) -> Self:
        """Return the page that was submitted; an unreadable one is about nothing."""
        try:
            page = cls.model_validate_json(form.metadata)
        except ValidationError:
            return cls()
        if page.chosen:
            return page.model_copy(update={"confirmed": True})
        return page.model_copy(update={"chosen": form.chosen, "grant": GrantId(uuid.uuid4().hex)})

    @property
    def metadata(self) -> str:
        """The private metadata of the page that follows."""
        return self.model_dump_json(exclude_defaults=True)


async def _show(ack: AsyncAck, page: Block) -> None:
    await ack(response_action="update", view=cast("dict[str, Any]", page))
