"""Files of a thread: what one line says of a content, who made it, and who may read it. Pure.

A file is never changed. An evicted one leaves a tombstone, which says what it was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.ids import Digest, NodeId, ToolName, UserId
from agent.plan.sources import Source
from sandbox.script import Json

SUMMARY_CHARACTERS = 160
_KEYS_SHOWN = 8
_KEY_CHARACTERS = 24
_LINE_CHARACTERS = 80


class Evicted(StrEnum):
    """Why a content is no longer kept."""

    #: It was older than files are kept.
    AGE = "age"
    #: The files of its run, its thread or its workspace came to more than they may.
    RUN_QUOTA = "run"
    THREAD_QUOTA = "thread"
    TENANT_QUOTA = "tenant"


@dataclass(frozen=True, kw_only=True)
class FileOrigin:
    """The node that made a content, and what follows from that for whoever reads it."""

    turn: int
    node: NodeId
    #: The person whose rights the node had.
    author: UserId
    #: What it read that only the person may see whose rights the call took.
    personal: frozenset[Source] = frozenset()
    #: It may hold text that strangers wrote.
    outside: bool = False

    def path(self, name: str) -> str:
        """Return the file's name in its thread."""
        return f"{self.turn}/{self.node}/{name}"


@dataclass(frozen=True, kw_only=True)
class Eviction:
    """When and why a content was taken away."""

    at: datetime
    why: Evicted


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A file, or the tombstone of one."""

    #: `TURN/NODE/NAME`.
    name: str
    origin: FileOrigin
    digest: Digest
    #: In bytes.
    size: int
    media_type: str
    #: One line.
    summary: str
    made_at: datetime
    evicted: Eviction | None = None

    def denied_to(self, person: UserId) -> list[ToolName]:
        """Return the tools that read in it, with another person's rights, what this one may not see."""
        return sorted({read.tool for read in self.origin.personal if read.author != person})


def summary_of(value: Json) -> str:
    """Return one line that says what a value looks like: an object's keys, a list's length, a text's first line."""
    match value:
        case str():
            return text_summary(value)
        case Mapping():
            return _cut(f"object with {_counted(len(value), 'key')}: {_keys(value)}")
        case list() | tuple():
            first = f"; the first is {_shape(value[0])}" if value else ""
            return _cut(f"list of {len(value)}{first}")
        case _:
            return _cut(json.dumps(value))


def text_summary(text: str) -> str:
    """Return how many lines a text has, and its first one that is not empty."""
    first = next((line for line in text[:4096].splitlines() if line.strip()), "")
    lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    return _cut(
        f"{_counted(lines, 'line')}: {_one_line(first, _LINE_CHARACTERS)}" if first else _counted(lines, "line")
    )


def content_summary(content: bytes, media_type: str) -> str:
    """Return the line for a content as it is stored."""
    text = content.decode(errors="replace")
    if media_type == "application/json":
        try:
            return summary_of(json.loads(text))
        except (ValueError, RecursionError):
            return text_summary(text)
    return text_summary(text)


def _shape(value: Json) -> str:
    match value:
        case Mapping():
            return f"an object with the keys {_keys(value)}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case str():
            return f"a text: {_one_line(value[:4096], _LINE_CHARACTERS)}"
        case _:
            return json.dumps(value)


def _keys(value: Mapping[str, Json]) -> str:
    shown = [_one_line(key, _KEY_CHARACTERS) for key in list(value)[:_KEYS_SHOWN]]
    return ", ".join([*shown, *(["..."] if len(value) > len(shown) else [])])


def _one_line(text: str, characters: int) -> str:
    line = " ".join(text[: 8 * characters].split())
    return line if len(line) <= characters else f"{line[: characters - 3]}..."


def _cut(line: str) -> str:
    line = line.replace("\x00", "\ufffd").encode(errors="replace").decode()
    return line if len(line) <= SUMMARY_CHARACTERS else f"{line[: SUMMARY_CHARACTERS - 3]}..."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
