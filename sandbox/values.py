"""JSON values that cross the border of a sandbox: read with limits, never trusted (pure)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NoReturn, cast

from sandbox.script import Job, Json

NESTING = 100
"""Deepest nesting passed on: what is read here is walked by recursive code further up the stack."""


TOO_DEEP = f"nested more than {NESTING} levels deep"

VALUES = 200_000
"""Most values (lists, objects, entries) in one message of a script: each takes memory and time far beyond its text."""

_STRING = re.compile(r'"(?>(?:[^"\\]++|\\.)*)"?', re.DOTALL)
_EXACT_ABOVE = 1000
"""Commas inside strings count as values up to here: the exact count takes longer than the parser."""

_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))


class NotJson(ValueError):
    """The value or text is not JSON, or not JSON this project passes on (NaN, depth, huge numbers)."""


class TooLarge(ValueError):
    """The value's JSON text is longer than allowed. `size` and `limit` are in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes of JSON, more than the {limit} allowed")
        self.size = size
        self.limit = limit


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How much a JSON text holds. Both figures may be too high while they are small."""

    #: Lists, objects and entries.
    values: int
    #: Lists and objects inside each other.
    depth: int


def shape_of(text: str, most_values: int | None) -> Shape:
    """Return the shape of a text that may be hostile, in linear time and without parsing it.

    Raises:
        NotJson: it holds more than `most_values`.
    """
    brackets = text.count("[") + text.count("{")
    values = brackets + text.count(",") + 1
    if brackets <= NESTING and values <= _EXACT_ABOVE:
        return Shape(values=values, depth=brackets)
    structure = _STRING.sub("", text)
    brackets = structure.count("[") + structure.count("{")
    values = brackets + structure.count(",") + 1
    if most_values is not None and values > most_values:
        raise NotJson(f"more than {most_values} values")
    nested = structure.encode("ascii", "replace").translate(None, _NO_BRACKETS)
    return Shape(values=values, depth=max(accumulate(map(_BRACKETS.__getitem__, nested)), default=0))


def read_json(text: str | bytes, *, most_values: int | None = None) -> Json:
    """Parse hostile text. Lone surrogates become U+FFFD, so the value can always be encoded.

    Raises:
        NotJson: a syntax error, NaN or infinity, nesting over `NESTING`, more than `most_values`, a number of
            thousands of digits.
    """
    words = decoded(text)
    if shape_of(words, most_values).depth > NESTING:
        raise NotJson(TOO_DEEP)
    return parsed(words)


def decoded(text: str | bytes) -> str:
    """Return the text, with what is not UTF-8 replaced."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def parsed(text: str) -> Json:
    """Parse a text whose shape is bounded. Everything in here is the library's own loop, however big the text is.

    Raises:
        NotJson: see `read_json`.
    """
    try:
        value: Json = json.loads(text, parse_constant=_refuse_constant)
        if "\\ud" in text or "\\uD" in text or not _encodes(text):
            value = json.loads(clean_text(json.dumps(value, ensure_ascii=False)))
    except NotJson:
        raise
    except RecursionError as error:
        raise NotJson(TOO_DEEP) from error
    except ValueError as error:
        raise NotJson(str(error)) from error
    return value


def plain_json(value: object, limit: int) -> Json:
    """Return a plain copy (dict, list, str, numbers, None) that shares nothing with `value`.

    Raises:
        NotJson: the value has no JSON form, or is nested over `NESTING`.
        TooLarge: its JSON text is over `limit` bytes.
    """
    return read_json(json_text(value, limit))


def check_size(value: object, limit: int) -> None:
    """Walk a value before anything is made of it: a list that holds another one twice holds it twice in JSON.

    Raises:
        NotJson: it holds more than `VALUES`.
        TooLarge: its texts alone are over `limit` characters.
    """
    characters, values = 0, 1
    pending = [value]
    while pending:
        inside: Sequence[object] = ()
        current = pending.pop()
        match current:
            case str():
                characters += len(current)
            case dict():
                entries = cast("dict[object, object]", current)
                characters += sum(len(key) for key in entries if isinstance(key, str))
                inside = list(entries.values())
            case list() | tuple():
                inside = cast("list[object] | tuple[object, ...]", current)
            case _:
                pass
        values += len(inside)
        if characters > limit:
            raise TooLarge(characters, limit)
        if values > VALUES:
            raise NotJson(f"more than {VALUES} values")
        pending.extend(inside)


def inputs_of(job: Job) -> Json:
    """Return a plain copy of the job's inputs; see `inputs_text`."""
    return parsed(inputs_text(job))


def inputs_text(job: Job) -> str:
    """Return the job's inputs as JSON text, checked together with the code's size.

    Raises:
        NotJson: they have no JSON form, or are nested over `NESTING`.
        TooLarge: code and inputs together are over `limits.line_bytes`.
    """
    text = json_text(job.inputs, job.limits.line_bytes - len(job.code.encode("utf-8", "replace")))
    if shape_of(text, None).depth > NESTING:
        raise NotJson(TOO_DEEP)
    return text


def json_text(value: object, limit: int) -> str:
    """Return the value's JSON text in ASCII, so its length counts bytes.

    Raises:
        NotJson: the value has no JSON form.
        TooLarge: it is over `limit` bytes.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), default=_jsonable)
    except RecursionError as error:
        raise NotJson(TOO_DEEP) from error
    except (TypeError, ValueError) as error:
        raise NotJson(str(error)) from error
    if len(text) > limit:
        raise TooLarge(len(text), limit)
    return text


def clean_text(text: str) -> str:
    """Return the text with lone surrogates replaced, so it can be encoded as UTF-8."""
    return text if _encodes(text) else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not JSON")


def _jsonable(value: object) -> object:
    """Return a dict for mappings that are not dicts (read-only views); refuse everything else."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
