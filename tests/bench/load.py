"""Many threads at once on one worker, six nodes each, one of them red; and what parked threads weigh."""

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import psutil
from sqlalchemy import and_, func, select
from sqlalchemy.sql.elements import ColumnElement

from agent.approval import Decision
from agent.execution.execution_context import Lease
from agent.ids import ApprovalId, Tenant, ThreadId, UserId, thread_parts
from infra.db.tables import ApprovalRow, RunRow
from infra.worker.loop_watchdog import LoopWatchdog
from infra.worker.worker import Worker
from tests.bench.database_work import (
    create_agent_run,
    create_agents,
    ours_through_the_queue,
    plan,
    processor_seconds,
    runner_alone,
)
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.bench.listener import LATE_CHANNEL, Acks, Listen, apart, beside
from tests.fakes.rows import a_message
from tests.fakes.work import FakeWork

THREADS = 200
PARKED = 1000
COUNTED = 20
"""Runs whose work in the database is counted."""

ROUNDS = 5
IDLE_SECONDS = 10.0
STATEMENTS_A_RUN, IDLE_STATEMENTS_A_SECOND = 80, 2
PATIENCE_SECONDS = 600.0


async def figures() -> AsyncIterator[Figure]:
    """Measure acks and runs at 100 and 200 threads, then resident memory with parked threads."""
    for how, listen in (("both in one", beside), ("bot apart", apart)):
        rates: dict[int, float] = {}
        for threads in (THREADS // 2, THREADS):
            async with ground() as on:
                with LoopWatchdog().watching() as watchdog:
                    acks, seconds = await _load(on, threads, listen)
            rates[threads] = threads / seconds
            for asked, those in ((f"of {threads} at once", acks.burst), (f"while {threads} run", acks.late)):
                yield figure("load", f"{how}: ack {asked}, p50", statistics.median(those), "ms")
                yield figure("load", f"{how}: ack {asked}, p99", _p99(those), "ms", at_most=200.0)
            stall = watchdog.longest_seconds * 1000
            yield figure("load", f"{how}: longest stall of the loop, {threads} threads", stall, "ms")
            yield figure("load", f"{how}: runs a second, {threads} threads", rates[threads], "1/s")
        yield figure(
            "load",
            f"{how}: seconds for each run, when threads double",
            rates[THREADS // 2] / rates[THREADS],
            "x",
            at_most=1.2,
            ratio_to=f"runs a second, {THREADS // 2} threads",
        )
    async for work in _database_work():
        yield work
    async with ground() as on:
        before, after = await _parked(on)
    yield figure("load", "resident memory, nothing parked", before, "MiB")
    yield figure("load", f"resident memory, {PARKED} threads parked", after, "MiB")
    yield figure(
        "load",
        "memory with parked threads beside none",
        after / before,
        "x",
        at_most=1.05,
        ratio_to="resident memory, nothing parked",
    )


async def _database_work() -> AsyncIterator[Figure]:
    """Count what a run, the same calls in a ReAct loop, and an idle worker take of the server and this process."""
    async with ground(logging=True) as on:
        through, idle = await ours_through_the_queue(on, COUNTED, IDLE_SECONDS)
        runs = {"ours": through, "create_agent": await create_agents(on, COUNTED)}
    for name, run in runs.items():
        most = STATEMENTS_A_RUN if name == "ours" else None
        yield figure("load", f"{name}: statements a run", run.statements, "statements", at_most=most)
        yield figure("load", f"{name}: of these transaction control", run.control, "statements")
        yield figure("load", f"{name}: commits a run", run.commits, "commits")
        yield figure("load", f"{name}: WAL a run", run.wal_kib, "KiB")
    yield figure("load", "an idle worker", idle, "statements/s", at_most=IDLE_STATEMENTS_A_SECOND)
    async with ground() as on:
        threads = [await on.plan(plan()) for _ in range(COUNTED * ROUNDS + 1)]
        ours = lambda: runner_alone(on, threads.pop())  # noqa: E731  # beside the other way
        loop = lambda: create_agent_run(on)  # noqa: E731
        await ours()
        await loop()
        seconds = [
            (await processor_seconds(ours, COUNTED), await processor_seconds(loop, COUNTED)) for _ in range(ROUNDS)
        ]
    mine, theirs = (statistics.median(way) * 1000 for way in zip(*seconds, strict=True))
    yield figure("load", "ours: processor time a run, runner alone", mine, "ms")
    yield figure("load", "create_agent: processor time a run", theirs, "ms")
    of_each = statistics.median(ours / loop for ours, loop in seconds)
    beside = "create_agent: processor time a run"
    yield figure("load", "processor time a run, ours / create_agent", of_each, "x", at_most=1.5, ratio_to=beside)


async def _load(on: Ground, threads: int, listen: Listen) -> tuple[Acks, float]:
    """Return the acks and the seconds until every run of the threads that wrote at once has ended."""
    planned = [await on.plan(plan()) for _ in range(threads)]
    running = await _working(on)
    async with listen(on.url, planned) as acks:
        began = time.perf_counter()
        clicking = asyncio.create_task(_approve_all(on))
        await _until(on, and_(RunRow.ended_at.is_not(None), RunRow.channel != LATE_CHANNEL), threads)
        seconds = time.perf_counter() - began
    await _ended(clicking)
    await _ended(running)
    return acks, seconds


async def _parked(on: Ground) -> tuple[float, float]:
    """Return resident MiB after a first hundred parked threads have come and gone, and with all of them parked."""
    running = await _working(on)
    await _ask_and_park(on, 100)
    before = _resident()
    for number in range(200, 100 + PARKED + 1, 100):
        await _ask_and_park(on, number)
    after = _resident()
    await _ended(running)
    return before, after


async def _ask_and_park(on: Ground, until: int) -> None:
    await asyncio.gather(*(_ask(on) for _ in range(100)))
    await _until(on, RunRow.status == "waiting", until)


async def _working(on: Ground) -> asyncio.Task[None]:
    runner = on.runner(FakeWork())

    async def advance(thread: ThreadId, lease: Lease) -> None:
        await runner.advance(thread, lease)
        await on.stores.posted.settle(thread, 1)

    return asyncio.create_task(Worker(on.database, on.queue, advance).run())


async def _ask(on: Ground) -> None:
    thread = await on.plan(plan())
    await on.door.inbox.accept(a_message(ts=thread_parts(thread).root_ts, thread=thread))


async def _approve_all(on: Ground) -> None:
    """Click every open card. Runs until cancelled."""
    while True:
        async with on.database.begin() as connection:
            pending = select(ApprovalRow.id).where(ApprovalRow.status == "pending")
            asked = (await connection.execute(pending)).scalars().all()
        for request in asked:
            await on.door.approvals.decide(
                Tenant("T1"), ApprovalId(request), version=1, by=UserId("U2"), decision=Decision.APPROVED
            )
        await asyncio.sleep(0.02)


async def _until(on: Ground, condition: ColumnElement[bool], count: int) -> None:
    reached = select(func.count()).select_from(RunRow).where(condition)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with on.database.begin() as connection:
                if (await connection.execute(reached)).scalar_one() >= count:
                    return
            await asyncio.sleep(0.05)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _resident() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def _p99(milliseconds: Sequence[float]) -> float:
    return statistics.quantiles(milliseconds, n=100)[98]
