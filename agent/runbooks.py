"""Runbooks: a team's procedures in Markdown, with a name and a description in front (SKILL.md's format). Pure.

A model sees names and descriptions, and the whole text of one that it asks for. A runbook is the operator's words; it
grants nothing: colours, tools and approvals are as without it.
"""

import re
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
_WANTED = re.compile(r"runbook:?\s+(?P<name>\S{1,64})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """One procedure."""

    name: str
    #: When it is of use.
    description: str
    text: str
    #: The file that it stands in, for people.
    source: str


@dataclass(frozen=True, kw_only=True)
class RunbookUsed:
    """A runbook that a turn was planned with."""

    name: str
    source: str


class NotARunbook(Exception):
    """A file is none; the text says why, for its operator."""


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
    """Return the name of the runbook that a model asks for; None: it asks for tools."""
    found = _WANTED.fullmatch(need.strip())
    return None if found is None else found["name"].strip("`\"'")
