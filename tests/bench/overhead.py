"""The executor's cost per node: instant nodes, 1,000 side by side and 300 in a row, beside one durable commit.

A node's result counts once its write is on disk, so a chain cannot be faster than a commit per node.
"""

import time
from collections.abc import AsyncIterator, Sequence

from agent.plan.operations import Node
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, node

WIDE = 1_000
DEEP = 300
ROUNDS = 3


async def figures() -> AsyncIterator[Figure]:
    """Measure whole turns, from the first operation read to the answer stored and the checkpoints pruned."""
    async with ground() as on:
        await _milliseconds_per_node(on, [node(f"n{number}") for number in range(50)])  # connections, imports
        wide = [node(f"n{number}") for number in range(WIDE)]
        deep = [node("n0"), *(node(f"n{number}", f"n{number - 1}") for number in range(1, DEEP))]
        for name, nodes in ((f"{WIDE} wide", wide), (f"{DEEP} deep", deep)):
            best = min([await _milliseconds_per_node(on, nodes) for _ in range(ROUNDS)])
            yield figure("overhead", f"per node, {name}, best of {ROUNDS}", best, "ms", at_most=2.0)
        best = min([await _milliseconds_per_commit(on) for _ in range(ROUNDS)])
        yield figure("overhead", f"one durable commit, {DEEP} in a row, best of {ROUNDS}", best, "ms")


async def _milliseconds_per_node(on: Ground, nodes: Sequence[Node]) -> float:
    thread = await on.plan(nodes)
    started = time.perf_counter()
    await on.runner(FakeWork()).advance(thread, HeldLease())
    return (time.perf_counter() - started) * 1000 / len(nodes)


async def _milliseconds_per_commit(on: Ground) -> float:
    async with on.pool.connection() as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS commits (n int)")
        started = time.perf_counter()
        for number in range(DEEP):
            await connection.execute("INSERT INTO commits VALUES (%s)", [number])
        return (time.perf_counter() - started) * 1000 / DEEP
