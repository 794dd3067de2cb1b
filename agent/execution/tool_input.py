"""What a tool asks a person in the middle of its call: a request of its own, and the call that goes on with the answer.

So is the account asked for that a call runs as.

A call that asks has ended without an effect. The answer is a row, so the call goes on in whichever process holds the
thread by then, and gets each answer once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from agent.approval import OF_AUTHOR, ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.execution.execution_context import ExecutionContext
from agent.execution.parking import Participant
from agent.execution.step import Step
from agent.ids import Digest
from agent.plan.outcomes import INPUT_REQUIRED, NOT_CONNECTED, Cancelled, Expired, Failed, NodeState
from agent.ports import Bound
from agent.tool import InputAsked, InputGiven
from sandbox.script import Json

MOST_ROUNDS = 10
"""How often one call may ask."""

WAITS_FOR_ANSWER = "waiting for an answer"
WAITS_FOR_ACCOUNT = "waiting for an account to be connected"

_TOO_MANY_ROUNDS = Failed(error=INPUT_REQUIRED, message=f"it asked more than {MOST_ROUNDS} times for input")


@dataclass(frozen=True, kw_only=True)
class InputWanted:
    """A call ended by asking."""

    bound: Bound
    asked: InputAsked
    #: The try that ended so.
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question was answered, so that the call goes on."""

    #: What people answered the tool last; None: it asked nothing.
    given: InputGiven | None


class ToolInput:
    """The questions of the node `asker`."""

    def __init__(self, asker: Participant, step: Step, context: ExecutionContext) -> None:
        self._asker = asker
        self._step = step
        self._context = context

    def newest(self, digest: Digest) -> DecisionRecord | None:
        """Return the newest question of this very call."""
        return next(iter(reversed(self._records(digest))), None)

    async def pose(self, bound: Bound, asked: InputAsked, attempt: int) -> InputWanted | Failed:
        """Store what the try of a call asked; return how the call ends when it has asked too often."""
        if len(self._records(bound.digest)) >= MOST_ROUNDS:
            return _TOO_MANY_ROUNDS
        wanted = InputWanted(bound=bound, asked=asked, attempt=attempt)
        self._context.parking.learn(await self._context.ports.approvals.ask(self._request(wanted)))
        return wanted

    def given(self, digest: Digest) -> InputGiven | None:
        """Return what people answered last to this very call."""
        closed = [record for record in self._records(digest) if record.decision is not Decision.PENDING]
        return next((given_by(record) for record in reversed(closed) if record.kind is ApprovalKind.INPUT), None)

    def tries(self, digest: Digest) -> int:
        """Return the number of the call's last try that ended by asking; 0: there is none."""
        return max((record.attempt for record in self._records(digest)), default=0)

    async def answer(self, wanted: InputWanted) -> Answered | Cancelled | Failed | Expired:
        """Wait for the answer and return it, or how the node ends without one.

        Raises:
            GraphInterrupt: the run parked before there was one.
        """
        detail = WAITS_FOR_ACCOUNT if wanted.asked.account else WAITS_FOR_ANSWER
        self._context.show(self._step.id, NodeState.RUNNING, detail=detail)
        answer = await self._asker.ask(self._request(wanted))
        if isinstance(answer, Cancelled):
            await self.withdraw(answer.why)
            return answer
        if answer.decision is Decision.WITHDRAWN:
            return Cancelled(why=answer.reason)
        return without_account(answer) or Answered(given=self.given(wanted.bound.digest))

    async def withdraw(self, why: str) -> None:
        """Take back the node's open question, if there is one."""
        for record in self._own():
            if record.decision is Decision.PENDING:
                now = await self._context.ports.approvals.withdraw(self._context.thread, record.id, why)
                self._context.parking.learn(now)

    def _own(self) -> Sequence[DecisionRecord]:
        known = self._context.parking.known
        return [
            record for request, record in known.items() if any(self._step.asks(kind, request) for kind in OF_AUTHOR)
        ]

    def _records(self, digest: Digest) -> Sequence[DecisionRecord]:
        return [record for record in self._own() if record.digest == digest]

    def _request(self, wanted: InputWanted) -> ApprovalRequest:
        args: Mapping[str, Json] = {
            "by": wanted.asked.by,
            "questions": wanted.asked.questions,
            "state": wanted.asked.state,
        }
        if wanted.asked.account:
            args = {"by": wanted.asked.by, "account": wanted.asked.account}
        about = replace(wanted.bound, args=args)
        kind = ApprovalKind.CONNECT if wanted.asked.account else ApprovalKind.INPUT
        return self._step.question(kind, about, wanted.attempt, self._context.frontier.behind(self._step.id))


def without_account(record: DecisionRecord | None) -> Failed | Expired | None:
    """Return how a node ends whose author was asked for an account and connected none; None: nothing says so."""
    if record is None or record.kind is not ApprovalKind.CONNECT:
        return None
    match record.decision:
        case Decision.EXPIRED:
            return Expired()
        case Decision.DECLINED:
            message = f"the person who asked did not connect their account at {asked_in(record).by}"
            return Failed(error=NOT_CONNECTED, message=message)
        case _:
            return None


def asked_in(record: DecisionRecord) -> InputAsked:
    """Return what a request asked."""
    args = record.asked.args if record.asked is not None else dict[str, Json]()
    return InputAsked(
        by=str(args.get("by", "")),
        questions=cast("Mapping[str, Json]", args.get("questions") or {}),
        state=str(args.get("state", "")),
        account=str(args.get("account", "")),
    )


def given_by(record: DecisionRecord) -> InputGiven:
    """Return what the tool is told once a request is closed; a question that nobody answered in time is cancelled."""
    asked = asked_in(record)
    if record.decision is Decision.ANSWERED and isinstance(record.result, Mapping):
        return InputGiven(answers=record.result, state=asked.state)
    action = "decline" if record.decision is Decision.DECLINED else "cancel"
    return InputGiven(answers={key: {"action": action} for key in asked.questions}, state=asked.state)
