"""Measures a model: plans each goal once, and scores both the model's first output and the plan that was stored."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from agent.errors import AgentError
from agent.ids import NodeId
from agent.limits import Role
from agent.llm.prompts import results_message, system_message
from agent.llm.transcript import shown_nodes, statuses_of
from agent.plan.operations import operation_json
from agent.plan.outcomes import Outcome
from agent.ports import LanguageModel
from agent.reading.answer_reader import read_answer
from agent.reading.operation_reader import Reply
from agent.reading.plan_builder import Placed
from agent.reading.plan_file import read_plan
from agent.reading.plan_language.statements import Item
from agent.tool import Registry
from infra.evaluation.fault_injection import lines
from infra.evaluation.goal import Goal, with_roles
from infra.evaluation.judge import Judgement
from infra.evaluation.plan_simulation import Simulation, Written
from infra.evaluation.planning import PlanningResult, outcome_of, plan_request, planning_tools
from infra.evaluation.replay import PlanJudge
from sandbox.script import Sandbox

AT_ONCE = 4
"""How many goals are planned at the same time."""

SLACK = 1.05
"""A plan counts as parallel when it takes at most this many times as long as the goal's own plan."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The marks that one plan gets."""

    valid: bool
    colours: bool
    #: Only ever true for a plan that makes every step, as is `success`.
    parallel: bool
    success: bool


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The marks of one goal."""

    goal: str
    #: Those of the model's first output.
    raw: Marks
    #: Those of the plan after repair and packing.
    stored: Marks
    judgement: Judgement
    #: How often the model was called for the plan.
    rounds: int
    #: Empty when the plan was accepted.
    trouble: str


async def measure(
    goals: Sequence[Goal], model: LanguageModel, registry: Registry, sandbox: Sandbox
) -> Sequence[Measurement]:
    """Return the measurement of every goal, in order."""
    meter = _Meter(model, registry, sandbox)
    return await asyncio.gather(*(meter.measure(goal) for goal in goals))


class _Meter:
    def __init__(self, model: LanguageModel, registry: Registry, sandbox: Sandbox) -> None:
        self._model = model
        self._registry = registry
        self._sandbox = sandbox
        self._judge = PlanJudge(registry, sandbox)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def measure(self, goal: Goal) -> Measurement:
        async with self._places:
            known = with_roles(goal, self._registry)
            plan = await plan_request(self._model, goal, planning_tools(known), self._sandbox.dialect)
            text = plan.answers[0] if plan.answers else ""
            direct = "" if plan.operations or not goal.bad_answer else "\n\n".join(plan.run.replies)
            answer = direct or await self._answer(plan, await self._judge.simulation(goal, plan.operations))
            accepted = not plan.trouble and bool(plan.operations or direct)
            return Measurement(
                goal=goal.name,
                raw=await self._raw(goal, text, known),
                stored=await self._marks(goal, plan.operations, accepted, answer),
                judgement=await self._judge.judged(goal, plan.operations, answer),
                rounds=len(plan.answers),
                trouble=plan.trouble,
            )

    async def _raw(self, goal: Goal, text: str, registry: Registry) -> Marks:
        """Return the marks of a model's first output."""
        items = read_answer(text, registry, known=goal.known)
        direct = "\n\n".join(item.text for item in items if isinstance(item, Reply)) if goal.bad_answer else ""
        valid = bool(direct) or not read_plan(text, registry, known=goal.known).faults
        return await self._marks(goal, _placed(items), valid, direct or None)

    async def _marks(self, goal: Goal, operations: Sequence[Written], valid: bool, answer: str | None) -> Marks:
        judged = await self._judge.judged(goal, operations, answer)
        seen = await self._judge.simulation(goal, operations)
        return Marks(
            valid=valid,
            colours=bool(operations or goal.bad_answer) and not judged.colours,
            parallel=valid and not judged.tools and seen.seconds <= SLACK * await self._least_seconds(goal),
            success=valid and judged.right,
        )

    async def _least_seconds(self, goal: Goal) -> float:
        """Return how long the goal's own plan takes; without one, the longest path through its steps."""
        if goal.plan:
            known = with_roles(goal, self._registry)
            written = _placed(read_answer(lines(goal.plan), known, known=goal.known))
            return (await self._judge.simulation(goal, written)).seconds
        ends: dict[str, float] = {}
        for name in TopologicalSorter({name: step.after for name, step in goal.expected.items()}).static_order():
            step = goal.expected[name]
            ends[name] = step.seconds + max((ends[before] for before in step.after), default=0.0)
        return max(ends.values(), default=0.0)

    async def _answer(self, plan: PlanningResult, seen: Simulation) -> str:
        """Return the answer that the model writes from the results; empty when it is not available."""
        shown = shown_nodes(plan.logged, statuses_of(_outcomes(seen)))
        messages = [system_message(), results_message(Role.ANSWER, plan.run.messages, shown, names={})]
        try:
            return await self._model.complete(Role.ANSWER, messages)
        except AgentError:
            return ""


def _placed(items: Iterable[Item]) -> Sequence[Written]:
    """Return the operations that could be read one by one, and skip what is wrong between them."""
    return [operation_json(item.operation) for item in items if isinstance(item, Placed)]


def _outcomes(seen: Simulation) -> Mapping[NodeId, Outcome]:
    failed = {NodeId(node): outcome_of(NodeId(node), None, why) for node, why in seen.failures.items()}
    return {**failed, **{NodeId(node): outcome_of(NodeId(node), value) for node, value in seen.results.items()}}
