"""Conditions: their form, what they mean beside Python's own reading, and how people read them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.plan.conditions import (
    MOST_LEVELS,
    MOST_TERMS,
    Condition,
    Incomparable,
    about_item,
    before_items,
    condition_issue,
    condition_words,
    is_met,
)
from sandbox.script import Json

VALUES: Mapping[str, Json] = {
    "${n}": 7,
    "${f}": 7.0,
    "${s}": "seven",
    "${e}": "",
    "${z}": 0,
    "${t}": True,
    "${no}": False,
    "${none}": None,
    "${l}": [1, "seven", [True], {"a": 1}],
    "${o}": {"seven": 7, "1": 0},
}


class Missing(Exception):
    """A reference points at nothing."""


def value_of(value: Json) -> Json:
    """Resolve a reference of `VALUES`; every other one is missing."""
    if not isinstance(value, str) or not value.startswith("${"):
        return value
    if value not in VALUES:
        raise Missing
    return VALUES[value]


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("${n}", True),
        ("${z}", False),
        ("${e}", False),
        ("${none}", False),
        ({"not": "${e}"}, True),
        ({"eq": ["${n}", 7]}, True),
        ({"eq": ["${n}", "${f}"]}, True),
        ({"eq": ["${t}", 1]}, False),
        ({"ne": [0, "${no}"]}, True),
        ({"eq": [[0, {"a": True}], [0, {"a": 1}]]}, False),
        ({"eq": [[0, {"a": True}], [0, {"a": True}]]}, True),
        ({"eq": ["${s}", 7]}, False),
        ({"eq": ["${none}", None]}, True),
        ({"ne": ["${none}", None]}, False),
        ({"in": [True, "${l}"]}, False),
        ({"in": [1, "${l}"]}, True),
        ({"in": [[True], "${l}"]}, True),
        ({"in": [[1], "${l}"]}, False),
        ({"in": ["even", "${s}"]}, True),
        ({"in": ["${s}", "${o}"]}, True),
        ({"not_in": ["eight", "${o}"]}, True),
        ({"lt": ["${z}", 0.5]}, True),
        ({"ge": ["b", "a"]}, True),
        ({"all": ["${n}", {"le": ["${n}", 7]}, {"gt": ["${n}", 6]}]}, True),
        ({"any": ["${e}", {"not": "${n}"}]}, False),
        ({"lt": [2**62, 2.0**62]}, False),
    ],
)
def test_condition_means_what_it_says(condition: Condition, met: bool) -> None:
    assert condition_issue(condition) is None
    assert is_met(condition, value_of) is met


@pytest.mark.parametrize(
    "condition",
    [
        {"lt": ["${t}", 2]},
        {"lt": [0, False]},
        {"gt": ["${s}", 5]},
        {"gt": ["${none}", 5]},
        {"le": ["${l}", "${l}"]},
        {"ge": ["${o}", "${o}"]},
        {"in": [7, "seven"]},
        {"in": [7, "${o}"]},
        {"in": ["a", "${n}"]},
        {"not_in": ["a", "${none}"]},
        {"not": {"lt": ["${s}", 1]}},
        {"any": ["${e}", {"lt": ["${s}", 1]}]},
    ],
    ids=str,
)
def test_types_that_do_not_compare_say_so(condition: Condition) -> None:
    with pytest.raises(Incomparable):
        is_met(condition, value_of)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"all": ["${e}", "${gone}"]}, False),
        ({"any": ["${n}", {"lt": ["${s}", 1]}]}, True),
        ({"all": [{"eq": ["${n}", 8]}, {"eq": ["${gone}", 8]}]}, False),
    ],
)
def test_nothing_is_read_that_the_answer_does_not_need(condition: Condition, met: bool) -> None:
    assert is_met(condition, value_of) is met


def test_missing_value_ends_the_reading() -> None:
    with pytest.raises(Missing):
        is_met({"any": ["${gone}", "${n}"]}, value_of)


_NUMBERS = st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, -2.0])
_TEXTS = st.text("ab", max_size=2)
_SCALARS = _NUMBERS | _TEXTS | st.none()
_PLAIN = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(_TEXTS, _NUMBERS, max_size=2)
_SYMBOLS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "in", "not_in": "not in"}


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[Condition, str]:
    """Draw a comparison that Python makes in the same way, and its Python text."""
    name = draw(st.sampled_from([*_SYMBOLS]))
    match name:
        case "eq" | "ne":
            sides = st.tuples(_PLAIN, _PLAIN)
        case "in" | "not_in":
            sides = st.tuples(_SCALARS, st.lists(_SCALARS, max_size=3)) | st.tuples(
                _TEXTS, _TEXTS | st.dictionaries(_TEXTS, _NUMBERS, max_size=2)
            )
        case _:
            sides = st.tuples(_NUMBERS, _NUMBERS) | st.tuples(_TEXTS, _TEXTS)
    left, right = draw(cast("st.SearchStrategy[tuple[Json, Json]]", sides))
    return {name: [left, right]}, f"({left!r} {_SYMBOLS[name]} {right!r})"


@st.composite
def joins(draw: st.DrawFn, inner: st.SearchStrategy[tuple[Condition, str]]) -> tuple[Condition, str]:
    """Draw a term over others."""
    name = draw(st.sampled_from(["all", "any", "not"]))
    if name == "not":
        term, text = draw(inner)
        return {"not": term}, f"(not {text})"
    terms = draw(st.lists(inner, min_size=1, max_size=3))
    word = {"all": " and ", "any": " or "}[name]
    return {name: [term for term, _ in terms]}, f"({word.join(text for _, text in terms)})"


references = st.sampled_from([(name, f"value_of({name!r})") for name in (*VALUES, "${gone}")])
conditions = st.recursive(comparisons() | references, joins, max_leaves=8)


def _ended(evaluated: Callable[[], Any]) -> object:
    try:
        return bool(evaluated())
    except Missing:
        return Missing


@given(conditions)
def test_condition_ends_as_python_ends_the_same_text(drawn: tuple[Condition, str]) -> None:
    condition, text = drawn
    assert condition_issue(condition) is None
    expected = _ended(lambda: eval(text, {"value_of": value_of}))  # noqa: S307  # the oracle: text that this file writes
    assert _ended(lambda: is_met(condition, value_of)) == expected


@pytest.mark.parametrize(
    ("condition", "pointer", "says"),
    [
        ("", "", "one reference"),
        ("a", "", "one reference"),
        ("${a} and ${b}", "", "one reference"),
        (True, "", "one reference"),
        ([], "", "one reference"),
        ({}, "", "one key"),
        ({"eq": [1, 1], "ne": [1, 2]}, "", "one key"),
        ({"equals": [1, 1]}, "", "no 'equals'"),
        ({"eq": [1]}, "/eq", "two values"),
        ({"eq": "ab"}, "/eq", "two values"),
        ({"all": []}, "/all", "at least one"),
        ({"any": "${a}"}, "/any", "at least one"),
        ({"all": ["${a}", {"not": "b"}]}, "/all/1/not", "one reference"),
        ({"any": [{"all": ["${a}", {"lt": [1, 2, 3]}]}]}, "/any/0/all/1/lt", "two values"),
        ({"all": ["${a}"] * MOST_TERMS}, f"/all/{MOST_TERMS - 1}", "terms"),
    ],
)
def test_wrong_form_is_named_with_its_place(condition: object, pointer: str, says: str) -> None:
    issue = condition_issue(condition)
    assert issue is not None
    assert issue.pointer == pointer
    assert says in issue.message


def nested(levels: int) -> Condition:
    """Return a condition with that many levels."""
    condition: Condition = "${a}"
    for _ in range(levels - 1):
        condition = {"not": condition}
    return condition


def test_only_so_many_levels_are_read() -> None:
    assert condition_issue(nested(MOST_LEVELS)) is None
    assert condition_issue(nested(MOST_LEVELS + 1)) is not None
    assert condition_issue(nested(100_000)) is not None


@given(
    st.recursive(
        st.none() | st.integers() | st.text("${a}", max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["all", "not", "eq", "x"]), x, max_size=2),
        max_leaves=8,
    )
)
def test_any_value_is_a_condition_or_refused(value: Any) -> None:
    if condition_issue(value) is None:
        is_met(value, lambda _: 1)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("${a#/x}", "a#/x"),
        ({"gt": ["${a#/x}", 1000]}, "a#/x > 1000"),
        ({"in": ["${a}", ["b", None]]}, 'a in ["b", null]'),
        ({"not": {"eq": ["${a}", "$${b}"]}}, 'not (a == "$${b}")'),
        ({"all": ["${a}", {"any": [{"not": "${b}"}, {"not_in": ["x", "${c}"]}]}]}, 'a and (not b or "x" not in c)'),
    ],
)
def test_people_read_a_condition_as_python_writes_it(condition: Condition, words: str) -> None:
    assert condition_words(condition) == words


def test_long_condition_is_truncated_for_people() -> None:
    many: Sequence[Json] = ["${a}"] * 100
    assert len(condition_words({"all": many})) == 160


def test_condition_may_be_about_an_item() -> None:
    assert about_item("${item#/x}")
    assert about_item({"any": ["${a}", {"gt": ["${index}", 1]}]})
    assert not about_item({"eq": ["${a}", "$${item}"]})


@pytest.mark.parametrize(
    ("condition", "before"),
    [
        ("${item#/x}", ""),
        ("${a}", "${a}"),
        ({"all": ["${a}", "${b}"]}, {"all": ["${a}", "${b}"]}),
        ({"all": ["${a}", "${item}"]}, {"all": ["${a}"]}),
        (
            {"all": [{"not": "${a}"}, {"gt": ["${b}", 1]}, "${index}", "${c}"]},
            {"all": [{"not": "${a}"}, {"gt": ["${b}", 1]}]},
        ),
        ({"all": ["${item}", "${a}"]}, ""),
        ({"any": ["${a}", "${item}"]}, ""),
        ({"not": {"all": ["${a}", "${item}"]}}, ""),
    ],
)
def test_what_stands_before_anything_about_an_item_is_about_the_template(
    condition: Condition, before: Condition
) -> None:
    assert before_items(condition) == before
