"""Patterns: found by their names beside the word, and written in the language of the plan."""

import json

import pytest

from agent.ids import ToolName
from agent.limits import PlanLanguage
from agent.llm.patterns import all_patterns, named_patterns
from agent.llm.shipped_roles import shipped_roles
from agent.plan.operations import Add
from agent.reading.plan_file import read_plan
from agent.tool import CallContext, Colour, Registry, Tool
from sandbox.script import Json


async def _never(_context: CallContext, _args: object) -> Json:
    raise AssertionError("planning calls no tool")


REGISTRY = Registry(
    [
        Tool(name=ToolName(name), description=name, arguments={"type": "object"}, colour=Colour.GREEN, call=_never)
        for name in ("reduce_list", "require_passed")
    ],
    shipped_roles().values(),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Write it, with the pattern review", ["review"]),
        ("use the Round Table pattern", ["round_table"]),
        ("as a round-table pattern", ["round_table"]),
        ('the pattern called "map_reduce", please', ["map_reduce"]),
        ("pattern: map reduce", ["map_reduce"]),
        ("with the patterns review and contest", ["review", "contest"]),
        ("with the review and contest patterns", ["review", "contest"]),
        ("find the pattern of failures in this branch", []),
        ("review the branch; which pattern do they follow?", []),
        ("review the team", []),
        ("", []),
    ],
)
def test_pattern_is_named_beside_the_word_alone(text: str, names: list[str]) -> None:
    assert [pattern.name for pattern in named_patterns(text, REGISTRY)] == names


@pytest.mark.parametrize("name", all_patterns())
def test_pattern_in_json_is_the_same_plan(name: str) -> None:
    pattern = all_patterns()[name]
    printed = pattern.written_in(PlanLanguage.JSON, REGISTRY)
    ids = [json.loads(line)["id"] for line in printed.splitlines()]
    in_python, in_json = (read_plan(text, REGISTRY) for text in (pattern.plan, printed))
    assert [*in_python.faults, *in_json.faults] == []
    nodes = [operation.node for operation in in_json.operations if isinstance(operation, Add)]
    assert [node.id for node in nodes] == ids
    assert nodes == [operation.node for operation in in_python.operations if isinstance(operation, Add)]
