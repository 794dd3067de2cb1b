"""Savings of a plan beside a ReAct loop: model calls, prompt tokens and time, for the same tasks and the same tool.

The loop is langchain's `create_agent`, once with one call a turn (ReAct as it was published) and once with every call
that is ready (parallel tool calls, the best a loop can do). All three ask a scripted model over the wire that needs
0.5 s to its first token and writes 60 tokens a second, and makes no mistakes; each model call of ours counts, its
reflection and its answer too. The tasks are plans of AsyncHow, the first of each size and two of seven steps in one
request, their critical path 3 s of tool time. The tool returns 600 characters, and a proof of each step that the steps
behind it need, so a step that runs too early, twice or not at all is seen; the answers must say the same proofs.
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]  # of langgraph's types
from langchain_core.tools import StructuredTool
from langchain_openai import ChatOpenAI

from agent.execution.graph import AdvanceResult
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.scripted_model.script import ModelRequest, Pace, Reply, Script, Text, ToolCall, ToolCalls
from infra.dev.scripted_model.server import ScriptedModel
from infra.dev.scripted_model.wire import token_count
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.bench.schedule import Step, critical_path
from tests.fakes.whole_agent import whole

SIZES = ((3,), (5,), (7,), (9,), (11,), (7, 7))
"""How many steps; two sizes are two plans in one request."""

FOUND = "All of it was found where it was said to be, and nothing else. " * 10
CRITICAL_PATH_SECONDS = 3.0
PACE = Pace(first_seconds=0.5, tokens_per_second=60)
PLANS = Path(__file__).parent / "data" / "asynchow_plans.json"
DESCRIPTION = "Do one step of the work. Returns done: the proof that later steps need."
ARGUMENTS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "step": {"type": "string", "description": "The step's number."},
        "needs": {"type": "object", "description": "Number of each step before it -> the proof it returned."},
    },
    "required": ["step", "needs"],
    "additionalProperties": False,
}
SYSTEM = "You do what people ask for, step by step, with the tool. When everything is done, say so with the proofs."


@dataclass(frozen=True, kw_only=True)
class Task:
    """A plan as somebody asks for it."""

    goal: str
    steps: Mapping[str, Step]
    titles: Mapping[str, str]

    @property
    def request(self) -> str:
        """The request, the same for all."""
        lines = (
            f"{step.id}. {self.titles[step.id]}" + (f" (after {', '.join(step.after)})" if step.after else "")
            for step in self.steps.values()
        )
        return "\n".join([f"{self.goal}. Do these steps:", *lines])

    @property
    def said(self) -> str:
        """The answer that is right: the proofs of the steps that no other step waits for."""
        inner = {before for step in self.steps.values() for before in step.after}
        return "Done: " + ", ".join(sorted(self.proof(step) for step in self.steps if step not in inner))

    def proof(self, step: str) -> str:
        """Return the proof that a step was done, which takes those it needs."""
        needed = "".join(self.proof(before) for before in self.steps[step].after)
        return "p" + hashlib.sha256(f"{step}{needed}".encode()).hexdigest()[:7]


@dataclass
class Work:
    """The tool. It refuses a step whose needs are not proven, and one that was done."""

    task: Task
    done: list[str] = field(default_factory=list[str])

    async def do(self, step: str, needs: Mapping[str, str]) -> dict[str, Json]:
        known = self.task.steps[step]
        assert needs == {before: self.task.proof(before) for before in known.after}, f"step {step} too early"
        assert step not in self.done, f"step {step} twice"
        self.done.append(step)
        await asyncio.sleep(known.seconds)
        return {"step": step, "done": self.task.proof(step), "found": FOUND[:600]}

    def registry(self) -> Registry:
        async def call(_context: CallContext, args: Mapping[str, Any]) -> Json:
            return await self.do(str(args["step"]), args["needs"])

        tool = Tool(name=ToolName("work"), description=DESCRIPTION, arguments=ARGUMENTS, colour=Colour.GREEN, call=call)
        return Registry([tool])


class Cost(NamedTuple):
    """The costs of one run."""

    seconds: float
    calls: int
    tokens: int


async def figures() -> AsyncIterator[Figure]:
    """Run each task in the three ways, one after the other, and print them beside each other."""
    ways = {
        "ours": ours,
        "ReAct": partial(react, at_once=False),
        "ReAct, parallel calls": partial(react, at_once=True),
    }
    tasks = read_tasks(SIZES)
    for way in ways.values():
        await way(tasks[0])  # connections, imports
    for task in tasks:
        size = f"{len(task.steps)} steps"
        costs = {name: await way(task) for name, way in ways.items()}
        for name, cost in costs.items():
            for what, unit, value in zip(
                ("time", "model calls", "prompt"), ("s", "calls", "tokens"), cost, strict=True
            ):
                beside = None if name == "ours" else f"{size}, {what}, ours"
                yield figure("react", f"{size}, {what}, {name}", value, unit, ratio_to=beside)
        for name in list(ways)[1:]:
            for at, what in enumerate(("time", "model calls", "prompt tokens")):
                ratio = costs[name][at] / costs["ours"][at]
                yield figure("react", f"{size}, {name} / ours, {what}", ratio, "x")


def read_tasks(sizes: Sequence[Sequence[int]]) -> Sequence[Task]:
    """Return a task for each, of the first plans of these sizes."""
    plans = json.loads(PLANS.read_text())["plans"]
    return [_task([_plans_of(plans, size)[at] for at, size in enumerate(group)]) for group in sizes]


def _plans_of(plans: Sequence[Mapping[str, Any]], size: int) -> Sequence[Mapping[str, Any]]:
    return [plan for plan in plans if len(plan["steps"]) == size]


def _task(plans: Sequence[Mapping[str, Any]]) -> Task:
    """Return plans as one task; the steps' numbers go on from one to the next."""
    steps: list[Step] = []
    titles: dict[str, str] = {}
    for plan in plans:
        number = {step["id"]: str(at) for at, step in enumerate(plan["steps"], start=len(steps) + 1)}
        own = [
            Step(
                id=number[step["id"]],
                seconds=float(step["seconds"]),
                after=tuple(number[before] for before in step["depends_on"]),
            )
            for step in plan["steps"]
        ]
        scale = CRITICAL_PATH_SECONDS / critical_path(own)
        steps += [Step(id=step.id, seconds=step.seconds * scale, after=step.after) for step in own]
        titles.update({number[step["id"]]: step["title"] for step in plan["steps"]})
    goal = " And: ".join(plan["goal"] for plan in plans)
    return Task(goal=goal, steps={step.id: step for step in steps}, titles=titles)


