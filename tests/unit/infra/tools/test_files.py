"""Parts of files: cut where characters begin, in whole lines, and searched in linear time, and what is left out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ThreadId, ToolName, UserId
from agent.plan.file_names import FILES_GREP
from agent.plan.files import Evicted, Eviction, FileOrigin, FileRecord
from agent.plan.sources import Source
from agent.tool import CallContext, ToolError
from infra.tools import files as tool_files
from infra.tools.files import Pattern, ThreadFiles, bytes_of, file_tools, lines_of, matches
from sandbox.script import Json
from tests.fakes.ports_in_memory import ArtifactsInMemory
from tests.fakes.rows import ADA, NOON, THREAD

GRACE = UserId("U2")


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


class _Records:
    """Files of one thread, newest first."""

    def __init__(self) -> None:
        self.artifacts = ArtifactsInMemory()
        self.records: list[FileRecord] = []

    async def add(self, node: str, text: str, *, evicted: bool = False, personal_to: UserId | None = None) -> None:
        """Store a file; a tombstone keeps its size."""
        read = frozenset[Source]() if personal_to is None else {Source(tool=ToolName("read"), author=personal_to)}
        origin = FileOrigin(turn=1, node=NodeId(node), author=personal_to or ADA, personal=frozenset(read))
        ref = await self.artifacts.put(THREAD, "a.txt", text.encode(), "text/plain", origin)
        record = FileRecord(
            name=origin.path("a.txt"),
            origin=origin,
            digest=ref.digest,
            size=ref.size,
            media_type=ref.media_type,
            summary="a text",
            made_at=NOON,
            evicted=Eviction(at=NOON, why=Evicted.AGE) if evicted else None,
        )
        self.records.append(record)

    async def find(self, thread: ThreadId, name: str) -> FileRecord | None:
        """Return the file of that name, or its tombstone."""
        return next((record for record in self.records if record.name == name), None)

    async def listed(self, thread: ThreadId, *, after: str = "", prefix: str = "", most: int) -> Sequence[FileRecord]:
        """Return files and tombstones."""
        return [record for record in self.records if record.name.startswith(prefix)][:most]

    async def grep(self, **args: Json) -> Any:
        """Search them as Ada."""
        tools = {tool.name: tool for tool in file_tools(ThreadFiles(files=self, artifacts=self.artifacts))}
        context = CallContext(thread=THREAD, node=NodeId("n"), author=ADA, idempotency_key=Digest("k" * 64))
        return await tools[FILES_GREP].call(context, args)


async def test_search_names_each_file_that_it_left_out_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_files, "SEARCHED_BYTES", 20)
    files = _Records()
    await files.add("large", "needle" * 10)
    await files.add("gone", "needle", evicted=True)
    await files.add("hers", "needle", personal_to=GRACE)
    await files.add("mine", "needle", personal_to=ADA)
    await files.add("lost", "a needle")
    files.artifacts.contents.pop(files.records[-1].digest)
    await files.add("open", "the needle")
    found = await files.grep(pattern="needle")
    assert found["not_searched"] == [
        {"name": "1/large/a.txt", "why": "search_limit"},
        {"name": "1/gone/a.txt", "why": "evicted"},
        {"name": "1/hers/a.txt", "why": "not_yours"},
        {"name": "1/mine/a.txt", "why": "personal_file"},
        {"name": "1/lost/a.txt", "why": "evicted"},
    ]
    assert found["matches"] == [{"name": "1/open/a.txt", "line": 1, "text": "the needle"}]
    assert not found["more"]


@pytest.mark.parametrize(("node", "code"), [("gone", "evicted"), ("large", "search_limit"), ("no", "no_such_file")])
async def test_search_of_one_file_that_cannot_be_searched_fails(
    node: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_files, "SEARCHED_BYTES", 20)
    files = _Records()
    await files.add("gone", "needle", evicted=True)
    await files.add("large", "needle" * 10)
    with pytest.raises(ToolError) as refused:
        await files.grep(pattern="needle", name=f"1/{node}/a.txt")
    assert refused.value.code == code
