"""`read_access_log` against real files."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tool import CallContext, ToolError
from infra.tools.access_log import PAGE_BYTES, AccessLogConfig, read_access_log
from sandbox.script import Json

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64))
LINE = '2025-11-20T14:00:00.000Z search 10.0.0.1 "GET / HTTP/1.1" 200 17 5 größe\n'


async def page(path: Path, number: int) -> Mapping[str, Json]:
    result = await read_access_log(AccessLogConfig(path=path)).call(CONTEXT, {"page": number})
    assert isinstance(result, Mapping)
    return result


async def test_pages_joined_are_the_file(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(LINE * 30_000, encoding="utf-8")
    first = await page(path, 0)
    pages = first["pages"]
    assert isinstance(pages, int)
    texts = [str((await page(path, number))["text"]) for number in range(pages)]
    assert "".join(texts) == LINE * 30_000
    assert all(text.endswith("\n") and len(text.encode()) <= PAGE_BYTES for text in texts)
    assert pages == -(-len((LINE * 30_000).encode()) // PAGE_BYTES)


@pytest.mark.parametrize("number", [-1, 1, 10**9])
async def test_page_that_is_not_there_is_told_with_the_count(tmp_path: Path, number: int) -> None:
    path = tmp_path / "access.log"
    path.write_text(LINE)
    with pytest.raises(ToolError, match="has 1 pages") as caught:
        await page(path, number)
    assert caught.value.code == "no_such_page"


async def test_empty_log_is_one_empty_page(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.touch()
    assert await page(path, 0) == {"page": 0, "pages": 1, "text": ""}


async def test_missing_log_is_told_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        await page(tmp_path / "none.log", 0)
    assert caught.value.code == "unreadable"
    assert str(tmp_path) not in str(caught.value)


async def test_bytes_that_are_no_text_do_not_stop_reading(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"good\n\xff\xfe\nbad\n")
    assert (await page(path, 0))["text"] == "good\n\ufffd\ufffd\nbad\n"


async def test_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(LINE)
    tool = read_access_log(AccessLogConfig(path=path))
    await tool.call(CONTEXT, {"page": 0})
    path.write_text("other\n")
    os.utime(path, ns=(0, 0))
    assert await tool.call(CONTEXT, {"page": 0}) == {"page": 0, "pages": 1, "text": "other\n"}
