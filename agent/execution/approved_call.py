"""The red protocol: bind, ask, check, ledger, perform. What a person approved is exactly what runs, at most once."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from agent.approval import ApprovalKind, ApprovalRequest, Decision, DecisionRecord, WorldState
from agent.card_facts import CardFacts, Change, Corrected, Undoes, account_in, card_facts_json
from agent.errors import CallsFrozen, StoreUnavailable
from agent.execution.execution_context import ExecutionContext
from agent.execution.origins import origins_of
from agent.execution.outside_arguments import outside_arguments
from agent.execution.parking import ExecutionClosed, Participant
from agent.execution.precondition import (
    FRESH_SECONDS,
    MOST_CHANGES,
    Asked,
    Changed,
    as_edited,
    asked_about,
    call_of,
    calls_asked_for,
    change_since,
    last_asked,
)
from agent.execution.script_calls import script_origins, script_outside
from agent.execution.step import Step
from agent.execution.tool_input import Answered, InputWanted, ToolInput, asked_in, without_account
from agent.ids import ApprovalId, Digest, ToolName, UserId
from agent.plan.effects import Inverse, NoInverse, inverse_json, undone_title
from agent.plan.outcomes import (
    INPUT_REQUIRED,
    OUTCOME_UNKNOWN,
    REFUSED_BY_POLICY,
    WORLD_CHANGED,
    Cancelled,
    Comment,
    Expired,
    Failed,
    NodeState,
    Outcome,
    Rejected,
    Succeeded,
    outcome_from_json,
    outcome_json,
)
from agent.policy.call_policy import Posed, RefusedCall
from agent.ports import Bound, Heard, LedgerEntry, LedgerState, Message
from agent.tool import InputAsked, InputGiven, InputRequired, Reversibility, TooLate, WorldChanged, uptime_seconds

_log = logging.getLogger(__name__)

_AT_ONCE_SECONDS = 1.0
"""A start that takes longer to commit may come from a process that was paused and has a successor by now."""

_TOO_LATE_SECONDS = 0.5
"""The pause after which a call that was not sent is tried again: a heartbeat may come in the meantime."""

_FINISH_AFTER_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""How long the database may be away before a person is asked what we know: shorter than a worker lives without it."""

_KEEPS_CHANGING = Failed(error=WORLD_CHANGED, message="what it was to change kept changing while people were asked")
_NO_EFFECT = Failed(error=WORLD_CHANGED, message="what it was to change was another one, so nothing was changed")
_STILL_UNKNOWN = Failed(
    error=WORLD_CHANGED, message="nobody knows whether it took effect, and what it was to change is another one"
)

_UNKNOWN = "the call was started and nobody knows whether it took effect"

