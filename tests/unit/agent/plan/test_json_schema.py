"""Arguments against schemas while their references are not known yet, and schemas written by models."""

from typing import Any

import pytest

from agent.plan.json_schema import argument_issues, model_schema_issues, schema_issues
from tests.fakes.loop_stalls import loop_stalls

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "pattern": "^https?://", "minLength": 10},
        "count": {"type": "integer", "minimum": 1},
        "mode": {"enum": ["fast", "slow"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "either": {"oneOf": [{"type": "integer"}, {"type": "array"}]},
        "inner": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
    },
    "required": ["url"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "${a}"},
        {"url": "${a}", "count": "${a#/n}", "mode": "${a}", "tags": "${a}", "either": "${a}", "inner": "${a}"},
        {"url": "x${a}"},
        {"url": "${a}", "mode": "x${a}"},
        {"url": "${a}", "tags": ["${a}", "b${c}"]},
        {"url": "${a}", "inner": {"x": "${a}"}},
    ],
)
def test_reference_fits_any_type(arguments: Any) -> None:
    assert argument_issues(arguments, SCHEMA) == []


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({}, ""),
        ({"url": "${a}", "other": "${a}"}, ""),
        ({"url": "${a}", "count": "n is ${a}"}, "/count"),
        ({"url": "${a}", "inner": "n is ${a}"}, "/inner"),
        ({"url": "${a}", "inner": {"y": "${a}"}}, "/inner"),
        ({"url": "${a}", "tags": ["${a}", 3]}, "/tags/1"),
        ({"url": "${a}", "tags": ["${a}", "${a}", "${a}"]}, "/tags"),
        ({"url": "${a}", "either": "n is ${a}"}, "/either"),
        ({"url": "short"}, "/url"),
        ({"url": "$${a}${b}", "count": 0}, "/count"),
    ],
)
def test_arguments_that_no_reference_could_mend_are_an_issue(arguments: Any, pointer: str) -> None:
    assert [issue.pointer for issue in argument_issues(arguments, SCHEMA)][:1] == [pointer]


def test_escaped_text_is_judged_as_it_will_read() -> None:
    schema: dict[str, Any] = {"type": "string", "maxLength": 4}
    assert argument_issues("$${a}", schema) == []
    assert argument_issues("$${ab}", schema) != []


async def test_unknown_schema_reference_is_a_misfit_and_nothing_is_fetched() -> None:
    found = await schema_issues({}, {"$ref": "http://127.0.0.1:9/never.json"})
    assert "something unknown" in found[0].message


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "string", "pattern": "(a+)+$"}, "/pattern"),
        ({"properties": {"pattern": {"$ref": "#"}}}, "/properties/pattern/$ref"),
        ({"items": {"anyOf": [{"format": "date"}]}}, "/items/anyOf/0/format"),
        ({"type": "text"}, "/type"),
        ({"required": "x"}, "/required"),
    ],
)
def test_model_schema_is_refused_with_its_place(schema: Any, pointer: str) -> None:
    assert [issue.pointer for issue in model_schema_issues(schema)] == [pointer]


async def test_model_schema_of_plain_keywords_is_accepted() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
    assert model_schema_issues(schema) == []
    assert await schema_issues({"pattern": "x"}, schema) == []
    assert await schema_issues({}, schema) != []


async def test_value_with_many_issues_is_quoted_a_few_times_only() -> None:
    value = {"rows": ["x" * 10_000] * 1_000}
    issues = await schema_issues(value, {"properties": {"rows": {"items": {"type": "integer"}}}})
    assert len(issues) == 20
    assert all(len(issue.message) < 400 for issue in issues)


async def test_schema_with_branches_is_checked_beside_the_loop_and_not_for_ever() -> None:
    branches = [
        {"type": "object", "properties": {f"p{at}": {"type": "integer"}}, "required": [f"p{at}"]} for at in range(40)
    ]
    schema: dict[str, Any] = {"items": {"anyOf": branches}}
    assert model_schema_issues(schema) == []
    async with loop_stalls() as stalls:
        found = await schema_issues([{"q": 1}] * 100_000, {"items": {"not": schema["items"]}}, seconds=0.5)
    assert [issue.message for issue in found] == ["it takes longer than 0.5 seconds to check"]
    assert stalls.longest < 0.1


def test_model_schema_with_too_many_branches_is_refused() -> None:
    many = [{"const": at} for at in range(30)]
    nested: dict[str, Any] = {"properties": {"a": {"anyOf": many}, "b": {"items": {"oneOf": many}}}}
    (issue,) = model_schema_issues(nested)
    assert "60 schemas" in issue.message
