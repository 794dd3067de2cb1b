"""JSON values that cross the border of a sandbox: read with limits, never trusted (pure)."""

import json
from collections.abc import Mapping
from typing import NoReturn, cast

from sandbox.script import Job, Json

NESTING = 100
"""Deepest nesting passed on: what is read here is walked by recursive code further up the stack."""


class NotJson(ValueError):
    """The value or text is not JSON, or not JSON this project passes on (NaN, depth, huge numbers)."""


class TooLarge(ValueError):
    """The value's JSON text is longer than allowed. `size` and `limit` are in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes of JSON, more than the {limit} allowed")
        self.size = size
        self.limit = limit


def read_json(text: str | bytes) -> Json:
    """Parse hostile text. Lone surrogates become U+FFFD, so the value can always be encoded.

    Raises:
        NotJson: a syntax error, NaN or infinity, nesting over `NESTING`, a number of thousands of
            digits.
    """
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    try:
        value: Json = json.loads(words, parse_constant=_refuse_constant)
    except NotJson:
        raise
    except RecursionError as error:
        raise NotJson("nested too deeply") from error
    except ValueError as error:
        raise NotJson(str(error)) from error
    if words.count("[") + words.count("{") > NESTING:
        _check_nesting(value)
    return _clean(value) if "\\ud" in words or "\\uD" in words or not _encodes(words) else value


def plain_json(value: object, limit: int) -> Json:
    """Return a plain copy (dict, list, str, numbers, None) that shares nothing with `value`.

    Raises:
        NotJson: the value has no JSON form.
        TooLarge: its JSON text is over `limit` bytes.
    """
    return read_json(json_text(value, limit))


def inputs_of(job: Job) -> Json:
    """Return a plain copy of the job's inputs, checked together with the code's size.

    Raises:
        NotJson: they have no JSON form.
        TooLarge: code and inputs together are over `limits.line_bytes`.
    """
    return plain_json(job.inputs, job.limits.line_bytes - len(job.code.encode("utf-8", "replace")))


def json_text(value: object, limit: int) -> str:
    """Return the value's JSON text in ASCII, so its length counts bytes.

    Raises:
        NotJson: the value has no JSON form.
        TooLarge: it is over `limit` bytes.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), default=_jsonable)
    except RecursionError as error:
        raise NotJson("nested too deeply") from error
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


def _check_nesting(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(NESTING):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return
    raise NotJson("nested too deeply")


def _children(value: Json) -> list[Json]:
    """Return the containers directly inside a container."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return value
