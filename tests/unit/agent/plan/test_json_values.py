"""Values from outside: which cannot be kept, and the text that is mended."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from agent.plan.json_values import json_issue_in, sanitized, truncated
from agent.plan.operations import canonical_json
from tests.fakes.plans import json_values


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        (math.nan, ""),
        ({"a": [1, math.inf]}, "/a/1"),
        ({"a/b": 2**63}, "/a~1b"),
        ([-(2**63) - 1], "/0"),
        ({"a": {1: "x"}}, "/a"),
        ([Decimal(1)], "/0"),
        ({"a": b"x"}, "/a"),
        ([{1, 2}], "/0"),
        (object(), ""),
    ],
)
def test_value_that_is_not_json_is_found_with_its_place(value: object, pointer: str) -> None:
    issue = json_issue_in(value)
    assert issue is not None
    assert issue.pointer == pointer


@pytest.mark.parametrize("value", [None, True, 0, 2**63 - 1, -(2**63), 1.5, "x\0", [], {"a": (1, 2)}, deep(64)])
def test_json_has_no_flaw(value: object) -> None:
    assert json_issue_in(value) is None


def test_depth_is_bounded_without_recursion() -> None:
    issue = json_issue_in(deep(100_000))
    assert issue is not None
    assert "64 levels" in issue.message


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["nul", "surrogate"])
def test_unstorable_text_is_a_flaw_only_where_it_is_asked_for(text: str) -> None:
    assert json_issue_in({"k": text}) is None
    assert json_issue_in({"k": text}, strict_text=True) is not None
    assert json_issue_in({text: 1}, strict_text=True) is not None
    assert sanitized({text: [text]}) == {text.translate({0: 0xFFFD, 0xD800: 0xFFFD}): [sanitized(text)]}


@given(json_values)
def test_mended_values_can_be_stored(value: Any) -> None:
    assert json_issue_in(value) is None
    clean = sanitized(value)
    assert json_issue_in(clean, strict_text=True) is None
    assert sanitized(clean) == clean
    canonical_json(clean).encode()


def test_trimming_keeps_beginning_and_end_and_says_how_much_is_missing() -> None:
    assert truncated("short", 10) == "short"
    assert truncated("a" * 50 + "b" * 50, 10) == "aaaaa\n[... 90 characters left out ...]\nbbbbb"
