"""Rounds: where a turn goes once its DAG has come to rest, and the word of a person when nobody else may say.

A person's word is a question like an approval: a row, decided by compare-and-set, read again at every
entry. While it is open the run is parked; a message in the thread answers it as well as a button does.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import assert_never

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from agent.budget.tracker import TURN
from agent.execution.execution_context import Ports
from agent.execution.executor import STOPPED
from agent.ids import ApprovalId, NodeId, ThreadId, ToolName, UserId
from agent.plan.operations import digest_of
from agent.plan.outcomes import Outcome
from agent.ports import ApprovalKind, ApprovalRequest, Choice, Decision, DecisionRecord, ReplanReport, ReplanResult

ROUNDS_PER_TURN = 3
"""How often reflection may append to the plan before a person is asked; every "more" allows as many again."""

ANSWERED = "answered in the thread"
"""Why a question about a turn is withdrawn when somebody writes."""


class NextStage(Enum):
    """Where the graph goes: `ROUND` and `EXECUTE` run the plan again, `ROUND` counts as one."""

    ROUND = auto()
    EXECUTE = auto()
    ANSWER = auto()


class TurnFlow:
    """Decides where turns go."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def after(self, thread: ThreadId, turn: int, rounds: int, outcomes: Mapping[NodeId, Outcome]) -> NextStage:
        """Return where a turn goes whose DAG has ended; `rounds` is how many reflections extended it by now.

        Raises:
            GraphInterrupt: a person is asked; holds the question.
        """
        if await self._ports.mailbox.stopped(thread, turn) is not None:
            await self.stopped(thread, turn)
            return NextStage.ANSWER
        words = await self._words(thread, turn)
        if await self._ports.mailbox.untaken(thread):
            await self._withdraw(words, ANSWERED)
            return NextStage.EXECUTE
        if words:
            _check_open(words[-1])
            if words[-1].decision in _ENDS:
                return NextStage.ANSWER
        used, bound = rounds + await self._early(thread, turn), _bound(words)
        reflected = await self._ports.reflector.reflect(thread, turn, used + 1, outcomes, bound=bound)
        match reflected.next:
            case ReplanResult.EXTENDED:
                return NextStage.ROUND
            case ReplanResult.ENOUGH:
                # What was said meanwhile belongs to this turn, too.
                return NextStage.EXECUTE if await self._ports.mailbox.untaken(thread) else NextStage.ANSWER
            case ReplanResult.MORE:
                return await self._ask(thread, turn, ApprovalKind.ROUNDS, reflected, words)
            case ReplanResult.ASK:
                return await self._ask(thread, turn, ApprovalKind.ASK, reflected, words)
            case _:
                assert_never(reflected.next)

    async def while_parked(self, thread: ThreadId, turn: int, rounds: int) -> bool:
        """Reflect on a turn that waits for people; True when the plan grew and is to be run at once."""
        words = await self._words(thread, turn)
        used = rounds + await self._early(thread, turn)
        return await self._ports.reflector.reconsider(thread, turn, used + 1, bound=_bound(words))

    async def stopped(self, thread: ThreadId, turn: int) -> None:
        """Take back what a stopped turn asked."""
        await self._withdraw(await self._words(thread, turn), STOPPED)
        if self._ports.budget_trackers is not None:
            await self._ports.budget_trackers.withdraw(thread, turn, STOPPED)

    async def _early(self, thread: ThreadId, turn: int) -> int:
        run = await self._ports.runs.read(thread, turn)
        return sum(each.choice is Choice.REPLAN for each in run.reflections)

    async def _words(self, thread: ThreadId, turn: int) -> Sequence[DecisionRecord]:
        """Return the questions about this turn so far, in the order they were asked."""
        standings = await self._ports.questions.standings(thread)
        found: list[DecisionRecord] = []
        while (standing := standings.get(question_id(thread, turn, len(found)))) is not None:
            found.append(standing)
        return found

    async def _withdraw(self, words: Sequence[DecisionRecord], why: str) -> None:
        if words and words[-1].decision is Decision.PENDING:
            await self._ports.questions.withdraw(words[-1].id, why)

    async def _ask(
        self, thread: ThreadId, turn: int, kind: ApprovalKind, reflected: ReplanReport, words: Sequence[DecisionRecord]
    ) -> NextStage:
        question = ApprovalRequest(
            id=question_id(thread, turn, len(words)),
            thread=thread,
            turn=turn,
            node=TURN,
            kind=kind,
            title=reflected.question,
            tool=ToolName("reflection"),
            args={},
            digest=digest_of([thread, turn, kind.value, len(words), reflected.question, list(reflected.titles)]),
            author=reflected.author or UserId(""),
            blocks=reflected.titles,
        )
        _check_open(await self._ports.questions.ask(question))
        return NextStage.EXECUTE  # decided already: the next look reads what was said


_ENDS = frozenset({Decision.ACCEPT, Decision.STOP, Decision.EXPIRED})


def question_id(thread: ThreadId, turn: int, number: int) -> ApprovalId:
    """Return the id of a turn's question, numbered from 0."""
    return ApprovalId(digest_of([thread, turn, "rounds", number])[:32])


def _bound(words: Sequence[DecisionRecord]) -> int:
    return ROUNDS_PER_TURN * (1 + sum(each.decision is Decision.MORE for each in words))


def _check_open(word: DecisionRecord) -> None:
    if word.decision is Decision.PENDING:
        raise GraphInterrupt((Interrupt(value={"question": word.id, "node": TURN}, id=word.id),))
