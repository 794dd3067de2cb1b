"""Which of a plan's own words repeat text that strangers wrote, or that a node returned. Pure.

A model that read such text can write it again without a reference. Two texts are compared without regard to case,
spaces and punctuation: a run of 16 letters and digits in common counts, and so does one shorter word that looks like a
name of something (`web-7`, `a@b.example`, `mk7f3a`), since nobody writes such a word by chance.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from agent.plan.operations import canonical_json
from agent.plan.outcomes import Failed, Outcome, Succeeded
from sandbox.script import Json

RUN_CHARACTERS = 16
"""So many letters and digits in a row, in both texts, are no coincidence."""

MOST_CHARACTERS = 1_000_000
"""Of outside text that is looked through; in more than that anything may stand."""

_SHORTEST_NAME = 5
_NAME_PART = re.compile(r"[\w.@+-]+")
_NO_LETTER = re.compile(r"[\W_]+")
_LONGEST_NUMBER = 6
"""A number with more digits is a name."""


def texts_of(outcome: Outcome, *, keys: bool) -> Iterator[str]:
    """Yield the texts of an outcome that a model was shown; with `keys`, those of objects, too."""
    match outcome:
        case Succeeded(artifact=None, value=value):
            if keys and not isinstance(value, str):
                yield canonical_json(value)
            yield from values_in(value)
        case Succeeded(artifact=artifact) if artifact is not None:
            yield artifact.head
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


def repeats(words: str, outside: Iterable[str]) -> bool:
    """Return whether words repeat something of the outside texts. Takes time in proportion to both."""
    names, runs = set(_names(words)), set(_runs(_plain(words)))
    if not names and not runs:
        return False
    read = 0
    for text in outside:
        read += len(text)
        if read > MOST_CHARACTERS:
            return True
        if any(run in runs for run in _runs(_plain(text))) or any(name in names for name in _names(text)):
            return True
    return False


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
