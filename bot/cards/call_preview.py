"""The parts of a preview as a card shows them: a message as it will look, a request's first lines, tables, a diff.

Pure. All texts are made visible here, and none is shortened.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import assert_never
from urllib.parse import urlsplit

from agent.preview import (
    DiffPreview,
    FieldsPreview,
    FileEdit,
    FilesPreview,
    MessagePreview,
    Preview,
    RequestPreview,
    TablePreview,
)
from bot import wording
from bot.elements import Block, run
from bot.visibility import visible

WIDEST_TABLE = 60
"""A table of longer lines, in characters, is shown row by row."""

_COMPARED_LINES = 60
"""Longer changed parts of an edit are shown as taken out and put in, uncompared: comparing takes cubic time."""

_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,20}")
_LINK = re.compile(r"<(https?://[^<>|\s]+)(?:\|([^<>|]*))?>")
_STYLED = re.compile(r"(?<![\w*_~`])([*_~`])(?![\s*_~`])([^*_~`\n]++)(?<!\s)\1(?![\w*_~`])")
_STYLES = {"*": "bold", "_": "italic", "~": "strike", "`": "code"}


@dataclass(frozen=True, kw_only=True)
class PreviewPart:
    """A labelled text of a preview."""

    label: str
    text: str
    #: It is a message, to be shown as it will look.
    is_message: bool = False


def parts_of(preview: Preview, names: Mapping[str, str]) -> Iterator[PreviewPart]:
    """Yield the parts of a preview; `names` is id -> name of the channels and people in it."""
    match preview:
        case MessagePreview():
            label = wording.message_to(visible(_channel(preview.channel, names)))
            yield PreviewPart(label=label, text=visible(preview.text), is_message=True)
        case RequestPreview():
            host = visible(_host(preview.url)) or wording.NO_HOST
            label = wording.request_to(visible(preview.method), host)
            yield PreviewPart(label=label, text=f"{visible(preview.method)} {visible(preview.url)}")
        case TablePreview():
            label = f"{visible(preview.name)} ({wording.counted(len(preview.rows), 'row')})"
            yield PreviewPart(label=label, text=_table(preview))
        case FieldsPreview():
            yield PreviewPart(label=visible(preview.name), text=_lines(preview.fields))
        case DiffPreview():
            label = wording.change_of(visible(preview.name))
            yield PreviewPart(label=label, text=difference(visible(preview.before), visible(preview.after)))
        case FilesPreview():
            yield from map(_file_edit, preview.edits)
        case _:
            assert_never(preview)


def message_runs(text: str) -> Sequence[Block]:
    """Return a message's text as runs of rich text, with the styles that Slack gives it.

    Nothing is lost: a link shows its address beside its label, and what may be styled otherwise stays as written.
    """
    if "```" in text:
        return [run(text)]
    return [piece for at, part in enumerate(_linked(text)) for piece in ([run(part)] if at % 2 else _styled(part))]


def _linked(text: str) -> Iterator[str]:
    """Yield text and link by turns; a link as `label (address)`."""
    end = 0
    for found in _LINK.finditer(text):
        yield text[end : found.start()]
        yield f"{found[2]} ({found[1]})" if found[2] else found[1]
        end = found.end()
    yield text[end:]


def _styled(text: str) -> Iterator[Block]:
    end = 0
    for found in _STYLED.finditer(text):
        if before := text[end : found.start()]:
            yield run(before)
        yield run(found[2], _STYLES[found[1]])
        end = found.end()
    if rest := text[end:]:
        yield run(rest)


def _channel(channel: str, names: Mapping[str, str]) -> str:
    name = names.get(channel, "") if _CHANNEL.fullmatch(channel) else ""
    return f"#{name} ({channel})" if name else channel


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _table(preview: TablePreview) -> str:
    head, *rows = [[visible(cell) for cell in row] for row in (preview.columns, *preview.rows)]
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    if sum(widths) + 3 * len(widths) > WIDEST_TABLE:
        numbered = enumerate(rows, start=1)
        return "\n".join(f"{number}.\n{_indented(zip(head, row, strict=True))}" for number, row in numbered)
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    rule = "-+-".join("-" * width for width in widths)
    return "\n".join(line.rstrip() for line in (lines[0], rule, *lines[1:]))


def _indented(fields: Iterator[tuple[str, str]]) -> str:
    return "\n".join(f"   {name}: {value}" for name, value in fields)


def _lines(fields: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{visible(name)}: {visible(value)}" for name, value in fields)


def _file_edit(edit: FileEdit) -> PreviewPart:
    path = visible(edit.path)
    if edit.before is None:
        label = wording.new_file(path, executable=edit.executable)
        return PreviewPart(label=label, text=_marked("+ ", visible(edit.after or "")))
    if edit.after is None:
        return PreviewPart(
            label=wording.deleted_file(path, executable=edit.executable), text=_marked("- ", visible(edit.before))
        )
    return PreviewPart(label=wording.change_of(path), text=difference(visible(edit.before), visible(edit.after)))


def _marked(mark: str, text: str) -> str:
    return "\n".join(f"{mark}{line}" for line in text.split("\n"))


def difference(before: str, after: str) -> str:
    """Return both texts line by line: `- ` is taken out, `+ ` is put in, the others stay."""
    old, new = before.split("\n"), after.split("\n")
    begin = _common(old, new)
    end = _common(old[begin:][::-1], new[begin:][::-1])
    taken, put = old[begin : len(old) - end], new[begin : len(new) - end]
    changed = list(_compared(taken, put))
    kept_before, kept_after = old[:begin], old[len(old) - end :]
    return "\n".join([*(f"  {line}" for line in kept_before), *changed, *(f"  {line}" for line in kept_after)])


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many lines two texts have in common at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def _compared(taken: Sequence[str], put: Sequence[str]) -> Iterator[str]:
    if max(len(taken), len(put)) > _COMPARED_LINES:
        yield from (f"- {line}" for line in taken)
        yield from (f"+ {line}" for line in put)
        return
    for tag, a, b, c, d in SequenceMatcher(None, taken, put, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (f"  {line}" for line in taken[a:b])
        else:
            yield from (f"- {line}" for line in taken[a:b])
            yield from (f"+ {line}" for line in put[c:d])
