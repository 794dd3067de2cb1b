"""What a long run leaves behind: bytes of state, of prompts and of the database, and time, at its end beside its start.

The nodes come in rounds of ten, each on the round before, as a planner adds them that looks at results in between.
Beside it Deep Agents does the same work: a tool a step, whose outputs it moves into its files by itself.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.ids import NodeId, ThreadId, UserId
from agent.limits import Role
from agent.llm.prompts import planner_message, results_message, system_message
from agent.llm.transcript import shown_nodes
from agent.plan.eviction import PromptFiles
from agent.plan.files import FileOrigin
from agent.plan.operations import Add, Node
from agent.plan.outcomes import Outcome, Succeeded
from agent.ports import Bound, Message
from agent.tool import CallContext
from agent.tools.output import moved_out
from infra.stores.stores import Stores
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, node

ROUND = 10
RUNS = (50, 100)
SIZES: Mapping[str, int] = {"1 MB": 1_000_000, "30 KiB": 30 * 1024}
RUNS_AGAIN = 4
"""A run is measured so often again: ten nodes alone are a matter of chance on a busy machine."""

TURNS = 200
AUTHOR = UserId("U1")

_DEEP_AGENTS = Path(__file__).parent / "data" / "deep_agents_state.py"
_ENVIRONMENT = Path(__file__).parents[2] / ".tools" / "deep-agents"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One round: its time a node, and the prompt that ended it."""

    milliseconds: float
    prompt_bytes: int
    statements: int


async def figures() -> AsyncIterator[Figure]:
    """Measure runs of big outputs, then a thread of many turns, then Deep Agents' state for the same work."""
    async with ground(logging=True) as on:
        await _rounds(on, on.new_thread(), ROUND * 2, 30_000)  # warm
        for label, size in SIZES.items():
            for nodes in RUNS:
                async for found in _run_figures(on, nodes, label, size):
                    yield found
        async for found in _turn_figures(on):
            yield found
    for label, size in SIZES.items():
        for nodes in RUNS:
            async for found in _deep_agents(nodes, label, size):
                yield found


