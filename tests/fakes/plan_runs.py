"""Runs a plan over the real executor and graph, with rows in memory; red steps are decided at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.approval import Decision
from agent.execution.graph import AdvanceResult, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import NodeId, UserId, thread_id
from agent.limits import Limits
from agent.plan.operations import Operation
from agent.plan.outcomes import Outcome
from agent.tool import Registry
from sandbox.script import Sandbox
from tests.fakes.crash_injection import CrashingSaver, CrashInjector
from tests.fakes.ports_in_memory import Rows, empty_rows
from tests.fakes.thread_world import PATIENCE_SECONDS, HeldLease, ports_in_memory
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner

THREAD = thread_id("T1", "C1", "1.0")
AUTHOR = UserId("U1")


@dataclass(frozen=True, kw_only=True)
class PlanRun:
    """How a plan ended: node -> outcome, and the rows it left."""

    outcomes: Mapping[NodeId, Outcome]
    rows: Rows


async def run_plan(
    operations: Sequence[Operation],
    registry: Registry,
    sandbox: Sandbox,
    decide: Callable[[NodeId], Decision] = lambda _node: Decision.APPROVED,
) -> PlanRun:
    """Run the operations to their end."""
    rows = empty_rows()
    answerer = FakeAnswerer(rows.runs)
    ports = ports_in_memory(
        rows,
        work=NodeExecutor(
            registry=registry, sandbox=sandbox, artifacts=rows.artifacts, progress=rows.progress, model=None
        ),
        feeder=FakeFeeder(rows.log, rows.mailbox, {"go": operations}),
        replanner=FakeReplanner(rows.log),
        answerer=answerer,
    )
    rows.mailbox.drop(THREAD, "go")
    runner = ThreadRunner(ports, CrashingSaver(CrashInjector(), 0).open, limits=Limits(poll_seconds=3600.0))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await runner.advance(THREAD, HeldLease()) is AdvanceResult.PARKED:
            for node, question in rows.approvals.pending(THREAD).items():
                rows.approvals.click(question.id, decide(node))
    return PlanRun(outcomes=answerer.given[-1][1], rows=rows)
