"""The tool `read_access_log`: reads a log file page by page, in whole lines."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from sandbox.script import Json

PAGE_BYTES = 512 * 1024

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"page": {"type": "integer", "minimum": 0, "description": "Pages count from 0."}},
    "required": ["page"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class AccessLogConfig:
    """`[tools.read_access_log]`: the file that `read_access_log` reads."""

    path: Path
    #: The format of a line, for the tool's description.
    line_format: str = ""


class _Version(NamedTuple):
    """Changes whenever the file does."""

    inode: int
    size: int
    modified_ns: int


def read_access_log(config: AccessLogConfig) -> Tool:
    """Return the tool for this file."""
    description = (
        f"Read one page of the access log: whole lines, at most {PAGE_BYTES // 1024} KiB. Returns page, pages (how "
        "many there are) and text. Read page 0 first, then the others up to pages - 1."
    )
    return Tool(
        name=ToolName("read_access_log"),
        description=f"{description} A line: {config.line_format}" if config.line_format else description,
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        returns_outside_text=True,
        call=_Pages(config.path).call,
        retryable=True,
    )


class _Pages:
    """The pages of a file. Keeps the index until the file changes, so that a page costs one read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index: tuple[_Version, tuple[int, ...]] | None = None

    async def call(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        page = args["page"]
        assert isinstance(page, int)  # noqa: S101 - the arguments' schema says so
        return await asyncio.to_thread(self._read, page)

    def _read(self, page: int) -> Json:
        try:
            with self._path.open("rb") as file:
                starts = self._starts(file)
                pages = len(starts) - 1
                if not 0 <= page < pages:
                    raise ToolError("no_such_page", f"The log has {pages} pages, numbered from 0; there is no {page}.")
                file.seek(starts[page])
                raw = file.read(starts[page + 1] - starts[page])
        except OSError as error:
            raise ToolError("unreadable", "The access log cannot be read.") from error
        return {"page": page, "pages": pages, "text": raw.decode("utf-8", "replace")}

    def _starts(self, file: BinaryIO) -> tuple[int, ...]:
        """Return the offset of each page, and the file's size."""
        status = os.fstat(file.fileno())
        version = _Version(status.st_ino, status.st_size, status.st_mtime_ns)
        if self._index is None or self._index[0] != version:
            self._index = (version, page_starts(file, status.st_size))
        return self._index[1]


def page_starts(file: BinaryIO, size: int, page_bytes: int = PAGE_BYTES) -> tuple[int, ...]:
    """Return the offset of each page, and `size`. An empty file has one empty page.

    A page has as many whole lines as fit; a line longer than a page is split.
    """
    starts = [0]
    while size - starts[-1] > page_bytes:
        file.seek(starts[-1])
        line_end = file.read(page_bytes).rfind(b"\n")
        starts.append(starts[-1] + (page_bytes if line_end < 0 else line_end + 1))
    return (*starts, size)
