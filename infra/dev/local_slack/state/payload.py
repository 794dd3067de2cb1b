"""JSON as it goes over the wire, and typed access to it."""

import json
from dataclasses import fields
from typing import Any, TypeGuard, TypeVar, cast

JsonObject = dict[str, Any]
_Value = TypeVar("_Value")


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Return whether the value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether the value is a JSON array."""
    return isinstance(value, list)


def object_in(holder: JsonObject, key: str) -> JsonObject:
    """Return the object under `key`, or an empty one when it is missing or something else."""
    value = holder.get(key)
    return value if is_object(value) else {}


def objects_in(holder: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects of the array under `key`; other members are left out."""
    value = holder.get(key)
    return [member for member in value if is_object(member)] if is_list(value) else []


def text_in(holder: JsonObject, key: str) -> str | None:
    """Return the string under `key`, or None when it is missing, empty or something else."""
    value = holder.get(key)
    return value if isinstance(value, str) and value else None


def decoded(text: str) -> Any:
    """Return the JSON value written in `text`, or None when it is no JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def made(kind: type[_Value], values: JsonObject) -> _Value:
    """Return a dataclass from the members of a JSON object that it has fields for."""
    names = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType] - only called with dataclasses
    return kind(**{name: value for name, value in values.items() if name in names})


def copied(value: JsonObject) -> JsonObject:
    """Return a deep copy of a JSON object."""
    return cast("JsonObject", json.loads(json.dumps(value)))
