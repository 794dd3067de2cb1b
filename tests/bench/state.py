"""What a long run leaves behind: bytes of state, of prompts and of the database, and time, at its end beside its start.

A run is one turn of the real executor and tools over outputs that cannot be compressed. Its nodes come in rounds of
ten, as a planner adds them that looks at results in between; later ones refer to the outputs of earlier ones, whole and
in part, and read their files by name. The prompts are those of the conclusion behind a round and of the next request.
Beside it Deep Agents does the same work: a tool a step, whose outputs it moves into its files by itself.
"""

import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.execution.node_executor import NodeExecutor
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.limits import Role
from agent.llm.prompts import planner_message, results_message, system_message
from agent.llm.transcript import shown_nodes
from agent.plan.eviction import PromptFiles
from agent.plan.files import FileOrigin
from agent.plan.operations import Add, Dependency, Node, NodeKind
from agent.plan.outcomes import Outcome, Succeeded
from agent.plan.references import references_in
from agent.ports import Bound, Message, ReplanReport, ReplanResult
from agent.tool import CallContext, Colour, Registry, Tool
from agent.tools.output import moved_out
from infra.stores.stores import Stores
from infra.tools.files import ThreadFiles, file_tools
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, node

ROUND = 10
RUNS = (50, 100)
SIZES: Mapping[str, int] = {"1 MB": 1_000_000, "30 KiB": 30 * 1024}
RUNS_AGAIN = 4
"""So often a run's time is measured again."""

TURNS = 200
AUTHOR = UserId("U1")

