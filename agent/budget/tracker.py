"""The budget of a turn: what may still start, and the one request to a person when a limit is exceeded.

The request is a row, like an approval. While it is open nothing starts, whatever a fresh count would say. When a
person's "go on" is applied, what had been spent by then is stored with it: from there the whole budget counts once
more, for every execution that follows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt
from pydantic import TypeAdapter

from agent.approval import TURN, ApprovalKind, ApprovalRequest, Decision, DecisionRecord
from agent.budget.budget import Budgets, LimitExceeded, Measure, Start, limit_exceeded_json
from agent.budget.metering import CallMeter
from agent.budget.usage import Account, Scope, Spending, Spent
from agent.ids import ApprovalId, ThreadId, ToolName, UserId
from agent.plan.operations import digest_of
from agent.ports import Approvals, Runs
from sandbox.script import Json

_EXCEEDED = "breaches"
"""Where a request's arguments hold the exceeded limits."""

_FROM = "from"
"""Where the arguments of a request answered with "go on" hold what had been spent by then, by scope."""

_EXCEEDED_LIMITS = TypeAdapter(list[LimitExceeded])
_SPENT = TypeAdapter(dict[Scope, Spent])


@dataclass(kw_only=True, eq=False)
class BudgetTracker:
    """Decides which starts of one turn the budget admits."""

    budgets: Budgets
    account: Account
    approvals: Approvals
    thread: ThreadId
    turn: int
    author: UserId
    #: Open or still to be asked; while there is one, nothing is admitted.
    request: ApprovalRequest | None = field(default=None, init=False)
    #: A person stopped the turn: nothing is admitted any more, and no request is made.
    over: bool = field(default=False, init=False)
    #: How many model calls were admitted and have not ended.
    _calls: int = field(default=0, init=False)
    #: How many requests the turn has made.
    _asked: int = field(default=0, init=False)
    #: What had been spent when a person said "go on".
    _allowed_from: dict[Scope, Spent] = field(default_factory=dict[Scope, Spent], init=False)
    #: Nothing has started since then.
    _just_allowed: bool = field(default=False, init=False)

    async def restore(self, record: DecisionRecord) -> None:
        """Apply one of the thread's requests, which come in the order they were asked; only budgets count."""
        if record.asked is None or record.kind is not ApprovalKind.BUDGET:
            return
        of_turn = record.turn == self.turn
        self._asked += of_turn
        if of_turn or record.decision is Decision.GO_ON:
            self.request = record.asked
            await self.apply(record)

    def admits(self, start: Start) -> bool:
        """Return whether this may start, and count it if it may."""
        if self.over or self.request is not None:
            return False
        exceeded = self.budgets.exceeded(self._spent(), self._allowed_from, start)
        # However little time a budget has, each "go on" starts something.
        if any(limit.measure is not Measure.TIME or not self._just_allowed for limit in exceeded):
            self.request = self._new_request(exceeded)
            self._asked += 1
            return False
        self._just_allowed = False
        if start is Start.CALL:
            self._calls += 1
        else:
            self.account.node_started()
        return True

    def stop(self) -> None:
        """Admit nothing more and ask nobody; whoever ends the turn withdraws the request."""
        self.over = True
        self.request = None

    def call_ended(self) -> None:
        """Stop counting a model call: it is in the account now."""
        self._calls -= 1

    async def apply(self, record: DecisionRecord) -> None:
        """Act on the request's decision.

        A stop or an expiry comes with the row that ends the turn: until that is read, nothing starts and no other
        request is made.
        """
        if (request := self.request) is None or record.decision is Decision.PENDING:
            return
        if record.decision in (Decision.STOP, Decision.EXPIRED):
            self.over = request.turn == self.turn
        elif record.decision is Decision.GO_ON:
            await self._go_on(request)
        self.request = None

    async def _go_on(self, request: ApprovalRequest) -> None:
        if _FROM not in request.args:
            spent = self._spent()
            scopes = [limit.scope for limit in _EXCEEDED_LIMITS.validate_python(request.args.get(_EXCEEDED, []))]
            counted: dict[str, Json] = {scope.value: _spent_json(spent[scope]) for scope in scopes}
            request = replace(request, args={**request.args, _FROM: counted})
            await self.approvals.extend(request.thread, request.id, request.args)
            self._just_allowed = True
        for scope, spent in _SPENT.validate_python(request.args[_FROM]).items():
            if scope is Scope.THREAD or request.turn == self.turn:
                self._allowed_from[scope] = spent

    def _spent(self) -> Mapping[Scope, Spent]:
        """Return what was spent, with the calls that have not ended."""
        begun = Spent(model_calls=self._calls)
        return {scope: spent + begun for scope, spent in self.account.spent().items()}

    def _new_request(self, exceeded: Sequence[LimitExceeded]) -> ApprovalRequest:
        args: dict[str, Json] = {
            _EXCEEDED: [limit_exceeded_json(limit) for limit in exceeded],
            "currency": self.budgets.currency,
        }
        key: list[Json] = [self.thread, self.turn, "budget", self._asked]
        return ApprovalRequest(
            id=ApprovalId(digest_of(key)[:32]),
            thread=self.thread,
            turn=self.turn,
            node=TURN,
            kind=ApprovalKind.BUDGET,
            title="",
            tool=ToolName("budget"),
            args=args,
            digest=digest_of([*key, args]),
            author=self.author,
        )


