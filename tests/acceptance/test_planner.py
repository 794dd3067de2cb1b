"""The planner issue: packing that changes nothing but the number of nodes."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from agent.ids import NodeId
from agent.lifecycle import Failed, Outcome, Skipped, Succeeded, outcome_json, state_of
from agent.packaging import pack
from agent.plan import Operation, nodes_added
from sandbox.monty import MontySandbox, monty_binary
from tests.fakes.packing_plans import REGISTRY, plans, read
from tests.fakes.plan_runs import run_plan


class Hall:
    """An event loop and a sandbox for many runs of plans."""

    def __init__(self, loop: asyncio.Runner) -> None:
        self._loop = loop
        self.sandbox = loop.run(self._opened())

    async def _opened(self) -> MontySandbox:
        return MontySandbox(monty_binary())

    def outcomes(self, operations: list[Operation]) -> Mapping[NodeId, Outcome]:
        """Run a plan to its end; every red step is approved."""
        return self._loop.run(run_plan(operations, REGISTRY, self.sandbox)).outcomes

    def close(self) -> None:
        """End the sandbox."""
        self._loop.run(self.sandbox.close())


@pytest.fixture(scope="module")
def hall() -> Iterator[Hall]:
    with asyncio.Runner() as loop:
        opened = Hall(loop)
        yield opened
        opened.close()


def _brief(outcome: Outcome) -> Any:
    """An outcome as far as packing keeps it: values whole, failures without the words of whoever failed."""
    return outcome_json(outcome) if isinstance(outcome, Succeeded) else state_of(outcome)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans(failures=False))
def test_a_plan_has_equal_results_packed_and_unpacked(hall: Hall, plan: list[Any]) -> None:
    operations = list(read(plan))
    packed = pack(operations, REGISTRY)
    plain, fused = hall.outcomes(operations), hall.outcomes(list(packed.operations))
    assert all(isinstance(each, Succeeded) for each in plain.values())
    assert fused == {node: plain[node] for node in nodes_added(packed.operations)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans())
def test_a_plan_in_which_steps_fail_ends_the_same_packed_and_unpacked(hall: Hall, plan: list[Any]) -> None:
    operations = list(read(plan))
    packed = pack(operations, REGISTRY)
    plain, fused = hall.outcomes(operations), hall.outcomes(list(packed.operations))
    for node in nodes_added(packed.operations).values():
        first = plain[node.packed[0].id] if node.packed else plain[node.id]
        if isinstance(plain[node.id], Skipped) and not isinstance(first, Skipped):
            # A step inside failed, so the last one was skipped; as one node it failed, whichever step it was.
            assert isinstance(fused[node.id], Failed)
        else:
            assert _brief(fused[node.id]) == _brief(plain[node.id])