async def ours(task: Task) -> Cost:
    """Plan it, run it, answer."""
    work = Work(task)
    scripts = (
        Script(role="planner", answer=_plan(task), pace=PACE),
        Script(role="replan", answer='{"decision":"end"}', pace=PACE),
        Script(role="answer", answer=lambda request: _summed_up(task, request.last), pace=PACE),
    )
    async with whole(*scripts, packing=True, tools=work.registry()) as agent:
        agent.world.say(task.request)
        started = time.perf_counter()
        rest = await agent.advance()
        seconds = time.perf_counter() - started
        answer = (await agent.run()).answer
        requests = agent.world.server.requests
    assert rest is AdvanceResult.FINISHED
    return _cost(task, work, answer, seconds, requests)


async def react(task: Task, *, at_once: bool) -> Cost:
    """Let the loop do it; `at_once`: every call that is ready in one turn, else one call a turn."""
    work = Work(task)

    def turn(request: ModelRequest) -> Reply:
        return _turn(task, request, at_once=at_once)

    server = ScriptedModel([Script(answer=turn)], api_key="key")
    model = ChatOpenAI(model="m", api_key="key", base_url=await server.start(), streaming=True, max_retries=0)  # pyright: ignore[reportArgumentType]  # pydantic makes a secret of it
    tool = StructuredTool.from_function(
        coroutine=work.do, name="work", description=DESCRIPTION, args_schema=dict(ARGUMENTS)
    )
    agent = create_agent(model, [tool], system_prompt=SYSTEM)  # pyright: ignore[reportUnknownVariableType]  # as above
    started = time.perf_counter()
    try:
        ended = await agent.ainvoke(  # pyright: ignore[reportUnknownMemberType]
            {"messages": [{"role": "user", "content": task.request}]}, {"recursion_limit": 200}
        )
    finally:
        seconds = time.perf_counter() - started
        await server.stop()
    return _cost(task, work, str(ended["messages"][-1].text), seconds, server.requests)


def _cost(task: Task, work: Work, answer: str, seconds: float, requests: Sequence[ModelRequest]) -> Cost:
    assert sorted(work.done) == sorted(task.steps), work.done
    assert answer == task.said, answer
    tokens = sum(token_count(_prompt(request)) for request in requests)
    return Cost(seconds=seconds, calls=len(requests), tokens=tokens)


def _prompt(request: ModelRequest) -> str:
    """Return what a model reads of a request: its messages and its tools."""
    return json.dumps([request.body["messages"], request.body.get("tools", [])], ensure_ascii=False)


def _plan(task: Task) -> str:
    nodes = (
        {
            "op": "add",
            "id": f"step_{step.id}",
            "kind": "tool",
            "title": task.titles[step.id],
            "tool": "work",
            "args": {"step": step.id, "needs": {before: f"${{step_{before}#/done}}" for before in step.after}},
        }
        for step in task.steps.values()
    )
    return "".join(json.dumps(node, ensure_ascii=False) + "\n" for node in nodes)


def _summed_up(task: Task, shown: str) -> str:
    """Return the answer from the proofs that are shown."""
    inner = {task.proof(before) for step in task.steps.values() for before in step.after}
    proofs = {task.proof(step) for step in task.steps}.difference(inner)
    return "Done: " + ", ".join(sorted(proofs.intersection(re.findall(r"\bp[0-9a-f]{7}\b", shown))))


def _turn(task: Task, request: ModelRequest, *, at_once: bool) -> Reply:
    """Return what a model without mistakes does next, going by the results in its messages."""
    results = [json.loads(message.text) for message in request.messages if message.role == "tool"]
    proofs: Mapping[str, str] = {result["step"]: result["done"] for result in results}
    ready = [step for step in task.steps.values() if step.id not in proofs and proofs.keys() >= set(step.after)]
    if not ready:
        return Text(text=_summed_up(task, json.dumps(results)), pace=PACE)
    calls = [
        ToolCall(name="work", arguments={"step": step.id, "needs": {before: proofs[before] for before in step.after}})
        for step in (ready if at_once else ready[:1])
    ]
    return ToolCalls(calls=calls, pace=PACE)
