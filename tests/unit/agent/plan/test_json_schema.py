"""Arguments against schemas while their references are not known yet, and schemas written by models."""

from typing import Any

import pytest

from agent.plan.json_schema import argument_issues, model_schema_issues, schema_issues

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


def test_unknown_schema_reference_is_a_misfit_and_nothing_is_fetched() -> None:
    found = schema_issues({}, {"$ref": "http://127.0.0.1:9/never.json"})
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


def test_model_schema_of_plain_keywords_is_accepted() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
    assert model_schema_issues(schema) == []
    assert schema_issues({"pattern": "x"}, schema) == []
    assert schema_issues({}, schema) != []
