"""Makespan / critical path of 200 real plans: ours, LangGraph's super-steps, and one step after another.

Each plan is scaled so that its critical path is 1 s; steps under 5 ms are raised to 5 ms and the
critical path is computed after that. A makespan runs from the start of the run to the end of its
last step. All three keep their checkpoints in the same PostgreSQL; ours also its rows.

Wide plans are generated (SEED chooses others, and is printed): steps that fan out to 50, 100 or 250 others and join
again, of very different lengths, their critical path `WIDE_SECONDS`. They run one after another. They are written into
the log: a planner is held to `limits.nodes_per_turn` (200 nodes), and a list to `limits.fan_out` (50 items), so that a
model's plans are as wide as the widest of these only once both are raised.
"""

import asyncio
import json
import operator
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypeAlias, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed inline
from langgraph.types import Send

from agent.plan.operations import Node
from agent.plan.outcomes import Outcome, Succeeded
from agent.ports import Bound
from agent.tool import CallContext
from tests.bench.figure import Figure, figure
from tests.bench.ground import Ground, ground
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeWork, node

PLANS_AT_ONCE = 4
"""More disturb each other on two cores: the figures of all three rise together."""

SHORTEST_SECONDS = 0.005
CRITICAL_PATH_SECONDS = 1.0

WIDTHS = (50, 100, 250)
WIDE_PLANS = 4
"""Of each width."""

WIDE_SECONDS = 5.0

StepId: TypeAlias = str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that takes a while."""

    id: StepId
    seconds: float
    after: tuple[StepId, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps in an order in which each comes after what it depends on, and their critical path."""

    steps: tuple[Step, ...]
    critical_path_seconds: float


OURS = "ours"


async def figures() -> AsyncIterator[Figure]:
    """Run every plan in all three ways and compare."""
    plans = read_plans(Path(os.environ.get("PLANS") or Path(__file__).parent / "data" / "asynchow_plans.json"))
    started = time.perf_counter()
    async with ground() as on:
        for warm_up in WAYS.values():
            await warm_up(on, plans[0])
        ratios = await _ratios(on, plans)
        async for wide in _wide(on):
            yield wide
    for name in WAYS:
        found = [ratio[name] for ratio in ratios]
        beside, most = (None, 1.05) if name == OURS else (f"{OURS}, median", None)
        median, p95 = statistics.median(found), statistics.quantiles(found, n=20)[-1]
        yield figure("schedule", f"{name}, median", median, "x critical path", at_most=most, ratio_to=beside)
        yield figure("schedule", f"{name}, p95", p95, "x critical path")
        yield figure("schedule", f"{name}, worst", max(found), "x critical path")
    yield figure("schedule", f"wall time, {len(plans)} plans", time.perf_counter() - started, "s")


