"""Savings of a plan beside a ReAct loop: time, model calls and prompt tokens, for the same tasks and the same tool.

The loop is langchain's `create_agent`, once with one call a turn (ReAct as it was published) and once with every call
that is ready (parallel tool calls, the best a loop can do). Ours has its plan written as JSON and in the plan language.
All ask a scripted model over the wire that needs 0.5 s to its first token and writes 60 tokens a second, and makes no
mistakes; each model call of ours counts, its conclusion too. The ways take turns, and figures of time are medians.
Prompt tokens are uncached when no earlier prompt of the same way begins with them, as in a provider's cache; a run
before the first has warmed it, for each way alike. `ideal` is what a planner could reach with the same model, its
plan in the same words, without any overhead and with the loop's own system message. The tasks are plans of AsyncHow,
the first of each size and two of seven steps in one request, their critical path 3 s of tool time. The tool returns
600 characters, and a proof of each step that the steps behind it need, so a step that runs too early, twice or not at
all is seen; the answers must say the same proofs.
"""

import asyncio
import hashlib
import json
import re
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]  # of langgraph's types
from langchain_core.tools import StructuredTool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.execution.graph import AdvanceResult
from agent.ids import ToolName
from agent.limits import PlanLanguage
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.scripted_model.script import ModelRequest, Pace, Reply, Script, Text, ToolCall, ToolCalls
from infra.dev.scripted_model.server import ScriptedModel
from infra.dev.scripted_model.wire import PromptCache, token_count
from sandbox.script import Json
from tests.bench.figure import Figure, figure
from tests.bench.schedule import Step, critical_path
from tests.fakes.whole_agent import whole

REPEATS = 5

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
    calls: float
    tokens: float
    uncached: float


WHAT = {"time": "s", "model calls": "calls", "prompt tokens": "tokens", "uncached prompt tokens": "tokens"}
"""What a cost is, in the order of its fields -> its unit."""

OURS: Sequence[str] = ("ours, JSON", "ours, plan language")
PARALLEL = "ReAct, parallel calls"
ALONE = "ReAct"


async def figures() -> AsyncIterator[Figure]:
    """Run each task in all ways, one after the other and again, and print them beside each other."""
    caches: dict[str, PromptCache] = {name: PromptCache() for name in (*OURS, ALONE, PARALLEL)}
    ways = {
        OURS[0]: partial(ours, cache=caches[OURS[0]]),
        OURS[1]: partial(ours, language=PlanLanguage.PYTHON, cache=caches[OURS[1]]),
        ALONE: partial(react, at_once=False, cache=caches[ALONE]),
        PARALLEL: partial(react, at_once=True, cache=caches[PARALLEL]),
    }
    tasks = read_tasks(SIZES)
    for way in ways.values():
        await way(_task([_plans_of(json.loads(PLANS.read_text())["plans"], 4)[0]]))  # connections, imports, cache
    for task in tasks:
        runs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(REPEATS):
            for name, way in ways.items():
                runs[name].append(await way(task))
        costs = {name: _typical(found) for name, found in runs.items()}
        for found in _figures_of(task, costs):
            yield found


def _typical(runs: Sequence[Cost]) -> Cost:
    """Return the median time, and the rest of the first run: later ones find their whole request in the cache."""
    return runs[0]._replace(seconds=statistics.median(cost.seconds for cost in runs))


def _figures_of(task: Task, costs: Mapping[str, Cost]) -> Iterator[Figure]:
    steps = len(task.steps)
    ideals: dict[str, Cost] = dict(zip(OURS, (_ideal(task, _plan), _ideal(task, _plan_in_language)), strict=True))
    for at, (what, unit) in enumerate(WHAT.items()):
        for name, cost in costs.items():
            yield figure("react", f"{steps} steps, {what}, {name}", cost[at], unit)
            if name in ideals:
                yield figure("react", f"{steps} steps, {what}, {name}, ideal", ideals[name][at], unit)
        for name, loop in ((name, loop) for name in OURS for loop in (PARALLEL, ALONE)):
            ratio, best = costs[loop][at] / costs[name][at], costs[loop][at] / ideals[name][at]
            title = f"{steps} steps, {loop} / {name}, {what}"
            yield figure("react", title, ratio, "x", at_least=_aim(steps, loop, what))
            yield figure("react", f"{title}, ideal", best, "x")


