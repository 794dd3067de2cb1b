"""The gain of streaming: nodes that start while the plan is still being written, beside the same plan read whole first.

A model at 60 tokens a second writes plans of 6, 12 and 24 nodes that take 0.5 to 3 seconds each.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from agent.execution.graph import AdvanceResult
from agent.ids import ToolName
from agent.limits import Role
from agent.ports import ChatMessage, LanguageModel
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.scripted_model.script import Pace, Script, Text
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.fakes.whole_agent import whole

TOKENS_PER_SECOND = 60
SIZES = (6, 12, 24)
SEED = 7


class _Clocked:
    """A tool that takes the seconds it is told, and when it was first called."""

    def __init__(self) -> None:
        self.first: float | None = None

    async def __call__(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        self.first = self.first or time.perf_counter()
        await asyncio.sleep(float(str(args["seconds"])))
        return {"seconds": args["seconds"]}

    def registry(self) -> Registry:
        arguments: Mapping[str, Json] = {"type": "object", "required": ["seconds"]}
        work = Tool(name=ToolName("work"), description="Works.", arguments=arguments, colour=Colour.GREEN, call=self)
        return Registry([work])


class _Timed:
    """The planner's stream, and when it began and ended. `whole` gives its text only at the end."""

    def __init__(self, model: LanguageModel, *, whole: bool) -> None:
        self._stream = model.stream
        self._whole = whole
        self.began = 0.0
        self.ended = 0.0

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str]:
        self.began = time.perf_counter()
        held: list[str] = []
        async with aclosing(self._stream(role, messages)) as pieces:
            async for piece in pieces:
                if self._whole:
                    held.append(piece)
                else:
                    yield piece
        self.ended = time.perf_counter()
        if held:
            yield "".join(held)


class _Run(NamedTuple):
    seconds: float
    share: float
    """How much of the plan's time of writing had gone by when the first tool started."""


async def figures() -> AsyncIterator[Figure]:
    """Measure from the request to the end of the last node, and when the first tool starts."""
    for size in SIZES:
        plan = _plan(size, random.Random(SEED + size))  # noqa: S311 -- a plan, not a secret
        first = await _run(plan, whole_first=True)
        streamed = await _run(plan, whole_first=False)
        name = f"{size} nodes, planned first"
        yield figure("stream", name, first.seconds, "s")
        yield figure("stream", f"{size} nodes, streamed", streamed.seconds, "s", ratio_to=name)
        share = f"{size} nodes, first tool after this share of the plan"
        yield figure("stream", share, streamed.share, "", at_most=0.15 if size == 12 else None)


def _plan(size: int, chance: random.Random) -> str:
    """Write a plan in which most nodes wait for one or two earlier ones."""
    nodes: list[Mapping[str, Any]] = []
    for number in range(size):
        earlier = [f"node_{before}" for before in range(max(0, number - 5), number)]
        needs = chance.sample(earlier, min(len(earlier), chance.choice([0, 1, 1, 2])))
        seconds = round(chance.uniform(0.5, 3.0), 2)
        node = {"op": "add", "id": f"node_{number}", "kind": "tool", "title": f"Do part {number} of the work"}
        nodes.append({**node, "tool": "work", "args": {"seconds": seconds}, "depends_on": needs})
    return "".join(json.dumps(node) + "\n" for node in nodes)


async def _run(plan: str, *, whole_first: bool) -> _Run:
    tool = _Clocked()
    answer = Text(text=plan, pace=Pace(tokens_per_second=TOKENS_PER_SECOND))
    scripts = (
        Script(role="planner", answer=answer),
        Script(role="replan", answer='{"decision":"end"}'),
        Script(role="answer", answer="Done."),
    )
    async with whole(*scripts, packing=True, tools=tool.registry()) as agent:
        timed = _Timed(agent.world.model, whole=whole_first)
        agent.world.model.stream = timed.stream
        agent.world.say("go")
        started = time.perf_counter()
        rest = await agent.advance()
        seconds = time.perf_counter() - started
    assert rest is AdvanceResult.FINISHED
    assert tool.first is not None
    return _Run(seconds=seconds, share=(tool.first - timed.began) / (timed.ended - timed.began))