_ASKED = Failed(error=INPUT_REQUIRED, message="it asked a person for input, and goes on in another try")
_CALL_CHANGED = Failed(error="approval_invalid", message="what would run again is not what was approved")


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What surrounds a call."""

    #: Of the call.
    digest: Digest
    messages: Sequence[Message]
    #: `CardFacts.outside`.
    outside: Mapping[str, Sequence[str]]
    #: `CardFacts.askers`.
    askers: Sequence[UserId]


class ApprovedCall:
    """The red call of the node `asker`."""

    def __init__(self, asker: Participant, step: Step, context: ExecutionContext) -> None:
        self._asker = asker
        self._step = step
        self._context = context
        #: The call while it is under way, from before its first ledger row until after its second.
        self.in_flight: asyncio.Task[Outcome | Changed | InputWanted | None] | None = None
        self._trial: asyncio.Task[CardFacts] | None = None
        self._waiting: asyncio.Task[Failed | None] | None = None
        self._around: _Around | None = None
        #: How the effect of the call can be taken back, as it said when it ended.
        self._inverse: Inverse = None
        self._input = ToolInput(asker, step, context)
        #: By the digest of a request: read once, as it may take asking a host.
        self._reversibility: dict[Digest, Reversibility] = {}
        #: The try that a yes lets start: the first one, or the one after a try that had no effect.
        self._attempt = 1

    async def recorded(self) -> Outcome | None:
        """Return the outcome of a call that was started before; None when none was.

        Raises:
            GraphInterrupt: the run parked while a person was asked what became of the call.
        """
        return await self._connecting(self._recorded)

    async def _connecting(self, act: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
        """Act; where that needs an account that the author has not connected, ask for it and act again."""
        while True:
            try:
                return await act()
            except InputRequired as needed:  # nothing was started
                ended = await self._connect(needed.asked)
            if ended is not None:
                return ended

    async def _connect(self, asked: InputAsked) -> Outcome | None:
        """Have the author connect an account before anybody is asked about the call; return how it ends without."""
        bound = await self._context.bind(self._step)
        if isinstance(bound, Failed):
            return bound
        before = self._input.newest(bound.digest)
        if (ended := without_account(before)) is not None:
            return ended
        waiting = before is not None and before.decision is Decision.PENDING
        attempt = self._input.tries(bound.digest) + (0 if waiting else 1)
        wanted = await self._input.pose(bound, asked, attempt)
        answer = await self._input.answer(wanted) if isinstance(wanted, InputWanted) else wanted
        return None if isinstance(answer, Answered) else answer

    async def _recorded(self) -> Outcome | None:
        entry = await self._started()
        if entry is None:
            return None
        if entry.state is LedgerState.DONE:
            ended = outcome_from_json(entry.result or {})
            if ended != _ASKED:
                return ended
        question = self._input.newest(entry.digest)
        if question is not None and question.attempt == entry.attempt:
            outcome = await self._resume(entry, question)
        else:
            outcome = await self._resolve_unknown(entry)
        return None if isinstance(outcome, Changed) else outcome

    async def run(self) -> Outcome | None:
        """Ask for approval and make the call that was approved.

        Return None when the budget does not admit it now; the approval stays good.

        Raises:
            GraphInterrupt: the run parked while a person was asked.
            RunnerLost: the thread is no longer ours; nothing was called.
        """
        return await self._connecting(self._run)

    async def _run(self) -> Outcome | None:
        asked = await self._next()
        while isinstance(asked, Asked):
            request = await self._asking(asked)
            if isinstance(request, Failed):
                await self._withdraw(request.message)
                return request
            if request.id not in self._context.parking.known and not asked.is_fresh:
                asked = self._about(asked.base, await self._state(asked.base))  # a new card says how it is now
                continue
            is_new = request.id not in self._context.parking.known
            if is_new and (ended := await self._reachable(asked.bound)) is not None:
                await self._withdraw(_why(ended))
                return ended
            await self._withdraw("the call is another one now", keep=request.id)
            answer = await self._ask(request, NodeState.ASKING, asked.bound)
            if isinstance(answer, Cancelled):
                await self._withdraw(answer.why)
                return answer
            if not await self._still_counts(request, answer):
                asked = await self._next()
                continue
            if answer.decision is not Decision.APPROVED:
                return _ending_without_call(answer)
            outcome = await self._call_approved(asked, answer)
            if not isinstance(outcome, Asked):
                return outcome
            asked = outcome
        return asked

    async def _call_approved(self, asked: Asked, answer: DecisionRecord) -> Outcome | Asked | None:
        """Make the call that was approved, or return what is to be asked instead; None as for `run`."""
        # Bound anew: if anything it came from changed, the approval is void and a person is asked again.
        bound = await self._context.bind(self._step)
        if isinstance(bound, Failed):
            return bound
        still = any(call.digest == asked.base.digest for call in calls_asked_for(bound, self._records()))
        call = as_edited(asked.bound, answer)
        if not still or call.digest != answer.digest:
            return self._about(bound, await self._state(bound))
        if answer.edited is not None and (failed := await self._hopeless(call)) is not None:
            return failed
        # A freeze that came meanwhile makes the request pending again, and the approval stays good.
        with suppress(CallsFrozen):
            outcome = await self._call_if_admitted(call, _comment_of(answer))
            if not isinstance(outcome, Changed):
                return outcome
            # What the person entered stands on the new card, too.
            base = asked.base if answer.edited is None else replace(call, state=None)
            return self._about(base, outcome.state)
        return asked

    async def _next(self) -> Asked | Failed:
        """Return the call as its newest card has it; without one, in the state that its tool reads now."""
        bound = await self._context.bind(self._step)
        if isinstance(bound, Failed):
            return bound
        last = last_asked(bound, self._records())
        if last is None:
            return self._about(bound, await self._state(bound))
        base, record = last
        if record.attempt == self._attempt:
            return asked_about(base, self._records(), record.state, is_fresh=False)
        if record.edited is not None:
            base = replace(base, args=record.edited, digest=record.digest)
        return self._about(base, await self._state(base))

    async def _asking(self, asked: Asked) -> ApprovalRequest | Failed:
        """Return the request about a call, or why nobody is asked."""
        if (failed := await self._hopeless(asked.bound)) is not None:
            return failed
        if asked.changes + self._attempt > MOST_CHANGES:
            return _KEEPS_CHANGING
        request = self._request(ApprovalKind.APPROVE, asked.bound, self._attempt)
        posed = await self._posed(request)
        if isinstance(posed, RefusedCall):
            await self._context.ports.approvals.deny(request, posed.rule)
            return Failed(error=REFUSED_BY_POLICY, message=posed.words)
        return posed

    def _about(self, base: Bound, state: WorldState | None) -> Asked:
        return asked_about(base, self._records(), state, is_fresh=True)

    def _records(self) -> Sequence[DecisionRecord]:
        """Return the node's requests for approval, in the order they were asked."""
        known = self._context.parking.known
        return [record for request, record in known.items() if self._step.asks(ApprovalKind.APPROVE, request)]

    async def _state(self, bound: Bound) -> WorldState | None:
        """Return what a call is about to change as it is now; None: there is nothing to compare."""
        context, step = self._context, self._step
        return await context.ports.work.state(step.node, bound, context.call_context(step, bound))

    async def cancel(self, why: str) -> bool:
        """Withdraw the node's open card; return False, and withdraw nothing, once its call was started."""
        if await self._started() is not None:
            return False
        await self._withdraw(why)
        return True

    async def _call_if_admitted(self, bound: Bound, comment: Comment | None) -> Outcome | Changed | None:
        if not self._context.budget_gate.admits(self._asker):
            self._context.show(self._step.id, NodeState.PLANNED)
            return None
        return await self._admitted(bound) or await self._call(bound, self._attempt, comment)

    async def _reachable(self, bound: Bound) -> Failed | Cancelled | None:
        """Wait until a call may be made where this one goes: who approves must not find out later."""
        context, step = self._context, self._step
        called_for = step.context(bound, context.lease.not_after)
        return await self._waited(context.ports.work.reachable(step.node, bound, called_for))

    async def _admitted(self, bound: Bound, *, again: bool = False) -> Failed | Cancelled | None:
        """Wait, before the ledger knows of the call, until it may be sent; return how it ends without being sent.

        `again`: a person said to run it again, which no cancel takes back.
        """
        context, step = self._context, self._step
        called_for = step.context(bound, context.lease.not_after)
        admission = context.ports.work.admitted(step.node, bound, called_for)
        return await (admission if again else self._waited(admission))

    async def _waited(self, wait: Coroutine[object, object, Failed | None]) -> Failed | Cancelled | None:
        waiting = self._waiting = asyncio.create_task(wait, name=f"admission of {self._step.id}")
        if self._asker.cancelled is not None:
            waiting.cancel()
        try:
            await asyncio.wait([waiting])
        finally:
            self._waiting = None
            waiting.cancel()
        if self._asker.cancelled is not None:
            return Cancelled(why=self._asker.cancelled)
        if waiting.cancelled():
            raise ExecutionClosed
        return waiting.result()

    async def _resolve_unknown(self, started: LedgerEntry) -> Outcome | Changed:
        """Ask what became of the call that was started, whatever the node would be bound to by now.

        The answer is about that very call, and only that call may run again: what it was to change may be another one
        because of it, or of somebody else, and then it is asked about like a call that was never started.
        """
        bound = await self._context.bind(self._step)
        same = call_of(bound, started.digest, self._records()) if isinstance(bound, Bound) else None
        request = self._request(ApprovalKind.UNKNOWN, same or self._unbound(started.digest), started.attempt)
        posed = await self._posed(request)
        request = posed if isinstance(posed, ApprovalRequest) else request
        answer = await self._ask(request, NodeState.UNKNOWN, same)
        decision = answer.decision if isinstance(answer, DecisionRecord) else None
        while decision is Decision.AGAIN and same is not None:
            if (ended := await self._admitted(same, again=True)) is not None:
                outcome = Failed(error=OUTCOME_UNKNOWN, message=f"{_UNKNOWN}; it did not run again: {_why(ended)}")
                await self._finish(started.attempt, outcome)
                return outcome
            with suppress(CallsFrozen):
                comment = _comment_of(answer) if isinstance(answer, DecisionRecord) else None
                outcome = await self._call(same, started.attempt + 1, comment)
                if isinstance(outcome, Changed) and self._attempt <= started.attempt:  # nothing was started again
                    await self._ask_anew(started.attempt, _STILL_UNKNOWN)
                return outcome
            answer = await self._ask(request, NodeState.UNKNOWN, same)
            decision = answer.decision if isinstance(answer, DecisionRecord) else None
        if decision is Decision.AGAIN:
            outcome = bound if isinstance(bound, Failed) else _CALL_CHANGED
        else:
            outcome = _outcome_of_unknown(answer)
        await self._finish(started.attempt, outcome)
        return outcome

    async def _resume(self, asked: LedgerEntry, question: DecisionRecord) -> Outcome | Changed:
        """Go on with a call whose newest try ended by asking a person, if it is still the call that was approved."""
        await self._finish(asked.attempt, _ASKED)  # it may have died right before
        bound = await self._context.bind(self._step)
        same = call_of(bound, asked.digest, self._records()) if isinstance(bound, Bound) else None
        if same is None:
            return bound if isinstance(bound, Failed) else _CALL_CHANGED
        yes = next((record for record in self._records() if record.digest == asked.digest), None)
        comment = None if yes is None else _comment_of(yes)
        return await self._go_on(InputWanted(bound=same, asked=asked_in(question), attempt=asked.attempt), comment)

    async def _go_on(self, wanted: InputWanted, comment: Comment | None) -> Outcome | Changed:
        """Ask what a call wants to know, and make it again with the answer."""
        while True:
            answer = await self._input.answer(wanted)
            if not isinstance(answer, Answered):
                return answer
            if (ended := await self._admitted(wanted.bound)) is not None:
                return ended
            with suppress(CallsFrozen):  # a freeze that came meanwhile opens the question again
                outcome = await self._call(wanted.bound, wanted.attempt + 1, comment, answer.given)
                if isinstance(outcome, Changed):
                    self._attempt = max(self._attempt, wanted.attempt + 1)
                return outcome

    async def _call(
        self, bound: Bound, attempt: int, comment: Comment | None, given: InputGiven | None = None
    ) -> Outcome | Changed:
        """Make the call in a task of its own: a cancelled execution does not cancel it half-way.

        Its effect may be out already, and a finished row spares a person the question what became of it.
        """
        call = self.in_flight = asyncio.create_task(
            self._call_once(bound, attempt, comment, given), name=f"red call {self._step.id}"
        )
        call.add_done_callback(self._landed)
        outcome = await asyncio.shield(call)
        if isinstance(outcome, InputWanted):
            return await self._go_on(outcome, comment)
        if outcome is not None:
            return outcome
        started = LedgerEntry(state=LedgerState.STARTED, attempt=attempt, digest=bound.digest)
        return await self._resolve_unknown(started)

    def _landed(self, _call: asyncio.Task[Outcome | Changed | InputWanted | None]) -> None:
        self.in_flight = None

    async def _call_once(
        self, bound: Bound, attempt: int, comment: Comment | None, given: InputGiven | None
    ) -> Outcome | Changed | InputWanted | None:
        """Perform between the ledger's two rows.

        Return None when nobody knows what became of this very attempt: it was started before, or it ended so. Its
        second row waits for what a person says.

        Raises:
            CallsFrozen: a freeze stands; nothing was started.
        """
        context, step = self._context, self._step
        began = time.monotonic()
        await context.lease.check()
        if context.parking.closed:
            raise ExecutionClosed
        checked = await self._check(bound, FRESH_SECONDS)
        if isinstance(checked, Changed):
            return checked
        account = None if bound.state is None else account_in(bound.state)
        if not await context.ports.ledger.start(
            context.thread, step.id, bound.digest, attempt, tool=bound.tool, account=account
        ):
            return None
        if time.monotonic() - began > _AT_ONCE_SECONDS:
            await context.lease.check()
        context.show(step.id, NodeState.RUNNING)
        self._inverse = None
        try:
            outcome = await self._perform(bound, checked, given)
        except InputRequired as needed:
            wanted = await self._input.pose(bound, needed.asked, attempt)  # first: then the next process knows, too
            await self._finish(attempt, _ASKED if isinstance(wanted, InputWanted) else wanted)
            return wanted
        if isinstance(outcome, Changed):
            await self._ask_anew(attempt, _NO_EFFECT)
            return outcome
        if isinstance(outcome, Failed) and outcome.error == OUTCOME_UNKNOWN:
            _log.warning("asking what became of %s of %s: %s", step.id, context.thread, outcome.message)
            return None
        if comment is not None and isinstance(outcome, Succeeded | Failed):
            outcome = replace(outcome, comment=comment)
        await self._finish(attempt, outcome, self._inverse if isinstance(outcome, Succeeded) else None)
        return outcome

    async def _check(self, bound: Bound, fresh_seconds: float) -> float | Changed:
        """Read again what the call is about to change; return until when that counts, in `uptime_seconds`."""
        if bound.state is None:
            return math.inf
        until = uptime_seconds() + fresh_seconds  # from before the read: it is as old as its question
        state = await self._state(bound)
        return until if state == bound.state else Changed(state=state)

    async def _perform(self, bound: Bound, checked: float, given: InputGiven | None) -> Outcome | Changed:
        """Make the call as soon as this process is known to live, and what it is to change to be as it was.

        `checked` is until when the latter counts.

        Raises:
            RunnerLost: the thread has another runner; nothing was sent.
            InputRequired: the call had no effect, and wants to know something.
        """
        context, step = self._context, self._step
        until, fresh_seconds = checked, FRESH_SECONDS
        while True:
            not_after = partial(_earlier, context.lease.not_after, until)
            try:
                called_for = context.call_context(
                    step, bound, not_after=not_after, note_inverse=self._note_inverse, given=given
                )
                return await context.ports.work.perform(step.node, bound, called_for)
            except WorldChanged:
                return Changed(state=await self._state(bound))
            except TooLate:
                with suppress(StoreUnavailable):
                    await context.lease.check()
                if uptime_seconds() <= until:
                    await asyncio.sleep(_TOO_LATE_SECONDS)
            if uptime_seconds() > until:
                fresh_seconds *= 2
                again = await self._check(bound, fresh_seconds)
                if isinstance(again, Changed):
                    return again
                until = again

    def _note_inverse(self, inverse: Inverse) -> None:
        self._inverse = inverse

    async def _ask_anew(self, attempt: int, why: Failed) -> None:
        """Commit that the call may be asked about like one that was never started, by the next try."""
        await self._finish(attempt, why, NoInverse.IN_DOUBT if why is _STILL_UNKNOWN else None)
        self._attempt = attempt + 1

    async def _finish(self, attempt: int, outcome: Outcome, inverse: Inverse = None) -> None:
        """Commit the call's outcome, also when the database is away for a moment."""
        finish = partial(
            self._context.ports.ledger.finish,
            self._context.thread,
            self._step.id,
            attempt,
            outcome_json(outcome),
            inverse_json(inverse),
        )
        for seconds in _FINISH_AFTER_SECONDS:
            try:
                return await finish()
            except StoreUnavailable:
                await asyncio.sleep(seconds)
        return await finish()

    async def _hopeless(self, bound: Bound) -> Failed | None:
        """Return how the call would fail even with a yes: then nobody is asked."""
        context, step = self._context, self._step
        return await context.ports.work.hopeless(step.node, bound, context.call_context(step, bound))

    async def _ask(self, request: ApprovalRequest, state: NodeState, bound: Bound | None) -> DecisionRecord | Cancelled:
        """Ask about a call; `bound` is None when it can no longer be resolved."""
        if request.id not in self._context.parking.known:
            facts = await self._facts(request)
            if bound is not None and bound.state is not None:
                facts = await self._with_state(facts, request, bound, bound.state)
            request = replace(request, facts=card_facts_json(facts))
        self._context.show(self._step.id, state)
        return await self._asker.ask(request)

    async def _with_state(
        self, facts: CardFacts, request: ApprovalRequest, bound: Bound, state: WorldState
    ) -> CardFacts:
        """Return the facts with what the call is to change, and how that differs from what was asked about before."""
        if request.kind is ApprovalKind.APPROVE:
            return replace(facts, state=state, change=change_since(self._records(), request.attempt, state))
        now = await self._state(bound)
        return replace(facts, state=now, change=None if now == state else Change(was=state, approved=True))

    async def _facts(self, request: ApprovalRequest) -> CardFacts:
        """Return what the card of a new request shows besides the arguments."""
        context, step = self._context, self._step
        around = await self._look_around(request)
        undoes = self._undoes()
        origins = {} if undoes else origins_of(step.written, context.sources.title, around.messages)
        about = self._trial = asyncio.create_task(
            self._facts_of_tool(request, dry_run=request.kind is ApprovalKind.APPROVE), name=f"facts of {step.id}"
        )
        try:
            await asyncio.wait([about])
        finally:
            self._trial = None
            about.cancel()
        found = CardFacts() if about.cancelled() else about.result()
        return replace(
            found,
            origins=script_origins(step, context) or origins,
            outside=around.outside,
            undoes=undoes,
            corrected=await self._corrected(),
            askers=tuple(around.askers),
        )

    def _undoes(self) -> Undoes | None:
        """Return which effect the call takes back, if that is what it is for, and who let it happen."""
        undone = self._step.node.undoes
        if undone is None:
            return None
        records = self._context.parking.known.values()
        yeses = [
            record
            for record in records
            if record.node == undone and record.kind is ApprovalKind.APPROVE and record.decision is Decision.APPROVED
        ]
        last = yeses[-1] if yeses else None
        return Undoes(title=undone_title(self._step.node), by=last.by if last else None, at=last.at if last else None)

    async def _corrected(self) -> Corrected | None:
        """Return whether the call is planned anew because a person set a result, and was made before.

        The old call may have begun while the correction was planned: the ledger knows.
        """
        node = self._step.node
        if node.replaces is None:
            return None
        made = node.done_before or _may_have_effect(
            await self._context.ports.ledger.read(self._step.thread, node.replaces)
        )
        return Corrected.AGAIN if made else Corrected.FIRST

    async def _look_around(self, request: ApprovalRequest) -> "_Around":
        """Return what people wrote in this turn, and what of outside text the call holds; read once for each call."""
        if self._around is None or self._around.digest != request.digest:
            context, step = self._context, self._step
            # the messages whose plan still streams are untaken until it ends
            heard = await context.ports.mailbox.heard(context.thread, step.turn, step.node.item_of or step.id)
            outside = {
                **await outside_arguments(context, step, heard.messages),
                **await script_outside(step, context),
            }
            self._around = _Around(
                digest=request.digest,
                messages=heard.messages,
                outside=outside,
                askers=tuple(sorted(self._askers(heard))),
            )
        return self._around

    def _askers(self, heard: Heard) -> AbstractSet[UserId]:
        """Return who else asked for the call: whose messages, or words to a decision, it was planned after."""
        worded = {
            record.by
            for record in self._context.parking.known.values()
            if record.by is not None and (record.reason or record.decision is Decision.BY_HAND)
            if heard.planned_at is None or (record.at is not None and record.at <= heard.planned_at)
        }
        return (heard.authors | worded) - {self._step.author}

    async def _facts_of_tool(self, request: ApprovalRequest, *, dry_run: bool) -> CardFacts:
        context, step = self._context, self._step
        bound = Bound(tool=request.tool, args=request.args, digest=request.digest)
        called_for = context.call_context(step, bound)
        known = self._reversibility.get(request.digest)
        found = await context.ports.work.facts(step.node, bound, called_for, dry_run=dry_run, reversibility=known)
        self._reversibility[request.digest] = found.reversibility
        return found

    def stop_waiting(self) -> None:
        """Wait no longer for the dry run, nor for what the call needs: the node was cancelled."""
        for task in (self._trial, self._waiting):
            if task is not None:
                task.cancel()

    async def _posed(self, request: ApprovalRequest) -> Posed:
        """Return the request with what the policy asks for, which may look at how its effect can be taken back."""
        policy, known = self._context.ports.policy, self._context.parking.known
        if policy is None:
            return request
        if request.id not in known:
            around = await self._look_around(request)
            tools = await self._facts_of_tool(request, dry_run=False)
            about = replace(
                tools, outside=around.outside, askers=tuple(around.askers), corrected=await self._corrected()
            )
            request = replace(request, facts=card_facts_json(about))
        return await policy.posed(request, known)

    async def _still_counts(self, request: ApprovalRequest, answer: DecisionRecord) -> bool:
        """Return whether the answer is final: an approval may be too old, an expired request be asked again."""
        policy = self._context.ports.policy
        return policy is None or await policy.still_counts(request, answer)

    def _request(self, kind: ApprovalKind, bound: Bound, attempt: int) -> ApprovalRequest:
        return self._step.question(kind, bound, attempt, self._context.frontier.behind(self._step.id))

    def _unbound(self, digest: Digest) -> Bound:
        """Return what "outcome unknown" shows of a call whose arguments can no longer be resolved."""
        node = self._step.node
        return Bound(tool=node.tool or ToolName(node.kind.value), args={}, digest=digest)

    async def _withdraw(self, why: str, keep: ApprovalId | None = None) -> None:
        """Withdraw the node's open approvals; found by node, as its arguments may be others by now."""
        requests = self._context.ports.approvals
        for request, record in self._context.parking.known.items():  # a copy: `learn` replaces it
            pending = record.decision is Decision.PENDING
            if pending and request != keep and self._step.asks(ApprovalKind.APPROVE, request):
                self._context.parking.learn(await requests.withdraw(self._context.thread, request, why))

    async def _started(self) -> LedgerEntry | None:
        """Return the newest try of the call, unless the call is to be asked about again."""
        entry = await self._context.ports.ledger.read(self._context.thread, self._step.id)
        if entry is None or entry.state is not LedgerState.DONE:
            return entry
        outcome = outcome_from_json(entry.result or {})
        if not isinstance(outcome, Failed) or outcome.error != WORLD_CHANGED:
            return entry
        self._attempt = entry.attempt + 1
        return None


