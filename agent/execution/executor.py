"""The barrier-free executor: one entry into the graph's node `execute`, driven by data flow.

The laws it keeps (ARCHITECTURE.md has them in full): calls in the log's order; outcomes are values;
parking is one synchronous step; the plan is an append-only log; a result counts when its write is
committed; one runner per thread. A little longer than most files, so that an entry's life can be read in one go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.func import task  # pyright: ignore[reportMissingTypeStubs]  # typed inline; its py.typed is a folder up
from langgraph.types import Interrupt

from agent.budget.metering import metered
from agent.budget.tracker import TURN
from agent.errors import AgentError
from agent.execution.budget_gate import BudgetGate
from agent.execution.dynamic_nodes import DynamicNodes
from agent.execution.execution_context import ExecutionContext, Lease, Ports
from agent.execution.inline_results import InlineBudget
from agent.execution.node_run import NodeRuns
from agent.execution.parking import Parking
from agent.execution.step import Step
from agent.ids import NodeId, ThreadId
from agent.limits import Limits
from agent.plan.dependencies import Frontier
from agent.plan.operations import Add, Cancel, LoggedOperation, Skip
from agent.plan.outcomes import Outcome, Skipped, outcome_from_json, outcome_json
from agent.ports import ApprovalRequest, RunStatus, Subscription
from sandbox.script import Json

OutcomeJson: TypeAlias = Mapping[str, Json]
"""An outcome as it crosses LangGraph's checkpoints: plain types only."""


def start_call(name: str, body: Callable[[], Awaitable[OutcomeJson]]) -> asyncio.Future[OutcomeJson]:
    """Call `body` as the next task of the running graph node; must be called from inside it.

    LangGraph finds a finished task again by checkpoint, name and call index: calls must come in
    the same order at every entry. No retry, timeout or cache policy: an exhausted retry runs again
    at every wake, a timeout counts the wait for inputs, a cache key can mix two closures up.
    """
    named: Any = task(name=name)
    return named(body)()


