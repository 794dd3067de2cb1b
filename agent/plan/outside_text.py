"""Which of a plan's own words repeat text that strangers wrote, or that a node returned. Pure.

A model that read such text can write it again without a reference. Two texts are compared without regard to case,
spaces and punctuation: a run of 16 letters and digits in common counts, and so does one shorter word that looks like a
name of something (`web-7`, `a@b.example`, `mk7f3a`), since nobody writes such a word by chance. A part of such a name
counts, too, and so does text that was only written in another way: spelled out, backwards, in a common encoding.
"""

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from agent.plan.operations import canonical_json
from agent.plan.outcomes import Failed, Outcome, Succeeded
from sandbox.script import Json

RUN_CHARACTERS = 16
"""So many letters and digits in a row, in both texts, are no coincidence."""

MOST_WORDS_CHARACTERS = 50_000
"""Of a plan's words that are compared; more of them may repeat anything."""

MOST_CHARACTERS = 1_000_000
"""Of outside text that is looked through; in more than that anything may stand."""

_SHORTEST_NAME = 5
_NAME_PART = re.compile(r"[\w.@+-]+")
_NO_LETTER = re.compile(r"[\W_]+")
_SHORTEST_SPELLED = 7
_SPELLED = range(_SHORTEST_SPELLED, RUN_CHARACTERS)
"""How long a name is that is looked for without what stands between its characters; a longer one is a run."""

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}")
"""A word that may be an encoded one."""

_LONGEST_NUMBER = 6
"""A number with more digits is a name."""


def texts_of(outcome: Outcome, *, keys: bool) -> Iterator[str]:
    """Yield the texts of an outcome that a model was shown; with `keys`, those of objects, too."""
    match outcome:
        case Succeeded(artifact=None, value=value):
            if keys and not isinstance(value, str):
                yield canonical_json(value)
            yield from values_in(value)
            yield from (ref.summary for ref in outcome.files)
        case Succeeded(artifact=artifact) if artifact is not None:
            yield artifact.head
            yield from (ref.summary for ref in (artifact, *outcome.files) if ref.summary)
        case Failed(message=message):
            yield message
        case _:
            return


def values_in(value: Json) -> Iterator[str]:
    """Yield every text and number inside a value as text."""
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield str(value)
        case Mapping():
            for inner in value.values():
                yield from values_in(inner)
        case _:
            for inner in value:
                yield from values_in(inner)


def words_in(value: Json) -> Iterator[str]:
    """Yield every text and number inside a value as text, and the keys of its objects."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield key
                yield from words_in(inner)
        case list() | tuple():
            for inner in value:
                yield from words_in(inner)
        case _:
            yield from values_in(value)


class SearchedText(NamedTuple):
    """An outside text, prepared to be looked through more than once."""

    characters: int
    letters: str
    names: Sequence[str]


def searched(text: str) -> SearchedText:
    """Return a text, prepared for `repeats`."""
    return SearchedText(characters=len(text), letters=_plain(text), names=list(_names(text)))


def repeats(words: str, outside: Iterable[str | SearchedText]) -> bool:
    """Return whether words repeat something of the outside texts. Takes time in proportion to both."""
    if len(words) > MOST_WORDS_CHARACTERS:
        return any(outside)
    readings = list(dict.fromkeys(_readings(words)))
    plain = [_plain(reading) for reading in readings]
    names = {name for reading in readings for name in _names(reading)}
    runs = {run for letters in plain for run in _runs(letters)}
    parts = {name for name in names if len(name) <= RUN_CHARACTERS and _is_piece(name)}
    sizes = {len(part) for part in parts}
    pieces: set[str] = set()
    read = 0
    for found in outside:
        text = searched(found) if isinstance(found, str) else found
        read += text.characters
        if read > MOST_CHARACTERS:
            return True
        if any(run in runs for run in _runs(text.letters)):
            return True
        for name in text.names:
            if name in names or (_is_piece(name) and any(part in parts for part in _parts(name, sizes))):
                return True
            if _is_piece(name) and len(name) in _SPELLED:
                pieces.add(name)
    spelled = {len(piece) for piece in pieces}
    return any(part in pieces for letters in plain for part in _parts(letters, spelled))


def _readings(words: str) -> Iterator[str]:
    """Yield words as they stand, and as whoever takes them apart would read them."""
    shown = unicodedata.normalize("NFKC", words)
    shown = "".join(character for character in shown if unicodedata.category(character) != "Cf")
    yield from (words, shown)
    yield unquote(html.unescape(shown))
    yield shown[::-1]
    yield codecs.encode(shown, "rot13")
    yield from filter(None, (_decoded(found[0]) for found in _ENCODED.finditer(shown)))


def _decoded(word: str) -> str:
    """Return what a word says in hexadecimal, Base32 or Base64, in lines; empty when it is nothing of that."""
    found: list[str] = []
    for decode in (bytes.fromhex, _of_base32, _of_base64):
        try:
            text = decode(word).decode()
        except (ValueError, binascii.Error):
            continue
        found += [text] if text.isprintable() else []
    return "\n".join(found)


def _of_base64(word: str) -> bytes:
    bare = word.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)


def _of_base32(word: str) -> bytes:
    bare = word.rstrip("=").upper()
    return base64.b32decode(bare + "=" * (-len(bare) % 8))


def _parts(text: str, sizes: Iterable[int]) -> Iterator[str]:
    """Yield every part of a text that is of one of the sizes."""
    yield from (text[at : at + size] for size in sizes for at in range(len(text) - size + 1))


def _is_piece(name: str) -> bool:
    """Return whether a name is one of letters and digits in one piece, of which a part tells it."""
    return name.isalnum() and not name.isalpha() and not name.isdecimal()


def _plain(text: str) -> str:
    return _NO_LETTER.sub("", text.casefold())


def _runs(plain: str) -> Iterator[str]:
    for at in range(len(plain) - RUN_CHARACTERS + 1):
        yield plain[at : at + RUN_CHARACTERS]


def _names(text: str) -> Iterator[str]:
    """Yield the words that look like a name of something, and the parts of those that look so."""
    for found in _NAME_PART.finditer(text.casefold()):
        word = found[0].strip(".-+@")
        for part in {word, *re.split(r"[.@+_-]", word)}:
            if len(part) >= _SHORTEST_NAME and _is_name(part):
                yield part


def _is_name(word: str) -> bool:
    if word.isdecimal():
        return len(word) > _LONGEST_NUMBER
    digits = any(map(str.isdecimal, word))
    return digits or "@" in word or any(mark in word[1:-1] for mark in "._-")
