"""Runbooks: a team's procedures in Markdown, with a name and a description in front (SKILL.md's format). Pure.

A model sees names and descriptions, and the whole text of one that it asks for. A runbook of a file is the operator's
words; that of a canvas is anybody's who may edit it, and counts as outside text. Both grant nothing: colours, tools and
approvals are as without them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SAVE_RUNBOOK = "save_runbook"
"""The name of the tool that writes one."""

LONGEST = 32 * 1024
"""Characters of one runbook."""

MOST = 200
"""Runbooks of an installation."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEY = re.compile(r"(?P<key>[A-Za-z][\w-]{0,63}):(?:[ \t]+(?P<value>.*))?")
_FENCE = "---"
_DESCRIPTION_CHARACTERS = 1024
_CANVAS_DESCRIPTION_CHARACTERS = 300
_NAME_CHARACTERS = 60
_TITLE_CHARACTERS = 100
_CODE_FENCE = "```"
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
"""A mark that Markdown escapes."""

_WANTED = re.compile(r"(?:(?:an?|the) )?runbooks?\b:?(?P<what>.*)", re.IGNORECASE | re.DOTALL)
_WISH_CHARACTERS = 400


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """One procedure."""

    name: str
    #: When it is of use.
    description: str
    text: str
    #: The file that it stands in, or its canvas's title, for people.
    source: str
    #: Where people read the canvas that it is, or its id; empty: it is a file of the operator's.
    canvas: str = ""


@dataclass(frozen=True, kw_only=True)
class RunbookUsed:
    """A runbook that a turn was planned with."""

    name: str
    source: str
    #: As `Runbook.canvas`.
    canvas: str = ""
    #: Of a canvas: what models were shown of it.
    shown: str = ""
    #: Whether that is all of it; else they saw it in the list alone.
    whole: bool = True


def used(book: Runbook, *, whole: bool) -> RunbookUsed:
    """Return what is kept of a runbook that a model was shown, whole or in a list."""
    parts = (book.name, book.source, book.description, *((book.text,) if whole else ()))
    shown = "\n".join(parts) if book.canvas else ""
    return RunbookUsed(name=book.name, source=book.source, canvas=book.canvas, shown=shown, whole=whole)


class NotARunbook(Exception):
    """A file or canvas is none; the text says why, for the operator."""


def read_runbook(text: str, source: str) -> Runbook:
    """Return what a file holds.

    Raises:
        NotARunbook: it is too long, or its front matter lacks a name or a description.
    """
    if len(text) > LONGEST:
        raise NotARunbook(f"{source}: longer than {LONGEST} characters")
    lines = text.lstrip("\ufeff").splitlines()
    ends = [at for at, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE]
    if not lines or lines[0].rstrip() != _FENCE or not ends:
        raise NotARunbook(f"{source}: it does not begin with front matter between two lines of ---")
    matter = _matter(lines[1 : ends[0]])
    name, description = matter.get("name", ""), matter.get("description", "")
    if not _NAME.fullmatch(name):
        raise NotARunbook(f"{source}: its name is not of small letters, digits and -")
    if not description or len(description) > _DESCRIPTION_CHARACTERS:
        raise NotARunbook(f"{source}: it needs a description of at most {_DESCRIPTION_CHARACTERS} characters")
    body = "\n".join(lines[ends[0] + 1 :]).strip()
    return Runbook(name=name, description=description, text=body, source=source)


def read_canvas(text: str, *, title: str, id: str, link: str) -> Runbook:
    """Return what a canvas holds, in Markdown.

    Its front matter is at the top, below a heading at most: between two lines of --- or other rules, which a canvas
    makes of them, or in a block of code. What it lacks is the canvas's title and first paragraph.

    Raises:
        NotARunbook: it is empty or too long.
    """
    source = _cut(title, _TITLE_CHARACTERS) or id
    if len(text) > LONGEST:
        raise NotARunbook(f"the canvas {id}: longer than {LONGEST} characters")
    matter, body = _parted(text.lstrip("\ufeff").splitlines())
    words = "\n".join(body).strip()
    if not words:
        raise NotARunbook(f"the canvas {id}: it is empty")
    given, titled = matter.get("name", ""), _slug(source)
    name = given if _NAME.fullmatch(given) else titled or f"canvas-{_slug(id)}"
    description = matter.get("description", "") or _first_paragraph(body) or source
    described = _cut(description, _CANVAS_DESCRIPTION_CHARACTERS)
    return Runbook(name=name, description=described, text=words, source=source, canvas=link or id)


def _parted(lines: Sequence[str]) -> tuple[Mapping[str, str], Sequence[str]]:
    """Return a canvas's front matter and what comes after it; without one nothing and all of it."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if len(filled) > 1 and lines[filled[0]].startswith("# "):
        del filled[0]
    if not filled:
        return {}, lines
    first = filled[0]
    is_end = _ends_code if lines[first].startswith(_CODE_FENCE) else _is_rule if _is_rule(lines[first]) else None
    end = next((at for at in filled[1:] if is_end is not None and is_end(lines[at])), None)
    if end is None:
        return {}, lines
    matter = _matter([_ESCAPED.sub(r"\1", line) for line in lines[first + 1 : end] if line.strip()])
    if not matter.keys() & {"name", "description"}:
        return {}, lines
    return matter, [*lines[:first], *lines[end + 1 :]]


def _ends_code(line: str) -> bool:
    return line.rstrip() == _CODE_FENCE


def _is_rule(line: str) -> bool:
    marks = line.replace(" ", "").rstrip()
    return len(marks) >= len(_FENCE) and marks in (mark * len(marks) for mark in "-*_")


def _first_paragraph(lines: Sequence[str]) -> str:
    found: list[str] = []
    for line in lines:
        words = line.strip()
        if words and not words.startswith(("#", _CODE_FENCE)) and not _is_rule(words):
            found.append(words)
        elif found:
            break
    return " ".join(found)


def _cut(text: str, characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:_NAME_CHARACTERS].strip("-")


def _matter(lines: list[str]) -> dict[str, str]:
    """Return the plain keys of front matter; an indented line goes on with the value above it."""
    found: dict[str, str] = {}
    key = ""
    for line in lines:
        if line[:1] in (" ", "\t") and key:
            found[key] = f"{found[key]} {line.strip()}".strip()
        elif (match := _KEY.fullmatch(line.rstrip())) is not None:
            key = match["key"]
            value = (match["value"] or "").strip()
            found[key] = "" if value in (">", "|", ">-", "|-") else value
        else:
            key = ""
    return {key: _unquoted(value) for key, value in found.items()}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def wanted(need: str) -> str | None:
    """Return which runbook a model asks for: its name, or what it is about; None: it asks for tools."""
    found = _WANTED.match(" ".join(need[:_WISH_CHARACTERS].split()))
    return None if found is None else found["what"].strip(" `\"':")
