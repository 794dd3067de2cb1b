"""Cards per red call in a week of 200: each its own; with shared cards, rules, approvals ahead; with all of them."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import text

from agent.approval import ApprovalKind, ApprovalRequest, Decision
from agent.card_facts import CardFacts, card_facts_json
from agent.grant import Condition, Grant, GrantId, GrantKind, PlannedCall, planned_conditions, suggest_rule
from agent.ids import ApprovalId, ChannelId, NodeId, Tenant, ThreadId, ToolName, UserId, thread_id
from agent.plan.operations import canonical_json, digest_of
from agent.tool import Registry
from bot.decisions.rules import OFFERED_AFTER
from bot.ports import ApprovalView
from bot.publishing.card_groups import cards_of, joinings
from infra.stores.grants import GrantedApprovals
from infra.stores.stores import Stores
from infra.tools.catalogue import known_tools
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground

_WEEK = Path(__file__).with_name("data") / "week_of_red_calls.jsonl"
_USES = 20
_LIFETIME = timedelta(days=7)
_EVERY_WAY = ("shared cards", "rules", "approved ahead")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A red call of the week, and what the person decided."""

    at: str
    run: str
    step: str
    channel: str
    author: str
    tool: str
    args: Mapping[str, Json]
    #: The arguments that the plan took from earlier steps.
    later: Sequence[str]
    decision: str
    by: str


@dataclass(kw_only=True)
class Replay:
    """The week once more, for a team of its own. Its people accept each rule that is offered."""

    stores: Stores
    tools: Registry
    tenant: Tenant
    shared: bool
    rules: bool
    #: With a run's first card, people approve all of its calls to come whose targets are fixed.
    ahead: bool
    cards: int = 0
    #: Each with the grant that let it run.
    covered: list[tuple[Call, GrantId]] = field(default_factory=list[tuple[Call, GrantId]])

    async def go(self, week: Sequence[Call]) -> None:
        """Replay each run: steps that take nothing from others ask at the same time, then the others do."""
        for _, calls in groupby(week, key=lambda call: call.run):
            steps = list(calls)
            first, then = [call for call in steps if not call.later], [call for call in steps if call.later]
            before = self.cards
            await self._ask(first)
            if self.ahead and self.cards > before:
                await self._approve_ahead(first[0].by, then)
            await self._ask(then)

    async def _approve_ahead(self, who: str, calls: Sequence[Call]) -> None:
        """Let the calls to come run unasked, as far as their plan says what they change."""
        for call in calls:
            request = self._request(call)
            planned = PlannedCall(
                thread=request.thread,
                turn=request.turn,
                node=request.node,
                title=request.title,
                tool=request.tool,
                author=request.author,
                args={name: "${earlier}" if name in call.later else value for name, value in call.args.items()},
            )
            conditions = planned_conditions(planned.args, self._targets(call))
            if conditions is not None:
                grant = self._grant(call, planned.grant, conditions, GrantKind.ENVELOPE)
                envelope = replace(grant, made_by=UserId(who), thread=request.thread, turn=request.turn, most_uses=1)
                await self.stores.grants.make(self.tenant, envelope, place=envelope.channel)

    async def _ask(self, calls: Sequence[Call]) -> None:
        approvals = GrantedApprovals(self.stores.approvals, self.stores.grants, _may_approve)
        asked: list[tuple[Call, ApprovalView]] = []
        for call in calls:
            request = self._request(call)
            record = await approvals.ask(request)
            if record.grant:
                self.covered.append((call, GrantId(record.grant)))
            elif (view := await self.stores.run_views.approval(self.tenant, request.id)) is not None:
                asked.append((call, view))
        views = [view for _, view in asked]
        for joining in joinings(views, {}) if self.shared else ():
            thread = views[0].request.thread
            await self.stores.posted.join(thread, joining.leader, joining.members)
        stored = [await self.stores.run_views.approval(self.tenant, view.request.id) for view in views]
        self.cards += len(cards_of([view for view in stored if view is not None]))
        for call, view in asked:
            await self._decide(call, view.request)

    async def _decide(self, call: Call, request: ApprovalRequest) -> None:
        decision = Decision(call.decision)
        await self.stores.approvals.decide(self.tenant, request.id, version=1, by=UserId(call.by), decision=decision)
        if not self.rules or decision is not Decision.APPROVED:
            return
        past = await self.stores.grants.past(self.tenant, ChannelId(call.channel), request.tool)
        approved, rejected = (
            [known.args for known in past if known.record.decision is made]
            for made in (Decision.APPROVED, Decision.REJECTED)
        )
        targets = self._targets(call)
        suggestion = suggest_rule(request.args, approved, rejected, targets)
        if suggestion is None or suggestion.approved < OFFERED_AFTER or suggestion.rejected:
            return
        name = GrantId(digest_of([self.tenant, request.id])[:32])
        rule = self._grant(call, name, suggestion.conditions, GrantKind.RULE)
        await self.stores.grants.make(self.tenant, rule, place=rule.channel)

    def _grant(self, call: Call, name: GrantId, conditions: Mapping[str, Condition], kind: GrantKind) -> Grant:
        now = datetime.now(UTC)
        return Grant(
            id=name,
            kind=kind,
            channel=ChannelId(call.channel),
            tool=ToolName(call.tool),
            conditions=conditions,
            made_by=UserId(call.by),
            made_at=now,
            expires_at=now + _LIFETIME,
            most_uses=_USES,
        )

    def _request(self, call: Call) -> ApprovalRequest:
        thread = ThreadId(thread_id(self.tenant, call.channel, f"{call.run[1:]}.0"))
        args = dict(call.args)
        tool = self.tools.find(call.tool)
        assert tool is not None, call.tool
        facts = CardFacts(reversibility=tool.reversibility, targets=tool.targets)
        digest = digest_of([call.run, call.step, call.tool, args])
        return ApprovalRequest(
            id=ApprovalId(digest_of([self.tenant, digest])[:32]),
            thread=thread,
            turn=1,
            node=NodeId(f"step-{call.step}"),
            kind=ApprovalKind.APPROVE,
            title=f"Step {call.step}",
            tool=ToolName(call.tool),
            args=args,
            digest=digest,
            author=UserId(call.author),
            facts=card_facts_json(facts),
        )

    def _targets(self, call: Call) -> Sequence[str] | None:
        tool = self.tools.find(call.tool)
        return None if tool is None else tool.targets


