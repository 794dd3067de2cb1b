"""`[roles.NAME]`: what a file may say about roles."""

from typing import Any

import pytest

from agent.roles import SubagentRole, workers_of
from agent.tool import Registry, tools_of_role
from infra.config.file import ConfigurationError, parse_configuration
from infra.config.roles import unusable_roles
from tests.fakes.plans import REGISTRY

SHIPPED = ["researcher", "coder", "critic", "writer", "analyst", "lead"]


def roles(**tables: Any) -> dict[str, SubagentRole]:
    return dict(parse_configuration({"roles": tables}, "file").roles)


def test_six_roles_come_along() -> None:
    assert [*parse_configuration({}, "file").roles] == SHIPPED
    assert all(role.prompt and role.purpose for role in roles().values())


def test_table_changes_a_role_and_keeps_the_rest_of_it() -> None:
    changed = roles(critic={"model": "gpt-5", "steps": 3})["critic"]
    assert (changed.model, changed.steps) == ("gpt-5", 3)
    assert (changed.prompt, changed.result_schema) == (roles()["critic"].prompt, roles()["critic"].result_schema)


def test_table_adds_a_role_or_leaves_one_out() -> None:
    own = roles(editor={"prompt": "Edit."}, coder={"enabled": False, "steps": 2})
    assert [*own] == ["researcher", "critic", "writer", "analyst", "lead", "editor"]
    assert own["editor"] == SubagentRole(name="editor", prompt="Edit.")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"editor": {}}, "prompt"),
        ({"editor": {"prompt": "x", "colour": "red"}}, "colour"),
        ({"editor": {"prompt": "x", "name": "other"}}, "name"),
        ({"editor": {"prompt": "x", "steps": 0}}, "steps"),
        ({"editor": {"prompt": "x", "steps": 51}}, "steps"),
        ({"editor": {"prompt": ""}}, "prompt"),
        ({"Editor": {"prompt": "x"}}, "Editor"),
        ({"planner": {"prompt": "x"}}, "planner is a word of its own"),
        ({"reply": {"prompt": "x"}}, "reply is a word of its own"),
        ({"editor": {"prompt": "x", "roles": ["writer"]}}, "is no lead"),
        ({"editor": {"prompt": "x", "lead": True, "roles": ["gone"]}}, "there is no such role"),
        ({"editor": {"prompt": "x", "lead": True, "roles": ["editor"]}}, "which is a lead itself"),
        ({"editor": {"prompt": "x", "result_schema": {"type": "odd"}}}, "result_schema"),
        ({f"role{number}": {"prompt": "x"} for number in range(4)}, "there may be 8 roles"),
    ],
)
def test_file_that_makes_no_sense_is_refused(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        roles(**tables)


def test_pattern_stands_for_green_tools_and_a_red_one_is_named_whole() -> None:
    green = [tool.name for tool in REGISTRY if tool.colour.value == "green"]
    red = [tool.name for tool in REGISTRY if tool.colour.value == "red"]
    everything = SubagentRole(name="r", prompt="x", tools=("*", red[0]))
    assert [*tools_of_role(everything, REGISTRY)] == [*green, red[0]]
    assert tools_of_role(SubagentRole(name="r", prompt="x", tools=("zzz*",)), REGISTRY) == ()


def test_role_with_a_tool_that_is_not_there_is_told() -> None:
    wrong = SubagentRole(name="r", prompt="x", tools=("nothing", "no*"))
    assert unusable_roles(Registry(REGISTRY, [wrong])) == ["roles.r.tools: there is no tool nothing"]
    named = SubagentRole(name=next(iter(REGISTRY)).name, prompt="x")
    assert "a tool has this name" in unusable_roles(Registry(REGISTRY, [named]))[0]


def test_lead_has_the_roles_it_names_or_all_that_are_no_leads() -> None:
    one, two = SubagentRole(name="one", prompt="x"), SubagentRole(name="two", prompt="x")
    lead = SubagentRole(name="lead", prompt="x", lead=True)
    named = SubagentRole(name="named", prompt="x", lead=True, roles=("two",))
    assert workers_of(lead, [one, two, lead, named]) == (one, two)
    assert workers_of(named, [one, two, lead]) == (two,)
    assert workers_of(one, [one, two]) == ()