def _spent_json(spent: Spent) -> dict[str, Json]:
    """Return spending as it is stored; cached tokens, which came later than the others, only where there are any."""
    return {name: value for name, value in asdict(spent).items() if value or name != "cached_tokens"}


class BudgetTrackers:
    """Opens the trackers of turns."""

    def __init__(self, budgets: Budgets, spending: Spending, *, approvals: Approvals, runs: Runs) -> None:
        self._budgets = budgets
        self._spending = spending
        self._approvals = approvals
        self._runs = runs

    async def settle(self) -> None:
        """Return when everything is charged to the turns that spent it. Call it before another turn begins."""
        await self._spending.flush()

    async def open(self, thread: ThreadId, turn: int) -> BudgetTracker:
        """Return the turn's tracker, restored from its rows."""
        run = await self._runs.read(thread, turn)
        account = await self._spending.account(thread, turn)
        tracker = BudgetTracker(
            budgets=self._budgets,
            account=account,
            approvals=self._approvals,
            thread=thread,
            turn=turn,
            author=run.requester,
        )
        for record in (await self._approvals.read(thread)).values():
            await tracker.restore(record)
        return tracker

    def meter(self, thread: ThreadId, turn: int) -> CallMeter:
        """Return the meter for the model calls of a stage other than `execute`.

        `acquire` raises GraphInterrupt, which holds the request: the stage is entered again once it is answered.
        """
        opened: BudgetTracker | None = None

        async def acquire() -> None:
            nonlocal opened
            tracker = opened = opened or await self.open(thread, turn)
            if tracker.admits(Start.CALL):
                return
            if (request := tracker.request) is None:
                await asyncio.Event().wait()  # the stop that ended the tracker ends the stage, too
            else:
                await self._approvals.ask(request)
                raise GraphInterrupt((Interrupt(value={"question": request.id, "node": TURN}, id=request.id),))

        def ended() -> None:
            if opened is not None:
                opened.call_ended()

        return CallMeter(acquire=acquire, ended=ended)

    async def withdraw(self, thread: ThreadId, turn: int, why: str) -> None:
        """Withdraw the open requests of a turn that is over."""
        for record in (await self._approvals.read(thread)).values():
            if record.kind is ApprovalKind.BUDGET and record.turn == turn and record.decision is Decision.PENDING:
                await self._approvals.withdraw(thread, record.id, why)
