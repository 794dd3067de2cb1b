"""Turn flow: where a turn goes once its DAG has ended or parked, and what a person is asked when only one may decide.

The request to a person is like an approval: a row, decided by compare-and-set, read again at every entry into the
stage. While it is open the run is parked; a message in the thread answers it as well as a button does.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import assert_never

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from agent.approval import TURN, ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.execution.execution_context import Ports
from agent.execution.executor import STOPPED
from agent.ids import ApprovalId, NodeId, ThreadId, ToolName, UserId
from agent.plan.operations import digest_of
from agent.plan.outcomes import Outcome
from agent.ports import FINAL, Choice, News, ReplanReport, ReplanResult, Run

ANSWERED = "answered in the thread"
"""Why a request about a turn is withdrawn when somebody writes a message."""


class NextStage(Enum):
    """The graph's next stage."""

    #: Run the plan again; counts as a round.
    ROUND = auto()
    #: Run the plan again; does not count.
    EXECUTE = auto()
    ANSWER = auto()


class TurnFlow:
    """Decides the next stage of turns."""

    def __init__(self, ports: Ports, rounds_per_turn: int) -> None:
        self._ports = ports
        self._rounds_per_turn = rounds_per_turn

    async def after(
        self, thread: ThreadId, turn: int, rounds: int, outcomes: Mapping[NodeId, Outcome], news: News
    ) -> NextStage:
        """Return the next stage of a turn whose DAG has ended, replanned `rounds` times so far. Nobody stopped it.

        Raises:
            GraphInterrupt: a person is asked; holds the request.
        """
        run = await self._ports.runs.read(thread, turn)
        if run.status in FINAL:  # it was answered, and its process died before this step was stored
            return NextStage.ANSWER
        records = _records(thread, turn, news.requests)
        if news.mail.messages:
            await self._withdraw_open(thread, records, ANSWERED)
            return NextStage.EXECUTE
        if records:
            _interrupt_if_open(records[-1])
            if records[-1].decision in _ENDS:
                return NextStage.ANSWER
        round_number = _round_number(run, rounds)
        bound = self._bound(records)
        report = await self._ports.replanner.conclude(thread, turn, round_number, outcomes, bound=bound)
        match report.next:
            case ReplanResult.EXTENDED:
                return NextStage.ROUND
            case ReplanResult.ENOUGH:
                # A message written meanwhile belongs to this turn, too.
                if await self._ports.mailbox.untaken(thread):
                    return NextStage.EXECUTE
                if report.answer is not None:
                    await self._ports.answerer.answer(thread, turn, outcomes, report.answer)
                return NextStage.ANSWER
            case ReplanResult.MORE | ReplanResult.ASK:
                request = _request(thread, turn, len(records), report)
                _interrupt_if_open(await self._ports.approvals.ask(request))
                return NextStage.EXECUTE  # decided already: the next look reads the decision
            case _:
                assert_never(report.next)

    async def while_parked(self, thread: ThreadId, turn: int, rounds: int, news: News) -> bool:
        """Replan a turn that waits for people; return whether its plan grew and is to be run at once."""
        records = _records(thread, turn, news.requests)
        round_number = _round_number(await self._ports.runs.read(thread, turn), rounds)
        return await self._ports.replanner.reconsider(thread, turn, round_number, bound=self._bound(records))

    def _bound(self, records: Sequence[DecisionRecord]) -> int:
        return self._rounds_per_turn * (1 + sum(record.decision is Decision.MORE for record in records))

    async def stopped(self, thread: ThreadId, turn: int) -> None:
        """Withdraw the open requests of a stopped turn."""
        requests = await self._ports.approvals.read(thread)
        await self._withdraw_open(thread, _records(thread, turn, requests), STOPPED)
        if self._ports.budget_trackers is not None:
            await self._ports.budget_trackers.withdraw(thread, turn, STOPPED)

    async def _withdraw_open(self, thread: ThreadId, records: Sequence[DecisionRecord], why: str) -> None:
        if records and records[-1].decision is Decision.PENDING:
            await self._ports.approvals.withdraw(thread, records[-1].id, why)


def _records(thread: ThreadId, turn: int, of_thread: Mapping[ApprovalId, DecisionRecord]) -> Sequence[DecisionRecord]:
    """Return the decisions on this turn's requests, in the order they were asked."""
    records: list[DecisionRecord] = []
    while (record := of_thread.get(request_id(thread, turn, len(records)))) is not None:
        records.append(record)
    return records


_ENDS = frozenset({Decision.ACCEPT, Decision.STOP, Decision.EXPIRED})


def request_id(thread: ThreadId, turn: int, number: int) -> ApprovalId:
    """Return the id of a turn's request, numbered from 0."""
    return ApprovalId(digest_of([thread, turn, "rounds", number])[:32])


def _round_number(run: Run, rounds: int) -> int:
    """Return the number of the next round; those decided while the turn was parked count."""
    parked = [reflection for reflection in run.reflections if not reflection.at_end]
    return rounds + sum(reflection.choice is Choice.REPLAN for reflection in parked) + 1


def _request(thread: ThreadId, turn: int, number: int, report: ReplanReport) -> ApprovalRequest:
    kind = ApprovalKind.ASK if report.next is ReplanResult.ASK else ApprovalKind.ROUNDS
    return ApprovalRequest(
        id=request_id(thread, turn, number),
        thread=thread,
        turn=turn,
        node=TURN,
        kind=kind,
        title=report.question or report.why,
        tool=ToolName("reflection"),
        args={},
        digest=digest_of([thread, turn, kind.value, number, report.question, list(report.titles)]),
        author=report.author or UserId(""),
        blocks=report.titles,
    )


def _interrupt_if_open(record: DecisionRecord) -> None:
    if record.decision is Decision.PENDING:
        raise GraphInterrupt((Interrupt(value={"question": record.id, "node": TURN}, id=record.id),))
