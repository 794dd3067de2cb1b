"""The whole agent on one thread: real planner, executor, script runner and model client; rows in memory."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from agent.approval import Decision
from agent.execution.graph import AdvanceResult, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import NodeId
from agent.limits import Limits, MemoryLimits, PlanLanguage
from agent.llm.memory import DEFAULT_LIMITS as DEFAULT_MEMORY
from agent.ports import Run
from agent.tool import Registry
from infra.dev.scripted_model.script import Script
from sandbox.monty import MontySandbox, monty_binary
from tests.fakes.crash_injection import CrashingSaver, CrashInjector
from tests.fakes.planning import THREAD, Pages, PlanningWorld, planning_world, registry
from tests.fakes.ports_in_memory import ApprovalsInMemory, empty_rows
from tests.fakes.thread_world import HeldLease, ports_in_memory

PATIENCE_SECONDS = 60.0


class Whole:
    """One thread's runner with everything real around it but the rows."""

    def __init__(self, world: PlanningWorld, sandbox: MontySandbox, tools: Registry | None = None) -> None:
        self.world = world
        self.pages = Pages()
        rows = replace(
            empty_rows(),
            notifier=world.notifier,
            log=world.log,
            approvals=ApprovalsInMemory(world.notifier),
            progress=world.progress,
            statuses=world.statuses,
            mailbox=world.mailbox,
            runs=world.runs,
        )
        self.approvals = rows.approvals
        ports = ports_in_memory(
            rows,
            progress=world.node_ends,
            work=NodeExecutor(
                registry=tools or registry(self.pages),
                sandbox=sandbox,
                artifacts=rows.artifacts,
                progress=rows.progress,
                model=world.model,
                systems=world.systems,
            ),
            feeder=world.planner,
            replanner=world.replanner,
            answerer=world.answerer,
        )
        self.saver = CrashingSaver(CrashInjector(), 0)
        self.runner = ThreadRunner(ports, self.saver.open, limits=Limits(poll_seconds=3600.0))

    async def advance(self) -> AdvanceResult:
        """Run until the thread is finished or parked."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.runner.advance(THREAD, HeldLease())

    async def states(self) -> dict[str, str]:
        """Node -> state as people see it."""
        return {node: status.state.value for node, status in (await self.world.statuses.of(THREAD)).items()}

    def decide(self, node: str, decision: Decision) -> None:
        """Click."""
        request = self.approvals.pending(THREAD)[NodeId(node)]
        assert self.approvals.click(request.id, decision)

    async def run(self) -> Run:
        """The first turn's row."""
        return await self.world.runs.read(THREAD, 1)


@asynccontextmanager
async def whole(
    *model: Script,
    packing: bool = False,
    tools: Registry | None = None,
    memory: MemoryLimits = DEFAULT_MEMORY,
    language: PlanLanguage = PlanLanguage.JSON,
) -> AsyncGenerator[Whole]:
    """Yield an agent whose model says what the scripts say."""
    sandbox = MontySandbox(monty_binary())
    try:
        async with planning_world(*model, packing=packing, tools=tools, memory=memory, language=language) as world:
            yield Whole(world, sandbox, tools)
    finally:
        await sandbox.close()
