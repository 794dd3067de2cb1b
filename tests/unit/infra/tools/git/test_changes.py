"""Edits of files: what they need to find, what they make, and that their reverse takes them back."""

import difflib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tool import ToolError
from infra.tools.git.changes import (
    MOST_CHARACTERS,
    Change,
    File,
    changed,
    changes_in,
    line_edits,
    reversed_changes,
)

PIECES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "c\r\n", "a a\n", "end"]), max_size=12)
TEXTS = PIECES.map("".join)


def hunks(before: str, after: str) -> Sequence[tuple[int, int, int, int]]:
    old, new = [text.split("\n") for text in (before, after)]
    old = [line + "\n" for line in old[:-1]] + [old[-1]] * bool(old[-1])
    new = [line + "\n" for line in new[:-1]] + [new[-1]] * bool(new[-1])
    found = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(a, b - a, c, d - c) for tag, a, b, c, d in found if tag != "equal"]


def edit(before: str | None, after: str | None, **more: bool) -> Change:
    return Change(path="f", before=before, after=after, **more)


@given(TEXTS, TEXTS)
def test_edits_of_a_difference_make_the_other_text_and_their_reverse_the_first(before: str, after: str) -> None:
    if before == after:
        return
    edits = line_edits("f", before, after, hunks(before, after))
    made = changed("f", File(text=before), edits)
    assert made == File(text=after)
    back = reversed_changes("f", File(text=before), edits)
    assert changed("f", made, back) == File(text=before)


def test_an_edit_that_stands_twice_gets_lines_around_it_until_it_stands_once() -> None:
    before = "one\nsame\nsame\nsame\nsame\nsame\nsame\nsame\ntwo\n"
    after = before.replace("same\ntwo", "other\ntwo")
    [only] = line_edits("f", before, after, hunks(before, after))
    assert before.count(str(only.before)) == 1


@pytest.mark.parametrize(
    ("file", "edits", "words"),
    [
        (None, [edit("a", "b")], "There is no file"),
        (File(text="x"), [edit("a", "b")], "does not stand in"),
        (File(text="a a"), [edit("a", "b")], "more than once"),
        (File(text="aaa"), [edit("aa", "b")], "more than once"),
        (File(text="a"), [edit("", "b")], "more than once"),
        (File(text="a"), [edit("a", "a")], "change nothing"),
        (File(text="abc"), [edit("ab", "x"), edit("bc", "y")], "same lines"),
        (File(text="a"), [edit(None, "b")], "there already"),
        (File(text="a changed"), [edit("a", None)], "not as it was"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(file: File | None, edits: Sequence[Change], words: str) -> None:
    with pytest.raises(ToolError, match=words) as refused:
        changed("f", file, edits)
    assert refused.value.code == "does_not_fit"


def test_a_new_file_and_a_deleted_one_take_each_other_back() -> None:
    made = changed("f", None, [edit(None, "x\n", executable=True)])
    assert made == File(text="x\n", executable=True)
    [back] = reversed_changes("f", None, [edit(None, "x\n", executable=True)])
    assert changed("f", made, [back]) is None
    [again] = reversed_changes("f", made, [back])
    assert changed("f", None, [again]) == made


@pytest.mark.parametrize(
    "changes",
    [
        [{"path": "f", "before": "a", "after": "b"}, {"path": "f", "after": "c"}],
        [{"path": "f", "before": "a", "after": "b", "executable": True}],
        [{"path": f"{at}", "after": "x" * 30_000} for at in range(MOST_CHARACTERS // 30_000 + 1)],
    ],
    ids=["made and edited", "executable of an edit", "too long"],
)
def test_what_a_card_could_not_show_is_refused(changes: Sequence[Mapping[str, str | bool]]) -> None:
    with pytest.raises(ToolError):
        changes_in({"changes": changes})
