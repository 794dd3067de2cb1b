"""The purse of a turn: what it may still start, and the one question that is asked when a budget is used up.

The question is a row, like an approval. While it is open nothing starts, whatever a fresh count would
say. When a person's "go on" is taken up, what had been spent by then is stored with it: from there the
whole budget counts once more, for every entry that follows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from agent.budget.budget import Budgets, LimitExceeded, Measure, Start, limit_exceeded_json
from agent.budget.metering import CallMeter
from agent.budget.usage import Account, Scope, Spending, Spent
from agent.ids import ApprovalId, NodeId, ThreadId, ToolName, UserId
from agent.plan.operations import digest_of
from agent.ports import ApprovalKind, ApprovalRequest, Approvals, BudgetExtensions, Decision, DecisionRecord, Runs
from sandbox.script import Json

TURN = NodeId("")
"""The node of a question about a whole turn."""

_FROM = "from"
"""Where a question that was answered with "go on" holds what had been spent by then, by scope."""


class BudgetTracker:
    """One turn's purse. `question` is open, or is to be asked; while there is one, nothing is admitted.

    `over`: somebody said stop; nothing is admitted any more, and nobody is asked.
    """

    def __init__(
        self,
        budgets: Budgets,
        account: Account,
        allowances: BudgetExtensions,
        *,
        thread: ThreadId,
        turn: int,
        author: UserId,
    ) -> None:
        self._budgets = budgets
        self._account = account
        self._allowances = allowances
        self._thread = thread
        self._turn = turn
        self._author = author
        self._calls = 0
        self._asked = 0
        self._allowed_from: dict[Scope, Spent] = {}
        self._just_allowed = False
        self.question: ApprovalRequest | None = None
        self.over = False

    async def read(self, question: ApprovalRequest, standing: DecisionRecord) -> None:
        """Take in a question that was asked before; they come in their order."""
        ours = question.turn == self._turn
        self._asked += ours
        if ours or standing.decision is Decision.GO_ON:
            self.question = question
            await self.hear(standing)

    def admits(self, start: Start) -> bool:
        """Tell whether this may start, and count it if it may."""
        if self.over or self.question is not None:
            return False
        spent = self._spent()
        exceeded = self._budgets.exceeded(spent, self._allowed_from, start)
        # However little time a budget has: what was let go on starts something.
        if [each for each in exceeded if not (self._just_allowed and each.measure is Measure.TIME)]:
            self.question = self._question(exceeded)
            self._asked += 1
            return False
        self._just_allowed = False
        if start is Start.CALL:
            self._calls += 1
        else:
            self._account.node_started()
        return True

    def call_ended(self) -> None:
        """Count a model call no more: it is in the account now."""
        self._calls -= 1

    async def hear(self, standing: DecisionRecord) -> None:
        """Act on how the question stands. With a stop, and with nobody's answer in time, comes the row that ends the
        turn: until that is read nothing starts, and nobody is asked again."""
        if (question := self.question) is None or standing.decision is Decision.PENDING:
            return
        if standing.decision in (Decision.STOP, Decision.EXPIRED):
            self.over = question.turn == self._turn
        elif standing.decision is Decision.GO_ON:
            await self._go_on(question)
        self.question = None

    async def _go_on(self, question: ApprovalRequest) -> None:
        if _FROM not in question.args:
            spent = self._spent()
            counted: dict[str, Json] = {each.value: asdict(spent[each]) for each in _scopes_of(question)}
            question = replace(question, args={**question.args, _FROM: counted})
            await self._allowances.keep(question.id, question.args)
            self._just_allowed = True
        for scope, spent in _allowed_from(question).items():
            if scope is Scope.THREAD or question.turn == self._turn:
                self._allowed_from[scope] = spent

    def _spent(self) -> Mapping[Scope, Spent]:
        """Return what was spent, with the calls that have not ended."""
        begun = Spent(model_calls=self._calls)
        return {scope: spent + begun for scope, spent in self._account.spent().items()}

    def _question(self, exceeded: Sequence[LimitExceeded]) -> ApprovalRequest:
        args: dict[str, Json] = {
            "breaches": [limit_exceeded_json(each) for each in exceeded],
            "currency": self._budgets.currency,
        }
        key: list[Json] = [self._thread, self._turn, "budget", self._asked]
        return ApprovalRequest(
            id=ApprovalId(digest_of(key)[:32]),
            thread=self._thread,
            turn=self._turn,
            node=TURN,
            kind=ApprovalKind.BUDGET,
            title="",
            tool=ToolName("budget"),
            args=args,
            digest=digest_of([*key, args]),
            author=self._author,
        )


class BudgetTrackers:
    """Opens the purses of turns."""

    def __init__(
        self, budgets: Budgets, spending: Spending, *, questions: Approvals, allowances: BudgetExtensions, runs: Runs
    ) -> None:
        self._budgets = budgets
        self._spending = spending
        self._questions = questions
        self._allowances = allowances
        self._runs = runs

    async def settle(self) -> None:
        """Return when everything is charged to the turns that spent it; before another one begins."""
        await self._spending.flush()

    async def open(self, thread: ThreadId, turn: int) -> BudgetTracker:
        """Return the turn's purse as its rows have it."""
        run = await self._runs.read(thread, turn)
        account = await self._spending.account(thread, turn)
        budget_tracker = BudgetTracker(
            self._budgets, account, self._allowances, thread=thread, turn=turn, author=run.requester
        )
        for question, standing in await self._allowances.of(thread):
            await budget_tracker.read(question, standing)
        return budget_tracker

    def payer(self, thread: ThreadId, turn: int) -> CallMeter:
        """Return who pays for the model calls of a stage that is not `execute`.

        `afford` raises GraphInterrupt, which holds the question: the stage is entered again once it is answered.
        """
        opened: list[BudgetTracker] = []

        async def acquire() -> None:
            budget_tracker = opened[0] if opened else await self.open(thread, turn)
            opened[:] = [budget_tracker]
            if budget_tracker.admits(Start.CALL):
                return
            if (question := budget_tracker.question) is None:
                await asyncio.Event().wait()  # for the stop that ended the purse: it ends the stage, too
            else:
                await self._questions.ask(question)
                raise GraphInterrupt((Interrupt(value={"question": question.id, "node": TURN}, id=question.id),))

        def ended() -> None:
            for budget_tracker in opened:
                budget_tracker.call_ended()

        return CallMeter(acquire=acquire, ended=ended)

    async def withdraw(self, thread: ThreadId, turn: int, why: str) -> None:
        """Take back what a turn asked that is over."""
        for question, standing in await self._allowances.of(thread):
            if question.turn == turn and standing.decision is Decision.PENDING:
                await self._questions.withdraw(question.id, why)


def _scopes_of(question: ApprovalRequest) -> Sequence[Scope]:
    """Return whose budgets are used up."""
    exceeded = question.args.get("breaches")
    named = [each.get("scope") for each in exceeded if isinstance(each, Mapping)] if isinstance(exceeded, list) else []
    return [each for each in Scope if each.value in named]


def _allowed_from(question: ApprovalRequest) -> Mapping[Scope, Spent]:
    """Return what the scopes had spent from where their budgets count once more."""
    found: dict[Scope, Spent] = {}
    spent = question.args.get(_FROM)
    for scope in Scope:
        figures = spent.get(scope.value) if isinstance(spent, Mapping) else None
        if isinstance(figures, Mapping):
            counted = {name: value for name, value in figures.items() if isinstance(value, int)}
            found[scope] = Spent(**{name: counted.get(name, 0) for name in asdict(Spent())})
    return found