def current_task_id() -> str:
    """Return the id of the LangGraph task whose body runs now: under it its writes are stored."""
    return get_config()["configurable"]["__pregel_task_id"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # always there inside a task


_FEEDER = NodeId(" feeder")
"""Who is live while the feeder plans; no node's id has a space."""


STOPPED = "stopped"
"""Why the nodes of a stopped turn are cancelled."""


class ExecutionBroken(AgentError):
    """Something inside the entry ended as it never should; the step stays open and is entered again."""


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """What an entry adds to the run's state: new outcomes, and the last operation acted on."""

    results: Mapping[NodeId, OutcomeJson]
    seq: int


class Execution:
    """One entry: calls every operation's node as a LangGraph task and follows each to its outcome.

    `committed` returns when the writes of a LangGraph task are in the checkpoint store.
    """

    def __init__(
        self,
        *,
        thread: ThreadId,
        turn: int,
        seq: int,
        results: Mapping[NodeId, OutcomeJson],
        ports: Ports,
        lease: Lease,
        committed: Callable[[str], Awaitable[None]],
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        outcomes = {node: outcome_from_json(each) for node, each in results.items()}
        self._ports = ports
        self._thread = thread
        self._turn = turn
        self._seq = seq
        self._committed = committed
        self._limits = limits
        self._wake = asyncio.Event()
        self._parking = Parking(ports.questions, rested=self._wake.set)
        self._frontier = Frontier(outcomes)
        self._budget_gate = BudgetGate(self._parking, self._ask_for_more)
        self._entry = ExecutionContext(
            thread=thread,
            ports=ports,
            lease=lease,
            parking=self._parking,
            frontier=self._frontier,
            budget_gate=self._budget_gate,
            now=now,
            grown=self._wake.set,
        )
        self._inline = InlineBudget(ports.artifacts)
        self._inline.count(outcomes.values())
        unfolding = DynamicNodes(self._entry, limits)
        self._bodies = NodeRuns(self._entry, asyncio.Semaphore(limits.nodes_at_once), self._inline, unfolding)
        self._began = frozenset(outcomes)
        self._calls: list[asyncio.Future[OutcomeJson]] = []
        self._followers: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._ran: dict[NodeId, str] = {}
        self._interrupts: list[Interrupt] = []
        self._error: BaseException | None = None
        self._running = False
        self._feeding: asyncio.Task[None] | None = None
        self._fed: frozenset[int] = frozenset()
        self._stopped = False

    async def run(self) -> Progressed:
        """Run until everything in the log has an outcome.

        Raises:
            GraphInterrupt: the run parks; holds the interrupt of every open question.
            AgentError: the entry broke off; entering again loses and repeats nothing.
        """
        try:
            if self._ports.budget_trackers is not None:
                self._budget_gate.fit(await self._ports.budget_trackers.open(self._thread, self._turn))
            with self._ports.notifications.subscribe(self._thread) as news:
                self._start(self._listen(news), self._background)
                await self._drive()
                self._parking.park()
                self._bodies.park()
            if self._followers:
                await asyncio.wait(self._followers)
            self._check()
        finally:
            await self._close()
        await self._ports.progress.flush()
        if self._interrupts:
            raise GraphInterrupt(tuple(self._interrupts))
        new = {node: outcome_json(each) for node, each in self._frontier.outcomes.items() if node not in self._began}
        return Progressed(results=new, seq=self._seq)

    async def _drive(self) -> None:
        """Return when nothing is live and the rows hold nothing new; no await lies in between."""
        while True:
            self._wake.clear()
            self._check()
            await self._pull()
            self._check()
            if self._wake.is_set():
                continue
            if self._parking.live:
                await self._wake.wait()
            elif self._parking.asking or self._budget_gate.on or not self._bodies.release_stuck():
                return

    async def _pull(self) -> None:
        """Act on everything new in the rows: decisions, a stop, messages, operations."""
        if self._parking.asking:
            self._parking.hear(await self._ports.questions.standings(self._thread))
        await self._hear_stop()
        await self._feed()
        fresh = await self._ports.log.after(self._thread, self._seq)
        if fresh and not self._running:
            self._running = True
            await self._ports.runs.set_status(self._thread, self._turn, RunStatus.RUNNING)
        for logged in fresh:
            self._act(logged)
            self._seq = logged.seq
        if self._stopped:
            for node in self._frontier.unfinished:
                self._cancel(node, STOPPED)

    async def _hear_stop(self) -> None:
        """End the planning of a stopped turn; `_pull` cancels its nodes, also those whose operations come late."""
        if self._stopped or await self._ports.mailbox.stopped(self._thread, self._turn) is None:
            return
        self._stopped = True
        self._parking.withdraw(TURN, STOPPED)
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait([self._feeding])
            self._parking.rest(_FEEDER)

    def _act(self, logged: LoggedOperation) -> None:
        match logged.operation:
            case Add(node=node):
                self._add(Step(thread=self._thread, turn=logged.turn, author=logged.author, node=node))
            case Cancel(id=node, why=why):
                self._cancel(node, why)
            case Skip(id=node, because=because, why=why):
                self._entry.skipped.setdefault(node, Skipped(because=because, why=why))
            case _:
                assert_never(logged.operation)

    def _add(self, step: Step) -> None:
        # Both are the same at every entry into this step, so a call's index is too (LangGraph finds
        # a finished task again by checkpoint, name and call index).
        if step.id in self._began or step.id in self._frontier:
            return
        self._frontier.add(step.node)
        if step.node.item_of is not None and (why := self._entry.cancelled.get(step.node.item_of)) is not None:
            self._entry.cancelled.setdefault(step.id, why)
        self._parking.go_live(step.id)
        self._entry.show_planned(step)

        async def body() -> OutcomeJson:
            self._ran[step.id] = current_task_id()
            return outcome_json(await self._bodies.run(step))

        call = start_call(step.task_name, body)
        self._calls.append(call)
        self._start(self._follow(step, call), self._followers)

    def _cancel(self, node: NodeId, why: str) -> None:
        if node not in self._frontier or node in self._frontier.outcomes or node in self._entry.cancelled:
            return
        self._entry.cancelled.setdefault(node, why)
        self._bodies.cancel(node)
        for item in self._frontier.items_of(node):
            self._cancel(item, why)

    async def _follow(self, step: Step, call: asyncio.Future[OutcomeJson]) -> None:
        await asyncio.wait([call])
        if call.cancelled():
            raise ExecutionBroken(f"the call of node {step.id!r} was cancelled")
        error = call.exception()
        if isinstance(error, GraphInterrupt):
            self._interrupts.extend(error.args[0])
            return
        if error is not None:
            raise error
        outcome = outcome_from_json(call.result())
        if (task_id := self._ran.get(step.id)) is None:
            self._inline.count([outcome])
        else:
            await self._committed(task_id)
        self._publish(step.id, outcome)

    def _publish(self, node: NodeId, outcome: Outcome) -> None:
        for child in self._frontier.finish(node, outcome):
            self._parking.open_gate(child)
        self._entry.show_ended(node, outcome)
        self._parking.rest(node)

    async def _listen(self, news: Subscription) -> None:
        while True:
            await news.wait(self._limits.poll_seconds)
            self._wake.set()

    async def _feed(self) -> None:
        if self._stopped or self._feeding is not None:
            return
        untaken = frozenset(each.id for each in await self._ports.mailbox.untaken(self._thread))
        if not untaken:
            return
        if untaken & self._fed:
            raise ExecutionBroken("the feeder returned without taking the messages it was started for")
        self._fed = untaken
        self._parking.go_live(_FEEDER)
        self._feeding = self._start(self._plan(), self._background)

    async def _plan(self) -> None:
        with metered(self._budget_gate.payer(_FEEDER)):
            await self._ports.feeder.feed(self._thread, self._turn, self._wake.set)
        self._feeding = None
        self._wake.set()
        self._parking.rest(_FEEDER)

    def _ask_for_more(self, question: ApprovalRequest) -> None:
        self._start(self._hear_of_more(question), self._followers)

    async def _hear_of_more(self, question: ApprovalRequest) -> None:
        """Ask about a budget, like a node asks about its call; parking keeps the question."""
        try:
            said = await self._parking.ask(question, lambda: STOPPED if self._stopped else None)
        except GraphInterrupt as parked:
            self._interrupts.extend(parked.args[0])
            return
        await self._budget_gate.hear(said)
        self._parking.rest(TURN)

    def _start(self, work: Coroutine[None, None, None], named: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        started = asyncio.create_task(work)
        named.add(started)
        started.add_done_callback(self._ended)
        return started

    def _ended(self, ended: asyncio.Task[None]) -> None:
        self._followers.discard(ended)
        self._background.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            self._error = self._error or error
            self._wake.set()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _close(self) -> None:
        """End what is left. A call cancelled before its first step never ends by itself: its follower goes too."""
        self._parking.close()
        left = self._followers | self._background
        for each in (*self._calls, *left):
            each.cancel()
        await self._bodies.settle()
        if left:
            await asyncio.wait(left)
        for call in self._calls:
            if not call.cancelled():
                call.exception()
