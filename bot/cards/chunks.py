"""What would run, in pieces that fit a block; put together, those of an argument are its full value. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot import wording
from bot.cards.call_preview import message_runs
from bot.elements import Block, plain, preformatted, quote, rich_text, sent_size
from bot.visibility import visible
from sandbox.script import Json

CHUNK_SIZE = 2500
"""Of a piece, as `sent_size` counts."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of one argument that fits a block."""

    name: str
    #: What the value is, where its text does not show it: `number`, `list`, ...
    note: str
    text: str
    #: From 1.
    part: int
    #: How many pieces the argument has.
    parts: int
    #: It is a message, to be shown as it will look.
    is_message: bool = False


def argument_chunks(args: Mapping[str, Json]) -> Iterator[Chunk]:
    """Yield every argument in order, whole: the texts of one name put together are its full value."""
    for name, value in args.items():
        text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
        yield from text_chunks(visible(name), _note(value), text or wording.EMPTY)


def text_chunks(name: str, note: str, text: str) -> Iterator[Chunk]:
    """Yield a visible text in pieces that fit a block; an empty one is one piece."""
    pieces = list(_pieces(text))
    for part, piece in enumerate(pieces, start=1):
        yield Chunk(name=name, note=note, text=piece, part=part, parts=len(pieces))


def _note(value: Json) -> str:
    match value:
        case "":
            return "empty text"
        case str():
            return ""
        case None:
            return "nothing"
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case Mapping():
            return "object"
        case _:
            return "list"


def _pieces(text: str) -> Iterator[str]:
    """Cut text into pieces of at most CHUNK_SIZE, at line ends where there are any."""
    start, size = 0, 0
    for at, character in enumerate(text):
        size += sent_size(character)
        if size > CHUNK_SIZE:
            newline = text.rfind("\n", start + 1, at)
            end = newline + 1 if newline > start else at
            yield text[start:end]
            start, size = end, sent_size(text[end : at + 1])
    yield text[start:]


def chunk_block(chunk: Chunk) -> Block:
    """Return a chunk under its name."""
    part = f", part {chunk.part} of {chunk.parts}" if chunk.parts > 1 else ""
    note = f" ({chunk.note})" if chunk.note else ""
    text = quote(message_runs(chunk.text)) if chunk.is_message else preformatted(chunk.text)
    return rich_text([plain(f"{chunk.name}{note}{part}", bold=True), text])
