"""The life of one node in an execution: from the call of its task to its outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from inspect import Signature
from typing import Any, TypeAlias, assert_never

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.func import task  # pyright: ignore[reportMissingTypeStubs]  # typed inline; its py.typed is a folder up

from agent.approval import Decision
from agent.budget.metering import metered
from agent.execution.approved_call import ApprovedCall
from agent.execution.dynamic_nodes import check_condition, expand, gather
from agent.execution.execution_context import ExecutionContext
from agent.execution.parking import ExecutionClosed, Participant
from agent.execution.script_calls import ask_about, calls_of, decided_calls
from agent.execution.step import Step
from agent.execution.tool_input import Answered, InputWanted, ToolInput, asked_in, without_account
from agent.ids import NodeId
from agent.plan.dependencies import Blocked, Readiness
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Cancelled, Comment, Failed, NodeState, Outcome, Skipped, Succeeded, outcome_json
from agent.plan.script_calls import MAY_BEGIN, DecidedCalls, Suspended
from agent.ports import Bound
from agent.scripts.runner import WAITS_FOR_PEOPLE, WAITS_FOR_WORKERS
from agent.tool import Colour, InputRequired
from sandbox.script import Json

OutcomeJson: TypeAlias = Mapping[str, Json]
"""An outcome as it crosses LangGraph's checkpoints: plain types only."""


_NO_ARGUMENTS = Signature()


class Stage(Enum):
    """Where a node is in its life."""

    #: Waits for its dependencies, and a template for its items.
    INPUTS = auto()
    #: Evaluates its `when`.
    CONDITION = auto()
    #: A template: puts its items into the log.
    EXPAND = auto()
    #: A template: collects its items' results.
    GATHER = auto()
    #: A red node: takes up a call that was started before.
    LEDGER = auto()
    #: A script or subagent whose calls become nodes: reads what became of them so far.
    CALLS = auto()
    #: Waits until the budget lets anything start.
    BUDGET = auto()
    #: A green node: runs.
    RUN = auto()
    #: A red node: asks a person, then makes the call.
    ASK = auto()