async def _wide(on: Ground) -> AsyncIterator[Figure]:
    """Run plans that are wide, ours and in super-steps."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    yield figure("schedule", "wide plans, seed", seed, "")
    chance = random.Random(seed)  # noqa: S311  # plans, no secrets
    ways = {name: run for name, run in WAYS.items() if name != "one by one"}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for width in WIDTHS:
        of_width: dict[str, list[float]] = {name: [] for name in ways}
        for plan in [wide_plan(chance, width) for _ in range(WIDE_PLANS)]:
            for name, run in ways.items():
                of_width[name].append(await run(on, plan) / plan.critical_path_seconds)
        for name, ratios in of_width.items():
            found[name] += ratios
            yield figure("schedule", f"{name}, {width} wide, median", statistics.median(ratios), "x critical path")
    for name, ratios in found.items():
        median, worst = (1.08, 1.2) if name == OURS else (None, None)
        yield figure("schedule", f"{name}, wide, median", statistics.median(ratios), "x critical path", at_most=median)
        yield figure("schedule", f"{name}, wide, worst", max(ratios), "x critical path", at_most=worst)


def wide_plan(chance: random.Random, width: int) -> Plan:
    """Return a step that fans out into short chains, their joins by tens, and the join of these."""
    steps = [Step(id="start", seconds=chance.uniform(0.1, 1.0), after=())]
    ends: list[StepId] = []
    for number in range(width):
        before = "start"
        for at in range(chance.randint(1, 3)):
            name = f"s{number}-{at}"
            steps.append(Step(id=name, seconds=chance.lognormvariate(0.0, 0.6), after=(before,)))
            before = name
        ends.append(before)
    joins = [tuple(ends[first : first + 10]) for first in range(0, width, 10)]
    steps += [Step(id=f"j{n}", seconds=chance.uniform(0.1, 1.0), after=after) for n, after in enumerate(joins)]
    steps.append(Step(id="end", seconds=0.5, after=tuple(f"j{number}" for number in range(len(joins)))))
    scale = WIDE_SECONDS / critical_path(steps)
    return Plan(
        steps=tuple(Step(id=step.id, seconds=step.seconds * scale, after=step.after) for step in _ordered(steps)),
        critical_path_seconds=WIDE_SECONDS,
    )


def read_plans(path: Path) -> Sequence[Plan]:
    """Read and scale the plans of a file."""
    return [_scaled(plan["steps"]) for plan in json.loads(path.read_text())["plans"]]


def _scaled(raw: Sequence[Mapping[str, Any]]) -> Plan:
    steps = [Step(id=entry["id"], seconds=float(entry["seconds"]), after=tuple(entry["depends_on"])) for entry in raw]
    scale = CRITICAL_PATH_SECONDS / critical_path(steps)
    raised = [
        Step(id=step.id, seconds=max(step.seconds * scale, SHORTEST_SECONDS), after=step.after)
        for step in _ordered(steps)
    ]
    return Plan(steps=tuple(raised), critical_path_seconds=critical_path(raised))


def critical_path(steps: Sequence[Step]) -> float:
    """Return the length of the longest chain, in seconds."""
    ends: dict[StepId, float] = {}
    for step in _ordered(steps):
        ends[step.id] = step.seconds + max((ends[before] for before in step.after), default=0.0)
    return max(ends.values())


def _ordered(steps: Sequence[Step]) -> Sequence[Step]:
    ordered: dict[StepId, Step] = {}
    left = list(steps)
    while left:
        ready = [step for step in left if all(before in ordered for before in step.after)]
        if not ready:
            raise ValueError("a plan's steps wait for each other")
        ordered.update({step.id: step for step in ready})
        left = [step for step in left if step.id not in ordered]
    return list(ordered.values())


async def _ratios(on: Ground, plans: Sequence[Plan]) -> Sequence[Mapping[str, float]]:
    """Return way -> makespan / critical path for each plan.

    A plan is run in all ways right after each other: what disturbs the machine disturbs them alike.
    """
    slots = asyncio.Semaphore(PLANS_AT_ONCE)

    async def ratios(plan: Plan) -> Mapping[str, float]:
        async with slots:
            return {name: await run(on, plan) / plan.critical_path_seconds for name, run in WAYS.items()}

    return await asyncio.gather(*(ratios(plan) for plan in plans))


async def _ours(on: Ground, plan: Plan) -> float:
    ended: list[float] = []
    seconds = {step.id: step.seconds for step in plan.steps}

    async def wait(node: Node, bound: Bound, context: CallContext) -> Outcome:
        await asyncio.sleep(seconds[node.id])
        ended.append(time.perf_counter())
        return Succeeded(value=node.id)

    thread = await on.plan([node(step.id, *step.after, tool="wait") for step in plan.steps])
    started = time.perf_counter()
    await on.runner(FakeWork({"wait": wait})).advance(thread, HeldLease())
    return max(ended) - started


class _Steps(TypedDict):
    done: Annotated[list[StepId], operator.add]
    step: NotRequired[StepId]


async def _super_steps(on: Ground, plan: Plan) -> float:
    """Map each step to a task of a super-step: all that are ready are sent together, and then waited for."""
    ended: list[float] = []
    steps = {step.id: step for step in plan.steps}

    async def work(state: _Steps) -> dict[str, list[StepId]]:
        step = state.get("step", "")
        await asyncio.sleep(steps[step].seconds)
        ended.append(time.perf_counter())
        return {"done": [step]}

    async def plan_next(state: _Steps) -> None: ...

    def ready(state: _Steps) -> list[Send] | str:
        done = set(state["done"])
        sends = [
            Send("work", {"done": [], "step": step.id})
            for step in plan.steps
            if step.id not in done and done.issuperset(step.after)
        ]
        return sends or END

    builder: Any = StateGraph(_Steps)
    builder.add_node("plan_next", plan_next)
    builder.add_node("work", work)
    builder.add_edge(START, "plan_next")
    builder.add_conditional_edges("plan_next", ready, ["work", END])
    builder.add_edge("work", "plan_next")
    graph = builder.compile(checkpointer=AsyncPostgresSaver(on.pool))
    config = RunnableConfig(configurable={"thread_id": on.new_thread()}, recursion_limit=100)
    started = time.perf_counter()
    await graph.ainvoke({"done": []}, config, durability="sync")
    return max(ended) - started


async def _one_by_one(on: Ground, plan: Plan) -> float:
    started = time.perf_counter()
    for step in plan.steps:
        await asyncio.sleep(step.seconds)
    return time.perf_counter() - started


WAYS: Mapping[str, Callable[[Ground, Plan], Awaitable[float]]] = {
    OURS: _ours,
    "super-steps": _super_steps,
    "one by one": _one_by_one,
}
