"""JSON across the border: what is refused, what is cleaned, what is copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.script import Job, Limits
from sandbox.values import NESTING, NotJson, TooLarge, inputs_of, json_text, plain_json, read_json

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
