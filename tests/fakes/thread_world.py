"""One thread with everything around it: rows, a saver, scripted work, and a runner that can be ended."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig

from agent.approval import ApprovalRequest, Decision
from agent.budget.budget import Budgets
from agent.budget.tracker import BudgetTrackers
from agent.events import NodeChanged
from agent.execution.execution_context import Ports, SeparateNews
from agent.execution.graph import AdvanceResult, OpenCheckpoints, ThreadRunner
from agent.ids import NodeId, ThreadId, UserId, thread_id
from agent.limits import Limits
from agent.plan.operations import Add, Node, Operation
from agent.plan.outcomes import Outcome
from agent.ports import Answerer, Feeder, NewsReader, NodeWork, Progress, Replanner
from infra.stores.stores import Stores
from infra.wiring import runner_ports
from tests.fakes.crash_injection import CrashingSaver, CrashInjector
from tests.fakes.ports_in_memory import Rows, empty_rows
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner, FakeWork, Perform

PATIENCE_SECONDS = 60.0
"""Only a hang takes this long; nothing is decided by it on a busy machine."""


def ports_in_memory(
    rows: Rows,
    *,
    work: NodeWork,
    feeder: Feeder,
    replanner: Replanner,
    answerer: Answerer,
    progress: Progress | None = None,
    news: Callable[[NewsReader], NewsReader] = lambda news: news,
    budget_trackers: BudgetTrackers | None = None,
) -> Ports:
    """Return a runner's ports on rows in memory, put together where the app puts its own together."""
    return runner_ports(
        cast("Stores", rows),  # which has each store of a runner by the same name
        rows.notifier,
        work=work,
        feeder=feeder,
        replanner=replanner,
        answerer=answerer,
        progress=progress,
        news=news(SeparateNews(rows.mailbox, rows.log, rows.approvals)),
        budget_trackers=budget_trackers,
    )


class HeldLease:
    """A lease nobody takes away, unless a test sets `lost`."""

    def __init__(self) -> None:
        self.lost: Exception | None = None
        self.lasts_until = math.inf

    def not_after(self) -> float:
        """Return what a test sets."""
        return self.lasts_until

    async def check(self) -> None:
        """Raise when lost."""
        if self.lost is not None:
            raise self.lost


