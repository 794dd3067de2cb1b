"""The fields of Slack's payloads, read one by one: what is missing or of another type is as good as empty."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

Payload: TypeAlias = Mapping[str, Any]
"""A body as bolt parsed it: outside data, typed by the readers of `payloads` and `stop_payloads` and nowhere else."""

_NOTHING: Payload = {}


def text_in(payload: Payload, key: str) -> str:
    """Return the text at `key`."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def part_in(payload: Payload, key: str) -> Payload:
    """Return the object at `key`."""
    return _mapping(payload.get(key))


def first_in(payload: Payload, key: str) -> Payload:
    """Return the first object of the list at `key`."""
    return next(_parts(payload, key), _NOTHING)


def _parts(payload: Payload, key: str) -> Iterator[Payload]:
    value = payload.get(key)
    return map(_mapping, cast("list[object]", value)) if isinstance(value, list) else iter(())


def _mapping(value: object) -> Payload:
    return cast("Payload", value) if isinstance(value, Mapping) else _NOTHING
