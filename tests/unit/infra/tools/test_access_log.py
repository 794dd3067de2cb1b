"""The pages of a log file."""

import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from infra.tools.access_log import page_starts

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b".")), max_size=60)


@given(LINES, st.booleans(), st.integers(min_value=1, max_value=30))
def test_pages_are_whole_lines_and_together_the_file(lines: list[bytes], ended: bool, page_bytes: int) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    starts = page_starts(io.BytesIO(content), len(content), page_bytes)
    pages = [content[start:end] for start, end in pairwise(starts)]
    assert b"".join(pages) == content
    assert all(len(page) <= page_bytes for page in pages)
    assert all(page for page in pages[:-1])
    for page in pages[:-1]:
        assert page.endswith(b"\n") or b"\n" not in page


@given(LINES, st.integers(min_value=1, max_value=30))
def test_pages_stay_when_the_file_grows(lines: list[bytes], page_bytes: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    grown = content + b"more\nand more\n"
    before = page_starts(io.BytesIO(content), len(content), page_bytes)
    after = page_starts(io.BytesIO(grown), len(grown), page_bytes)
    assert after[: len(before) - 1] == before[:-1]


def test_empty_file_has_one_empty_page() -> None:
    assert page_starts(io.BytesIO(b""), 0) == (0, 0)
