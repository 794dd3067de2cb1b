"""Savings and costs of packing: the same plans as they are written and packed, over PostgreSQL and the interpreter.

Four chains side by side, each step a tool call that takes its predecessor's answer of 3 KB and needs 20 ms.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import text

from agent.execution.node_executor import NodeExecutor
from agent.ids import NodeId, ToolName
from agent.llm.prompts import planner_message
from agent.llm.transcript import shown_nodes
from agent.packing.packing import pack
from agent.plan.operations import Add, Dependency, Node, NodeKind, nodes_added
from agent.plan.outcomes import Succeeded
from agent.tool import CallContext, Colour, Registry, Tool
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.planning import NOW
from tests.fakes.ports_in_memory import ProgressInMemory
from tests.fakes.thread_world import HeldLease

CHAINS = 4
LENGTHS = (3, 6)
ROUNDS = 3
STEP_SECONDS = 0.02
ANSWER = "0123456789abcdef" * 190
CHARACTERS_PER_TOKEN = 4
"""The usual estimate for English and JSON; only the ratio matters here."""


async def _step(_context: CallContext, args: Mapping[str, Json]) -> Json:
    await asyncio.sleep(STEP_SECONDS)
    return {"text": ANSWER, "length": len(str(args.get("text", "")))}


REGISTRY = Registry(
    [Tool(name=ToolName("step"), description="", arguments={"type": "object"}, colour=Colour.GREEN, call=_step)]
)


@dataclass(frozen=True, kw_only=True)
class _Cost:
    seconds: float
    state_bytes: float
    tokens: float


async def figures() -> AsyncIterator[Figure]:
    """Measure plans of 12 and 24 steps, each the median of some rounds, packed beside unpacked."""
    sandbox = MontySandbox(monty_binary())
    try:
        async with ground() as on:
            await _cost(on, sandbox, _plan(2))  # connections, imports
            for length in LENGTHS:
                plain = _plan(length)
                packed = [*nodes_added(pack([Add(node=step) for step in plain], REGISTRY).operations).values()]
                for how, nodes in (("unpacked", plain), ("packed", packed)):
                    costs = [await _cost(on, sandbox, nodes) for _ in range(ROUNDS)]
                    beside = None if how == "unpacked" else f"{CHAINS * length} steps unpacked"
                    name = f"{CHAINS * length} steps {how}"
                    yield figure("pack", f"{name}, nodes", len(nodes), "nodes", ratio_to=_of(beside, "nodes"))
                    for what, unit, values in (
                        ("time", "s", [cost.seconds for cost in costs]),
                        ("state", "bytes", [cost.state_bytes for cost in costs]),
                        ("plan and results in a prompt", "tokens", [cost.tokens for cost in costs]),
                    ):
                        yield figure("pack", f"{name}, {what}", median(values), unit, ratio_to=_of(beside, what))
    finally:
        await sandbox.close()


def _of(name: str | None, what: str) -> str | None:
    return None if name is None else f"{name}, {what}"


def _plan(length: int) -> Sequence[Node]:
    return [
        _node(f"c{chain}s{step}", f"c{chain}s{step - 1}" if step else None)
        for chain in range(CHAINS)
        for step in range(length)
    ]


def _node(id: str, after: str | None) -> Node:
    return Node(
        id=NodeId(id),
        kind=NodeKind.TOOL,
        title=f"Step {id}",
        depends_on=() if after is None else (Dependency(node=NodeId(after)),),
        tool=ToolName("step"),
        args={} if after is None else {"text": f"${{{after}#/text}}"},
    )


async def _cost(on: Ground, sandbox: MontySandbox, nodes: Sequence[Node]) -> _Cost:
    work = NodeExecutor(
        registry=REGISTRY, sandbox=sandbox, artifacts=on.stores.artifacts, progress=ProgressInMemory(), model=None
    )
    thread = await on.plan(nodes)
    started = time.perf_counter()
    await on.runner(work).advance(thread, HeldLease())
    seconds = time.perf_counter() - started
    statuses = await on.stores.statuses.of(thread)
    assert all(isinstance(status.outcome, Succeeded) for status in statuses.values())
    shown = planner_message(NOW, [], shown_nodes(await on.stores.log.after(thread, 0), statuses), [])
    return _Cost(
        seconds=seconds,
        state_bytes=await _state_bytes(on, thread),
        tokens=len(shown.text) / CHARACTERS_PER_TOKEN,
    )


async def _state_bytes(on: Ground, thread: str) -> int:
    """Return what LangGraph's tables keep of a finished thread."""
    sizes = (
        "SELECT (SELECT coalesce(sum(pg_column_size(c.*)), 0) FROM checkpoints c WHERE thread_id = :thread)"
        " + (SELECT coalesce(sum(octet_length(blob)), 0) FROM checkpoint_blobs WHERE thread_id = :thread)"
        " + (SELECT coalesce(sum(octet_length(blob)), 0) FROM checkpoint_writes WHERE thread_id = :thread)"
    )
    async with on.database.autocommit() as connection:
        return int((await connection.execute(text(sizes), {"thread": thread})).scalar_one())
