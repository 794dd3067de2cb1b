"""Parts of files: cut where characters begin, in whole lines, and searched in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tool import ToolError
from infra.tools.files import Pattern, bytes_of, lines_of, matches


@given(st.text(max_size=60), st.integers(1, 7))
def test_reading_on_from_next_gives_the_whole_text_without_a_broken_character(text: str, limit: int) -> None:
    content, offset, read = text.encode(), 0, ""
    while True:
        part = bytes_of(content, offset, limit)
        read += str(part["text"])
        if part["next"] is None:
            break
        assert isinstance(part["next"], int)
        assert part["next"] > offset
        offset = part["next"]
    assert read == text


@given(st.lists(st.text("ab é", max_size=5), max_size=9), st.integers(1, 4))
def test_lines_are_read_page_by_page(lines: list[str], limit: int) -> None:
    text = "".join(f"{line}\n" for line in lines)
    offset, read = 0, ""
    while True:
        part = lines_of(text.encode(), offset, limit, 10_000)
        read += str(part["text"])
        if not isinstance(part["next"], int):
            break
        offset = part["next"]
    assert read == text


def test_each_line_that_matches_is_found_once_with_its_number_and_those_beside_it() -> None:
    content = b"one\ntwo two\nthree\n\ntwo\n"
    found = matches(Pattern("two", ignore_case=False), content, 10, 0)
    assert [(match["line"], match["text"]) for match in found] == [(2, "two two"), (5, "two")]
    assert matches(Pattern("THREE", ignore_case=True), content, 10, 1) == [{"line": 3, "text": "two two\nthree\n"}]
    assert len(matches(Pattern("^", ignore_case=False), content, 3, 0)) == 3


def test_a_pattern_that_others_never_come_to_the_end_of_is_searched_for_at_once() -> None:
    assert matches(Pattern("(a+)+b", ignore_case=False), b"a" * 200_000, 10, 0) == []


@pytest.mark.parametrize("pattern", ["(", "a{1001}", r"(a)\1"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(ToolError) as refused:
        Pattern(pattern, ignore_case=False)
    assert refused.value.code == "bad_pattern"
