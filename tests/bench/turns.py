"""The cost of a late turn beside an early one in the same thread, and of one turn with thousands of nodes.

A thread must not get dearer with every turn: each bench runs in one thread, and says what its late turn costs beside
its early one, so that the load of the machine does not count.
"""

import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from agent.ids import ThreadId, UserId
from agent.plan.operations import Add, Node
from agent.plan.outcomes import Outcome, Succeeded
from agent.ports import Bound
from agent.tool import CallContext
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, node

TURNS = (3, 6, 12, 24)
RESULTS = 100
WIDE = (500, 2_000, 5_000)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one turn took."""

    milliseconds: float
    #: Of this process, so that the load of the machine does not count.
    processor_milliseconds: float
    commits: int
    state_bytes: int


async def figures() -> AsyncIterator[Figure]:
    """Measure turns of small results in one thread, then single turns of many nodes."""
    async with ground() as on:
        await _turn(on, on.new_thread(), 1, [node(f"warm{number}") for number in range(RESULTS)])
        thread = on.new_thread()
        costs = {turn: await _turn(on, thread, turn, _small(turn)) for turn in range(1, max(TURNS) + 1)}
        for turn in TURNS:
            cost = costs[turn]
            yield figure("turns", f"turn {turn} of {RESULTS} small results", cost.milliseconds, "ms")
            yield figure("turns", f"turn {turn}: commits", cost.commits, "commits")
            yield figure("turns", f"turn {turn}: state", cost.state_bytes, "bytes")
        early, late = (
            statistics.median(costs[turn].processor_milliseconds for turn in turns)
            for turns in (range(2, 7), range(max(TURNS) - 4, max(TURNS) + 1))
        )
        yield figure("turns", "processor time, turns 20 to 24 beside 2 to 6", late / early, "x", at_most=1.25)
        for tool, size in (("echo", "tiny"), ("large", "1 KiB")):
            for nodes in WIDE:
                wide = [node(f"n{number}", tool=tool) for number in range(nodes)]
                cost = await _turn(on, on.new_thread(), 1, wide)
                name = f"one turn of {nodes} {size} results, per node"
                yield figure("turns", name, cost.milliseconds / nodes, "ms")


def _small(turn: int) -> Sequence[Node]:
    """Return nodes with results of 300 bytes; the first refers to the turn before."""
    first = [f"t{turn - 1}-{number}" for number in range(min(turn - 1, 1))]
    return [node(f"t{turn}-{number}", *(first if number == 0 else ()), tool="small") for number in range(RESULTS)]


async def small(node: Node, bound: Bound, context: CallContext) -> Outcome:
    """Succeed with a small result."""
    return Succeeded(value={"node": node.id, "text": "x" * 250})


async def large(node: Node, bound: Bound, context: CallContext) -> Outcome:
    """Succeed with a result that becomes an artifact once the state has no room left."""
    return Succeeded(value={"node": node.id, "text": "x" * 1024})


async def _turn(on: Ground, thread: ThreadId, turn: int, nodes: Sequence[Node]) -> Cost:
    await on.stores.log.append(thread, turn, UserId("U1"), [Add(node=added) for added in nodes])
    before = await _commits(on)
    started, processor_started = time.perf_counter(), time.process_time()
    await on.runner(FakeWork({"small": small, "large": large})).advance(thread, HeldLease())
    milliseconds = (time.perf_counter() - started) * 1000
    return Cost(
        milliseconds=milliseconds,
        processor_milliseconds=(time.process_time() - processor_started) * 1000,
        commits=await _commits(on) - before,
        state_bytes=await _state_bytes(on, thread),
    )


async def _commits(on: Ground) -> int:
    async with on.pool.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        row = await (
            await connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        ).fetchone()
        return int(row["xact_commit"]) if row else 0


async def _state_bytes(on: Ground, thread: ThreadId) -> int:
    size = """
        SELECT (SELECT coalesce(sum(length(blob)), 0) FROM checkpoint_blobs WHERE thread_id = %s)
             + (SELECT coalesce(sum(length(checkpoint::text)), 0) FROM checkpoints WHERE thread_id = %s) AS bytes
    """
    async with on.pool.connection() as connection:
        row = await (await connection.execute(size, [thread, thread])).fetchone()
        return int(row["bytes"]) if row else 0
