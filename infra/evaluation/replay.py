"""Replays the faults of models: every goal's plan with every fault, read, repaired and packed as the app does it.

No model is called. A replayed one writes the faulty text first; once it gets its faults back, it writes either the
right plan (`corrected`) or the same text again (`repeated`).
"""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from agent.errors import ModelUnavailable
from agent.limits import PlanLanguage, Role
from agent.plan.operations import Add, operation_from_json
from agent.ports import ChatMessage
from agent.tool import Colour, Registry, colour_of
from infra.evaluation.fault_injection import Output, inject_fault, kinds, lines, python_lines
from infra.evaluation.goal import Goal, with_roles
from infra.evaluation.judge import Judgement, judgement
from infra.evaluation.plan_simulation import Simulation, Written, simulation_of
from infra.evaluation.planning import PlanningResult, plan_request, planning_tools
from sandbox.script import Sandbox

AS_WRITTEN = "no fault"
IN_PYTHON = "python: "
"""How the name of a fault begins in a plan in the plan language."""

_PIECE_CHARACTERS = 48


class Manner(StrEnum):
    """How the replayed model responds to its faults."""

    CORRECTED = "corrected"
    REPEATED = "repeated"


class ReplayResult(StrEnum):
    """How a replay ended."""

    RIGHT = "right"
    #: No plan was accepted and nothing unsafe was stored; the app would report an error.
    REFUSED = "refused"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The result of one goal's plan with one fault."""

    goal: str
    fault: str
    manner: Manner
    result: ReplayResult
    judgement: Judgement


class _ReplayModel:
    """A model that returns the given outputs in turn, and the last one for every further call."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = list(outputs)

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        del role, messages
        output = self._outputs.pop(0) if len(self._outputs) > 1 else self._outputs[0]
        for at in range(0, len(output.text), _PIECE_CHARACTERS):
            yield output.text[at : at + _PIECE_CHARACTERS]
        if output.breaks_off:
            raise ModelUnavailable("the replayed stream breaks off here")

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        raise NotImplementedError


class PlanJudge:
    """Simulates and judges plans, each plan of a goal only once."""

    def __init__(self, registry: Registry, sandbox: Sandbox) -> None:
        self._registry = registry
        self._sandbox = sandbox
        self._seen: dict[tuple[str, str], Simulation] = {}

    async def simulation(self, goal: Goal, operations: Sequence[Written]) -> Simulation:
        """Return the simulation of the plan in the goal's world."""
        key = (goal.name, json.dumps(operations, sort_keys=True, default=dict))
        if key not in self._seen:
            self._seen[key] = await simulation_of(operations, goal, self._needs_approval, self._sandbox)
        return self._seen[key]

    async def judged(self, goal: Goal, operations: Sequence[Written], answer: str | None = None) -> Judgement:
        """Return what is wrong with the plan."""
        return judgement(goal, await self.simulation(goal, operations), self._registry, answer)

    def _needs_approval(self, written: Written) -> bool:
        """Return whether the app asks for approval before this node: the gate that is judged here."""
        operation = operation_from_json(written)
        return isinstance(operation, Add) and colour_of(operation.node, self._registry) is Colour.RED


async def replays(goals: Sequence[Goal], registry: Registry, sandbox: Sandbox) -> AsyncGenerator[Replay, None]:
    """Yield every replay, goal by goal."""
    judge = PlanJudge(registry, sandbox)
    for goal in goals:
        known = with_roles(goal, registry)
        tools = planning_tools(known)
        for fault, manner, outputs in _outputs(goal, known):
            plan = await plan_request(_ReplayModel(outputs), goal, tools, sandbox.dialect)
            judged = await judge.judged(goal, plan.operations) if goal.plan else Judgement()
            yield Replay(
                goal=goal.name, fault=fault, manner=manner, result=_result(goal, plan, judged), judgement=judged
            )


def _outputs(goal: Goal, registry: Registry) -> Iterator[tuple[str, Manner, Sequence[Output]]]:
    if not goal.plan:
        yield AS_WRITTEN, Manner.CORRECTED, [Output(text=json.dumps({"op": "reply", "text": goal.bad_answer}))]
        return
    written = {
        PlanLanguage.JSON: ("", lines(goal.plan)),
        PlanLanguage.PYTHON: (IN_PYTHON, python_lines(goal.plan, *_names(registry), goal.known.keys())),
    }
    for language, (prefix, text) in written.items():
        right = Output(text=text)
        yield f"{prefix}{AS_WRITTEN}", Manner.CORRECTED, [right]
        for fault in kinds(language):
            faulty = inject_fault(goal.plan, fault, registry, language, goal.known.keys())
            if faulty is not None:
                yield f"{prefix}{fault}", Manner.CORRECTED, [faulty, right]
                yield f"{prefix}{fault}", Manner.REPEATED, [faulty]


def _names(registry: Registry) -> tuple[AbstractSet[str], AbstractSet[str]]:
    """Return the names of the tools and of the roles."""
    return {tool.name for tool in registry}, {role.name for role in registry.roles}


def _result(goal: Goal, plan: PlanningResult, judged: Judgement) -> ReplayResult:
    if judged.unsafe:
        return ReplayResult.WRONG
    if plan.trouble:
        return ReplayResult.REFUSED
    if not goal.plan:  # like every replay it is right as it was recorded
        same = not plan.operations and plan.run.replies == (goal.bad_answer,)
        return ReplayResult.RIGHT if same else ReplayResult.WRONG
    return ReplayResult.RIGHT if judged.right else ReplayResult.WRONG


def counted(replayed: Sequence[Replay]) -> Mapping[str, int]:
    """Return result -> number of replays."""
    return {result.value: sum(replay.result is result for replay in replayed) for result in ReplayResult}
