"""Faults of models: each kind changes the text of some plans."""

import asyncio

import pytest

from infra.evaluation.fault_injection import FAULTS, inject_fault, lines
from infra.evaluation.goal import SHIPPED_GOALS, read_goals
from infra.tools.catalogue import known_tools

REGISTRY = asyncio.run(known_tools())
GOALS = read_goals(SHIPPED_GOALS, REGISTRY)


def test_there_are_more_than_twenty_kinds() -> None:
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("kind", FAULTS)
def test_kind_changes_the_text_of_several_plans_and_no_plan_itself(kind: str) -> None:
    before = [lines(goal.plan) for goal in GOALS]
    outputs = [inject_fault(goal.plan, kind, REGISTRY) for goal in GOALS]
    changed = [
        output for output, text in zip(outputs, before, strict=True) if output is not None and output.text != text
    ]
    assert len(changed) >= 5
    assert [lines(goal.plan) for goal in GOALS] == before
