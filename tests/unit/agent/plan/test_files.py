"""The line that says what a content looks like, and who may read a file."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ToolName, UserId
from agent.plan.files import (
    SUMMARY_CHARACTERS,
    FileOrigin,
    FileRecord,
    content_summary,
    summary_of,
    text_summary,
)
from agent.plan.sources import Source
from sandbox.script import Json


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"rows": [], "count": 3}, "object with 2 keys: rows, count"),
        ([{"id": 1, "name": "x"}] * 3, "list of 3; the first is an object with the keys id, name"),
        ([], "list of 0"),
        ("one\ntwo\n", "2 lines: one"),
        ("\n\n  # Title  \n", "3 lines: # Title"),
        ("", "0 lines"),
        ({f"k{at}": at for at in range(20)}, "object with 20 keys: k0, k1, k2, k3, k4, k5, k6, k7, ..."),
    ],
)
def test_a_summary_says_the_shape(value: Json, line: str) -> None:
    assert summary_of(value) == line


@given(st.text() | st.dictionaries(st.text(), st.text()) | st.lists(st.text()))
def test_a_summary_is_one_short_line_that_can_be_stored(value: Json) -> None:
    line = summary_of(value)
    assert len(line) <= SUMMARY_CHARACTERS
    assert "\n" not in line
    assert "\0" not in line
    line.encode()


@given(st.binary(max_size=200), st.sampled_from(["application/json", "text/plain"]))
def test_any_content_has_a_summary(content: bytes, media_type: str) -> None:
    assert len(content_summary(content, media_type)) <= SUMMARY_CHARACTERS


def test_what_is_no_json_is_a_text() -> None:
    assert content_summary(b"{broken", "application/json") == text_summary("{broken")


def test_only_the_person_may_read_what_their_rights_were_needed_for() -> None:
    read = frozenset({Source(tool=ToolName("slack_read_channel"), author=UserId("U1"))})
    record = FileRecord(
        name="1/n/n.json",
        origin=FileOrigin(turn=1, node=NodeId("n"), author=UserId("U1"), personal=read),
        digest=Digest("d"),
        size=1,
        media_type="text/plain",
        summary="",
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert record.denied_to(UserId("U1")) == []
    assert record.denied_to(UserId("U2")) == ["slack_read_channel"]
