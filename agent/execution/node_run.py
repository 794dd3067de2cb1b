"""A node's body: from its call, through its gate, to its outcome."""

import asyncio

from langgraph.errors import GraphInterrupt

from agent.budget.metering import metered
from agent.execution.approved_call import RedCalls
from agent.execution.dynamic_nodes import DynamicNodes
from agent.execution.execution_context import ExecutionContext
from agent.execution.inline_results import InlineBudget
from agent.execution.parking import ExecutionClosed
from agent.execution.step import Step
from agent.ids import NodeId
from agent.plan.dependencies import Blocked, Readiness
from agent.plan.outcomes import Cancelled, Failed, NodeState, Outcome, Skipped
from agent.tool import Colour


class NodeRuns:
    """Runs the nodes of one entry. `slots` bounds how many green ones are at work at once.

    A slot is taken after the wait for inputs. A red node takes none: a person has just said yes
    and waits for it to start.
    """

    def __init__(
        self, entry: ExecutionContext, slots: asyncio.Semaphore, inline: InlineBudget, unfolding: DynamicNodes
    ) -> None:
        self._entry = entry
        self._slots = slots
        self._inline = inline
        self._unfolding = unfolding
        self._red = RedCalls(entry)
        self._at_work: dict[NodeId, asyncio.Task[Outcome | None]] = {}
        self._stuck: set[NodeId] = set()

    async def run(self, step: Step) -> Outcome:
        """Return the node's outcome.

        Raises:
            GraphInterrupt: the run parked before there was one.
            EntryClosed: the entry is over.
            RunnerLost: the thread is no longer ours.
        """
        red = self._entry.ports.work.colour(step.node) is Colour.RED
        outcome = await self._outcome(step, red=red)
        return await self._inline.fit(step, outcome)

    async def _outcome(self, step: Step, *, red: bool) -> Outcome:
        if (ended := await self._ended_before(step, red=red)) is not None:
            return ended
        if step.node.when or step.node.for_each:
            # What these read and store takes time, in which the node may have been cancelled.
            ended = await self._unfolding.condition(step) or await self._ended_before(step, red=red)
            if ended is not None:
                return ended
        if not step.node.for_each:
            return await self._worked(step, red=red)
        if (failed := await self._unfolding.expand(step)) is not None:
            return failed
        return await self._ended_before(step, red=False) or await self._unfolding.gathered(step)

    async def _worked(self, step: Step, *, red: bool) -> Outcome:
        """Do the node's work, as soon as it may start."""
        entry = self._entry
        while True:
            outcome = await (self._red.run(step) if red else self._green(step))
            if outcome is not None:
                return outcome
            if entry.budget_gate.rests(step.id):
                if entry.parking.parked:
                    raise GraphInterrupt(())
                await entry.parking.wait(step.id)
            if (ended := await self._ended_before(step, red=red)) is not None:
                return ended

    async def _ended_before(self, step: Step, *, red: bool) -> Outcome | None:
        """Wait for the node's inputs; return how it ended if it ends without its work."""
        entry = self._entry
        while True:
            if entry.parking.closed:
                raise ExecutionClosed
            if (why := entry.cancelled.get(step.id)) is not None and (not red or await self._red.cancel(step)):
                return Cancelled(why=why)
            standing = entry.frontier.readiness(step.id)
            if isinstance(standing, Blocked):
                return Skipped(because=standing.because)
            if standing is Readiness.READY:
                return None
            if step.id in self._stuck:
                return Skipped(because=entry.frontier.missing(step.id))
            if entry.parking.parked:
                raise GraphInterrupt(())
            await entry.parking.wait(step.id)

    def cancel(self, node: NodeId) -> None:
        """Make a node that was just cancelled end soon, wherever it is. A red call at work goes on."""
        why = self._entry.cancelled[node]
        self._entry.parking.withdraw(node, why)
        self._entry.parking.open_gate(node)
        if (work := self._at_work.get(node)) is not None:
            work.cancel()

    def release_stuck(self) -> bool:
        """Let nodes that wait for what is not in the plan end as skipped; tell whether there were any.

        Of nodes that wait for each other the first one goes: the others may still run because of it.
        """
        waiting = self._entry.parking.waiting
        orphans = [each for each in waiting if self._entry.frontier.missing(each) not in self._entry.frontier]
        released = orphans or waiting[:1]
        self._stuck.update(released)
        for node in released:
            self._entry.parking.open_gate(node)
        return bool(released)

    def park(self) -> None:
        """End what rests in the midst of its work: only what waits for a model call it cannot pay is at work still."""
        for work in self._at_work.values():
            work.cancel()

    async def settle(self) -> None:
        """Return when no red call is half-way."""
        await self._red.settle()

    async def _green(self, step: Step) -> Outcome | None:
        """Return the outcome; None when it may not start now."""
        work = asyncio.create_task(self._work(step), name=f"node {step.id}")
        self._at_work[step.id] = work
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # the entry is over: nobody else will look at it
            raise
        finally:
            del self._at_work[step.id]
        if not work.cancelled():
            return work.result()
        if (why := self._entry.cancelled.get(step.id)) is not None:
            return Cancelled(why=why)
        return None if self._entry.parking.parked else Failed(error="cancelled")

    async def _work(self, step: Step) -> Outcome | None:
        ports = self._entry.ports
        async with self._slots:
            if not self._entry.budget_gate.admits(step.id):
                return None
            self._entry.show(step.id, NodeState.RUNNING)
            with metered(self._entry.budget_gate.payer(step.id)):
                bound = await ports.work.bind(step.thread, step.node, self._entry.frontier.outcomes)
                if isinstance(bound, Failed):
                    return bound
                return await ports.work.perform(step.node, bound, step.context(bound))