async def _may_approve(_user: UserId, _request: ApprovalRequest) -> bool:
    return True


async def figures() -> AsyncIterator[Figure]:
    """Replay the week in each way."""
    week = [Call(**json.loads(line)) for line in _WEEK.read_text(encoding="utf-8").splitlines()]
    tools = await known_tools()
    async with ground() as here:
        for ways in ((), ("shared cards",), ("rules",), ("approved ahead",), ("shared cards", "rules"), _EVERY_WAY):
            name = ", ".join(ways) or "each its own"
            tenant = Tenant(f"T{digest_of(list(ways))[:8]}")
            shared, rules, ahead = (way in ways for way in _EVERY_WAY)
            replay = Replay(stores=here.stores, tools=tools, tenant=tenant, shared=shared, rules=rules, ahead=ahead)
            await replay.go(week)
            aim = 0.4 if ways == _EVERY_WAY else None
            per_call = replay.cards / len(week)
            yield figure("cards", f"cards per red call ({name})", per_call, "cards", at_most=aim)
            if rules or ahead:
                outside = [call for call, grant in replay.covered if not await _is_inside(here, tenant, call, grant)]
                no = sum(call.decision != "approved" for call, _ in replay.covered)
                yield figure("cards", f"calls that ran unasked ({name})", len(replay.covered), "calls")
                yield figure("cards", f"outside the condition ({name})", len(outside), "calls", at_most=0)
                yield figure("cards", f"that a person had rejected ({name})", no, "calls")


async def _is_inside(here: Ground, tenant: Tenant, call: Call, rule: GrantId) -> bool:
    """Return whether a call meets the conditions of its grant as they are stored; written apart from what decides."""
    query = text("SELECT channel, tool, conditions FROM grants WHERE tenant = :tenant AND id = :id")
    row = (await here.database.execute(query, {"tenant": tenant, "id": rule})).one()
    if (row.channel, row.tool) != (call.channel, call.tool) or call.args.keys() - row.conditions.keys():
        return False
    for name, condition in row.conditions.items():
        values = [canonical_json(value) for value in condition.get("one_of", ())]
        if values and (name not in call.args or canonical_json(call.args[name]) not in values):
            return False
    return True
