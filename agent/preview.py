"""How the arguments of a call look to people: a small closed set of parts, which tools or the rules here make. Pure.

A part names the arguments that it covers. It counts only if it shows each of them whole: otherwise, and where making
it fails, people see the arguments as they are. So a preview can make a card clearer, and can hide nothing.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from sandbox.script import Json

_log = logging.getLogger(__name__)

MOST_COLUMNS = 8
"""A list of objects with more keys is no table."""

_PAIRS = (("before", "after"), ("old", "new"))
"""The words, alone or as the ends of argument names (`old_text`, `new_text`), by which an edit is known."""

_AMBIGUOUS = re.compile(
    r'\A(?:["\[{\s]|\Z|(?:true|false|null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)\Z)'
)
"""A text that reads as another JSON value, or begins with what nobody sees."""

_NOT_IN_CELLS = re.compile(r"[\r\n\t|\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|\s\Z")


@dataclass(frozen=True, kw_only=True)
class MessagePreview:
    """A message as it will look."""

    covers: tuple[str, ...]
    #: `#name` or id.
    channel: str
    #: Slack's mrkdwn.
    text: str

    @property
    def cells(self) -> Iterator[str]:
        """The texts that it shows."""
        yield from (self.channel, self.text)


@dataclass(frozen=True, kw_only=True)
class RequestPreview:
    """The first lines of an HTTP request; its headers and body are arguments of their own."""

    covers: tuple[str, ...]
    method: str
    url: str

    @property
    def cells(self) -> Iterator[str]:
        """The texts that it shows."""
        yield from (self.method, self.url)


@dataclass(frozen=True, kw_only=True)
class TablePreview:
    """Rows of equal objects; every text is a `cell_text`."""

    covers: tuple[str, ...]
    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def cells(self) -> Iterator[str]:
        """The texts that it shows."""
        yield from self.columns
        for row in self.rows:
            yield from row


@dataclass(frozen=True, kw_only=True)
class FieldsPreview:
    """Names with their values, in lines; every text is a `cell_text`."""

    covers: tuple[str, ...]
    name: str
    fields: tuple[tuple[str, str], ...]

    @property
    def cells(self) -> Iterator[str]:
        """The texts that it shows."""
        for field in self.fields:
            yield from field


@dataclass(frozen=True, kw_only=True)
class DiffPreview:
    """An edit of a text."""

    covers: tuple[str, ...]
    name: str
    before: str
    after: str

    @property
    def cells(self) -> Iterator[str]:
        """The texts that it shows."""
        yield from (self.before, self.after)


@dataclass(frozen=True, kw_only=True)
class FileEdit:
    """An edit of one file."""

    path: str
    #: What stands there; None: the file is new.
    before: str | None
    #: What replaces it; None: the file is deleted.
    after: str | None
    #: Whether a new file can be run.
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class FilesPreview:
    """Edits of files: a list of objects with `path` and what of `before`, `after` and `executable` there is."""

    covers: tuple[str, ...]
    edits: tuple[FileEdit, ...]

    @property
    def cells(self) -> Iterator[str]:
        """The texts that it shows, and the keys that its way of showing them says."""
        yield "path"
        for edit in self.edits:
            yield edit.path
            if edit.before is not None:
                yield from ("before", edit.before)
            if edit.after is not None:
                yield from ("after", edit.after)
            if edit.executable:
                yield from ("executable", "true")


Preview: TypeAlias = MessagePreview | RequestPreview | TablePreview | FieldsPreview | DiffPreview | FilesPreview

Previewer: TypeAlias = Callable[[Mapping[str, Json]], Sequence[Preview]]
"""A tool's own previews of its arguments. It may leave out what it has nothing better for, and may raise."""


def previews(args: Mapping[str, Json], of_tool: Previewer | None = None) -> Sequence[Preview]:
    """Return the parts that show arguments better than as they are: the tool's own, then those by the rules here.

    Each argument is covered once at most.
    """
    chosen: list[Preview] = []
    covered: set[str] = set()
    for preview in (*_of_tool(args, of_tool), *_edits(args), *_structures(args)):
        if preview.covers and covered.isdisjoint(preview.covers) and _shows_whole(preview, args):
            covered.update(preview.covers)
            chosen.append(preview)
    return chosen


def cell_text(value: Json) -> str:
    """Return a value as one line of a table. Texts are quoted where they could pass for something else."""
    if isinstance(value, str) and not _AMBIGUOUS.match(value) and not _NOT_IN_CELLS.search(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _of_tool(args: Mapping[str, Json], of_tool: Previewer | None) -> Sequence[Preview]:
    if of_tool is None:
        return ()
    try:
        return tuple(of_tool(args))
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: people see the arguments as they are
        _log.warning("a preview broke (%s)", type(error).__name__)
        return ()


def _shows_whole(preview: Preview, args: Mapping[str, Json]) -> bool:
    cells = frozenset(preview.cells)
    return all(name in args and _is_in(args[name], cells) for name in preview.covers)


def _is_in(value: Json, cells: AbstractSet[str]) -> bool:
    """Return whether the texts hold a value: as a whole, or each key and each part of it."""
    if (isinstance(value, str) and value in cells) or cell_text(value) in cells:
        return True
    match value:
        case Mapping():
            return bool(value) and all(cell_text(key) in cells and _is_in(part, cells) for key, part in value.items())
        case list() | tuple():
            return bool(value) and all(_is_in(part, cells) for part in value)
        case _:
            return False


def _edits(args: Mapping[str, Json]) -> Iterator[Preview]:
    for name, before in args.items():
        for first, second in _PAIRS:
            other = _counterpart(name, first, second)
            after = args.get(other) if other else None
            if isinstance(before, str) and isinstance(after, str) and before and after:
                what = name.removeprefix(f"{first}_").removesuffix(f"_{first}")
                yield DiffPreview(covers=(name, other), name="" if what == name else what, before=before, after=after)


def _counterpart(name: str, first: str, second: str) -> str:
    """Return the name of the argument with the other half of an edit; empty when this is no first half."""
    if name == first:
        return second
    if name.startswith(f"{first}_"):
        return f"{second}_{name.removeprefix(f'{first}_')}"
    return f"{name.removesuffix(f'_{first}')}_{second}" if name.endswith(f"_{first}") else ""


def _structures(args: Mapping[str, Json]) -> Iterator[Preview]:
    for name, value in args.items():
        if isinstance(value, Mapping):
            if value and not any(isinstance(part, Mapping | list | tuple) for part in value.values()):
                fields = tuple((cell_text(key), cell_text(part)) for key, part in value.items())
                yield FieldsPreview(covers=(name,), name=name, fields=fields)
        elif isinstance(value, list | tuple) and (table := _table(name, value)) is not None:
            yield table


def _table(name: str, rows: Sequence[Json]) -> TablePreview | None:
    """Return a table of two or more objects with the same keys."""
    objects = [row for row in rows if isinstance(row, Mapping)]
    if len(rows) < 2 or len(objects) < len(rows) or not 0 < len(objects[0]) <= MOST_COLUMNS:
        return None
    columns = tuple(objects[0])
    if any(set(row) != set(columns) for row in objects):
        return None
    return TablePreview(
        covers=(name,),
        name=name,
        columns=tuple(map(cell_text, columns)),
        rows=tuple(tuple(cell_text(row[column]) for column in columns) for row in objects),
    )
