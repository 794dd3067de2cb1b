"""JSON values from outside: checks whether they can be stored, and replaces characters that cannot.

Everything stored must survive Postgres (no NUL, no lone surrogate), LangGraph's msgpack (integers
of 64 bits) and a recursion over its levels.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from agent.plan.references import pointer_token
from sandbox.script import Json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INT_LIMIT = 2**63


@dataclass(frozen=True, kw_only=True)
class JsonIssue:
    """Why a value cannot be stored."""

    #: A JSON pointer into the value.
    pointer: str
    message: str


def json_issue_in(value: object, max_depth: int = 64, *, strict_text: bool = False) -> JsonIssue | None:
    """Return the first reason why `value` is not JSON that can be stored, or None.

    With `strict_text`, a text that `sanitized` would change is an issue too. Never goes deeper than `max_depth`.
    """

    def issue(value: object, depth: int) -> tuple[list[str], str] | None:
        """Return the place, its last part first, and the message. Without an issue nothing is built: values are big."""
        inside: Iterable[tuple[object, object]]
        if depth > max_depth:
            return [], f"nested deeper than {max_depth} levels"
        if isinstance(value, dict):
            inside = cast("dict[object, object]", value).items()
            for key in cast("dict[object, object]", value):
                if not isinstance(key, str):
                    return [], "an object's key is not a string"
                if strict_text and _UNSTORABLE.search(key):
                    return [], "a key holds a NUL or a lone surrogate"
        elif isinstance(value, list | tuple):
            inside = enumerate(cast("Sequence[object]", value))
        else:
            message = _scalar_issue(value, strict_text=strict_text)
            return None if message is None else ([], message)
        for key, inner in inside:
            # What most elements are: a call for each takes as long as all the rest.
            if (kind := type(inner)) is str and not strict_text:
                continue
            if kind is int and -_INT_LIMIT <= cast("int", inner) < _INT_LIMIT:
                continue
            if (found := issue(inner, depth + 1)) is not None:
                found[0].append(pointer_token(str(key)))
                return found
        return None

    if (found := issue(value, 0)) is None:
        return None
    return JsonIssue(pointer="".join(f"/{part}" for part in reversed(found[0])), message=found[1])


def _scalar_issue(value: object, *, strict_text: bool) -> str | None:
    match value:
        case None | bool():
            return None
        case int():
            return None if -_INT_LIMIT <= value < _INT_LIMIT else "an integer of more than 64 bits"
        case float():
            return None if math.isfinite(value) else "NaN or an infinity"
        case str():
            return "a text with a NUL or a lone surrogate" if strict_text and _UNSTORABLE.search(value) else None
        case _:
            return f"a {type(value).__name__} is not JSON"


def at_most(value: object, elements: int) -> bool:
    """Return whether a value has at most so many elements; 64 characters of text count as one."""
    pending = [value]
    left = elements - 1
    while pending and left >= 0:
        current = pending.pop()
        if isinstance(current, str):
            left -= len(current) // 64
        elif isinstance(current, dict | list | tuple):
            inside = cast("Sequence[object] | dict[object, object]", current)
            if (left := left - len(inside)) >= 0:
                pending.extend(inside.values() if isinstance(inside, dict) else inside)
    return left >= 0


def fits(value: Json, max_bytes: int) -> bool:
    """Return whether a value's JSON has at most `max_bytes`. A larger value costs no more than one at the bound."""
    return least_bytes(value, max_bytes) <= max_bytes and len(_compact(value).encode()) <= max_bytes


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def least_bytes(value: Json, most: int) -> int:
    """Return at most the bytes of a value's JSON; where they pass `most`, counting ends."""
    match value:
        case str():
            return len(value) + 2
        case Mapping():
            total = 2
            for key, inner in value.items():
                total += len(key) + 4 + least_bytes(inner, most - total)
                if total > most:
                    break
            return total
        case list() | tuple():
            total = 1 + max(len(value), 1)
            for inner in value if total <= most else ():
                total += least_bytes(inner, most - total)
                if total > most:
                    break
            return total
        case _:
            return 1


def plain_json(value: Json) -> tuple[Json, int]:
    """Return a copy of a value without an issue, its text sanitized, and the bytes of its JSON."""
    text = _compact(value)
    if "\\u0000" in text or _UNSTORABLE.search(text):
        value = sanitized(value)
        return value, len(_compact(value).encode())
    return json.loads(text), len(text.encode())


def sanitized(value: Json) -> Json:
    """Return the value with every NUL and lone surrogate as U+FFFD. For values without an issue."""
    match value:
        case str():
            return sanitized_text(value)
        case Mapping():
            return {sanitized_text(key): sanitized(inner) for key, inner in value.items()}
        case list() | tuple():
            return [sanitized(inner) for inner in value]
        case _:
            return value


def sanitized_text(text: str) -> str:
    """Return the text with every NUL and lone surrogate as U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def truncated(text: str, characters: int) -> str:
    """Return the text whole, or its beginning and end around a mark that says how much is left out."""
    if len(text) <= characters:
        return text
    tail = characters // 2
    head = characters - tail
    return f"{text[:head]}\n[... {len(text) - head - tail} characters left out ...]\n{text[-tail:]}"


def ending(text: str, characters: int) -> str:
    """Return the text whole, or its end after a mark that says how much is left out."""
    if len(text) <= characters:
        return text
    return f"[... {len(text) - characters} characters left out ...]\n{text[-characters:]}"
