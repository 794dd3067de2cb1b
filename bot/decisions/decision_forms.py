"""Forms of a card: opened by its menu, checked and carried out when they are submitted.

A form carries no authority: everything is read again when it is submitted. What the person typed is lost neither by a
mistake, which stands under its field, nor by a race, after which they get it back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.approval import ApprovalKind, Decision, Refusal
from agent.card_facts import card_facts_of
from agent.errors import AgentError
from agent.ids import Tenant, ToolName
from agent.plan.confidential import confidential_places
from agent.plan.json_schema import schema_issues
from agent.plan.json_values import sanitized_text
from agent.plan.operations import NodeKind, canonical_json
from agent.policy.requirement import begun_anew
from agent.ports import Approvals
from agent.tool import Tool
from bot import wording
from bot.cards.card import choices
from bot.cards.decision_forms import (
    DECISION,
    REQUESTS,
    WORDS,
    by_hand_form,
    changes_form,
    comment_form,
    edit_form,
    input_form,
    loading,
    notice,
)
from bot.cards.edit_form import ArgumentField, entered, fields_of, parsed_json, schema_errors
from bot.cards.tool_questions import answers_in
from bot.decisions.approvals import ApprovalHandler, Objection, objection_of
from bot.decisions.together import TogetherHandler
from bot.elements import Block, quoted
from bot.errors import BotError
from bot.payloads import Answer, Form, FormClick, FormSubmission, Payload
from bot.ports import ApprovalView, OpenRequests, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Principals
from sandbox.script import Json

_log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
"""Slack waits three seconds for what is wrong with a form."""

_MAY_EDIT = frozenset({Refusal.OWN_REQUEST, Refusal.ASKED_TOO, Refusal.NOT_AN_APPROVER, Refusal.NOBODY})
"""Who may not approve for one of these reasons may still propose other arguments."""


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A submission that was checked."""

    answer: Answer
    view: ApprovalView
    reason: str = ""
    result: Json = None
    edited: Mapping[str, Json] | None = None
    #: The edit is a proposal: its author may not approve.
    only_proposes: bool = False
    #: What the person typed.
    words: str = ""


