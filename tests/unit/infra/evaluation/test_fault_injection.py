"""Faults of models: each kind changes the text of some plans."""

import asyncio

import pytest

from agent.limits import PlanLanguage
from agent.reading.plan_file import read_plan
from infra.evaluation.fault_injection import FAULTS, PYTHON_FAULTS, inject_fault, lines, python_lines
from infra.evaluation.goal import SHIPPED_GOALS, read_goals
from infra.tools.catalogue import known_tools

REGISTRY = asyncio.run(known_tools())
GOALS = read_goals(SHIPPED_GOALS, REGISTRY)


def test_every_plan_is_the_same_in_either_language() -> None:
    tools = {tool.name for tool in REGISTRY}
    assert len(GOALS) == 72
    for goal in GOALS:
        written = [read_plan(text, REGISTRY) for text in (lines(goal.plan), python_lines(goal.plan, tools))]
        assert written[0] == written[1], goal.name


@pytest.mark.parametrize("kind", PYTHON_FAULTS)
def test_kind_of_the_plan_language_changes_the_text_of_several_plans(kind: str) -> None:
    tools = {tool.name for tool in REGISTRY}
    outputs = [inject_fault(goal.plan, kind, REGISTRY, PlanLanguage.PYTHON) for goal in GOALS]
    changed = [
        output
        for output, goal in zip(outputs, GOALS, strict=True)
        if output is not None and output.text != python_lines(goal.plan, tools)
    ]
    assert len(changed) >= 5


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
