"""The brake of one entry: what starts while a budget's question is open rests, and goes on once it is answered."""

from collections.abc import Callable

from agent.budget.budget import Start
from agent.budget.metering import CallMeter
from agent.budget.tracker import TURN, BudgetTracker
from agent.execution.parking import Cancellation, Parking
from agent.ids import NodeId
from agent.ports import ApprovalRequest, DecisionRecord


class BudgetGate:
    """Holds starts back. `ask` is told, once, of a question that is to be asked; without a purse nothing is held.

    What is refused rests at its gate (`Suspension.pass_gate`) and tries again when that opens.
    """

    def __init__(self, parking: Parking, ask: Callable[[ApprovalRequest], None]) -> None:
        self._parking = parking
        self._ask = ask
        self._purse: BudgetTracker | None = None
        self._held: set[NodeId] = set()
        self._asking = False

    @property
    def on(self) -> bool:
        """Tell whether nothing starts now."""
        return self._purse is not None and (self._purse.over or self._purse.question is not None)

    def fit(self, budget_tracker: BudgetTracker) -> None:
        """Go by this purse from now on; ask at once what it has open."""
        self._purse = budget_tracker
        self._see_to_question()

    def admits(self, node: NodeId, start: Start = Start.NODE) -> bool:
        """Tell whether the node's work, or a model call of it, may start now; if so it counts as started."""
        if self._purse is None or self._purse.admits(start):
            return True
        self._held.add(node)
        self._see_to_question()
        return False

    def rests(self, node: NodeId) -> bool:
        """Tell whether nothing starts now; then the node's gate is opened when that is over."""
        if self.on:
            self._held.add(node)
        return self.on

    def payer(self, node: NodeId) -> CallMeter | None:
        """Return who pays for the model calls of a node, or of the feeder."""
        if (budget_tracker := self._purse) is None:
            return None

        async def acquire() -> None:
            while not self.admits(node, Start.CALL):
                await self._parking.wait(node)

        return CallMeter(acquire=acquire, ended=budget_tracker.call_ended)

    async def hear(self, said: DecisionRecord | Cancellation) -> None:
        """Act on the answer: what was held tries again."""
        if self._purse is None:
            return
        if isinstance(said, Cancellation):
            self._purse.over = True
        else:
            await self._purse.hear(said)
        self._asking = False
        for node in tuple(self._held):
            self._held.discard(node)
            self._parking.open_gate(node)

    def _see_to_question(self) -> None:
        if self._purse is None or self._purse.question is None or self._asking:
            return
        self._asking = True
        self._parking.go_live(TURN)
        self._ask(self._purse.question)
