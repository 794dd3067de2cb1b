"""The barrier-free executor: one execution of the graph's node `execute`, driven by data flow.

It keeps the laws of ARCHITECTURE.md: calls in the log's order; outcomes are values; parking is one synchronous step;
the plan is an append-only log; a result counts when its write is committed; one runner per thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from agent.approval import ApprovalRequest
from agent.budget.metering import metered
from agent.errors import AgentError
from agent.execution.execution_context import ExecutionContext
from agent.execution.node_run import NodeRun, OutcomeJson
from agent.execution.parking import Participant
from agent.execution.step import Step
from agent.ids import NodeId
from agent.plan.operations import Add, Cancel, LoggedOperation, Node, Skip, references_of
from agent.plan.outcomes import Outcome, Skipped, outcome_from_json, outcome_json
from agent.plan.references import references_in
from agent.ports import Message, RunStatus, Subscription

_CALLED_AT_ONCE = 8
"""Calls of nodes after which others get a turn: calling a thousand nodes takes a second."""

STOPPED = "stopped"
"""Why the nodes of a stopped turn are cancelled."""


class ExecutionBroken(AgentError):
    """Something inside the execution ended as it never should; the step stays open and is entered again."""


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """The results that an execution adds to the run's state."""

    #: The new outcomes.
    results: Mapping[NodeId, OutcomeJson]
    #: The last operation acted on.
    seq: int