async def _run_figures(on: Ground, nodes: int, label: str, size: int) -> AsyncIterator[Figure]:
    thread = on.new_thread()
    before = await _database_bytes(on)
    visits = await _rounds(on, thread, nodes, size)
    name = f"{nodes} nodes of {label}"
    yield figure("state", f"{name}: checkpoints", await _checkpoint_bytes(on, thread), "bytes", at_most=500_000)
    yield figure("state", f"{name}: database", await _database_bytes(on) - before, "bytes")
    yield figure("state", f"{name}: last prompt", visits[-1].prompt_bytes, "bytes")
    middle = statistics.median(visit.prompt_bytes for visit in visits[2:])
    yield figure("state", f"{name}: last prompt beside the middle", visits[-1].prompt_bytes / middle, "x", at_most=1.2)
    again = [await _rounds(on, on.new_thread(), nodes, size) for _ in range(RUNS_AGAIN)]
    first, last = (
        statistics.median(run[at].milliseconds for run in (visits, *again)) for at in (0, nodes // ROUND - 1)
    )
    yield figure("state", f"{name}: last ten nodes beside the first", last / first, "x", at_most=1.2)


async def _rounds(on: Ground, thread: ThreadId, nodes: int, size: int) -> Sequence[Visit]:
    """Run nodes ten a round, each round a turn on the last; return what each took."""
    return [await _round(on, thread, number + 1, size) for number in range(nodes // ROUND)]


async def _round(on: Ground, thread: ThreadId, turn: int, size: int, count: int = ROUND) -> Visit:
    before = [f"n{turn - 1}-0"] if turn > 1 else []
    added = [node(f"n{turn}-{at}", *(before if at == 0 else ()), tool="big") for at in range(count)]
    await on.stores.log.append(thread, turn, AUTHOR, [Add(node=one) for one in added])
    on.statements.forget()
    started = time.process_time()
    work = FakeWork({"big": _big(on.stores, turn, size)})
    await on.runner(work).advance(thread, HeldLease())
    files = await on.stores.files.begin(thread)
    prompt = await _prompt(on, thread, turn, files)
    return Visit(
        milliseconds=(time.process_time() - started) * 1000 / count,
        prompt_bytes=len(prompt.encode()),
        statements=on.statements.read().total,
    )


def _big(stores: Stores, turn: int, size: int) -> Any:
    """Return work that succeeds with an output of so many bytes, no two of them equal, kept as a file."""

    async def work(made: Node, bound: Bound, context: CallContext) -> Outcome:
        rows = [f"{made.id} line {at} {'x' * 80}" for at in range(size // 100)]
        origin = FileOrigin(turn=turn, node=NodeId(made.id), author=AUTHOR)
        outcome = Succeeded(value={"rows": rows, "node": made.id})
        return await moved_out(context.thread, made.id, outcome, stores.artifacts, origin)

    return work


async def _prompt(on: Ground, thread: ThreadId, turn: int, files: PromptFiles) -> str:
    """Return what the next planner and this conclusion are told, as the planner and the replanner ask for it."""
    logged, statuses = await on.stores.log.after(thread, 0), await on.stores.statuses.of(thread)
    asked = [Message(id=1, author=AUTHOR, text="go on", at=_now())]
    own = [entry for entry in logged if entry.turn == turn]
    concluded = results_message(Role.CONCLUDE, asked, shown_nodes(own, statuses), files=files)
    planned = planner_message(_now(), asked, shown_nodes(logged, statuses, turn + 1), files=files, earlier_bytes=16_000)
    return system_message().text + concluded.text + planned.text


async def _turn_figures(on: Ground) -> AsyncIterator[Figure]:
    """Measure a thread of many turns with one file and two small results each."""
    thread = on.new_thread()
    visits = [await _round(on, thread, turn, 30 * 1024, count=3) for turn in range(1, TURNS + 1)]
    early, late = visits[:10], visits[-10:]
    for name in ("milliseconds", "prompt_bytes", "statements"):
        first, last = (statistics.median(getattr(visit, name) for visit in part) for part in (early, late))
        unit = {"milliseconds": "processor time", "prompt_bytes": "prompt", "statements": "statements"}[name]
        yield figure(
            "state", f"{TURNS} turns: {unit} of the last ten beside the first ten", last / first, "x", at_most=1.2
        )


async def _deep_agents(nodes: int, label: str, size: int) -> AsyncIterator[Figure]:
    """Run Deep Agents on the same outputs, in an environment of its own, and print its state and prompts."""
    python = await asyncio.to_thread(_environment)
    command = [str(python), "-P", str(_DEEP_AGENTS), str(nodes), str(size)]
    done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = f"Deep Agents, {nodes} of {label}"
    ours = f"{nodes} nodes of {label}"
    yield figure("state", f"{name}: checkpoints", found["checkpoint_bytes"], "bytes", ratio_to=f"{ours}: checkpoints")
    yield figure("state", f"{name}: last prompt", found["last_prompt"], "bytes", ratio_to=f"{ours}: last prompt")
    growth = found["last_prompt"] / max(1, found["middle_prompt"])
    yield figure("state", f"{name}: last prompt beside the middle", growth, "x")


def _environment() -> Path:
    """Return the Python of a virtual environment with Deep Agents, made once: its dependencies are not ours."""
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "deepagents"], check=True)
    return python


async def _checkpoint_bytes(on: Ground, thread: ThreadId) -> int:
    size = """
        SELECT (SELECT coalesce(sum(length(blob)), 0) FROM checkpoint_blobs WHERE thread_id = %s)
             + (SELECT coalesce(sum(length(checkpoint::text)), 0) FROM checkpoints WHERE thread_id = %s)
             + (SELECT coalesce(sum(length(blob)), 0) FROM checkpoint_writes WHERE thread_id = %s) AS bytes
    """
    return await _number(on, size, [thread, thread, thread])


async def _database_bytes(on: Ground) -> int:
    return await _number(on, "SELECT pg_database_size(current_database()) AS bytes", [])


async def _number(on: Ground, statement: str, values: Sequence[object]) -> int:
    async with on.pool.connection() as connection:
        row = await (await connection.execute(statement, values)).fetchone()  # pyright: ignore[reportArgumentType]
        return int(row["bytes"]) if row else 0


def _now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)
