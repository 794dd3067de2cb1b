"""A long thread, with every real store: what a late turn asks of the model and of the database beside an early one."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from agent.execution.graph import AdvanceResult, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.limits import Limits, MemoryLimits, ModelSettings
from agent.llm.client import OpenAILanguageModel
from agent.llm.memory import Memory
from agent.llm.tool_search import ToolSearch
from agent.planning.answerer import Answerer
from agent.planning.planner import Planner
from agent.planning.replanner import Replanner
from bot.blocks.answer import PlainResults
from infra.db.database import Database
from infra.dev.scripted_model.script import ModelRequest, Script
from infra.dev.scripted_model.server import ScriptedModel
from infra.stores.stores import Stores
from infra.wiring import open_thread_checkpoints, runner_ports
from infra.worker.notifications import PgNotifications
from sandbox.choice import NoSandbox
from tests.acceptance.plans import ENDS, concludes, results_told, tool
from tests.fakes.planning import registry
from tests.fakes.plans import json_lines
from tests.fakes.rows import THREAD, a_message
from tests.fakes.thread_world import HeldLease

TURNS = 50
READS = 3
LIMITS = MemoryLimits()


def _plan(request: ModelRequest) -> str:
    """Plan three reads, the first of which uses the turn before."""
    turn = int(request.last.partition("look at case ")[2].split()[0])
    before = f"${{t{turn - 1}-0#/url}}" if turn > 1 else "http://x"
    addresses = [before, *["http://y"] * (READS - 1)]
    return json_lines([tool(f"t{turn}-{number}", "fetch", {"url": url}) for number, url in enumerate(addresses)])


SCRIPTS = (
    Script(role="planner", answer=_plan),
    ENDS,
    concludes("All three are fine, and here is what they say: " + "fine. " * 20),
    Script(role="summary", answer="People looked at cases."),
)


@dataclass(kw_only=True)
class Turn:
    """What a turn asked for."""

    #: Role -> the bytes of its largest request, without the system message.
    prompts: Mapping[str, int] = field(default_factory=dict[str, int])
    #: Queries of the database, and the rows they returned.
    reads: int = 0
    rows: int = 0


@contextmanager
def _counted(database: Database, turn: Turn) -> Generator[None]:
    """Count the turn's reads while the context lasts."""

    def count(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            turn.reads += 1
            turn.rows += cursor.rowcount

    engine = database.engine.sync_engine
    event.listen(engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", count)


@asynccontextmanager
async def _runner(
    server: ScriptedModel, database: Database, stores: Stores, notifications: PgNotifications
) -> AsyncGenerator[ThreadRunner]:
    """Yield a runner as the app has it, without packing."""
    async with AsyncExitStack() as stack:
        model = OpenAILanguageModel(ModelSettings(model="m", api_key="k", base_url=await server.start(), retries=0))
        stack.push_async_callback(model.close)
        memory = Memory(runs=stores.runs, model=model, summaries=stores.summaries)
        tools = registry()
        ports = runner_ports(
            stores,
            notifications.changes,
            work=NodeExecutor(
                registry=tools,
                sandbox=NoSandbox("none"),
                artifacts=stores.artifacts,
                progress=stores.progress,
                model=model,
            ),
            feeder=Planner(
                model=model,
                registry=tools,
                tools=ToolSearch(tools),
                log=stores.log,
                mailbox=stores.mailbox,
                runs=stores.runs,
                statuses=stores.statuses,
                memory=memory,
                dialect=None,
            ),
            replanner=Replanner(
                model=model,
                registry=tools,
                tools=ToolSearch(tools),
                log=stores.log,
                runs=stores.runs,
                mailbox=stores.mailbox,
                statuses=stores.statuses,
                memory=memory,
                dialect=None,
            ),
            answerer=Answerer(model=model, log=stores.log, runs=stores.runs, words=PlainResults(), memory=memory),
        )
        checkpoints = await stack.enter_async_context(open_thread_checkpoints(database))
        yield ThreadRunner(ports, checkpoints, limits=Limits(poll_seconds=3600.0))


async def test_a_late_turn_asks_no_more_than_an_early_one(
    database: Database, stores: Stores, notifications: PgNotifications
) -> None:
    turns = {number: Turn() for number in range(1, TURNS + 1)}
    async with (
        ScriptedModel(SCRIPTS, api_key="k") as server,
        _runner(server, database, stores, notifications) as runner,
    ):
        for number, turn in turns.items():
            await stores.inbox.accept(a_message(f"look at case {number} please", ts=f"{number}.0"))
            before = len(server.requests)
            with _counted(database, turn):
                assert await runner.advance(THREAD, HeldLease()) is AdvanceResult.FINISHED
            asked = server.requests[before:]
            turn.prompts = {role: max(map(_bytes, requests)) for role, requests in by_role(asked).items()}
        told = results_told(server.requests_of("conclude")[-1])
        summaries = len(server.requests_of("summary"))
    assert set(told) == {f"t{TURNS}-{number}" for number in range(READS)}, "the answer is written from its turn alone"
    assert told[f"t{TURNS}-0"]["url"] == "http://x", "read through the results of all turns before"

    full = range(LIMITS.turns - 1, LIMITS.turns + 2)
    most = max(turns[number].prompts["conclude"] for number in full)
    assert turns[50].prompts["conclude"] <= most, "as long as when the most turns are shown, at most"
    assert turns[50].prompts["conclude"] <= 2.5 * turns[5].prompts["conclude"]
    assert turns[50].prompts["planner"] <= most + LIMITS.node_bytes
    assert 0 < summaries <= TURNS / (LIMITS.turns / 2), "asked for only when the bound is passed"

    early, late = range(7, 15), range(TURNS - 7, TURNS + 1)  # both on either side of a summary
    assert sum(turns[number].reads for number in late) <= 1.1 * sum(turns[number].reads for number in early)
    assert sum(turns[number].rows for number in late) <= 1.2 * sum(turns[number].rows for number in early)


def by_role(requests: Sequence[ModelRequest]) -> Mapping[str, Sequence[ModelRequest]]:
    """Return role -> its requests."""
    return {role: [request for request in requests if request.role == role] for role in {of.role for of in requests}}


def _bytes(request: ModelRequest) -> int:
    return sum(len(message.text.encode()) for message in request.messages[1:])