class NodeRun(Participant):
    """One node in one execution. Its executor calls it in log order and publishes its outcome."""

    def __init__(self, step: Step, context: ExecutionContext) -> None:
        super().__init__(context.parking)
        self.step = step
        #: The LangGraph task in which it runs; None when LangGraph returned a result of an earlier execution.
        self.task_id: str | None = None
        #: Set when the log says that its condition was not met.
        self.skipped: Skipped | None = None
        self._context = context
        self._condition_met = not (step.node.when or step.node.for_each)
        self._items: Sequence[NodeId] | None = None
        #: Of a script or subagent whose calls become nodes: what became of them.
        self._decided: DecidedCalls | None = None
        self._stuck = False
        self._work: asyncio.Task[Outcome | Suspended | InputWanted | None] | None = None
        #: Whether people must still be asked.
        self._red = context.ports.work.colour(step.node) is Colour.RED and not step.node.for_each
        #: What was said with the yes to a subagent.
        self._comment: Comment | None = None
        self.red_call = ApprovedCall(self, step, context)
        self._input = ToolInput(self, step, context)
        #: Whether it is a green node whose call goes on with a person's answer.
        self._goes_on = False

    def call(self) -> "asyncio.Future[OutcomeJson]":
        """Start the node's task; it is live from this moment."""
        self.go_live()
        body = partial(NodeRun._in_task, self)
        setattr(body, "__signature__", _NO_ARGUMENTS)  # noqa: B010 - LangGraph would work it out twice for each node
        return _call(self.step.task_name, body)

    async def _in_task(self) -> OutcomeJson:
        self.task_id = _current_task_id()
        return outcome_json(await self.run())

    async def run(self) -> Outcome:
        """Lead the node from stage to stage until one of them yields its outcome.

        Raises:
            GraphInterrupt: the run parked before there was one.
            ExecutionClosed: the execution is over.
            RunnerLost: the thread is no longer ours.
        """
        stage: Stage | Outcome = Stage.INPUTS
        while isinstance(stage, Stage):
            match stage:
                case Stage.INPUTS:
                    stage = await self._wait_for_inputs()
                case Stage.CONDITION:
                    stage = await self._check_condition()
                case Stage.EXPAND:
                    stage = await self._expand()
                case Stage.GATHER:
                    stage = await gather(self._items or (), self._context)
                case Stage.LEDGER:
                    stage = self._begun(await self.red_call.recorded()) or Stage.BUDGET
                case Stage.CALLS:
                    stage = await self._read_calls()
                case Stage.BUDGET:
                    stage = await self._wait_for_budget()
                case Stage.RUN:
                    stage = await self._run_work() or Stage.INPUTS
                case Stage.ASK:
                    stage = self._begun(await self.red_call.run()) or Stage.INPUTS
                case _:
                    assert_never(stage)
        return await self._context.inline.fit(self.step, stage, partial(self._context.origin, self.step))

    async def _wait_for_inputs(self) -> Stage | Outcome:
        while True:
            if self._context.parking.closed:
                raise ExecutionClosed
            if (why := self.cancelled) is not None and (not self._red or await self.red_call.cancel(why)):
                await self._input.withdraw(why)
                return Cancelled(why=why)
            readiness = self._context.frontier.readiness(self.step.id)
            if isinstance(readiness, Blocked):
                return Skipped(because=readiness.because)
            if readiness is Readiness.READY:
                return self._stage_after_inputs()
            if self._stuck:
                return Skipped(because=self._context.frontier.missing(self.step.id))
            await self._wait_unless_parked()

    def _stage_after_inputs(self) -> Stage:
        if not self._condition_met:
            return Stage.CONDITION
        if self.step.node.for_each:
            return Stage.EXPAND if self._items is None else Stage.GATHER
        if self._red:
            return Stage.LEDGER
        return Stage.CALLS if self._context.ports.work.asks_inside(self.step.node) else Stage.BUDGET

    def _begun(self, ended: Outcome | None) -> Stage | Outcome | None:
        """Return how a red call ended; of a subagent that may begin, the stage in which it goes on as a green one."""
        if self.step.node.kind is not NodeKind.SUBAGENT or not isinstance(ended, Succeeded):
            return ended
        if ended.value != MAY_BEGIN.value:
            return ended  # it was done by hand, or by an earlier version of this program
        self._red, self._comment = False, ended.comment
        return Stage.CALLS

    async def _check_condition(self) -> Stage | Outcome:
        if (ended := self.skipped or await check_condition(self.step, self._context)) is not None:
            return ended
        self._condition_met = True
        return Stage.INPUTS  # that took time, in which the node may have been cancelled

    async def _expand(self) -> Stage | Outcome:
        items = await expand(self.step, self._context)
        if isinstance(items, Failed):
            return items
        self._items = items
        self._context.show(self.step.id, NodeState.RUNNING)
        # No await from here until the node waits: the executor reads the items from the log before it may park.
        self._context.parking.wake.set()
        self._context.frontier.wait_for_items(self.step.id, items)
        return Stage.INPUTS

    async def _read_calls(self) -> Stage | Outcome:
        calls = await calls_of(self.step, self._context)
        if any(call.id not in self._context.frontier.outcomes for call in calls):
            return self._wait_for_calls(calls)
        decided = await decided_calls(calls, self.step, self._context)
        if isinstance(decided, Failed):
            return decided
        self._decided = decided
        return Stage.BUDGET

    def _wait_for_calls(self, calls: Sequence[Node]) -> Stage:
        """Wait until calls ended, which are in the log; no await until the node waits, as for a template's items."""
        handed_out = all(call.kind is NodeKind.SUBAGENT for call in calls)
        detail = WAITS_FOR_WORKERS if handed_out else WAITS_FOR_PEOPLE
        self._context.show(self.step.id, NodeState.RUNNING, detail=detail)
        self._context.parking.wake.set()
        self._context.frontier.wait_for_items(self.step.id, [call.id for call in calls])
        return Stage.INPUTS

    async def _wait_for_budget(self) -> Stage:
        if not self._context.budget_gate.holds(self):
            return Stage.ASK if self._red else Stage.RUN
        await self._wait_unless_parked()
        return Stage.INPUTS

    async def _wait_unless_parked(self) -> None:
        if self._context.parking.parked:
            raise GraphInterrupt(())
        await self.wait()

    async def _run_work(self) -> Stage | Outcome | None:
        """Run a green node in a task of its own; return None when it may not start now."""
        ended = await self._ended_work()
        if isinstance(ended, InputWanted):
            answer = await self._input.answer(ended)
            if not isinstance(answer, Answered):
                return answer
            self._goes_on = True
            return Stage.INPUTS  # that took time, in which the node may have been cancelled
        if isinstance(ended, Succeeded | Failed) and self._comment is not None:
            return replace(ended, comment=self._comment)
        if not isinstance(ended, Suspended):
            return ended
        calls = await ask_about(ended, self.step, self._context)
        return calls if isinstance(calls, Failed) else self._wait_for_calls(calls)

    async def _ended_work(self) -> Outcome | Suspended | InputWanted | None:
        work = self._work = asyncio.create_task(self._work_in_slot(), name=f"node {self.step.id}")
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # the execution is over: nobody else will look at it
            raise
        finally:
            self._work = None
        if not work.cancelled():
            return work.result()
        if self.cancelled is not None:
            return Cancelled(why=self.cancelled)
        return None if self._context.parking.parked else Failed(error="cancelled")

    async def _work_in_slot(self) -> Outcome | Suspended | InputWanted | None:
        context, step, decided = self._context, self.step, self._decided
        async with context.slots:  # a red node takes none: a person has just approved it and waits for its start
            # a script that is run again is the node that has started already
            if not (decided and decided.nodes) and not self._goes_on and not context.budget_gate.admits(self):
                return None
            context.show(step.id, NodeState.RUNNING)
            with metered(context.budget_gate.meter(self)):
                bound = await context.bind(step)
                if isinstance(bound, Failed):
                    return bound
                return await self._perform(bound, decided)

    async def _perform(self, bound: Bound, decided: DecidedCalls | None) -> Outcome | Suspended | InputWanted:
        """Make a green call or run a script, unless it asked a person before who has not answered yet."""
        context, step, before = self._context, self.step, self._input.newest(bound.digest)
        if before is not None and before.decision is Decision.PENDING:
            return InputWanted(bound=bound, asked=asked_in(before), attempt=before.attempt)
        if (ended := without_account(before)) is not None:
            return ended
        called_for = context.call_context(step, bound, given=self._input.given(bound.digest))
        try:
            if decided is not None:
                return await context.ports.work.run_script(step.node, bound, called_for, decided)
            return await context.ports.work.perform(step.node, bound, called_for)
        except InputRequired as needed:
            return await self._input.pose(bound, needed.asked, self._input.tries(bound.digest) + 1)

    def cancel(self, why: str) -> None:
        """Make the node end soon, wherever it is. A red call under way goes on."""
        super().cancel(why)
        self.stop_work()

    def stop_work(self) -> None:
        """Cancel a green node's work, and what a red one waits for.

        When a run parks, only work that waits for its budget is left.
        """
        self.red_call.stop_waiting()
        if self._work is not None:
            self._work.cancel()

    def skip_as_stuck(self) -> None:
        """End a waiting node as skipped: what it waits for will never come."""
        self._stuck = True
        self.open_gate()


def _call(name: str, body: Callable[[], Awaitable[OutcomeJson]]) -> "asyncio.Future[OutcomeJson]":
    """Call `body` as the next task of the running graph node; must be called from inside it.

    LangGraph finds a finished task again by checkpoint, name and call index: calls must come in the same order in
    every execution. No retry, timeout or cache policy: an exhausted retry runs again at every wake, a timeout counts
    the wait for inputs, a cache key can mix up two closures.
    """
    named: Any = task(name=name)
    return named(body)()


def _current_task_id() -> str:
    """Return the id of the LangGraph task whose body runs now: under it its writes are stored."""
    return get_config()["configurable"]["__pregel_task_id"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # always there inside a task
