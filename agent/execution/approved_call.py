"""The red protocol: bind, ask, ledger, perform. What a person approved is exactly what runs, at most once."""

import asyncio
import time
from typing import assert_never

from agent.errors import StoreUnavailable
from agent.execution.execution_context import ExecutionContext
from agent.execution.parking import Cancellation, ExecutionClosed
from agent.execution.step import Step
from agent.ids import ApprovalId, Digest, ToolName, UserId
from agent.plan.outcomes import (
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
from agent.ports import ApprovalKind, ApprovalRequest, Bound, Decision, DecisionRecord, LedgerEntry, LedgerState

_AT_ONCE_SECONDS = 1.0
"""A start that takes longer to commit may have been that of a process that was stopped, and has a successor."""

_FINISH_AFTER_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""How long a database may be away without a person being asked what we know: less than a worker lives without one."""


class RedCalls:
    """Runs the red nodes of one entry."""

    def __init__(self, entry: ExecutionContext) -> None:
        self._entry = entry
        self._in_flight: set[asyncio.Task[Outcome | None]] = set()

    async def run(self, step: Step) -> Outcome | None:
        """Return the node's outcome: from the ledger, from a person, or from the call a person approved.
        None when nothing may start now: neither a question nor a call; an approval given before stays good.

        Raises:
            GraphInterrupt: the run parked while a person was asked.
            RunnerLost: the thread is no longer ours; nothing was called.
        """
        match await self._entry.ports.ledger.read(self._entry.thread, step.id):
            case None:
                return None if self._entry.budget_gate.rests(step.id) else await self._approve(step)
            case LedgerEntry(state=LedgerState.DONE, result=result):
                return outcome_from_json(result or {})
            case LedgerEntry(state=LedgerState.STARTED) as started:
                return await self._unknown(step, started)
            case other:
                assert_never(other)  # pyright: ignore[reportArgumentType]  # a dataclass pattern does not narrow

    async def cancel(self, step: Step) -> bool:
        """Take the node's open card back; False, and nothing is taken back, once its call was started."""
        if await self._entry.ports.ledger.read(self._entry.thread, step.id) is not None:
            return False
        await self._withdraw(step, self._entry.cancelled[step.id])
        return True

    async def settle(self) -> None:
        """Return when every call that was started has its ledger row finished.

        A cancelled entry cancels no red call half-way: its effect may be out already, and a
        finished row spares a person the question what became of it.
        """
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _approve(self, step: Step) -> Outcome | None:
        bound = await self._bind(step)
        while isinstance(bound, Bound):
            question = self._question(step, ApprovalKind.APPROVE, bound, attempt=1)
            await self._withdraw(step, "the call is another one now", keep=question.id)
            standing = await self._ask(step, question)
            if isinstance(standing, Cancellation):
                await self._withdraw(step, standing.why)
                return Cancelled(why=standing.why)
            if standing.decision is not Decision.APPROVED:
                return _refusal(standing)
            # Bound anew: if anything it came from changed, the approval is void and a person is asked again.
            bound = await self._bind(step)
            if isinstance(bound, Bound) and bound.digest == standing.digest:
                if self._entry.budget_gate.admits(step.id):
                    return await self._call(step, bound, attempt=1)
                self._entry.show(step.id, NodeState.PLANNED)
                return None
        return bound

    async def _unknown(self, step: Step, started: LedgerEntry) -> Outcome:
        """Ask what became of a call. It is the one that was started, whatever the node would be bound to by now:
        what a person said about it counts, and only that very call is run again."""
        bound = await self._bind(step)
        same = bound if isinstance(bound, Bound) and bound.digest == started.digest else None
        question = self._question(
            step, ApprovalKind.UNKNOWN, same or _unbound(step, started.digest), attempt=started.attempt
        )
        standing = await self._ask(step, question)
        if isinstance(standing, DecisionRecord) and standing.decision is Decision.AGAIN:
            if same is not None:
                return await self._call(step, same, started.attempt + 1)
            outcome = bound if isinstance(bound, Failed) else _ANOTHER_CALL
        else:
            outcome = _verdict_on_unknown(standing)
        await self._finish(step, started.attempt, outcome)
        return outcome

    async def _call(self, step: Step, bound: Bound, attempt: int) -> Outcome:
        if (why := self._entry.cancelled.get(step.id)) is not None and attempt == 1:
            return Cancelled(why=why)
        call = asyncio.create_task(self._call_once(step, bound, attempt), name=f"red call {step.id}")
        self._in_flight.add(call)
        call.add_done_callback(self._in_flight.discard)
        outcome = await asyncio.shield(call)
        if outcome is not None:
            return outcome
        return await self._unknown(step, LedgerEntry(state=LedgerState.STARTED, attempt=attempt, digest=bound.digest))

    async def _call_once(self, step: Step, bound: Bound, attempt: int) -> Outcome | None:
        """Perform between the ledger's two rows; None when this very try was started before."""
        began = time.monotonic()
        await self._entry.lease.check()
        if self._entry.parking.closed:
            raise ExecutionClosed
        if not await self._entry.ports.ledger.start(self._entry.thread, step.id, bound.digest, attempt):
            return None
        if time.monotonic() - began > _AT_ONCE_SECONDS:
            await self._entry.lease.check()
        self._entry.show(step.id, NodeState.RUNNING)
        outcome = await self._entry.ports.work.perform(step.node, bound, step.context(bound))
        await self._finish(step, attempt, outcome)
        return outcome

    async def _finish(self, step: Step, attempt: int, outcome: Outcome) -> None:
        """Commit what came of a call, also when the database is away for a moment."""
        finish, result = self._entry.ports.ledger.finish, outcome_json(outcome)
        for seconds in _FINISH_AFTER_SECONDS:
            try:
                return await finish(self._entry.thread, step.id, attempt, result)
            except StoreUnavailable:
                await asyncio.sleep(seconds)
        return await finish(self._entry.thread, step.id, attempt, result)

    def _question(self, step: Step, kind: ApprovalKind, bound: Bound, attempt: int) -> ApprovalRequest:
        return step.question(kind, bound, attempt, self._entry.frontier.behind(step.id))

    async def _ask(self, step: Step, question: ApprovalRequest) -> DecisionRecord | Cancellation:
        entry = self._entry
        approval = question.kind is ApprovalKind.APPROVE
        entry.show(step.id, NodeState.ASKING if approval else NodeState.UNKNOWN)
        return await entry.parking.ask(question, lambda: entry.cancelled.get(step.id) if approval else None)

    async def _withdraw(self, step: Step, why: str, keep: ApprovalId | None = None) -> None:
        """Take back the node's open approvals; found by node, as its arguments may be others by now."""
        questions = self._entry.ports.questions
        for question, standing in (await questions.standings(self._entry.thread)).items():
            pending = standing.decision is Decision.PENDING
            if pending and question != keep and step.asks(ApprovalKind.APPROVE, question):
                await questions.withdraw(question, why)

    async def _bind(self, step: Step) -> Bound | Failed:
        return await self._entry.ports.work.bind(self._entry.thread, step.node, self._entry.frontier.outcomes)


_ANOTHER_CALL = Failed(error="approval_invalid", message="what would run again is not what was approved")


def _unbound(step: Step, digest: Digest) -> Bound:
    """Return what "outcome unknown" shows of a call whose arguments cannot be resolved any more."""
    return Bound(tool=step.node.tool or ToolName(step.node.kind.value), args={}, digest=digest)


def _refusal(standing: DecisionRecord) -> Outcome:
    """Return the outcome of an approval that was not given. Only a person's no is a rejection."""
    match standing.decision:
        case Decision.REJECTED:
            return Rejected(by=standing.by or UserId(""), reason=standing.reason)
        case Decision.EXPIRED:
            return Expired()
        case Decision.WITHDRAWN:
            return Cancelled(why=standing.reason)
        case _:
            return Failed(error="approval_invalid", message=f"an approval cannot be {standing.decision.value}")


def _verdict_on_unknown(standing: DecisionRecord | Cancellation) -> Outcome:
    """Return what a person's word on a call of unknown outcome makes of the node; doubt is a failure."""
    if isinstance(standing, DecisionRecord) and standing.decision is Decision.HAPPENED:
        return Succeeded(value={"confirmed_by": standing.by})
    return Failed(error="outcome_unknown", message="the call was started and nobody knows whether it took effect")
