"""JSON across the border: what is refused, what is cleaned, what is copied."""

import json
import time
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.script import Job, Json, Limits
from sandbox.values import (
    NESTING,
    VALUES,
    NotJson,
    TooLarge,
    check_size,
    inputs_of,
    json_text,
    plain_json,
    read_json,
    shape_of,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_values_come_back_equal(value: object) -> None:
    assert plain_json(value, 1_000_000) == value


def test_copy_shares_nothing() -> None:
    inner = [1]
    copied = plain_json({"a": inner}, 100)
    inner.append(2)
    assert copied == {"a": [1]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nul",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "[" * 1_000_000,
        '{"a":' * 100_000,
        "9" * 1_000_000,
        b"\xff\xfe",
        '"\x00"',
        "[" * (NESTING + 1) + "]" * (NESTING + 1),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_is_not_json(text: str | bytes) -> None:
    with pytest.raises(NotJson):
        read_json(text)


def test_nesting_up_to_the_limit_passes() -> None:
    text = "[" * NESTING + "]" * NESTING
    assert json_text(read_json(text), 1000) == text


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}', r'["\uD83D"]', '"\ud800"'])
def test_lone_surrogates_are_replaced(text: str) -> None:
    assert "\ufffd" in json_text(read_json(text), 100).encode().decode("unicode_escape")


def test_surrogate_pairs_are_kept() -> None:
    assert read_json(r'"\ud83d\ude00"') == "😀"


@pytest.mark.parametrize("value", [{1, 2}, object, b"x", float("nan"), {(1,): 2}], ids=repr)
def test_values_without_a_json_form_are_refused(value: object) -> None:
    with pytest.raises(NotJson):
        json_text(value, 1000)


def test_text_over_the_limit_names_both_sizes() -> None:
    with pytest.raises(TooLarge) as caught:
        json_text("x" * 100, 50)
    assert (caught.value.size, caught.value.limit) == (102, 50)


def test_code_and_inputs_share_one_limit() -> None:
    job = Job(code="x" * 90, inputs={"a": "b" * 20}, limits=Limits(line_bytes=100))
    with pytest.raises(TooLarge):
        inputs_of(job)


def levels_of(value: Json) -> int:
    return 1 + max(map(levels_of, inside(value)), default=0) if isinstance(value, Mapping | list) else 0


def values_in(value: Json) -> int:
    return 1 + sum(map(values_in, inside(value)))


def inside(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else []


@given(JSON)
def test_shape_is_counted_without_what_stands_in_strings(value: Json) -> None:
    padding = '[{,\\"' * NESTING
    shape = shape_of(json.dumps([padding, value, padding]), None)
    assert shape.depth == max(1 + levels_of(value), 1)
    assert values_in(value) <= shape.values <= 2 * values_in(value) + 8


@pytest.mark.parametrize(
    "text", ['"' + '\\"' * 500_000, '"\\', '"' * 999_999, "\\" * 1_000_000, "]" * 1_000_000], ids=repr
)
def test_shape_of_text_that_is_no_json_takes_linear_time(text: str) -> None:
    assert processor_seconds(lambda: shape_of(text + "[" * (NESTING + 1), None)) < 2.0


def processor_seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


WIDE = {
    "chains": "[" + ",".join(["[" * 95 + "]" * 95] * 10_000) + "]",
    "empty-objects": "[" + ",".join(["{}"] * VALUES) + "]",
    "numbers": "[" + ",".join(["1"] * (VALUES + 1)) + "]",
}


@pytest.mark.parametrize("case", WIDE)
def test_text_of_too_many_values_is_refused_before_any_of_them_is_made(case: str) -> None:
    def refused() -> None:
        with pytest.raises(NotJson, match="more than 200000 values"):
            read_json(WIDE[case], most_values=VALUES)

    assert processor_seconds(refused) < 2 * processor_seconds(lambda: json.loads(WIDE[case])) + 0.05


def test_shared_parts_count_as_often_as_they_are_written() -> None:
    shared: object = [1] * 1000
    for _ in range(4):
        shared = [shared] * 100
    with pytest.raises(NotJson, match="values"):
        check_size({"x": shared}, 1000)
    with pytest.raises(TooLarge):
        check_size({"x": ["y" * 400] * 3}, 1000)
    check_size({"x": ["y" * 400] * 2}, 1000)


def test_value_that_holds_itself_is_refused() -> None:
    inner: list[object] = []
    inner.append(inner)
    with pytest.raises(NotJson):
        check_size(inner * 2, 1000)


def test_inputs_nested_too_deeply_are_refused() -> None:
    value: Mapping[str, Json] = {}
    for _ in range(NESTING):
        value = {"x": value}
    with pytest.raises(NotJson, match="deep"):
        inputs_of(Job(code="", inputs=value))
