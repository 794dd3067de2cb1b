"""A run's work in the database and on the processor, ours and that of langchain's `create_agent` on the same server.

Both do six calls of one tool, three of them side by side and one that a person approves first. Nobody's model takes
part: ours has its plan already, the loop's model answers from a list. Runs come one after another, so that none shares
a statement with another.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]  # of langgraph's types
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.types import Command

from agent.approval import Decision
from agent.execution.execution_context import Lease
from agent.execution.graph import AdvanceResult
from agent.ids import ApprovalId, Tenant, ThreadId, UserId, thread_parts
from agent.plan.operations import Node
from infra.worker.worker import Worker
from tests.bench.ground import WATCHER, Ground
from tests.fakes.rows import a_message
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, node

_AT_REST_SECONDS = 0.5
"""After this long nothing of a run is still on its way."""


def plan() -> Sequence[Node]:
    """Return six nodes, one of them red."""
    greens = [node(f"g{number}") for number in range(3)]
    return [*greens, node("join", "g0", "g1", "g2"), node("red", "join", red=True), node("after", "red")]


@dataclass(frozen=True, kw_only=True)
class DatabaseWork:
    """What a server did, by run."""

    statements: float
    #: Of the statements, those that only begin, end or configure a transaction.
    control: float
    commits: float
    wal_kib: float
    seconds: float


async def ours_through_the_queue(on: Ground, runs: int, idle_seconds: float) -> tuple[DatabaseWork, float]:
    """Return the work of runs from their message to their end, their worker's own life included.

    Then the statements a second of that worker when it has nothing to do.
    """
    threads = [await on.plan(plan()) for _ in range(runs + 1)]
    async with Through(on).working() as through:
        await through.run(threads.pop())
        work = await measured(on, runs, lambda: through.run(threads.pop()))
        on.statements.forget()
        await asyncio.sleep(idle_seconds)
        return work, on.statements.read().total / idle_seconds


async def create_agents(on: Ground, runs: int) -> DatabaseWork:
    """Return the work of the same calls in a ReAct loop."""
    await create_agent_run(on)
    return await measured(on, runs, lambda: create_agent_run(on))


async def processor_seconds(run: Callable[[], Awaitable[object]], runs: int) -> float:
    """Return the processor time of this process for one run."""
    began = time.process_time()
    for _ in range(runs):
        await run()
    return (time.process_time() - began) / runs


async def measured(on: Ground, runs: int, run: Callable[[], Awaitable[object]]) -> DatabaseWork:
    """Return the server's work for one run, of several."""
    await asyncio.sleep(_AT_REST_SECONDS)
    before = await _counters(on)
    on.statements.forget()
    began = time.monotonic()
    for _ in range(runs):
        await run()
    await asyncio.sleep(_AT_REST_SECONDS)
    seconds = time.monotonic() - began
    asked = on.statements.read()
    after = await _counters(on)
    return DatabaseWork(
        statements=asked.total / runs,
        control=asked.control / runs,
        commits=(after[0] - before[0]) / runs,
        wal_kib=(after[1] - before[1]) / runs / 1024,
        seconds=seconds / runs,
    )


async def _counters(on: Ground) -> tuple[int, int]:
    """Return commits and bytes of WAL so far; a server publishes its connections' counts a moment late."""
    await asyncio.sleep(1.1)
    commits, wal = (await _look(on, _COUNTERS))[0]
    return int(commits), int(wal)


_COUNTERS = """
    SELECT xact_commit, pg_current_wal_insert_lsn() - '0/0'::pg_lsn FROM pg_stat_database
    WHERE datname = current_database()
"""


async def _look(on: Ground, statement: LiteralString, values: Sequence[str] = ()) -> Sequence[tuple[Any, ...]]:
    address = on.url.set(drivername="postgresql").update_query_dict({"application_name": WATCHER})
    async with await psycopg.AsyncConnection.connect(address.render_as_string(hide_password=False)) as watching:
        return await (await watching.execute(statement, values)).fetchall()