class DecisionFormHandler:
    """Opens and takes forms. Keeps no state: it works the same in every process."""

    def __init__(
        self,
        approvals: Approvals,
        requests: OpenRequests,
        views: RunViews,
        clicks: ApprovalHandler,
        principals: Principals,
        api: WebApi,
        together: TogetherHandler,
        find_tool: Callable[[ToolName], Tool | None],
    ) -> None:
        self._approvals = approvals
        self._requests = requests
        self._views = views
        self._clicks = clicks
        self._principals = principals
        self._api = api
        self._together = together
        self._find_tool = find_tool

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Open the form at once, then fill it: a trigger lives three seconds, a look at Slack may take longer."""
        await ack()
        click = FormClick.read(body)
        if click is None:
            if isinstance(url := body.get("response_url"), str) and url:
                await self._api.respond(
                    url, response_type="ephemeral", replace_original=False, text=wording.NOT_A_DECISION
                )
            return
        tenant = (await self._principals.identity()).tenant
        if click.form is Form.CLAIM:
            await self._claim(click.answer(Decision.REJECTED), tenant)
            return
        opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading(click.form))
        try:
            content = await self._content(click, tenant)
        except (BotError, AgentError) as error:
            _log.warning("could not fill the form %s: %s", click.form, error)
            content = notice(click.form, wording.FORM_GONE)
        await self._api.write("views.update", view_id=str(opened["view"]["id"]), view=content)

    async def on_submission(self, ack: AsyncAck, body: Payload) -> None:
        """Say within Slack's time what is wrong with the form, or close it and carry it out."""
        submission = FormSubmission.read(body)
        if submission is None:
            await ack()
            return
        tenant = (await self._principals.identity()).tenant
        if submission.form is Form.ALL:
            await ack()
            await self._answered(submission.answer(Decision.APPROVED), self._together.carry_out(submission, tenant))
            return
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                ready = await self._checked(submission, tenant)
        except (TimeoutError, BotError, AgentError) as error:
            _log.warning("could not check the form %s: %s", submission.form, type(error).__name__)
            ready = {_first_input(submission): wording.FORM_NOT_CHECKED}
        if isinstance(ready, _Ready):
            await ack()
            await self._answered(ready.answer, self._carry_out(ready, tenant))
        else:
            await ack(response_action="errors", errors=dict(ready))

    async def _answered(self, answer: Answer, words: Awaitable[str]) -> None:
        """Tell the person what came of a form, if the card does not say it."""
        try:
            told = await words
        except (BotError, AgentError) as error:
            _log.error("a form was not carried out", exc_info=error)
            told = wording.FORM_FAILED
        if told:
            await self._clicks.whisper(answer, told)

    # Opening

    async def _content(self, click: FormClick, tenant: Tenant) -> Block:
        """Return the form, or why there is none for this person."""
        answer = click.answer(Decision.APPROVED)
        view = await self._views.approval(tenant, answer.approval)
        if view is None:
            return notice(click.form, wording.QUESTION_UNKNOWN)
        no = Decision.DECLINED if view.request.kind is ApprovalKind.INPUT else Decision.REJECTED
        if (stale := objection_of(replace(answer, decision=no), view)) is not None:
            if stale.stale:
                await self._clicks.lock(answer, view)
            return notice(click.form, stale.words)
        match click.form:
            case Form.COMMENT:
                return await self._comment_form(answer, tenant, view)
            case Form.CHANGES:
                objection = await self._objection(answer, Decision.CHANGES, tenant, view)
                return changes_form(view, answer) if objection is None else notice(click.form, objection.words)
            case Form.BY_HAND:
                objection = await self._objection(answer, Decision.BY_HAND, tenant, view)
                return by_hand_form(view, answer) if objection is None else notice(click.form, objection.words)
            case Form.INPUT:
                objection = await self._objection(answer, Decision.ANSWERED, tenant, view)
                return input_form(view, answer) if objection is None else notice(click.form, objection.words)
            case Form.EDIT:
                return await self._edit_form(answer, tenant, view)
            case Form.ALL:
                return await self._together.form(answer, tenant, view)
            case Form.CLAIM:
                return notice(click.form, wording.NOT_A_DECISION)
            case _:
                assert_never(click.form)

    async def _objection(
        self, answer: Answer, decision: Decision, tenant: Tenant, view: ApprovalView
    ) -> Objection | None:
        return await self._clicks.objection(replace(answer, decision=decision), tenant, view)

    async def _comment_form(self, answer: Answer, tenant: Tenant, view: ApprovalView) -> Block:
        no = await self._objection(answer, Decision.REJECTED, tenant, view)
        yes = await self._objection(answer, Decision.APPROVED, tenant, view)
        found = {Decision.APPROVED: yes, Decision.REJECTED: no}
        allowed = [decision for decision, objection in found.items() if objection is None]
        if not allowed:
            return notice(Form.COMMENT, no.words if no else wording.NOT_FOR_THIS_QUESTION)
        return comment_form(view, answer, allowed)

    async def _edit_form(self, answer: Answer, tenant: Tenant, view: ApprovalView) -> Block:
        fields = self._fields(view)
        if isinstance(fields, str):
            return notice(Form.EDIT, fields)
        if isinstance(approves := await self._edit_permission(answer, tenant, _begun_anew(view)), Objection):
            return notice(Form.EDIT, approves.words)
        return edit_form(view, answer, fields, approves=approves)

    def _fields(self, view: ApprovalView) -> Sequence[ArgumentField] | str:
        """Return the fields of the arguments, or why they cannot be edited."""
        schema = self._schema_of(view)
        if schema is None or view.request.kind is not ApprovalKind.APPROVE or view.request.tool in frozenset(NodeKind):
            return wording.EDIT_NOT_HERE
        fields = fields_of(schema, view.args, _confidential(view, schema))
        return wording.EDIT_TOO_LONG if fields is None else fields or wording.EDIT_NOT_HERE

    def _schema_of(self, view: ApprovalView) -> Mapping[str, Json] | None:
        return None if (tool := self._find_tool(view.request.tool)) is None else tool.arguments

    async def _edit_permission(self, answer: Answer, tenant: Tenant, view: ApprovalView) -> bool | Objection:
        """Return whether this person's edit is an approval, too; or why they may not edit."""
        if (objection := objection_of(answer, view)) is not None:
            return objection
        refusal = await self._clicks.refusal(answer, tenant, view.request)
        if refusal is None:
            return True
        here = await self._principals.in_channel(answer.channel, answer.user) if refusal in _MAY_EDIT else False
        return False if here else Objection(refusal.value, wording.refusal(refusal, view.request.kind))

    # Submitting

    async def _checked(self, submission: FormSubmission, tenant: Tenant) -> _Ready | Mapping[str, str]:
        """Return what to carry out, or block id -> what is wrong; then nothing changed, and the form stays open."""
        answer = submission.answer(Decision.APPROVED)
        view = await self._views.approval(tenant, answer.approval)
        first = _first_input(submission)
        if view is None:
            return {first: wording.QUESTION_UNKNOWN}
        words = sanitized_text(submission.text(WORDS)).strip()
        match submission.form:
            case Form.COMMENT:
                chosen = submission.chosen(DECISION)
                if chosen not in (Decision.APPROVED, Decision.REJECTED):
                    return {DECISION: wording.PLEASE_CHOOSE}
                ready = _Ready(answer=submission.answer(Decision(chosen)), view=view, reason=words, words=words)
            case Form.CHANGES | Form.BY_HAND if not words:
                return {WORDS: wording.PLEASE_WRITE}
            case Form.CHANGES:
                ready = _Ready(answer=submission.answer(Decision.CHANGES), view=view, reason=words, words=words)
            case Form.BY_HAND:
                value = parsed_json(words)
                result = words if value is None or value.value is None else value.value
                ready = _Ready(answer=submission.answer(Decision.BY_HAND), view=view, result=result, words=words)
            case Form.INPUT:
                answers, wrong = await answers_in(view.request, submission)
                if wrong:
                    return wrong
                ready = _Ready(answer=submission.answer(Decision.ANSWERED), view=view, result=answers)
            case _:
                return await self._checked_edit(submission, tenant, view)
        today = await self._clicks.examined(ready.answer, tenant, view)
        if isinstance(today, Objection):
            return await self._refused(ready.answer, view, today, first)
        return replace(ready, view=today)

    async def _checked_edit(
        self, submission: FormSubmission, tenant: Tenant, view: ApprovalView
    ) -> _Ready | Mapping[str, str]:
        answer, first = submission.answer(Decision.APPROVED), _first_input(submission)
        view = _begun_anew(view)
        approves = await self._edit_permission(answer, tenant, view)
        if isinstance(approves, Objection):
            return await self._refused(answer, view, approves, first)
        fields = self._fields(view)
        if isinstance(fields, str):
            return {first: fields}
        args, errors = entered(fields, view.args, submission)
        schema = self._schema_of(view) or {}
        if not errors:
            quotes = not _confidential(view, schema)
            errors = schema_errors(fields, await schema_issues(args, schema), quotes=quotes)
        if errors:
            return errors
        if canonical_json(args) == canonical_json(view.args):
            return {first: wording.EDIT_SAME}
        shown = replace(view, record=replace(view.record, edited=args))
        if Decision.APPROVED not in choices(shown):
            return {first: wording.EDITED_TOO_LONG}
        today = await self._clicks.examined(answer, tenant, shown) if approves else view
        if isinstance(today, Objection):
            return await self._refused(answer, view, today, first)
        return _Ready(answer=answer, view=today, edited=args, only_proposes=not approves)

    async def _refused(
        self, answer: Answer, view: ApprovalView, objection: Objection, block_id: str
    ) -> Mapping[str, str]:
        await self._clicks.refuse(answer, view, objection)
        return {block_id: objection.words}

    async def _carry_out(self, ready: _Ready, tenant: Tenant) -> str:
        """Change the row; return what the person is told, empty when the card says it."""
        answer = ready.answer
        if ready.edited is not None and ready.only_proposes:
            saved = await self._requests.edit(
                tenant,
                answer.approval,
                version=answer.version,
                by=answer.user,
                args=ready.edited,
                place=answer.channel,
            )
        else:
            decided = await self._approvals.decide(
                tenant,
                answer.approval,
                version=answer.version,
                by=answer.user,
                decision=answer.decision,
                reason=ready.reason,
                place=answer.channel,
                result=ready.result,
                edited=ready.edited,
                checked=self._clicks.checked(ready.view),
            )
            saved = decided is not None
        if not saved:
            objection = await self._clicks.too_late(answer, tenant)
            return wording.with_your_words(objection.words, quoted(ready.words, 2000) if ready.words else "")
        if (now := await self._views.approval(tenant, answer.approval)) is not None:
            await self._clicks.lock(answer, now)
        return wording.EDIT_SAVED if ready.only_proposes else ""

    async def _claim(self, answer: Answer, tenant: Tenant) -> None:
        """Note that the person looks at the request, or no longer does; the card says so, at whatever version it is."""
        view = await self._views.approval(tenant, answer.approval)
        if view is None:
            await self._clicks.whisper(answer, wording.QUESTION_UNKNOWN)
            return
        answer = replace(answer, version=view.version)
        if (objection := await self._clicks.objection(answer, tenant, view)) is not None:
            await self._clicks.refuse(answer, view, objection)
            await self._clicks.whisper(answer, objection.words)
            return
        await self._requests.claim(tenant, answer.approval, by=answer.user)
        if (now := await self._views.approval(tenant, answer.approval)) is not None:
            await self._clicks.lock(answer, now)


def _begun_anew(view: ApprovalView) -> ApprovalView:
    """Return the request as an edit leaves it, besides its arguments: without the approvals so far."""
    takes = view.request.requirement
    begun = replace(view.request, requirement=None if takes is None else begun_anew(takes))
    return replace(view, request=begun, votes=())


def _confidential(view: ApprovalView, schema: Mapping[str, Json]) -> Sequence[str]:
    """Return the places of what was confidential when the request was asked, or is by now."""
    return [*card_facts_of(view.request).confidential, *confidential_places(schema)]


def _first_input(submission: FormSubmission) -> str:
    """Return the block under which a form says what is wrong with the whole of it."""
    match submission.form:
        case Form.COMMENT:
            return DECISION
        case Form.ALL:
            return REQUESTS
        case Form.EDIT | Form.INPUT:
            return min(submission.values, default="argument-0", key=lambda block_id: (len(block_id), block_id))
        case _:
            return WORDS
