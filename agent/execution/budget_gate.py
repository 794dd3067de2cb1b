"""The budget gate of one execution: holds starts back while a budget's request is open, lets them go on afterwards."""

from agent.approval import ApprovalRequest, DecisionRecord
from agent.budget.budget import Start
from agent.budget.metering import CallMeter
from agent.budget.tracker import BudgetTracker
from agent.execution.parking import Parking, Participant
from agent.plan.outcomes import Cancelled


class BudgetGate:
    """Admits starts as long as the turn's tracker does. Without a tracker nothing is held back.

    A participant that is not admitted waits at its own gate and tries again when that opens.
    """

    def __init__(self, parking: Parking) -> None:
        self._wake = parking.wake
        self._tracker: BudgetTracker | None = None
        self._held: set[Participant] = set()
        self._taken = False
        #: Asks the budget's request: live from the moment there is one until its answer is applied.
        self.asker = Participant(parking)

    @property
    def blocked(self) -> bool:
        """Whether nothing may start now."""
        return self._tracker is not None and (self._tracker.over or self._tracker.request is not None)

    def attach(self, tracker: BudgetTracker) -> None:
        """Go by this tracker from now on."""
        self._tracker = tracker
        self._announce()

    def admits(self, participant: Participant, start: Start = Start.NODE) -> bool:
        """Return whether this may start now; if so it counts as started."""
        if self._tracker is None or self._tracker.admits(start):
            return True
        self._held.add(participant)
        self._announce()
        return False

    def holds(self, participant: Participant) -> bool:
        """Return whether nothing may start now; then the participant's gate is opened when that is over."""
        if self.blocked:
            self._held.add(participant)
        return self.blocked

    def meter(self, participant: Participant) -> CallMeter | None:
        """Return the meter for the model calls of a node or of the planner."""
        if (tracker := self._tracker) is None:
            return None

        async def acquire() -> None:
            while not self.admits(participant, Start.CALL):
                await participant.wait()

        return CallMeter(acquire=acquire, ended=tracker.call_ended)

    def take_request(self) -> ApprovalRequest | None:
        """Return the request that is to be asked now; each is returned once."""
        if self._tracker is None or self._tracker.request is None or self._taken:
            return None
        self._taken = True
        return self._tracker.request

    async def apply(self, answer: DecisionRecord | Cancelled) -> None:
        """Act on the answer to the request: what was held back tries again."""
        if self._tracker is None:
            return
        if isinstance(answer, Cancelled):
            self._tracker.stop()
        else:
            await self._tracker.apply(answer)
        self._taken = False
        while self._held:
            self._held.pop().open_gate()
        self.asker.rest()

    def _announce(self) -> None:
        """Keep the run from parking until the executor has asked a new request."""
        if self._tracker is not None and self._tracker.request is not None and not self._taken:
            self.asker.go_live()
            self._wake.set()