def _aim(steps: int, loop: str, what: str) -> float | None:
    """Return what a ratio should reach."""
    match loop, what:
        case "ReAct, parallel calls", "time":
            return 1.3 if steps >= 5 else 1.0
        case "ReAct, parallel calls", "model calls":
            return 1.0
        case "ReAct, parallel calls", "prompt tokens":
            return 1.0 if steps >= 5 else None
        case "ReAct, parallel calls", "uncached prompt tokens":
            return 1.0 if steps == 3 else None
        case "ReAct", "time":
            return 2.0 if steps >= 7 else None
        case _:
            return None


def _ideal(task: Task, plan: Callable[[Task], str]) -> Cost:
    """Return the costs of a planner without overhead: each step starts when its line is written and its needs are
    there, and the answer begins when the plan is written and the last step has ended."""
    written, at = plan(task), PACE.first_seconds
    lines = written.splitlines(keepends=True)
    ends: dict[str, float] = {}
    per_token = 1 / PACE.tokens_per_second if PACE.tokens_per_second else 0.0
    for line, step in zip(lines, task.steps.values(), strict=True):
        at += token_count(line) * per_token
        ends[step.id] = max([at, *(ends[before] for before in step.after)]) + step.seconds
    seconds = max([at, *ends.values()]) + PACE.first_seconds + token_count(task.said) * per_token
    opening = json.dumps([{"role": "system", "content": SYSTEM}, ARGUMENTS, DESCRIPTION])
    results = "".join(json.dumps({"step": step, "done": task.proof(step), "found": FOUND[:600]}) for step in task.steps)
    asked = token_count(opening + task.request)
    new = token_count(results)
    return Cost(seconds=seconds, calls=2, tokens=2 * asked + new, uncached=token_count(task.request) + new)


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


async def ours(task: Task, *, language: PlanLanguage = PlanLanguage.JSON, cache: PromptCache | None = None) -> Cost:
    """Plan it, run it, answer."""
    work = Work(task)
    scripts = (
        Script(role="planner", answer=(_plan if language is PlanLanguage.JSON else _plan_in_language)(task), pace=PACE),
        Script(role="conclude", answer=lambda request: f"ANSWER\n{_summed_up(task, request.last)}", pace=PACE),
    )
    async with whole(*scripts, packing=True, tools=work.registry(), language=language) as agent:
        agent.world.say(task.request)
        started = time.perf_counter()
        rest = await agent.advance()
        seconds = time.perf_counter() - started
        answer = (await agent.run()).answer
        requests = agent.world.server.requests
    assert rest is AdvanceResult.FINISHED
    return _cost(task, work, answer, seconds, requests, cache)


async def react(task: Task, *, at_once: bool, cache: PromptCache | None = None) -> Cost:
    """Let the loop do it; `at_once`: every call that is ready in one turn, else one call a turn."""
    work = Work(task)

    def turn(request: ModelRequest) -> Reply:
        return _turn(task, request, at_once=at_once)

    server = ScriptedModel([Script(answer=turn)], api_key="key")
    client = httpx.AsyncClient()
    model = ChatOpenAI(
        model="m",
        api_key=SecretStr("key"),
        base_url=await server.start(),
        streaming=True,
        max_retries=0,
        http_async_client=client,
    )
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
        await client.aclose()
        await server.stop()
    return _cost(task, work, str(ended["messages"][-1].text), seconds, server.requests, cache)


def _cost(
    task: Task, work: Work, answer: str, seconds: float, requests: Sequence[ModelRequest], cache: PromptCache | None
) -> Cost:
    assert sorted(work.done) == sorted(task.steps), work.done
    assert answer == task.said, answer
    cache = cache or PromptCache()
    tokens = sum(token_count(_prompt(request)) for request in requests)
    known = sum(cache.known_tokens(_prompt(request)) for request in requests)
    return Cost(seconds=seconds, calls=len(requests), tokens=tokens, uncached=tokens - known)


def _prompt(request: ModelRequest) -> str:
    """Return what a model reads of a request: its tools, which providers cache first, and its messages."""
    return json.dumps([request.body.get("tools", []), request.body["messages"]], ensure_ascii=False)


def _plan_in_language(task: Task) -> str:
    """Return the same plan in the plan language."""
    return "".join(
        f'step_{step.id} = work(step="{step.id}", needs={_needs(step)})  # {task.titles[step.id]}\n'
        for step in task.steps.values()
    )


def _needs(step: Step) -> str:
    return "{" + ", ".join(f'"{before}": step_{before}.done' for before in step.after) + "}"


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
