"""The gain of streaming: nodes that start while the plan is still being written, beside the same plan read whole first.

A model at 60 tokens a second writes plans of 6, 12 and 24 nodes that take 0.5 to 3 seconds each. The largest is also
written in the plan language and as JSON Lines at 60 tokens a second of a real vocabulary (o200k).
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, NamedTuple

from agent.execution.graph import AdvanceResult
from agent.ids import ToolName
from agent.limits import Role
from agent.plan.operations import Add
from agent.ports import ChatMessage, LanguageModel
from agent.reading.operation_reader import read_operation
from agent.reading.plan_language.printer import plan_text
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.scripted_model.script import Pace, Script, Text
from infra.dev.scripted_model.wire import tokens
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.fakes.tokens import count_tokens
from tests.fakes.whole_agent import whole

TOKENS_PER_SECOND = 60
SIZES = (6, 12, 24)
SEED = 7
LANGUAGES_SIZE = 24
_NO_NEEDS: Mapping[str, Sequence[str]] = MappingProxyType({})


class _Clocked:
    """A tool that takes the seconds it is told, and when its calls began and ended, by the node that they name."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    async def __call__(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        node = str(args.get("node", context.node))
        self.began[node] = time.perf_counter()
        await asyncio.sleep(float(str(args["seconds"])))
        self.ended[node] = time.perf_counter()
        return {"seconds": args["seconds"]}

    def registry(self) -> Registry:
        arguments: Mapping[str, Json] = {"type": "object", "required": ["seconds"]}
        work = Tool(name=ToolName("work"), description="Works.", arguments=arguments, colour=Colour.GREEN, call=self)
        return Registry([work])


class _Timed:
    """The planner's stream, and when it began, had written each line, and ended. `whole` gives its text at the end."""

    def __init__(self, model: LanguageModel, *, whole: bool) -> None:
        self._stream = model.stream
        self._whole = whole
        self.began = 0.0
        self.lines: list[float] = []
        self.ended = 0.0

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str]:
        self.began = time.perf_counter()
        held: list[str] = []
        async with aclosing(self._stream(role, messages)) as pieces:
            async for piece in pieces:
                self.lines += [time.perf_counter()] * piece.count("\n")
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

    writing: float
    """How many seconds the plan was being written."""

    delays: Sequence[float]
    """For each node: seconds from its complete line and the end of the last node that it waits for to its call."""


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
    plan = _plan(LANGUAGES_SIZE, random.Random(SEED + LANGUAGES_SIZE))  # noqa: S311 -- a plan, not a secret
    written = {"JSON Lines": plan, "the plan language": _in_python(plan)}
    runs = {name: await _run(text, whole_first=False, real_tokens=True) for name, text in written.items()}
    for name, run in runs.items():
        yield figure("stream", f"{LANGUAGES_SIZE} nodes in {name}", count_tokens(written[name]), "tokens")
        yield figure("stream", f"{LANGUAGES_SIZE} nodes in {name}, writing", run.writing, "s")
    nodes = [json.loads(line) for line in plan.splitlines()]
    named = "".join(json.dumps({**node, "args": {**node["args"], "node": node["id"]}}) + "\n" for node in nodes)
    needs = {node["id"]: node["depends_on"] for node in nodes}
    delays = (await _run(_in_python(named), whole_first=False, real_tokens=True, needs=needs)).delays
    name = f"{LANGUAGES_SIZE} nodes in the plan language, from a complete line to its call"
    yield figure("stream", f"{name}, median", statistics.median(delays) * 1000, "ms")
    yield figure("stream", f"{name}, longest", max(delays) * 1000, "ms", at_most=100)
    share = runs["the plan language"].writing / runs["JSON Lines"].writing
    name = f"{LANGUAGES_SIZE} nodes, writing in the plan language beside JSON Lines"
    yield figure("stream", name, share, "", at_most=0.65)


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


def _in_python(plan: str) -> str:
    """Return a plan of JSON Lines in the plan language."""
    read = [read_operation(json.loads(line), None) for line in plan.splitlines()]
    return plan_text([operation for operation in read if isinstance(operation, Add)], {"work"})


async def _run(
    plan: str, *, whole_first: bool, real_tokens: bool = False, needs: Mapping[str, Sequence[str]] = _NO_NEEDS
) -> _Run:
    """Run a plan with a node on each line. `needs`: node -> the nodes that it waits for.

    `real_tokens`: the pace is that of a real vocabulary; the scripted model's tokens are words.
    """
    tool = _Clocked()
    share = len([*tokens(plan)]) / count_tokens(plan) if real_tokens else 1
    answer = Text(text=plan, pace=Pace(tokens_per_second=TOKENS_PER_SECOND * share))
    scripts = (
        Script(role="planner", answer=answer),
        Script(role="conclude", answer="ANSWER\nDone."),
    )
    async with whole(*scripts, packing=True, tools=tool.registry()) as agent:
        timed = _Timed(agent.world.model, whole=whole_first)
        agent.world.model.stream = timed.stream
        agent.world.say("go")
        started = time.perf_counter()
        rest = await agent.advance()
        seconds = time.perf_counter() - started
    assert rest is AdvanceResult.FINISHED
    writing = timed.ended - timed.began
    delays = [
        tool.began[node] - max(complete, *(tool.ended[before] for before in needs[node]), timed.began)
        for node, complete in zip(needs, timed.lines, strict=bool(needs))
    ]
    share = (min(tool.began.values()) - timed.began) / writing
    return _Run(seconds=seconds, share=share, writing=writing, delays=delays)