class World:
    """A thread and its runner. Without `checkpoints`, LangGraph's state is kept in memory.

    The runner reaches the rows through `injector`; the test's own hands do not.
    """

    THREAD = thread_id("T1", "C1", "1.0")
    AUTHOR = UserId("U1")

    def __init__(
        self,
        *,
        performs: Mapping[str, Perform] | None = None,
        checkpoints: OpenCheckpoints | None = None,
        nodes_at_once: int = 32,
        nodes_per_turn: int = 200,
        thread: ThreadId | None = None,
        injector: CrashInjector | None = None,
        seed: int = 0,
        work: FakeWork | None = None,
        progress: Callable[[Progress], Progress] = lambda progress: progress,
        news: Callable[[NewsReader], NewsReader] = lambda news: news,
        budgets: Budgets | None = None,
    ) -> None:
        self.thread = thread or self.THREAD
        self.rows = empty_rows()
        self.work = work or FakeWork(performs or {})
        self.plans: dict[str, Sequence[Operation]] = {}
        self._injector = injector or CrashInjector()
        self._progress = progress
        self._news = news
        self._budgets = budgets
        crashing = self._injector.crashing
        self.feeder = FakeFeeder(crashing(self.rows.log), crashing(self.rows.mailbox), self.plans)
        self.rounds: dict[tuple[int, int], Sequence[Operation]] = {}
        self.replanner = FakeReplanner(crashing(self.rows.log), self.rounds)
        self.answerer = FakeAnswerer(crashing(self.rows.runs))
        self.lease = HeldLease()
        self.checkpoints = checkpoints or CrashingSaver(self._injector, seed).open
        limits = Limits(nodes_at_once=nodes_at_once, nodes_per_turn=nodes_per_turn, poll_seconds=3600.0)
        self.runner = ThreadRunner(self._ports(), self.checkpoints, limits=limits)

    def _ports(self) -> Ports:
        crashing = self._injector.crashing
        rows = replace(
            self.rows,
            log=crashing(self.rows.log),
            approvals=crashing(self.rows.approvals),
            ledger=crashing(self.rows.ledger),
            artifacts=crashing(self.rows.artifacts),
            mailbox=crashing(self.rows.mailbox),
            runs=crashing(self.rows.runs),
        )
        return ports_in_memory(
            rows,
            progress=self._progress(self.rows.progress),
            news=self._news,
            work=self.work,
            feeder=self.feeder,
            replanner=self.replanner,
            answerer=self.answerer,
            budget_trackers=None if self._budgets is None else self._budget_trackers(self._budgets),
        )

    def _budget_trackers(self, budgets: Budgets) -> BudgetTrackers:
        crashing = self._injector.crashing
        approvals = crashing(self.rows.approvals)
        return BudgetTrackers(budgets, crashing(self.rows.spending), approvals=approvals, runs=crashing(self.rows.runs))

    def restart(self, limits: Limits) -> None:
        """Advance with another runner from now on, one with other limits."""
        self.runner = ThreadRunner(self._ports(), self.checkpoints, limits=limits)

    def say(self, *plan: Node | Operation, author: str = "U1") -> None:
        """Put a message into the mailbox, planned as `plan`."""
        text = f"message {len(self.plans) + 1}"
        self.plans[text] = [Add(node=step) if isinstance(step, Node) else step for step in plan]
        self.rows.mailbox.drop(self.thread, text, author)

    async def append(self, *operations: Node | Operation) -> None:
        """Append operations to the log from outside, and ring."""
        adds = [Add(node=operation) if isinstance(operation, Node) else operation for operation in operations]
        turn = max((turn for _, turn in self.rows.runs.rows), default=1)
        await self.rows.log.append(self.thread, turn, self.AUTHOR, adds)

    async def advance(self) -> AdvanceResult:
        """Advance the thread; a hang is an error."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.runner.advance(self.thread, self.lease)

    @asynccontextmanager
    async def advancing(self) -> AsyncGenerator["asyncio.Task[AdvanceResult]"]:
        """Advance the thread in the background; wait for its rest on the way out."""
        running = asyncio.create_task(self.advance())
        try:
            yield running
            await running
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait([running])

    async def run(self, *plan: Node | Operation) -> AdvanceResult:
        """Say `plan` and advance."""
        self.say(*plan)
        return await self.advance()

    def question(self, node: str) -> ApprovalRequest:
        """Return the open question of a node."""
        return self.rows.approvals.pending(self.thread)[NodeId(node)]

    def click(self, node: str, decision: Decision = Decision.APPROVED, reason: str = "") -> bool:
        """Decide a node's open question."""
        return self.rows.approvals.click(self.question(node).id, decision, reason=reason)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once the condition holds; a hang is an error."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110  # conditions are over rows, which have no event each
                await asyncio.sleep(0)

    async def snapshot(self) -> Any:
        """Return LangGraph's newest state of the thread."""
        graph = self.runner.graph(self.thread, self.lease, self.checkpoints(self.thread, self.lease))
        return await graph.aget_state(RunnableConfig(configurable={"thread_id": self.thread}))

    async def interrupted(self) -> set[NodeId]:
        """Return the nodes whose questions LangGraph lists as interrupts."""
        return {interrupt.value["node"] for interrupt in (await self.snapshot()).interrupts}

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Node -> how it ended, as given to the answer of its turn."""
        return {str(node): outcome for _, given in self.answerer.given for node, outcome in given.items()}

    @property
    def changes(self) -> Sequence[NodeChanged]:
        """The changes of nodes that people were shown, in order."""
        return [event for event in self.rows.progress.events if isinstance(event, NodeChanged)]
