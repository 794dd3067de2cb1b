"""Measures a model: each goal planned once, judged as it was written at first and as it was stored in the end."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.errors import AgentError
from agent.ids import Digest, NodeId
from agent.limits import Role
from agent.llm.prompts import results_message, system_message
from agent.llm.transcript import shown_nodes, statuses_of
from agent.plan.artifacts import content_of, fits_inline, head_of
from agent.plan.operations import operation_json
from agent.plan.outcomes import ArtifactRef, Failed, Outcome, Succeeded
from agent.ports import LanguageModel
from agent.reading.plan_builder import Placed
from agent.reading.plan_file import read_plan
from agent.reading.stream_reader import read_plan_text
from agent.tool import Registry
from infra.evaluation.goal import Goal
from infra.evaluation.judge import Judgement
from infra.evaluation.output import lines
from infra.evaluation.plan_simulation import Simulation, Written
from infra.evaluation.planning import Planned, planned
from infra.evaluation.replay import PlanJudge
from sandbox.script import Json, Sandbox

AT_ONCE = 4
"""How many goals are planned at the same time."""

SLACK = 1.05
"""A plan counts as parallel when it takes at most so many times what the goal's own plan takes."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What one plan got right. `parallel` and `success` only ever hold for a plan that makes every step."""

    valid: bool
    colours: bool
    parallel: bool
    success: bool


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A goal's marks for the model's first output (`raw`) and for what was stored after repair and packing."""

    goal: str
    raw: Marks
    stored: Marks
    judgement: Judgement
    rounds: int
    trouble: str


async def measured(
    goals: Sequence[Goal], model: LanguageModel, registry: Registry, sandbox: Sandbox
) -> Sequence[Measured]:
    """Return every goal's marks, in order."""
    meter = _Meter(model, registry, sandbox)
    return await asyncio.gather(*(meter.measured(goal) for goal in goals))


class _Meter:
    def __init__(self, model: LanguageModel, registry: Registry, sandbox: Sandbox) -> None:
        self._model = model
        self._registry = registry
        self._sandbox = sandbox
        self._judge = PlanJudge(registry, sandbox)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def measured(self, goal: Goal) -> Measured:
        async with self._places:
            plan = await planned(self._model, goal.request, self._registry, self._sandbox.dialect)
            text = plan.answers[0] if plan.answers else ""
            written = _as_written(text)
            raw = await self._marks(goal, written, valid=not read_plan(text, self._registry).faults, answer=None)
            seen = await self._judge.simulation(goal, plan.operations)
            answer = await self._answer(plan, seen)
            stored = await self._marks(
                goal, plan.operations, valid=not plan.trouble and bool(plan.operations), answer=answer
            )
            return Measured(
                goal=goal.name,
                raw=raw,
                stored=stored,
                judgement=await self._judge.judged(goal, plan.operations, answer),
                rounds=len(plan.answers),
                trouble=plan.trouble,
            )

    async def _marks(self, goal: Goal, operations: Sequence[Written], *, valid: bool, answer: str | None) -> Marks:
        judged = await self._judge.judged(goal, operations, answer)
        seen = await self._judge.simulation(goal, operations)
        return Marks(
            valid=valid,
            colours=bool(operations) and not judged.colours,
            parallel=valid and not judged.tools and seen.seconds <= SLACK * await self._least_seconds(goal),
            success=valid and judged.right,
        )

    async def _least_seconds(self, goal: Goal) -> float:
        """Return what the goal's own plan takes; without one, the longest path through its steps."""
        if goal.plan:
            return (await self._judge.simulation(goal, _as_written(lines(goal.plan)))).seconds
        ends: dict[str, float] = {}
        while len(ends) < len(goal.steps):
            for step in goal.steps.values():
                if ends.keys() >= set(step.after):
                    ends[step.name] = step.seconds + max((ends[each] for each in step.after), default=0.0)
        return max(ends.values())

    async def _answer(self, plan: Planned, seen: Simulation) -> str:
        """Let the model write the answer from the results; empty when it cannot."""
        shown = shown_nodes(plan.logged, statuses_of(_outcomes(seen)))
        asked = [system_message(Role.ANSWER), results_message(plan.run.messages, shown, names={})]
        try:
            return await self._model.complete(Role.ANSWER, asked)
        except AgentError:
            return ""


def _as_written(text: str) -> Sequence[Written]:
    """Return the operations of a text that can be read one by one, whatever is wrong between them."""
    return [operation_json(each.operation) for each in read_plan_text(text) if isinstance(each, Placed)]


def _outcomes(seen: Simulation) -> Mapping[NodeId, Outcome]:
    ended: dict[NodeId, Outcome] = {
        NodeId(each): Failed(error="tool_error", message=why) for each, why in seen.failures.items()
    }
    return {**ended, **{NodeId(node): _kept(NodeId(node), each) for node, each in seen.results.items()}}


def _kept(node: NodeId, value: Json) -> Succeeded:
    if fits_inline(value):
        return Succeeded(value=value)
    content = content_of(node, value)
    return Succeeded(
        artifact=ArtifactRef(
            digest=Digest(""),
            name=content.name,
            size=len(content.content),
            media_type=content.media_type,
            head=head_of(content.content),
        )
    )
