"""From a click to the start of the tool: while the run is hot, and when it is parked, through the real queue."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from sqlalchemy import select

from agent.approval import Decision
from agent.execution.execution_context import Lease
from agent.execution.graph import AdvanceResult, ThreadRunner
from agent.ids import ApprovalId, Tenant, ThreadId, UserId
from agent.plan.operations import Node
from agent.plan.outcomes import Outcome, Succeeded
from agent.ports import Bound
from agent.tool import CallContext
from infra.db.tables import ApprovalRow
from infra.worker.worker import Worker
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, Hold, node

CLICKS = 60
WARM_UP = 5
BETWEEN_SECONDS = 0.1
"""People click one after another: what the last click started has ended by then."""


class StartedCalls:
    """A red tool that says when it was called."""

    def __init__(self) -> None:
        self.started: dict[ThreadId, asyncio.Future[float]] = {}

    async def __call__(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        """Note the time."""
        self.started[context.thread].set_result(time.perf_counter())
        return Succeeded()


async def figures() -> AsyncIterator[Figure]:
    """Measure from before the decision's transaction to the tool's first line."""
    async with ground() as on:
        hot = await _hot(on)
        parked = await _parked(on)
    for name, milliseconds, most in (("hot", hot, 20.0), ("parked", parked, 100.0)):
        yield figure("click", f"{name}, click to tool start, p50", statistics.median(milliseconds), "ms", at_most=most)
        yield figure("click", f"{name}, click to tool start, p95", _p95(milliseconds), "ms")


async def _hot(on: Ground) -> Sequence[float]:
    red, hold = StartedCalls(), Hold()
    runner = on.runner(FakeWork({"red": red, "hold": hold}))
    reds = [node(f"r{number}", red=True, tool="red") for number in range(CLICKS + WARM_UP)]
    thread = await on.plan([node("slow", tool="hold"), *reds])
    running = asyncio.create_task(runner.advance(thread, HeldLease()))
    while len(asked := await _open(on, thread)) < len(reds):  # noqa: ASYNC110  # rows of the database have no event here
        await asyncio.sleep(0.05)
    clicks: list[float] = []
    for approval in asked:
        clicks.append(await _click(on, red, thread, approval))
        await asyncio.sleep(BETWEEN_SECONDS)
    hold.release.set()
    await running
    return clicks[WARM_UP:]


async def _parked(on: Ground) -> Sequence[float]:
    red = StartedCalls()
    runner = on.runner(FakeWork({"red": red}))
    threads = [await _park(on, runner) for _ in range(CLICKS + WARM_UP)]

    async def advance(thread: ThreadId, lease: Lease) -> AdvanceResult:
        return await runner.advance(thread, lease)

    working = asyncio.create_task(Worker(on.database, on.queue, advance).run())
    await asyncio.sleep(2)  # until it waits for jobs
    clicks: list[float] = []
    for thread in threads:
        (asked,) = await _open(on, thread)
        clicks.append(await _click(on, red, thread, asked))
        await asyncio.sleep(BETWEEN_SECONDS)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return clicks[WARM_UP:]


async def _park(on: Ground, runner: ThreadRunner) -> ThreadId:
    greens = [node(f"g{number}") for number in range(5)]
    thread = await on.plan([*greens, node("r", "g0", red=True, tool="red"), node("after", "r")])
    await runner.advance(thread, HeldLease())
    return thread


async def _open(on: Ground, thread: ThreadId) -> Sequence[ApprovalId]:
    pending = select(ApprovalRow.id).where(ApprovalRow.thread == thread, ApprovalRow.status == Decision.PENDING.value)
    async with on.database.begin() as connection:
        return [ApprovalId(approval) for approval in (await connection.execute(pending)).scalars()]


async def _click(on: Ground, red: StartedCalls, thread: ThreadId, question: ApprovalId) -> float:
    red.started[thread] = asyncio.get_running_loop().create_future()
    clicked = time.perf_counter()
    await on.stores.approvals.decide(Tenant("T1"), question, version=1, by=UserId("U2"), decision=Decision.APPROVED)
    return (await red.started[thread] - clicked) * 1000


def _p95(milliseconds: Sequence[float]) -> float:
    return statistics.quantiles(milliseconds, n=20)[-1]
