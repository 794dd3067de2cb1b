"""Suspension: who of a run is live, who waits at a gate, who asks; and the one step that parks it.

A node is live from its call until it waits for inputs, asks a person, or publishes. While anything
is live, an asking node waits hot. Every method but `pass_gate` and `ask` is synchronous on purpose:
between two of them nothing else runs, so "nothing is live" is never true for just an instant.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from agent.errors import AgentError
from agent.ids import ApprovalId, NodeId
from agent.ports import ApprovalKind, ApprovalRequest, Approvals, Decision, DecisionRecord


class ExecutionClosed(AgentError):
    """The entry into `execute` is over; the node's work must not start or go on."""


@dataclass(frozen=True, kw_only=True)
class Parked:
    """The run parks: whoever asks raises the question as its interrupt."""


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """The node was cancelled while its question was open."""

    why: str


@dataclass(frozen=True, kw_only=True)
class _OpenQuestion:
    question: ApprovalRequest
    answer: asyncio.Future[DecisionRecord | Parked | Cancellation]


class Parking:
    """The suspensions of one entry. `rested` is called when the last live one came to rest."""

    def __init__(self, questions: Approvals, rested: Callable[[], None]) -> None:
        self._questions = questions
        self._rested = rested
        self._live: set[NodeId] = set()
        self._gates: dict[NodeId, asyncio.Event] = {}
        self._open: dict[NodeId, _OpenQuestion] = {}
        self.parked = False
        self.closed = False

    @property
    def live(self) -> bool:
        """Tell whether anything can still move without a person."""
        return bool(self._live)

    @property
    def asking(self) -> bool:
        """Tell whether a question is open."""
        return bool(self._open)

    @property
    def waiting(self) -> Sequence[NodeId]:
        """The nodes whose gate is closed."""
        return tuple(self._gates)

    def go_live(self, who: NodeId) -> None:
        """Count `who` as live."""
        self._live.add(who)

    def rest(self, who: NodeId) -> None:
        """Count `who` as live no longer."""
        self._live.discard(who)
        if not self._live:
            self._rested()

    def open_gate(self, node: NodeId) -> None:
        """Let a node that waits for inputs go on, live from this moment. Nothing when it does not wait."""
        if (gate := self._gates.pop(node, None)) is not None:
            self.go_live(node)
            gate.set()

    async def wait(self, node: NodeId) -> None:
        """Rest until `open_gate(node)`, or until the run parks or closes."""
        self._gates[node] = gate = asyncio.Event()
        self.rest(node)
        await gate.wait()

    async def ask(
        self, question: ApprovalRequest, withdrawn: Callable[[], str | None]
    ) -> DecisionRecord | Cancellation:
        """Post the question and return its decision, waiting hot for it.

        `withdrawn` tells why the node was cancelled, if it was: asked again once the row is there,
        because the cancellation may have come meanwhile.

        Raises:
            GraphInterrupt: the run parked before anyone decided; holds the question as an interrupt.
            EntryClosed: the entry ended meanwhile.
        """
        standing = await self._questions.ask(question)
        if self.closed:
            raise ExecutionClosed
        if standing.decision is not Decision.PENDING:
            return standing
        if (why := withdrawn()) is not None:
            return Cancellation(why=why)
        answer: asyncio.Future[DecisionRecord | Parked | Cancellation] = asyncio.get_running_loop().create_future()
        self._open[question.node] = _OpenQuestion(question=question, answer=answer)
        self.rest(question.node)
        given = await answer
        if isinstance(given, Parked):
            raise GraphInterrupt((_interrupt(question),))
        return given

    def hear(self, standings: Mapping[ApprovalId, DecisionRecord]) -> None:
        """Hand every decision to the node that asked, live from this moment."""
        decided = [
            (node, standing)
            for node, each in self._open.items()
            if (standing := standings.get(each.question.id)) is not None and standing.decision is not Decision.PENDING
        ]
        for node, standing in decided:
            self._answer(node, standing)

    def withdraw(self, node: NodeId, why: str) -> None:
        """Take an open question back. "Outcome unknown" stays: something may have happened."""
        asked = self._open.get(node)
        if asked is not None and asked.question.kind is not ApprovalKind.UNKNOWN:
            self._answer(node, Cancellation(why=why))

    def park(self) -> None:
        """Make every open question raise its interrupt and every gate let go, in one step."""
        self.parked = True
        for node in tuple(self._open):
            self._open.pop(node).answer.set_result(Parked())
        self._open_gates()

    def close(self) -> None:
        """End the entry: nothing starts any more."""
        self.closed = True
        self._open_gates()

    def _answer(self, node: NodeId, given: DecisionRecord | Cancellation) -> None:
        self.go_live(node)
        self._open.pop(node).answer.set_result(given)

    def _open_gates(self) -> None:
        while self._gates:
            _, gate = self._gates.popitem()
            gate.set()


def _interrupt(question: ApprovalRequest) -> Interrupt:
    value = {"question": question.id, "node": question.node, "kind": question.kind.value, "title": question.title}
    return Interrupt(value=value, id=question.id)
