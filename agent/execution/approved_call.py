"""The red protocol: bind, ask, ledger, perform. What a person approved is exactly what runs, at most once."""

import asyncio
import logging
import time
from contextlib import suppress

from agent.approval import ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.errors import StoreUnavailable
from agent.execution.execution_context import ExecutionContext
from agent.execution.parking import ExecutionClosed, Participant
from agent.execution.step import Step
from agent.ids import ApprovalId, Digest, ToolName, UserId
from agent.plan.outcomes import (
    OUTCOME_UNKNOWN,
    Cancelled,
    Expired,
    Failed,
    NodeState,
    Outcome,
    Rejected,
    Succeeded,
    outcome_from_json,
    outcome_json,
)
from agent.ports import Bound, LedgerEntry, LedgerState
from agent.tool import TooLate

_log = logging.getLogger(__name__)

_AT_ONCE_SECONDS = 1.0
"""A start that takes longer to commit may come from a process that was paused and has a successor by now."""

_TOO_LATE_SECONDS = 0.5
"""The pause after which a call that was not sent is tried again: a heartbeat may come in the meantime."""

_FINISH_AFTER_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""How long the database may be away before a person is asked what we know: shorter than a worker lives without it."""

_CALL_CHANGED = Failed(error="approval_invalid", message="what would run again is not what was approved")


class ApprovedCall:
    """The red call of the node `asker`."""

    def __init__(self, asker: Participant, step: Step, context: ExecutionContext) -> None:
        self._asker = asker
        self._step = step
        self._context = context
        #: The call while it is under way, from before its first ledger row until after its second.
        self.in_flight: asyncio.Task[Outcome | None] | None = None

    async def recorded(self) -> Outcome | None:
        """Return the outcome of a call that was started before; None when none was.

        Raises:
            GraphInterrupt: the run parked while a person was asked what became of the call.
        """
        entry = await self._read_ledger()
        if entry is None:
            return None
        if entry.state is LedgerState.DONE:
            return outcome_from_json(entry.result or {})
        return await self._resolve_unknown(entry)

    async def run(self) -> Outcome | None:
        """Ask for approval and make the call that was approved.

        Return None when the budget does not admit it now; the approval stays good.

        Raises:
            GraphInterrupt: the run parked while a person was asked.
            RunnerLost: the thread is no longer ours; nothing was called.
        """
        bound = await self._context.bind(self._step)
        while isinstance(bound, Bound):
            if (failed := await self._hopeless(bound)) is not None:
                await self._withdraw(failed.message)
                return failed
            request = self._request(ApprovalKind.APPROVE, bound, attempt=1)
            await self._withdraw("the call is another one now", keep=request.id)
            answer = await self._ask(request, NodeState.ASKING)
            if isinstance(answer, Cancelled):
                await self._withdraw(answer.why)
                return answer
            if answer.decision is not Decision.APPROVED:
                return _refusal(answer)
            # Bound anew: if anything it came from changed, the approval is void and a person is asked again.
            bound = await self._context.bind(self._step)
            if isinstance(bound, Bound) and bound.digest == answer.digest:
                return await self._call_if_admitted(bound)
        return bound

    async def cancel(self, why: str) -> bool:
        """Withdraw the node's open card; return False, and withdraw nothing, once its call was started."""
        if await self._read_ledger() is not None:
            return False
        await self._withdraw(why)
        return True

    async def _call_if_admitted(self, bound: Bound) -> Outcome | None:
        if not self._context.budget_gate.admits(self._asker):
            self._context.show(self._step.id, NodeState.PLANNED)
            return None
        if self._asker.cancelled is not None:
            return Cancelled(why=self._asker.cancelled)
        return await self._call(bound, attempt=1)

    async def _resolve_unknown(self, started: LedgerEntry) -> Outcome:
        """Ask what became of the call that was started, whatever the node would be bound to by now.

        The answer is about that very call, and only that call may run again.
        """
        bound = await self._context.bind(self._step)
        same = bound if isinstance(bound, Bound) and bound.digest == started.digest else None
        request = self._request(ApprovalKind.UNKNOWN, same or self._unbound(started.digest), started.attempt)
        answer = await self._ask(request, NodeState.UNKNOWN)
        decision = answer.decision if isinstance(answer, DecisionRecord) else None
        if decision is Decision.AGAIN and same is not None:
            return await self._call(same, started.attempt + 1)
        if decision is Decision.AGAIN:
            outcome = bound if isinstance(bound, Failed) else _CALL_CHANGED
        else:
            outcome = _outcome_of_unknown(answer)
        await self._finish(started.attempt, outcome)
        return outcome

    async def _call(self, bound: Bound, attempt: int) -> Outcome:
        """Make the call in a task of its own: a cancelled execution does not cancel it half-way.

        Its effect may be out already, and a finished row spares a person the question what became of it.
        """
        call = self.in_flight = asyncio.create_task(self._call_once(bound, attempt), name=f"red call {self._step.id}")
        call.add_done_callback(self._landed)
        outcome = await asyncio.shield(call)
        if outcome is not None:
            return outcome
        started = LedgerEntry(state=LedgerState.STARTED, attempt=attempt, digest=bound.digest)
        return await self._resolve_unknown(started)

    def _landed(self, _call: asyncio.Task[Outcome | None]) -> None:
        self.in_flight = None

    async def _call_once(self, bound: Bound, attempt: int) -> Outcome | None:
        """Perform between the ledger's two rows.

        Return None when nobody knows what became of this very attempt: it was started before, or it ended so. Its
        second row waits for what a person says.
        """
        context, step = self._context, self._step
        began = time.monotonic()
        await context.lease.check()
        if context.parking.closed:
            raise ExecutionClosed
        if not await context.ports.ledger.start(context.thread, step.id, bound.digest, attempt):
            return None
        if time.monotonic() - began > _AT_ONCE_SECONDS:
            await context.lease.check()
        context.show(step.id, NodeState.RUNNING)
        outcome = await self._perform(bound)
        if isinstance(outcome, Failed) and outcome.error == OUTCOME_UNKNOWN:
            _log.warning("asking what became of %s of %s: %s", step.id, context.thread, outcome.message)
            return None
        await self._finish(attempt, outcome)
        return outcome

    async def _perform(self, bound: Bound) -> Outcome:
        """Make the call as soon as this process is known to live.

        Raises:
            RunnerLost: the thread has another runner; nothing was sent.
        """
        context, step = self._context, self._step
        while True:
            try:
                return await context.ports.work.perform(step.node, bound, step.context(bound, context.lease.not_after))
            except TooLate:
                with suppress(StoreUnavailable):
                    await context.lease.check()
                await asyncio.sleep(_TOO_LATE_SECONDS)

    async def _finish(self, attempt: int, outcome: Outcome) -> None:
        """Commit the call's outcome, also when the database is away for a moment."""
        finish, result = self._context.ports.ledger.finish, outcome_json(outcome)
        for seconds in _FINISH_AFTER_SECONDS:
            try:
                return await finish(self._context.thread, self._step.id, attempt, result)
            except StoreUnavailable:
                await asyncio.sleep(seconds)
        return await finish(self._context.thread, self._step.id, attempt, result)

    async def _hopeless(self, bound: Bound) -> Failed | None:
        """Return how the call would fail even with a yes: then nobody is asked."""
        context, step = self._context, self._step
        return await context.ports.work.hopeless(step.node, bound, step.context(bound, context.lease.not_after))

    async def _ask(self, request: ApprovalRequest, state: NodeState) -> DecisionRecord | Cancelled:
        self._context.show(self._step.id, state)
        return await self._asker.ask(request)

    def _request(self, kind: ApprovalKind, bound: Bound, attempt: int) -> ApprovalRequest:
        return self._step.question(kind, bound, attempt, self._context.frontier.behind(self._step.id))

    def _unbound(self, digest: Digest) -> Bound:
        """Return what "outcome unknown" shows of a call whose arguments can no longer be resolved."""
        node = self._step.node
        return Bound(tool=node.tool or ToolName(node.kind.value), args={}, digest=digest)

    async def _withdraw(self, why: str, keep: ApprovalId | None = None) -> None:
        """Withdraw the node's open approvals; found by node, as its arguments may be others by now."""
        requests = self._context.ports.approvals
        for request, record in (await requests.read(self._context.thread)).items():
            pending = record.decision is Decision.PENDING
            if pending and request != keep and self._step.asks(ApprovalKind.APPROVE, request):
                await requests.withdraw(self._context.thread, request, why)

    async def _read_ledger(self) -> LedgerEntry | None:
        return await self._context.ports.ledger.read(self._context.thread, self._step.id)


def _refusal(record: DecisionRecord) -> Outcome:
    """Return the outcome of an approval that was not given. Only a person's no is a rejection."""
    match record.decision:
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
        return Succeeded(value={"confirmed_by": answer.by})
    return Failed(error=OUTCOME_UNKNOWN, message="the call was started and nobody knows whether it took effect")
