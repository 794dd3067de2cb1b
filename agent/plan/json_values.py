"""JSON values from outside: checks whether they can be stored, and replaces characters that cannot.

Everything stored must survive Postgres (no NUL, no lone surrogate), LangGraph's msgpack (integers
of 64 bits) and a recursion over its levels.
"""

import math
import re
from collections.abc import Mapping
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

    With `strict_text`, a text that `sanitized` would change is an issue too. Never recurses.
    """
    pending: list[tuple[str, object, int]] = [("", value, 0)]
    while pending:
        at, current, depth = pending.pop()
        if depth > max_depth:
            return JsonIssue(pointer=at, message=f"nested deeper than {max_depth} levels")
        if isinstance(current, dict):
            for key, inner in cast("dict[object, object]", current).items():
                if not isinstance(key, str):
                    return JsonIssue(pointer=at, message="an object's key is not a string")
                if strict_text and _UNSTORABLE.search(key):
                    return JsonIssue(pointer=at, message="a key holds a NUL or a lone surrogate")
                pending.append((f"{at}/{pointer_token(key)}", inner, depth + 1))
        elif isinstance(current, list | tuple):
            elements = cast("list[object] | tuple[object, ...]", current)
            pending.extend((f"{at}/{index}", inner, depth + 1) for index, inner in enumerate(elements))
        elif (message := _scalar_issue(current, strict_text=strict_text)) is not None:
            return JsonIssue(pointer=at, message=message)
    return None


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
