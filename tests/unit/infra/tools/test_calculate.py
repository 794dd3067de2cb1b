"""`calculate`: decimal arithmetic that is right, and expressions that are refused before they take long."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tool import ToolError
from infra.tools.calculate import MOST_CHARACTERS, result_of
from sandbox.script import Json


def result(expression: str, **values: Json) -> Mapping[str, Any]:
    found = result_of(expression, values)
    assert isinstance(found, Mapping)
    return found


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0.1 + 0.2", "0.3"),
        ("2 * (3 + 4) - -1", "15"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("1_000 * 1.10", "1100"),
        ("round(2.5)", "2"),
        ("round(1234.567, -2)", "1200"),
        ("max(1, 3, 2) - min([4, 5]) + sum(1, 2, 3) + abs(-1)", "6"),
        ("1 < 2 <= 2", "true"),
        ("1 != 1", "false"),
        ("total / count", "12.5"),
        ("12345678901234567890.5 * 1", "12345678901234567890.5"),
    ],
)
def test_expression_has_its_exact_value(expression: str, text: str) -> None:
    found = result(expression, total=50, count=4)
    assert (found["text"], found["exact"]) == (text, True)


def test_value_that_has_more_digits_is_said_to_be_inexact() -> None:
    third = result("1 / 3")
    assert not third["exact"]
    assert third["text"] == "0." + "3" * 50
    assert third["value"] == pytest.approx(1 / 3)
    assert result("6 / 3") == {"value": 2, "text": "2", "exact": True}


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("9**9**9", "too_large"),
        ("9**9**9**9", "too_large"),
        ("10**999", "too_large"),
        ("1e999", "too_large"),
        ("huge * 2", "too_large"),
        ("+".join(["1"] * 100), "too_large"),
        ("1" * (MOST_CHARACTERS + 1), "too_large"),
        ("1 / 0", "division_by_zero"),
        ("0 ** -1", "division_by_zero"),
        ("1 % 0", "division_by_zero"),
        ("1e300 // 3", "bad_expression"),
        ("(-8) ** 0.5", "bad_expression"),
        ("(" * 300, "bad_expression"),
        ("-" * 400 + "1", "bad_expression|too_large"),
        ("__import__('os').getcwd()", "bad_expression"),
        ("[1, 2][0]", "bad_expression"),
        ("'a' * 9", "bad_expression"),
        ("True + 1", "bad_expression"),
        ("(1 < 2) + 1", "bad_expression"),
        ("1j", "bad_expression"),
        ("x", "bad_expression"),
        ("1 << 900", "bad_expression"),
        ("min()", "bad_expression"),
        ("round(1, 0.5)", "bad_expression"),
        ("", "bad_expression"),
        ("1\0", "bad_expression"),
    ],
)
def test_expression_beyond_the_grammar_or_its_bounds_is_refused(expression: str, code: str) -> None:
    with pytest.raises(ToolError) as refused:
        result(expression, huge=10**5000)
    assert refused.value.code in code.split("|")


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9).filter(bool))
def test_quotient_and_remainder_are_those_of_integers(left: int, right: int) -> None:
    assert result("a // b", a=left, b=right)["value"] == left // right
    assert result("a % b", a=left, b=right)["value"] == left % right


@given(st.text(alphabet="0123456789.+-*/%()<>=, abminxsum", max_size=40))
def test_any_text_has_a_value_or_is_refused(text: str) -> None:
    try:
        found = result(text)
    except ToolError as refused:
        assert refused.code in {"bad_expression", "division_by_zero", "too_large"}  # noqa: PT017 -- either is right
    else:
        assert isinstance(found["value"], bool | int | float)