_DEEP_AGENTS = Path(__file__).parent / "data" / "deep_agents_state.py"
_ENVIRONMENT = Path(__file__).parents[2] / ".tools" / "deep-agents"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One turn: its processor time and its time a node, and the prompt that ended it."""

    milliseconds: float
    wall: float
    prompt_bytes: int
    statements: int


async def figures() -> AsyncIterator[Figure]:
    """Measure runs of big outputs, then a thread of many turns, then Deep Agents' state for the same work."""
    async with ground(logging=True) as on:
        await _measured(on, ROUND * 2, 30_000)  # warm
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
    """Measure one run, and its time on four more: ten nodes alone are a matter of chance on a busy machine."""
    before = await _database_bytes(on)
    runs = [await _measured(on, nodes, size)]
    name = f"{nodes} nodes of {label}"
    yield figure("state", f"{name}: checkpoints at most", runs[0].checkpoint_bytes, "bytes", at_most=500_000)
    yield figure("state", f"{name}: database", await _database_bytes(on) - before, "bytes")
    prompts = [visit.prompt_bytes for visit in runs[0].visits]
    yield figure("state", f"{name}: last prompt", prompts[-1], "bytes")
    for at, when in ((1, "second"), (len(prompts) // 2 - 1, "middle")):
        grown = prompts[-1] / prompts[at]
        yield figure("state", f"{name}: last prompt beside the {when}", grown, "x", at_most=1.2)
    runs += [await _measured(on, nodes, size) for _ in range(RUNS_AGAIN)]
    for measure, unit in (("wall", "time"), ("processor", "processor time")):
        first, last = (statistics.median(getattr(run.visits[at], measure) for run in runs) for at in (0, -1))
        yield figure("state", f"{name}: {unit} of the first ten nodes", first * 1000, "ms")
        yield figure("state", f"{name}: {unit} of the last ten beside the first", last / first, "x", at_most=1.2)


@dataclass(frozen=True, kw_only=True)
class TenNodes:
    """One planning round of a run: the seconds that its nodes took, and the bytes of the prompts behind it."""

    wall: float
    processor: float
    prompt_bytes: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A run."""

    visits: Sequence[TenNodes]
    #: The most that its checkpoints came to at the end of a round.
    checkpoint_bytes: int


class _RoundsOfTen:
    """A Replanner: plans ten nodes a round, and notes what those of the round before took."""

    def __init__(self, on: Ground, rounds: int, size: int) -> None:
        self._on = on
        self._rounds = rounds
        self._size = size
        self.visits: list[TenNodes] = []
        self.checkpoint_bytes = 0
        self.begin()

    def begin(self) -> None:
        """Begin to measure ten nodes."""
        self._wall, self._processor = time.perf_counter(), time.process_time()

    async def conclude(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Plan the next ten nodes, if the run has any more."""
        wall, processor = time.perf_counter() - self._wall, time.process_time() - self._processor
        failed = {node: outcome for node, outcome in outcomes.items() if not isinstance(outcome, Succeeded)}
        if failed:
            raise AssertionError(f"nodes failed: {failed}")
        prompt = await _prompt(self._on, thread, turn, await self._on.stores.files.begin(thread))
        self.visits.append(TenNodes(wall=wall, processor=processor, prompt_bytes=len(prompt.encode())))
        self.checkpoint_bytes = max(self.checkpoint_bytes, await _checkpoint_bytes(self._on, thread))
        if round_number >= self._rounds:
            return ReplanReport(next=ReplanResult.ENOUGH)
        await self._on.stores.log.append(thread, turn, AUTHOR, _ten(round_number + 1, self._size))
        self.begin()
        return ReplanReport(next=ReplanResult.EXTENDED, author=AUTHOR)

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Append nothing."""
        return False


async def _measured(on: Ground, nodes: int, size: int) -> Measured:
    """Run so many nodes in one turn, over the real tools, references and files."""
    thread = on.new_thread()
    await on.stores.log.append(thread, 1, AUTHOR, _ten(1, size))
    rounds = _RoundsOfTen(on, nodes // ROUND, size)
    files = file_tools(ThreadFiles(files=on.stores.files, artifacts=on.stores.artifacts))
    tools = [_tool("big", _fetched), _tool("count", _counted), *files]
    work = NodeExecutor(
        registry=Registry(tools),
        sandbox=None,
        artifacts=on.stores.artifacts,
        progress=on.stores.progress,
        model=None,
    )
    await on.runner(work, replanner=rounds).advance(thread, HeldLease())
    return Measured(visits=rounds.visits, checkpoint_bytes=rounds.checkpoint_bytes)


def _tool(name: str, call: Callable[[CallContext, Mapping[str, Json]], Awaitable[Json]]) -> Tool:
    return Tool(name=ToolName(name), description="", arguments={"type": "object"}, colour=Colour.GREEN, call=call)


_ROW_BYTES = 75  # a hundred characters in Base64


async def _fetched(context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return rows of noise: nothing of it can be compressed, and no two outputs are equal."""
    rows = int(str(args["bytes"])) // 100
    noise = [base64.b64encode(os.urandom(_ROW_BYTES)).decode() for _ in range(rows)]
    return {"rows": noise, "node": str(args["name"])}


async def _counted(context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return how much it was given."""
    return {name: len(str(value)) for name, value in args.items()}


def _ten(number: int, size: int) -> Sequence[Add]:
    """Return a round: four nodes with big outputs, three that refer to such, and three that read files of such.

    They read those of the round before and of the first one.
    """
    big = [f"n{number}-{at}" for at in range(4)]
    before, first = f"n{max(1, number - 1)}", "n1"
    reads: Sequence[tuple[str, Mapping[str, Json]]] = (
        ("count", {"all": f"${{{before}-0}}"}),
        ("count", {"rows": f"${{{before}-1#/rows}}", "row": f"${{{first}-2#/rows/3}}"}),
        ("count", {"all": f"${{{first}-3}}"}),
        ("files_grep", {"name": _file_of(f"{before}-2"), "pattern": "abc"}),
        ("files_read", {"name": _file_of(f"{before}-3"), "offset": size // 2}),
        ("files_head", {"name": _file_of(f"{first}-0"), "lines": 5}),
    )
    # In the first round the others wait for what they read.
    waits = big if number == 1 else [f"n{number - 1}-9"]
    makers = [_tool_node(name, "big", {"bytes": size, "name": name}, () if number == 1 else waits) for name in big]
    readers = [_tool_node(f"n{number}-{at}", tool, args, waits) for at, (tool, args) in enumerate(reads, start=4)]
    return [Add(node=made) for made in (*makers, *readers)]


def _tool_node(id: str, tool: str, args: Mapping[str, Json], waits: Sequence[str]) -> Node:
    named = [str(name) for _, reference in references_in(args) for name in reference.nodes]
    edges = tuple(Dependency(node=NodeId(other)) for other in dict.fromkeys([*waits, *named]))
    return Node(id=NodeId(id), kind=NodeKind.TOOL, title=f"Step {id}", tool=ToolName(tool), args=args, depends_on=edges)


def _file_of(name: str) -> str:
    return f"1/{name}/{name}.json"


async def _round(on: Ground, thread: ThreadId, turn: int, size: int, count: int = ROUND) -> Visit:
    before = [f"n{turn - 1}-0"] if turn > 1 else []
    added = [node(f"n{turn}-{at}", *(before if at == 0 else ()), tool="big") for at in range(count)]
    await on.stores.log.append(thread, turn, AUTHOR, [Add(node=one) for one in added])
    on.statements.forget()
    wall, processor = time.perf_counter(), time.process_time()
    work = FakeWork({"big": _big(on.stores, turn, size)})
    await on.runner(work).advance(thread, HeldLease())
    files = await on.stores.files.begin(thread)
    prompt = await _prompt(on, thread, turn, files)
    return Visit(
        milliseconds=(time.process_time() - processor) * 1000 / count,
        wall=(time.perf_counter() - wall) * 1000 / count,
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
    """Measure a thread of many turns with one file and two small results each.

    Its last ten turns take turns with the first ten of another thread, so that both meet the same machine.
    """
    old, young = on.new_thread(), on.new_thread()
    for turn in range(1, TURNS - 9):
        await _round(on, old, turn, 30 * 1024, count=3)
    late: list[Visit] = []
    early: list[Visit] = []
    for turn in range(1, 11):
        late.append(await _round(on, old, TURNS - 10 + turn, 30 * 1024, count=3))
        early.append(await _round(on, young, turn, 30 * 1024, count=3))
    units = {"milliseconds": "processor time", "wall": "time", "prompt_bytes": "prompt", "statements": "statements"}
    for name, unit in units.items():
        first, last = (statistics.median(getattr(visit, name) for visit in part) for part in (early, late))
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
    yield figure(
        "state", f"{name}: checkpoints", found["checkpoint_bytes"], "bytes", ratio_to=f"{ours}: checkpoints at most"
    )
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