# Ours


async def open_request(on: Ground, thread: ThreadId) -> ApprovalId:
    """Return the thread's open request, without a counted statement."""
    pending = "SELECT id FROM approvals WHERE thread = %s AND status = 'pending'"
    [(request,)] = await _look(on, pending, [thread])
    return ApprovalId(request)


async def approve(on: Ground, thread: ThreadId) -> None:
    """Click the thread's open card."""
    await _click(on, await open_request(on, thread))


async def _click(on: Ground, request: ApprovalId) -> None:
    await on.door.approvals.decide(Tenant("T1"), request, version=1, by=UserId("U2"), decision=Decision.APPROVED)


class Through:
    """Runs through a worker's queue, one after another."""

    def __init__(self, on: Ground) -> None:
        self._on = on
        self._parked = asyncio.Event()
        self._finished = asyncio.Event()

    @asynccontextmanager
    async def working(self) -> AsyncGenerator["Through"]:
        """Run a worker beside the block."""
        worker = asyncio.create_task(Worker(self._on.database, self._on.queue, self._advance).run())
        try:
            yield self
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def _advance(self, thread: ThreadId, lease: Lease) -> None:
        result = await self._on.runner(FakeWork()).advance(thread, lease)
        await self._on.stores.posted.settle(thread, 1)
        (self._parked if result is AdvanceResult.PARKED else self._finished).set()

    async def run(self, thread: ThreadId) -> None:
        """Take a message for a planned thread in, approve its red node, and return when its turn has ended."""
        self._parked.clear()
        self._finished.clear()
        await self._on.door.inbox.accept(a_message(ts=thread_parts(thread).root_ts, thread=thread))
        await self._parked.wait()
        await approve(self._on, thread)
        await self._finished.wait()


async def runner_alone(on: Ground, thread: ThreadId) -> None:
    """Run a planned thread to its end, as `create_agent_run` does: no queue, no worker."""
    runner = on.runner(FakeWork())
    await runner.advance(thread, HeldLease())
    [request] = await on.stores.approvals.read(thread)
    await _click(on, request)
    await runner.advance(thread, HeldLease())


# The loop


class _Listed(BaseChatModel):
    """A model that answers with the calls that are ready, by how many have been answered."""

    @property
    def _llm_type(self) -> str:
        return "listed"

    def bind_tools(self, tools: Sequence[Any], **_rest: Any) -> "_Listed":  # pyright: ignore[reportIncompatibleMethodOverride]  # of partly untyped options
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_rest: Any,
    ) -> ChatResult:
        done = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
        calls = [
            ToolCall(name="change" if step.require_human_approval else "work", args={"step": step.id}, id=step.id)
            for step in plan()
            if step.id not in done and done.issuperset(dependency.node for dependency in step.depends_on)
        ]
        said = AIMessage(content="" if calls else "Done.", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **rest: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, None, **rest)


async def _work(step: str) -> str:
    return step


async def create_agent_run(on: Ground) -> None:
    """Let a new loop do the six calls, approving the one that asks."""
    tools = [
        StructuredTool.from_function(coroutine=_work, name=name, description="Do a step.")
        for name in ("work", "change")
    ]
    agent: Any = create_agent(
        model=_Listed(),
        tools=tools,
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"change": True})],
        checkpointer=AsyncPostgresSaver(on.pool),
    )
    config = RunnableConfig(configurable={"thread_id": uuid.uuid4().hex})
    parked = await agent.ainvoke({"messages": [("user", "do it")]}, config, durability="sync")
    assert parked["__interrupt__"]
    decisions = {"decisions": [{"type": "approve"}]}
    ended = await agent.ainvoke(Command(resume=decisions), config, durability="sync")
    assert ended["messages"][-1].content == "Done."
