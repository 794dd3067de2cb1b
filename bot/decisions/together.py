"""Several calls approved at once: a thread's open requests, and the calls of its plan whose turn has not come yet.

The form carries no authority: everything is read again when it is submitted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from agent.approval import ApprovalKind, ApprovalRequest, Decision
from agent.card_facts import shown_arguments
from agent.grant import Condition, Grant, GrantKind, PlannedCall, planned_conditions
from agent.ids import ApprovalId, Digest, NodeId, Tenant, ToolName, thread_parts
from agent.plan.confidential import confidential_places
from agent.ports import Approvals
from agent.tool import Tool
from bot import wording
from bot.cards.decision_forms import (
    REQUESTS,
    Listed,
    ListedCall,
    approve_all_form,
    planned_arguments,
    planned_value,
    short_arguments,
    steps_approved,
)
from bot.decisions.approvals import ApprovalHandler, Objection
from bot.elements import Block, quoted
from bot.payloads import Answer, FormSubmission
from bot.ports import ApprovalView, Grants, RunViews
from bot.slack.approvers import Approvers
from bot.slack.client import WebApi

MOST_LISTED = 30
"""Of a thread's open requests, and of the calls to come, that are looked at."""

LIFETIME = timedelta(days=1)
"""After it, a call that was approved ahead asks all the same."""


@dataclass(frozen=True, kw_only=True)
class _Ahead:
    """A call to come, and what it may be; None: it cannot be approved ahead, and why not."""

    call: PlannedCall
    conditions: Mapping[str, Condition] | None
    why_not: str = ""