class Execution:
    """Calls every operation's node as a LangGraph task and follows each to its outcome.

    `committed` returns when the writes of a LangGraph task are in the checkpoint store.
    """

    def __init__(
        self,
        context: ExecutionContext,
        *,
        turn: int,
        seq: int,
        committed: Callable[[str], Awaitable[None]],
    ) -> None:
        self._context = context
        self._turn = turn
        self._seq = seq
        self._committed = committed
        self._thread = context.thread
        self._ports = context.ports
        self._parking = context.parking
        self._wake = context.parking.wake
        self._frontier = context.frontier
        self._budget_gate = context.budget_gate
        #: The nodes of this turn that ended before this execution.
        self._earlier = frozenset(context.frontier.outcomes)
        self._runs: dict[NodeId, NodeRun] = {}
        self._calls: list[asyncio.Future[OutcomeJson]] = []
        self._feeder = Participant(self._parking)
        self._feeding: asyncio.Task[None] | None = None
        self._fed: frozenset[int] = frozenset()
        self._running = False
        self._stopped = False
        #: Tasks that end by themselves once nothing is live: the run parks when all have.
        self._followers: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._interrupts: list[Interrupt] = []
        self._error: BaseException | None = None

    async def run(self) -> Progressed:
        """Run until everything in the log has an outcome.

        Raises:
            GraphInterrupt: the run parks; holds the interrupt of every open request.
            AgentError: the execution broke off; entering again loses and repeats nothing.
        """
        try:
            if self._ports.budget_trackers is not None:
                self._budget_gate.attach(await self._ports.budget_trackers.open(self._thread, self._turn))
            with self._ports.notifications.subscribe(self._thread) as subscription:
                self._start(self._listen(subscription), self._background)
                await self._drive()
                self._park()
            if self._followers:
                await asyncio.wait(self._followers)
            self._raise_error()
        finally:
            await self._close()
        await self._ports.progress.flush()
        if self._interrupts:
            raise GraphInterrupt(tuple(self._interrupts))
        outcomes = self._frontier.outcomes.items()
        new = {node: outcome_json(outcome) for node, outcome in outcomes if node in self._runs}
        return Progressed(results=new, seq=self._seq)

    async def _drive(self) -> None:
        """Return when nothing is live and the rows hold nothing new; no await lies in between."""
        while True:
            self._wake.clear()
            self._raise_error()
            await self._pull()
            self._raise_error()
            if self._wake.is_set():
                continue
            if self._parking.live:
                await self._wake.wait()
            elif self._parking.asking or self._budget_gate.blocked or not self._release_stuck():
                return

    async def _pull(self) -> None:
        """Act on everything new: decisions, a budget that is used up, a stop, messages, operations."""
        feeding = self._feeding
        news = await self._ports.news.read(self._thread, self._turn, self._seq)
        self._parking.deliver(news.requests)
        if (request := self._budget_gate.take_request()) is not None:
            self._start(self._ask_for_budget(request), self._followers)
        if news.mail.stop:
            await self._read_stop()
        if feeding is None:  # else this may be older than the feeder's end, which wakes us to look again
            self._feed(news.mail.messages)
        fresh = news.operations
        if fresh and not self._running:
            self._running = True
            await self._ports.runs.set_status(self._thread, self._turn, RunStatus.RUNNING)
        await self._recall([logged.operation.node for logged in fresh if isinstance(logged.operation, Add)])
        for number, logged in enumerate(fresh, start=1):
            self._act(logged)
            self._seq = logged.seq
            if not number % _CALLED_AT_ONCE:  # the first nodes of a wide plan begin before its last are called
                await asyncio.sleep(0)
        if self._stopped:
            for node in self._frontier.unfinished:
                self._cancel(node, STOPPED)

    async def _recall(self, added: Sequence[Node]) -> None:
        """Read the outcomes of earlier turns that these nodes need; the state has only those of this turn."""
        needed = {dependency.node for node in added for dependency in node.depends_on}
        needed |= {
            named for node in added for _, reference in references_in(references_of(node)) for named in reference.nodes
        }
        unknown = needed - {node.id for node in added} - self._runs.keys() - self._frontier.outcomes.keys()
        if unknown:
            self._frontier.recall(await self._ports.statuses.ended(self._thread, unknown, self._turn))

    async def _read_stop(self) -> None:
        """End the planning of a stopped turn; `_pull` cancels its nodes, also those whose operations come late."""
        if self._stopped or await self._ports.mailbox.stopped(self._thread, self._turn) is None:
            return
        self._stopped = True
        self._budget_gate.asker.cancel(STOPPED)
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait([self._feeding])
            self._feeder.rest()
            self._wake.set()  # it may have written operations since they were read

    def _feed(self, messages: Sequence[Message]) -> None:
        if self._stopped or self._feeding is not None:
            return
        untaken = frozenset(message.id for message in messages)
        if not untaken:
            return
        if untaken & self._fed:
            raise ExecutionBroken("the feeder returned without taking the messages it was started for")
        self._fed = untaken
        self._feeder.go_live()
        self._feeding = self._start(self._plan(), self._background)

    async def _plan(self) -> None:
        with metered(self._budget_gate.meter(self._feeder)):
            await self._ports.feeder.feed(self._thread, self._turn, self._wake.set)
        self._feeding = None
        self._wake.set()
        self._feeder.rest()

    def _act(self, logged: LoggedOperation) -> None:
        match logged.operation:
            case Add(node=node):
                self._add(Step(thread=self._thread, turn=logged.turn, author=logged.author, node=node))
            case Cancel(id=node, why=why):
                self._cancel(node, why)
            case Skip(id=node, because=because, why=why):
                if (run := self._runs.get(node)) is not None:
                    run.skipped = run.skipped or Skipped(because=because, why=why)
            case _:
                assert_never(logged.operation)

    def _add(self, step: Step) -> None:
        self._context.sources.add(step.author, step.node)
        # Both are the same whenever this step is entered, so a call's index is too (LangGraph finds a finished task
        # again by checkpoint, name and call index).
        if step.id in self._earlier or step.id in self._runs:
            return
        self._frontier.add(step.node)
        run = self._runs[step.id] = NodeRun(step, self._context)
        if step.node.item_of is not None and (template := self._runs.get(step.node.item_of)) is not None:
            run.cancelled = template.cancelled
        self._context.show_planned(step)
        call = run.call()
        self._calls.append(call)
        self._start(self._follow(run, call), self._followers)

    async def _follow(self, run: NodeRun, call: "asyncio.Future[OutcomeJson]") -> None:
        await asyncio.wait([call])
        if call.cancelled():
            raise ExecutionBroken(f"the call of node {run.step.id!r} was cancelled")
        error = call.exception()
        if isinstance(error, GraphInterrupt):
            self._interrupts.extend(error.args[0])
            return
        if error is not None:
            raise error
        outcome = outcome_from_json(call.result())
        if run.task_id is None:
            self._context.inline.count([outcome])
        else:
            await self._committed(run.task_id)
        self._publish(run, outcome)

    def _publish(self, run: NodeRun, outcome: Outcome) -> None:
        """Make the dependents that became ready live, in the same step as the node itself ends."""
        for child in self._frontier.finish(run.step.id, outcome):
            self._runs[child].open_gate()
        self._context.show_ended(run.step, outcome)
        run.rest()

    def _cancel(self, node: NodeId, why: str) -> None:
        run = self._runs.get(node)
        if run is None or run.cancelled is not None or node in self._frontier.outcomes:
            return
        run.cancel(why)
        for item in self._frontier.items_of(node):
            self._cancel(item, why)

    def _release_stuck(self) -> bool:
        """Skip nodes that wait for what is not in the plan; return whether there were any.

        Of nodes that wait for each other only the first is skipped: the others may still run because of it.
        """
        waiting = [participant for participant in self._parking.waiting if isinstance(participant, NodeRun)]
        stuck = [run for run in waiting if self._frontier.missing(run.step.id) not in self._frontier] or waiting[:1]
        for run in stuck:
            run.skip_as_stuck()
        return bool(stuck)

    async def _ask_for_budget(self, request: ApprovalRequest) -> None:
        """Ask about a budget, like a node asks about its call; parking keeps the request."""
        try:
            answer = await self._budget_gate.asker.ask(request)
        except GraphInterrupt as parked:
            self._interrupts.extend(parked.args[0])
            return
        await self._budget_gate.apply(answer)

    async def _listen(self, subscription: Subscription) -> None:
        while True:
            await subscription.wait(self._context.limits.poll_seconds)
            self._wake.set()

    def _start(self, work: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        started = asyncio.create_task(work)
        tasks.add(started)
        started.add_done_callback(self._ended)
        return started

    def _ended(self, ended: asyncio.Task[None]) -> None:
        self._followers.discard(ended)
        self._background.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            self._error = self._error or error
            self._wake.set()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _park(self) -> None:
        """Let every open request raise its interrupt and everything that waits end, in one step."""
        self._parking.park()
        for run in self._runs.values():
            run.stop_work()

    async def _close(self) -> None:
        """End what is left. A call cancelled before its first step never ends by itself: its follower goes too."""
        self._parking.close()
        left = self._followers | self._background
        for task in (*self._calls, *left):
            task.cancel()
        while red_calls := [
            call for run in self._runs.values() if (call := run.red_call.in_flight) and not call.done()
        ]:
            await asyncio.wait(red_calls)
        if left:
            await asyncio.wait(left)
        for call in self._calls:
            if not call.cancelled():
                call.exception()
