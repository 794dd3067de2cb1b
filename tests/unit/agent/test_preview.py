"""A preview hides nothing: what it covers it shows whole, or people see the arguments as they are."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.preview import (
    DiffPreview,
    FieldsPreview,
    FileEdit,
    FilesPreview,
    MessagePreview,
    Preview,
    RequestPreview,
    TablePreview,
    cell_text,
    previews,
)
from sandbox.script import Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def message(text: str) -> Preview:
    return MessagePreview(covers=("channel", "text"), channel="#ops", text=text)


def test_the_preview_of_a_tool_counts_when_it_shows_all_that_it_covers() -> None:
    args: Mapping[str, Json] = {"channel": "#ops", "text": "hello"}
    assert previews(args, lambda _: [message("hello")]) == [message("hello")]


@pytest.mark.parametrize("text", ["hell", "hello ", "HELLO", ""], ids=["shorter", "longer", "other letters", "nothing"])
def test_a_preview_that_shows_something_else_does_not_count(text: str) -> None:
    assert previews({"channel": "#ops", "text": "hello"}, lambda _: [message(text)]) == []


def test_a_preview_that_covers_what_is_not_there_does_not_count() -> None:
    assert previews({"text": "hello"}, lambda _: [message("hello")]) == []


def test_a_preview_that_raises_leaves_the_arguments_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(_: Mapping[str, Json]) -> Sequence[Preview]:
        raise KeyError("password=x")

    assert previews({"text": "hello"}, breaks) == []
    assert "password" not in caplog.text


def test_an_argument_is_covered_once() -> None:
    twice = [
        RequestPreview(covers=("method", "url"), method="PUT", url="u"),
        FieldsPreview(covers=("url",), name="url", fields=(("url", "u"),)),
    ]
    assert previews({"method": "PUT", "url": "u"}, lambda _: twice) == twice[:1]


@pytest.mark.parametrize(
    ("edit", "covered"),
    [
        ({"path": "a", "before": "x", "after": "y"}, True),
        ({"path": "a", "after": "y"}, True),
        ({"path": "a", "before": "x"}, True),
        ({"path": "a", "after": "y", "executable": True}, True),
        ({"path": "a", "before": "x", "after": "z"}, False),
        ({"path": "b", "before": "x", "after": "y"}, False),
        ({"path": "a", "before": "x", "after": "y", "more": 1}, False),
    ],
    ids=str,
)
def test_edits_of_files_count_if_they_show_each_key_and_text(edit: Mapping[str, Json], covered: bool) -> None:
    shown = FilesPreview(
        covers=("changes",),
        edits=(
            FileEdit(
                path="a",
                before="x" if "before" in edit else None,
                after="y" if "after" in edit else None,
                executable="executable" in edit,
            ),
        ),
    )
    assert (previews({"changes": [edit]}, lambda _: [shown]) == [shown]) is covered


def test_equal_objects_become_a_table_and_flat_ones_fields() -> None:
    args: Mapping[str, Json] = {"rows": [{"a": 1, "b": "x"}, {"b": "y", "a": 2}], "head": {"k": None}}
    assert previews(args) == [
        TablePreview(covers=("rows",), name="rows", columns=("a", "b"), rows=(("1", "x"), ("2", "y"))),
        FieldsPreview(covers=("head",), name="head", fields=(("k", "null"),)),
    ]


@pytest.mark.parametrize(
    "value",
    [[{"a": 1}], [{"a": 1}, {"b": 1}], [{"a": 1}, 2], [{}, {}], {}, {"a": {"b": 1}}, [], "text"],
    ids=["one", "other keys", "no object", "empty", "no fields", "nested", "no rows", "text"],
)
def test_what_no_rule_fits_stays_as_it_is(value: Json) -> None:
    assert previews({"value": value}) == []


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("before", "after"), ""),
        (("old", "new"), ""),
        (("old_text", "new_text"), "text"),
        (("text_before", "text_after"), "text"),
    ],
)
def test_two_halves_of_an_edit_become_a_diff(names: tuple[str, str], what: str) -> None:
    assert previews(dict(zip(names, "ab", strict=True))) == [
        DiffPreview(covers=names, name=what, before="a", after="b")
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("2026-05-01", "2026-05-01"),
        ("5", '"5"'),
        (5, "5"),
        ("true", '"true"'),
        (True, "true"),
        ("", '""'),
        ("a | b", '"a | b"'),
        ("a\nb", '"a\\nb"'),
        (" a", '" a"'),
        ("a ", '"a "'),
        ("[1]", '"[1]"'),
        ([1], "[1]"),
        (None, "null"),
    ],
)
def test_a_cell_tells_values_apart(value: Json, text: str) -> None:
    assert cell_text(value) == text


@given(first=JSON, second=JSON)
def test_no_two_values_have_the_same_cell(first: Any, second: Any) -> None:
    same = cell_text(first) == cell_text(second)
    assert same == (first == second and repr(first) == repr(second))


@given(args=st.dictionaries(st.sampled_from(["old", "new", "before", "rows", "x"]), JSON, max_size=4))
def test_the_rules_cover_only_what_they_show(args: dict[str, Any]) -> None:
    for preview in previews(args):
        cells = set(preview.cells)
        for name in preview.covers:
            for leaf in leaves(args[name]):
                assert leaf in cells or cell_text(leaf) in cells


def leaves(value: Any) -> list[Any]:
    match value:
        case dict():
            return [leaf for pair in cast("dict[str, Any]", value).items() for part in pair for leaf in leaves(part)]
        case list():
            return [leaf for part in cast("list[Any]", value) for leaf in leaves(part)]
        case _:
            return [value]
