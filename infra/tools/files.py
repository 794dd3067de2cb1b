"""The tools `files_list`, `files_head`, `files_read` and `files_grep`: the files of a thread, whole or in part.

A call sees the files of its own thread alone. What somebody else's rights were needed to read it refuses, as a
reference to it would be; what its author's own rights were needed for stays theirs, so a step names that file itself.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import re2 as _untyped_re2  # pyright: ignore[reportMissingTypeStubs]  # it has none

from agent.errors import ArtifactMissing, ContentUnavailable
from agent.ids import ThreadId
from agent.plan.file_names import FILES_GREP, FILES_HEAD, FILES_LIST, FILES_READ
from agent.plan.files import FileRecord
from agent.plan.outcomes import NOT_YOURS
from agent.plan.sources import not_yours
from agent.ports import Artifacts, Files
from agent.tool import CallContext, Colour, Tool, ToolError
from sandbox.script import Json

LISTED = 100
HEAD_BYTES = 2 * 1024
MOST_BYTES = 64 * 1024
MOST_LINES = 2_000
MATCHES = 200
MATCH_CHARACTERS = 300
CONTEXT_LINES = 5
SEARCHED_FILES = 50
SEARCHED_BYTES = 64 * 1024 * 1024
PATTERN_MEMORY = 8 * 1024 * 1024
"""What a pattern may take once it is compiled; RE2 searches in time that grows with the text alone."""

_NAME: Mapping[str, Json] = {
    "type": "string",
    "maxLength": 400,
    "description": "As files_list shows it: TURN/NODE/NAME; a step of a plan may write NODE/NAME.",
}
_COUNT: Mapping[str, Json] = {"type": "integer", "minimum": 0, "maximum": 2**40}

LIST_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "prefix": {"type": "string", "maxLength": 400, "description": "The beginning of the names, such as 3/fetch/."},
        "after": {"type": "string", "maxLength": 400, "description": "The last name of the page before."},
    },
    "additionalProperties": False,
}
HEAD_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"name": _NAME, "lines": {"type": "integer", "minimum": 1, "maximum": MOST_LINES}},
    "required": ["name"],
    "additionalProperties": False,
}
READ_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "name": _NAME,
        "offset": {**_COUNT, "description": "Where to begin, from 0.", "default": 0},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_BYTES, "description": "How much, at most."},
        "unit": {"enum": ["bytes", "lines"], "default": "bytes"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
GREP_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "minLength": 1, "maxLength": 1_000, "description": "A regular expression (RE2)."},
        "name": {**_NAME, "description": "One file; without it, all of the thread whose names begin with `prefix`."},
        "prefix": {"type": "string", "maxLength": 400},
        "ignore_case": {"type": "boolean", "default": False},
        "context": {"type": "integer", "minimum": 0, "maximum": CONTEXT_LINES, "default": 0},
    },
    "required": ["pattern"],
    "additionalProperties": False,
}


re2: Any = _untyped_re2


@dataclass(frozen=True, kw_only=True)
class ThreadFiles:
    """Where the files of threads are."""

    files: Files
    artifacts: Artifacts


def file_tools(store: ThreadFiles | None) -> Sequence[Tool]:
    """Return the tools. Without a store they can be planned, and calls fail."""
    reader = _Reader(store)
    return (
        Tool(
            name=FILES_LIST,
            description="List the files of this thread, newest first: name, bytes, type, one line of what is in it. "
            f"At most {LISTED}; `next` is the `after` of the next page. An evicted file says so.",
            arguments=LIST_ARGUMENTS,
            colour=Colour.GREEN,
            call=reader.list,
            retryable=True,
            returns_outside_text=True,
        ),
        Tool(
            name=FILES_HEAD,
            description="Return the first lines of a file of this thread (20 without `lines`).",
            arguments=HEAD_ARGUMENTS,
            colour=Colour.GREEN,
            call=reader.head,
            retryable=True,
            returns_outside_text=True,
        ),
        Tool(
            name=FILES_READ,
            description=f"Return a part of a file of this thread: at most {MOST_BYTES} bytes or {MOST_LINES} lines "
            "from `offset` on. `next` is the offset behind it; null at the end. A reference to the file's step, "
            "such as ${fetch}, gives the whole to another step.",
            arguments=READ_ARGUMENTS,
            colour=Colour.GREEN,
            call=reader.read,
            retryable=True,
            returns_outside_text=True,
        ),
        Tool(
            name=FILES_GREP,
            description="Search files of this thread line by line; returns name, line number and text of at most "
            f"{MATCHES} matches. `not_searched` has the name of each file that was left out, and why; with `more` "
            f"there are more matches, or files older than the newest {SEARCHED_FILES}.",
            arguments=GREP_ARGUMENTS,
            colour=Colour.GREEN,
            call=reader.grep,
            retryable=True,
            returns_outside_text=True,
        ),
    )


class _Reader:
    """The calls."""

    def __init__(self, store: ThreadFiles | None) -> None:
        self._store = store

    async def list(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Return a page of the thread's files; of one that is not for this person, the name alone."""
        found = await self._opened.files.listed(
            context.thread, after=str(args.get("after", "")), prefix=str(args.get("prefix", "")), most=LISTED + 1
        )
        page = found[:LISTED]
        return {
            "files": [_line(record, context) for record in page],
            "next": page[-1].name if len(found) > LISTED else None,
        }

    async def head(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Return the first lines of a file."""
        record, text = await self._text(context, str(args["name"]))
        lines = int(cast("int", args.get("lines", 20)))
        shown = lines_of(text, 0, lines, HEAD_BYTES if "lines" not in args else MOST_BYTES)
        return {"name": record.name, "size": record.size, **shown}

    async def read(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Return a part of a file."""
        record, text = await self._text(context, str(args["name"]))
        offset = int(cast("int", args.get("offset", 0)))
        if args.get("unit", "bytes") == "lines":
            limit = min(int(cast("int", args.get("limit", 200))), MOST_LINES)
            part = await asyncio.to_thread(lines_of, text, offset, limit, MOST_BYTES)
        else:
            part = bytes_of(text, offset, min(int(cast("int", args.get("limit", 8_192))), MOST_BYTES))
        return {"name": record.name, "size": record.size, **part}

    async def grep(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Return the lines of files that match."""
        pattern = Pattern(str(args["pattern"]), ignore_case=bool(args.get("ignore_case", False)))
        around = int(cast("int", args.get("context", 0)))
        records, more = await self._searched(context, args)
        shown: list[Json] = []
        missed: list[Json] = []
        left = SEARCHED_BYTES
        for record in records:
            if len(shown) >= MATCHES:
                more = True
                break
            try:
                _check_readable(record, context)
                if record.size > left:
                    raise ToolError("search_limit", f"One search reads at most {SEARCHED_BYTES} bytes.")
                content = await self._content(context.thread, record)
            except ToolError as error:
                if "name" in args:
                    raise
                missed.append({"name": record.name, "why": error.code})
                continue
            left -= record.size
            found = await asyncio.to_thread(matches, pattern, content, MATCHES - len(shown), around)
            shown += [{"name": record.name, **match} for match in found]
        return {"matches": shown, "more": more or len(shown) >= MATCHES, "not_searched": missed}

    @property
    def _opened(self) -> ThreadFiles:
        if self._store is None:
            raise ToolError("no_files", "Files are not available here.")
        return self._store

    async def _searched(self, context: CallContext, args: Mapping[str, Json]) -> tuple[Sequence[FileRecord], bool]:
        """Return the files that a search is about, tombstones included, and whether there are more."""
        if "name" in args:
            return [await self._found(context.thread, str(args["name"]))], False
        prefix = str(args.get("prefix", ""))
        found = await self._opened.files.listed(context.thread, prefix=prefix, most=SEARCHED_FILES + 1)
        return found[:SEARCHED_FILES], len(found) > SEARCHED_FILES

    async def _text(self, context: CallContext, name: str) -> tuple[FileRecord, bytes]:
        record = await self._found(context.thread, name)
        _check_readable(record, context)
        return record, await self._content(context.thread, record)

    async def _found(self, thread: ThreadId, name: str) -> FileRecord:
        """Return the file of a name, or its tombstone.

        Raises:
            ToolError: there is none.
        """
        record = await self._opened.files.find(thread, name)
        if record is None:
            raise ToolError("no_such_file", f"This thread has no file {name[:200]!r}; files_list shows its files.")
        return record

    async def _content(self, thread: ThreadId, record: FileRecord) -> bytes:
        try:
            return await self._opened.artifacts.get(thread, record.digest)
        except ArtifactMissing:
            raise ToolError("evicted", f"{record.name!r} is no longer kept.") from None
        except ContentUnavailable:
            raise ToolError("store_unavailable", "The store of files cannot be reached.") from None


def _check_readable(record: FileRecord, context: CallContext) -> None:
    """Raise `ToolError` when the file was evicted, or the person may not read it this way."""
    if denied := record.denied_to(context.author):
        raise ToolError(NOT_YOURS, not_yours(denied))
    if not _is_open(record, context):
        raise ToolError(
            "personal_file",
            f"Only its author may see {record.name!r}: name it in a step of its own (files_read), or give it to this "
            "one by a reference.",
        )
    if record.evicted is not None:
        raise ToolError(
            "evicted",
            f"{record.name!r} ({record.size} bytes, {record.media_type}; {record.summary}) is no longer kept since "
            f"{record.evicted.at:%Y-%m-%d}. Make it again with another step.",
        )


def _is_open(record: FileRecord, context: CallContext) -> bool:
    """Return whether what a call reads there is marked as its output's source already, or is for everybody."""
    if not record.origin.personal:
        return True
    origin = context.origin()
    return origin is not None and record.origin.personal <= origin.personal


def _line(record: FileRecord, context: CallContext) -> Json:
    line: dict[str, Json] = {"name": record.name, "size": record.size, "type": record.media_type}
    if record.evicted is not None:
        line["evicted"] = f"{record.evicted.at:%Y-%m-%d}"
    if record.origin.personal:  # the line would tell what is in it
        line["personal"] = True
        return line if record.denied_to(context.author) else {**line, "yours": True}
    return {**line, "summary": record.summary}


def bytes_of(content: bytes, offset: int, limit: int) -> dict[str, Json]:
    """Return a part of a text by bytes, moved to the next character's beginning at both ends."""
    start = _boundary(content, min(offset, len(content)))
    end = _boundary(content, min(start + limit, len(content)))
    if end == start and start < len(content):
        end = _boundary(content, start + 1)
    return {
        "offset": start,
        "text": content[start:end].decode(errors="replace"),
        "next": end if end < len(content) else None,
    }


def _boundary(content: bytes, at: int) -> int:
    """Return the first place from `at` on where a character begins; broken text has one within four bytes."""
    for place in range(at, min(at + 4, len(content))):
        if content[place] & 0xC0 != 0x80:
            return place
    return min(at, len(content)) if at + 4 <= len(content) else len(content)


def lines_of(content: bytes, offset: int, limit: int, most_bytes: int) -> dict[str, Json]:
    """Return whole lines from the one of that number on, counted from 0; one that is too long is cut."""
    place = 0
    for _ in range(offset):
        at = content.find(b"\n", place)
        if at < 0:
            return {"offset": offset, "text": "", "next": None}
        place = at + 1
    start, count = place, 0
    while count < limit and place < len(content):
        at = content.find(b"\n", place)
        end = len(content) if at < 0 else at + 1
        if count and end - start > most_bytes:
            break
        place, count = end, count + 1
    cut = place - start > most_bytes
    text = content[start : start + most_bytes if cut else place].decode(errors="ignore" if cut else "replace")
    shown: dict[str, Json] = {"offset": offset, "text": text, "next": offset + count if place < len(content) else None}
    return {**shown, "cut": True} if cut else shown


class Pattern:
    """A pattern that is searched for in time that grows with the text alone."""

    def __init__(self, pattern: str, *, ignore_case: bool) -> None:
        """Compile it.

        Raises:
            ToolError: `bad_pattern`: RE2 cannot read it, or it takes too much memory.
        """
        options = re2.Options()
        options.case_sensitive = not ignore_case
        options.max_mem = PATTERN_MEMORY
        options.log_errors = False
        options.never_nl = True
        try:
            self._search: Callable[[bytes, int], Any] = re2.compile(f"(?m){pattern}".encode(), options).search
        except (re2.error, UnicodeEncodeError) as error:
            raise ToolError("bad_pattern", f"The pattern cannot be used: {str(error)[:200]}") from None

    def place_in(self, content: bytes, start: int) -> int | None:
        """Return where the first match from `start` on begins."""
        found = self._search(content, start)
        return None if found is None else cast("int", found.start())


def matches(pattern: Pattern, content: bytes, most: int, around: int) -> Sequence[Mapping[str, Json]]:
    """Return the first lines that match, each once, with so many lines on both sides."""
    found: list[Mapping[str, Json]] = []
    place = number = 0  # where a line begins, and its number from 0
    while len(found) < most and (at := pattern.place_in(content, place)) is not None:
        start = content.rfind(b"\n", place, at) + 1 or place
        number += content.count(b"\n", place, start)
        end = content.find(b"\n", at)
        if start == len(content) > 0:
            break  # behind the last line feed there is no line
        found.append({"line": number + 1, "text": _with_context(content, start, end, around)})
        if end < 0:
            break
        place, number = end + 1, number + 1
    return found


def _with_context(content: bytes, start: int, end: int, around: int) -> str:
    """Return the line that begins and ends there, and those beside it; long ones are cut."""
    end = len(content) if end < 0 else end
    lines = [_cut(content, start, end)]
    first, last = start, end
    for _ in range(around):
        if first > 0:
            before = content.rfind(b"\n", 0, first - 1) + 1
            lines.insert(0, _cut(content, before, first - 1))
            first = before
        if last + 1 < len(content):
            behind = content.find(b"\n", last + 1)
            behind = len(content) if behind < 0 else behind
            lines.append(_cut(content, last + 1, behind))
            last = behind
    return "\n".join(lines)


def _cut(content: bytes, start: int, end: int) -> str:
    line = content[start : min(end, start + 4 * MATCH_CHARACTERS)].decode(errors="replace").rstrip("\r")
    return line if len(line) <= MATCH_CHARACTERS else f"{line[:MATCH_CHARACTERS]}..."
