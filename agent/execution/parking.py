"""Parking: which participants of an execution are live, which wait, which ask, and the one step that parks them.

A participant is live from its start until it waits at its gate, asks a person, or ends. While anything is live, an
asking participant waits hot: its answer reaches it within milliseconds. All methods but `wait` and `ask` are
synchronous on purpose: nothing runs between two of them, so "nothing is live" is never true for just an instant.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from agent.approval import ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.errors import AgentError
from agent.ids import ApprovalId
from agent.plan.outcomes import Cancelled
from agent.ports import Approvals


class ExecutionClosed(AgentError):
    """The execution is over; work must not start or go on."""


@dataclass(frozen=True, kw_only=True)
class _OpenRequest:
    request: ApprovalRequest
    #: None: the run parks before there is an answer.
    answer: "asyncio.Future[DecisionRecord | Cancelled | None]"


class Parking:
    """The participants of one execution. `wake` tells the executor."""

    def __init__(self, requests: Approvals) -> None:
        self.requests = requests
        #: Set when the executor has something to look at: something new, or nothing is live any more.
        self.wake = asyncio.Event()
        self.live: set[Participant] = set()
        #: Who waits -> its gate, in the order in which they began to wait.
        self.waiting: dict[Participant, asyncio.Event] = {}
        self.asking: dict[Participant, _OpenRequest] = {}
        #: Every request of the thread as it was last seen. Only this execution asks; others decide.
        self.known: Mapping[ApprovalId, DecisionRecord] = {}
        self.parked = False
        self.closed = False

    def deliver(self, records: Mapping[ApprovalId, DecisionRecord]) -> None:
        """Hand every decision to the participant that asked for it."""
        self.known = {**self.known, **records}
        for participant, asked in tuple(self.asking.items()):
            record = records.get(asked.request.id)
            if record is not None and record.decision is not Decision.PENDING:
                participant.answer(record)

    def learn(self, record: DecisionRecord) -> None:
        """Know how a request stands."""
        self.known = {**self.known, record.id: record}

    def park(self) -> None:
        """Make every asking participant raise its interrupt and open every gate, in one step."""
        self.parked = True
        for asked in self.asking.values():
            asked.answer.set_result(None)
        self.asking.clear()
        self._open_gates()

    def close(self) -> None:
        """End the execution: nothing starts any more."""
        self.closed = True
        self._open_gates()

    def _open_gates(self) -> None:
        while self.waiting:
            self.waiting.popitem()[1].set()


class Participant:
    """A party of an execution: a node, the planner, or the request about a budget."""

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        #: Why it was cancelled.
        self.cancelled: str | None = None

    def go_live(self) -> None:
        """Count as live."""
        self._parking.live.add(self)

    def rest(self) -> None:
        """Count as live no longer."""
        self._parking.live.discard(self)
        if not self._parking.live:
            self._parking.wake.set()

    async def wait(self) -> None:
        """Rest until `open_gate`, or until the run parks or closes."""
        gate = self._parking.waiting[self] = asyncio.Event()
        self.rest()
        try:
            await gate.wait()
        finally:
            self._parking.waiting.pop(self, None)  # cancelled: nothing may make it live again

    def open_gate(self) -> None:
        """Go on, live from this moment. Does nothing when it does not wait."""
        if (gate := self._parking.waiting.pop(self, None)) is not None:
            self.go_live()
            gate.set()

    async def ask(self, request: ApprovalRequest) -> DecisionRecord | Cancelled:
        """Post the request and return its decision, waiting hot for it.

        Raises:
            GraphInterrupt: the run parked before anyone decided; holds the request as an interrupt.
            ExecutionClosed: the execution ended meanwhile.
        """
        record = self._parking.known.get(request.id)
        if record is None:
            record = await self._parking.requests.ask(request)
            self._parking.learn(record)
        if self._parking.closed:
            raise ExecutionClosed
        if record.decision is not Decision.PENDING:
            return record
        if self.cancelled is not None and _can_be_withdrawn(request):  # it may have come while the row was stored
            return Cancelled(why=self.cancelled)
        opened = _OpenRequest(request=request, answer=asyncio.get_running_loop().create_future())
        self._parking.asking[self] = opened
        self.rest()
        answer = await opened.answer
        if answer is None:
            raise GraphInterrupt((_interrupt(request),))
        return answer

    def answer(self, answer: DecisionRecord | Cancelled) -> None:
        """Go on with the answer to its open request, live from this moment."""
        self.go_live()
        self._parking.asking.pop(self).answer.set_result(answer)

    def cancel(self, why: str) -> None:
        """Withdraw its open request and open its gate, so that it ends soon."""
        self.cancelled = why
        if (asked := self._parking.asking.get(self)) is not None and _can_be_withdrawn(asked.request):
            self.answer(Cancelled(why=why))
        self.open_gate()


def _can_be_withdrawn(request: ApprovalRequest) -> bool:
    """Return whether a cancel takes the request back. "Outcome unknown" stays: something may have happened."""
    return request.kind is not ApprovalKind.UNKNOWN


def _interrupt(request: ApprovalRequest) -> Interrupt:
    value = {"question": request.id, "node": request.node, "kind": request.kind.value, "title": request.title}
    return Interrupt(value=value, id=request.id)
