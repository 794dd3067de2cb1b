"""Replays what models get wrong: every goal's plan with every fault, read, repaired and packed as the app does it.

No model is asked. The replayed one writes the faulty text first and then, when it gets its faults back, either what
is right (`corrected`) or the same once more (`repeated`).
"""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.errors import ModelUnavailable
from agent.limits import Role
from agent.plan.operations import Add, operation_from_json
from agent.ports import ChatMessage
from agent.tool import Colour, Registry, colour_of
from infra.evaluation.fault_injection import FAULTS, inject_fault
from infra.evaluation.goal import Goal
from infra.evaluation.judge import Judgement, judgement
from infra.evaluation.output import Output, lines
from infra.evaluation.plan_simulation import Simulation, Written, simulation_of
from infra.evaluation.planning import Planned, planned
from sandbox.script import Sandbox

AS_WRITTEN = "no fault"
_PIECE_CHARACTERS = 48


class Manner(StrEnum):
    """How the replayed model answers to its faults."""

    CORRECTED = "corrected"
    REPEATED = "repeated"


class Ended(StrEnum):
    """How a replay ended. `refused`: the person is told that no plan came about, and nothing unsafe was stored."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One goal's plan with one fault, and what became of it."""

    goal: str
    fault: str
    manner: Manner
    ended: Ended
    judgement: Judgement


class _Replayed:
    """A model that says what it is told to; its last output again for whatever else it is asked."""

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
    """Simulates and judges plans; the same plan of the same goal only once."""

    def __init__(self, registry: Registry, sandbox: Sandbox) -> None:
        self._registry = registry
        self._sandbox = sandbox
        self._seen: dict[tuple[str, str], Simulation] = {}

    async def simulation(self, goal: Goal, operations: Sequence[Written]) -> Simulation:
        """Return what the plan does in the goal's world."""
        key = (goal.name, json.dumps(operations, sort_keys=True, default=dict))
        if key not in self._seen:
            self._seen[key] = await simulation_of(operations, goal, self._asks, self._sandbox)
        return self._seen[key]

    async def judged(self, goal: Goal, operations: Sequence[Written], answer: str | None = None) -> Judgement:
        """Return what is wrong with the plan."""
        return judgement(goal, await self.simulation(goal, operations), self._registry, answer)

    def _asks(self, written: Written) -> bool:
        """Return whether the app would ask a person before this node: the very gate that is judged here."""
        operation = operation_from_json(written)
        return isinstance(operation, Add) and colour_of(operation.node, self._registry) is Colour.RED


async def replays(goals: Sequence[Goal], registry: Registry, sandbox: Sandbox) -> AsyncGenerator[Replay, None]:
    """Yield every replay, goal by goal."""
    judge = PlanJudge(registry, sandbox)
    for goal in goals:
        for fault, manner, outputs in _outputs(goal, registry):
            plan = await planned(_Replayed(outputs), goal.request, registry, sandbox.dialect)
            judged = await judge.judged(goal, plan.operations)
            yield Replay(goal=goal.name, fault=fault, manner=manner, ended=_ended(plan, judged), judgement=judged)


def _outputs(goal: Goal, registry: Registry) -> Iterator[tuple[str, Manner, Sequence[Output]]]:
    right = Output(text=lines(goal.plan))
    yield AS_WRITTEN, Manner.CORRECTED, [right]
    for fault in FAULTS:
        faulty = inject_fault(goal.plan, fault, registry)
        if faulty is not None:
            yield fault, Manner.CORRECTED, [faulty, right]
            yield fault, Manner.REPEATED, [faulty]


def _ended(plan: Planned, judged: Judgement) -> Ended:
    if judged.unsafe:
        return Ended.WRONG
    if plan.trouble:
        return Ended.REFUSED
    return Ended.RIGHT if judged.right else Ended.WRONG


def counted(seen: Sequence[Replay]) -> Mapping[Ended, int]:
    """Return how many replays ended how."""
    return {ended: sum(1 for replay in seen if replay.ended is ended) for ended in Ended}
