"""Edits of files: what a commit changes, as its card shows it, and the edits that take it back. Pure.

An edit names a text that stands once in a file, and what replaces it. So it says what it needs to find there, and it
cannot overwrite what somebody else wrote in the same place.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from agent.tool import ToolError
from infra.tools.git.names import MOST_PATH_CHARACTERS
from sandbox.script import Json

MOST_CHANGES = 100
TEXT_CHARACTERS = 32 * 1024
MOST_CHARACTERS = 128 * 1024
"""All texts of a commit's edits together; a person reads them."""

CONTEXT_LINES = 3
_SHOWN = 80

CHANGES: Mapping[str, Json] = {
    "type": "array",
    "description": "The edits. With before and after: before stands exactly once in the file, after replaces it (take "
    "whole lines, with some around them). Without before: a new file with the text of after. Without after: the file, "
    "whose whole text is before, is deleted.",
    "minItems": 1,
    "maxItems": MOST_CHANGES,
    "items": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": MOST_PATH_CHARACTERS},
            "before": {"type": "string", "maxLength": TEXT_CHARACTERS},
            "after": {"type": "string", "maxLength": TEXT_CHARACTERS},
            "executable": {"type": "boolean", "description": "Of a new file."},
        },
        "required": ["path"],
        "anyOf": [{"required": ["before"]}, {"required": ["after"]}],
        "additionalProperties": False,
    },
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One edit of one file."""

    path: str
    #: What stands there; None: the file is new.
    before: str | None
    #: What replaces it; None: the file is deleted.
    after: str | None
    #: Whether the file can be run, where it is new or deleted.
    executable: bool = False

    def as_json(self) -> dict[str, Json]:
        """Return the edit as an argument; keys without a value are left out."""
        texts = {name: text for name, text in (("before", self.before), ("after", self.after)) if text is not None}
        return {"path": self.path, **texts, **({"executable": True} if self.executable else {})}


@dataclass(frozen=True, kw_only=True)
class File:
    """A file as a commit has it."""

    text: str
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class _Span:
    """A piece of a text by its characters, and what replaces it."""

    start: int
    end: int
    after: str


def changes_in(args: Mapping[str, Json]) -> Mapping[str, Sequence[Change]]:
    """Return path -> the edits of a call, each in its order.

    Raises:
        ToolError: their texts are too long together, or a file is edited as well as made or deleted.
    """
    by_path: dict[str, list[Change]] = {}
    size = 0
    for given in cast("Sequence[Mapping[str, str]]", args["changes"]):
        change = Change(
            path=given["path"],
            before=given.get("before"),
            after=given.get("after"),
            executable=bool(given.get("executable")),
        )
        size += len(change.before or "") + len(change.after or "")
        by_path.setdefault(change.path, []).append(change)
    if size > MOST_CHARACTERS:
        raise ToolError("too_large_change", f"The edits have {size} characters, more than {MOST_CHARACTERS}.")
    for path, edits in by_path.items():
        if any(edit.executable and None not in (edit.before, edit.after) for edit in edits):
            raise ToolError("does_not_fit", f"{path}: executable is of a new file.")
        if len(edits) > 1 and any(None in (edit.before, edit.after) for edit in edits):
            raise ToolError("does_not_fit", f"{path} is made or deleted, and edited, in the same commit.")
    return by_path


def changed(path: str, file: File | None, edits: Sequence[Change]) -> File | None:
    """Return a file after its edits; None: it is not there then.

    Raises:
        ToolError: `does_not_fit`: the file is not as the edits say.
    """
    [first, *_] = edits
    if first.before is None:
        if file is not None:
            raise ToolError("does_not_fit", f"{path} is there already.")
        return File(text=first.after or "", executable=first.executable)
    if file is None:
        raise ToolError("does_not_fit", f"There is no file {path}.")
    if first.after is None:
        if file.text != first.before:
            raise ToolError("does_not_fit", f"{path} is not as it was to be deleted.")
        return None
    text = "".join(_pieces(file.text, _spans(path, file.text, edits)))
    if text == file.text:
        raise ToolError("does_not_fit", f"The edits change nothing in {path}.")
    return File(text=text, executable=file.executable)


def reversed_changes(path: str, file: File | None, edits: Sequence[Change]) -> Sequence[Change]:
    """Return the edits that take these edits of a file back; `file` is as it was before them."""
    [first, *_] = edits
    if first.before is None or first.after is None:
        executable = first.executable if file is None else file.executable
        return [Change(path=path, before=first.after, after=first.before, executable=executable)]
    text = file.text if file is not None else ""
    spans: list[_Span] = []
    moved = 0
    for span in _spans(path, text, edits):
        start = span.start + moved
        moved += len(span.after) - (span.end - span.start)
        spans.append(_Span(start=start, end=start + len(span.after), after=text[span.start : span.end]))
    made = "".join(_pieces(text, _spans(path, text, edits)))
    return edits_at(path, made, spans)


def line_edits(path: str, before: str, after: str, hunks: Sequence[tuple[int, int, int, int]]) -> Sequence[Change]:
    """Return the edits that make one text of another, by the hunks of their difference.

    A hunk is the first line of its old piece, counted from 0, how many lines it has, and the same of the new piece.
    """
    old, new = _line_starts(before), _line_starts(after)
    spans = [
        _Span(start=old[at], end=old[at + count], after=after[new[to] : new[to + added]])
        for at, count, to, added in hunks
    ]
    return edits_at(path, before, spans)


def edits_at(path: str, text: str, spans: Sequence[_Span]) -> Sequence[Change]:
    """Return edits for pieces of a text: each with lines around it, as many as make it stand there once.

    `spans` are in order and do not overlap; those that grow into each other become one edit.
    """
    starts = _line_starts(text)
    grown: list[tuple[int, int, list[_Span]]] = []
    for span in spans:
        first, last = _line_at(starts, span.start), _line_at(starts, max(span.start, span.end - 1)) + 1
        start, end = _unique(text, starts, first - CONTEXT_LINES, last + CONTEXT_LINES)
        inside = [span]
        while grown and start < grown[-1][1]:
            before_start, _, earlier = grown.pop()
            start, inside = min(start, before_start), [*earlier, *inside]
            start, end = _unique(text, starts, _line_at(starts, start), _line_at(starts, max(start, end - 1)) + 1)
        grown.append((start, end, inside))
    return [
        Change(path=path, before=text[start:end], after="".join(_pieces_between(text, inside, start, end)))
        for start, end, inside in grown
    ]


def _unique(text: str, starts: Sequence[int], first: int, last: int) -> tuple[int, int]:
    """Return the characters of these lines and of as many around them as it takes to stand in the text once."""
    lines = len(starts) - 1
    while True:
        first, last = max(0, first), min(lines, last)
        start, end = starts[first], starts[last]
        if (first, last) == (0, lines) or (start < end and _places(text, text[start:end]) == 1):
            return start, end
        first, last = first - 1, last + 1


def _places(text: str, piece: str) -> int:
    """Return at how many places a piece stands in a text: 0, 1, or 2 for more."""
    if not piece:
        return 1 if not text else 2
    first = text.find(piece)
    return 0 if first < 0 else 1 if text.find(piece, first + 1) < 0 else 2


def _spans(path: str, text: str, edits: Sequence[Change]) -> Sequence[_Span]:
    """Return where edits take place in a text, in its order."""
    spans: list[_Span] = []
    for edit in edits:
        piece = edit.before or ""
        if (places := _places(text, piece)) != 1:
            shown = piece.strip()[:_SHOWN]
            words = "does not stand in" if not places else "stands more than once in"
            raise ToolError("does_not_fit", f"This {words} {path}: {shown!r}")
        start = text.find(piece)
        spans.append(_Span(start=start, end=start + len(piece), after=edit.after or ""))
    spans.sort(key=lambda span: span.start)
    for one, other in pairwise(spans):
        if other.start < one.end:
            raise ToolError("does_not_fit", f"Two edits of {path} are about the same lines.")
    return spans


def _pieces(text: str, spans: Sequence[_Span]) -> Iterator[str]:
    yield from _pieces_between(text, spans, 0, len(text))


def _pieces_between(text: str, spans: Sequence[_Span], start: int, end: int) -> Iterator[str]:
    for span in spans:
        yield text[start : span.start]
        yield span.after
        start = span.end
    yield text[start:end]


def _line_starts(text: str) -> Sequence[int]:
    """Return where each line begins, and the text's end; lines end as git has it, with a line feed."""
    starts = [0]
    while (at := text.find("\n", starts[-1])) >= 0:
        starts.append(at + 1)
    return starts if starts[-1] == len(text) and len(starts) > 1 else [*starts, len(text)]


def _line_at(starts: Sequence[int], place: int) -> int:
    """Return the line in which a place of a text is."""
    return max(0, min(bisect_right(starts, place) - 1, len(starts) - 2))