class TogetherHandler:
    """Keeps no state: it works the same in every process."""

    def __init__(
        self,
        approvals: Approvals,
        views: RunViews,
        grants: Grants,
        clicks: ApprovalHandler,
        approvers: Approvers,
        api: WebApi,
        find_tool: Callable[[ToolName], Tool | None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._approvals = approvals
        self._views = views
        self._grants = grants
        self._clicks = clicks
        self._approvers = approvers
        self._api = api
        self._find_tool = find_tool
        self._clock = clock

    async def form(self, answer: Answer, tenant: Tenant, view: ApprovalView) -> Block:
        """Return the form with all that waits in the thread of a request, and all that will ask in its turn."""
        runs = await self._views.unsettled(view.request.thread)
        every = [one for run in runs for one in run.approvals if one.is_open]
        asked = [one for one in every if one.request.kind is ApprovalKind.APPROVE][:MOST_LISTED]
        listed = [await self._listing(answer, tenant, one) for one in asked]
        titles = {node.id: node.title for run in runs for node in run.nodes}
        planned = await self._views.planned_calls(view.request.thread, view.request.turn)
        ahead = [await self._ahead(answer, one) for one in planned[:MOST_LISTED]]
        return approve_all_form(answer, listed, [_listed_call(one, titles) for one in ahead])

    async def carry_out(self, submission: FormSubmission, tenant: Tenant) -> str:
        """Approve each that was ticked, as it was listed; return what the person reads."""
        chosen = submission.all_chosen(REQUESTS)
        refused: list[str] = []
        ahead: list[str] = []
        for value in chosen:
            version, _, approval = value.partition(":")
            if not version.isdecimal():
                ahead.append(value)
            elif (words := await self._approve_one(submission, tenant, ApprovalId(approval), int(version))) is not None:
                refused.append(words)
        if ahead:
            refused += await self._approve_ahead(submission.answer(Decision.APPROVED), tenant, ahead)
        return wording.approved_together(len(chosen) - len(refused), len(chosen), refused)

    async def _listing(self, answer: Answer, tenant: Tenant, view: ApprovalView) -> Listed:
        each = replace(answer, approval=view.request.id, version=view.version, decision=Decision.APPROVED)
        if (objection := await self._clicks.objection(each, tenant, view)) is not None:
            return Listed(view=view, arguments="", why_not=objection.words)
        return Listed(view=view, arguments=short_arguments(shown_arguments(view.asked, wording.confidential_value)))

    async def _approve_one(
        self, submission: FormSubmission, tenant: Tenant, approval: ApprovalId, version: int
    ) -> str | None:
        """Approve one of several; return why it did not count, as ready mrkdwn."""
        view = await self._views.approval(tenant, approval)
        if view is None:
            return wording.QUESTION_UNKNOWN
        answer = replace(submission.answer(Decision.APPROVED), approval=approval, version=version, message_ts="")
        title = f"“{quoted(view.request.title, 100)}”: "
        today = await self._clicks.examined(answer, tenant, view)
        if isinstance(today, Objection):
            await self._clicks.refuse(answer, view, today)
            return title + today.words
        decided = await self._approvals.decide(
            tenant,
            approval,
            version=version,
            by=answer.user,
            decision=Decision.APPROVED,
            place=answer.channel,
            checked=self._clicks.checked(today),
        )
        return None if decided is not None else title + (await self._clicks.too_late(answer, tenant)).words

    # Calls to come

    async def _ahead(self, answer: Answer, call: PlannedCall) -> _Ahead:
        """Return what a call to come may be when this person approves it now, or why they cannot."""
        tool = self._find_tool(call.tool)
        conditions = None if tool is None else planned_conditions(call.args, tool.targets)
        if tool is None or conditions is None:
            return _Ahead(call=call, conditions=None, why_not=wording.NOT_FIXED_YET)
        if confidential_places(tool.arguments):
            return _Ahead(call=call, conditions=None, why_not=wording.CONFIDENTIAL_TO_COME)
        if planned_arguments(call.args, {}) is None:
            return _Ahead(call=call, conditions=None, why_not=wording.TOO_LONG_TO_COME)
        if not await self._approvers.may_grant_now(answer.user, _example(call)):
            return _Ahead(call=call, conditions=None, why_not=wording.NOT_YOURS_TO_COME)
        return _Ahead(call=call, conditions=conditions)

    async def _approve_ahead(self, answer: Answer, tenant: Tenant, values: Sequence[str]) -> Sequence[str]:
        """Let the calls that were ticked run when their turn comes; return why some cannot, as ready mrkdwn."""
        view = await self._views.approval(tenant, answer.approval)
        if view is None:
            return [wording.QUESTION_UNKNOWN for _ in values]
        planned = await self._views.planned_calls(view.request.thread, view.request.turn)
        by_value = {planned_value(call): call for call in planned}
        refused = [wording.PLAN_CHANGED for value in values if value not in by_value]
        approved: list[PlannedCall] = []
        for call in (by_value[value] for value in values if value in by_value):
            ahead = await self._ahead(answer, call)
            if ahead.conditions is None:
                refused.append(f"“{quoted(call.title, 100)}”: {ahead.why_not}")
            elif await self._grants.make(tenant, self._grant(answer, call, ahead.conditions), place=answer.channel):
                approved.append(call)
        if approved:
            await self._tell(answer, approved)
        return refused

    def _grant(self, answer: Answer, call: PlannedCall, conditions: Mapping[str, Condition]) -> Grant:
        now = self._clock()
        return Grant(
            id=call.grant,
            kind=GrantKind.ENVELOPE,
            channel=thread_parts(call.thread).channel,
            thread=call.thread,
            turn=call.turn,
            tool=call.tool,
            conditions=conditions,
            made_by=answer.user,
            made_at=now,
            expires_at=now + LIFETIME,
            most_uses=1,
        )

    async def _tell(self, answer: Answer, approved: Iterable[PlannedCall]) -> None:
        """Say in the thread what will run unasked."""
        calls = list(approved)
        parts = thread_parts(calls[0].thread)
        message = steps_approved(answer.user, calls)
        await self._api.write("chat.postMessage", channel=parts.channel, thread_ts=parts.root_ts, **message.content)


def _listed_call(ahead: _Ahead, titles: Mapping[NodeId, str]) -> ListedCall:
    return ListedCall(
        call=ahead.call, arguments=planned_arguments(ahead.call.args, titles) or "", why_not=ahead.why_not
    )


def _example(call: PlannedCall) -> ApprovalRequest:
    """Return the request that the call will make, as far as it is known, to ask who may approve it."""
    return ApprovalRequest(
        id=ApprovalId(""),
        thread=call.thread,
        turn=call.turn,
        node=call.node,
        kind=ApprovalKind.APPROVE,
        title=call.title,
        tool=call.tool,
        args=call.args,
        digest=Digest(""),
        author=call.author,
    )