def _earlier(not_after: Callable[[], float], until: float) -> float:
    return min(not_after(), until)


def _comment_of(record: DecisionRecord) -> Comment | None:
    """Return what the person said who decided."""
    return Comment(by=record.by or UserId(""), text=record.reason) if record.reason else None


def _ending_without_call(record: DecisionRecord) -> Outcome:
    """Return the outcome of a call that nobody let run. Only a person's no is a rejection."""
    match record.decision:
        case Decision.CHANGES:
            return Cancelled(why=record.reason, by=record.by)
        case Decision.BY_HAND:
            return Succeeded(value={"done_by_hand_by": record.by, "entered": record.result})
        case Decision.REJECTED:
            return Rejected(by=record.by or UserId(""), reason=record.reason)
        case Decision.EXPIRED:
            return Expired()
        case Decision.WITHDRAWN:
            return Cancelled(why=record.reason)
        case _:
            return Failed(error="approval_invalid", message=f"an approval cannot be {record.decision.value}")


def _outcome_of_unknown(answer: DecisionRecord | Cancelled) -> Outcome:
    """Return the outcome of a node whose call has an unknown one, by a person's answer; doubt is a failure."""
    if isinstance(answer, DecisionRecord) and answer.decision is Decision.HAPPENED:
        return Succeeded(value={"confirmed_by": answer.by}, comment=_comment_of(answer))
    return Failed(error=OUTCOME_UNKNOWN, message=_UNKNOWN)


def _why(ended: Failed | Cancelled) -> str:
    return ended.message if isinstance(ended, Failed) else ended.why


def _may_have_effect(entry: LedgerEntry | None) -> bool:
    """Return whether a call that the ledger has may have changed something."""
    if entry is None or entry.result is None:
        return entry is not None
    outcome = outcome_from_json(entry.result)
    return not isinstance(outcome, Failed) or outcome.error == OUTCOME_UNKNOWN
