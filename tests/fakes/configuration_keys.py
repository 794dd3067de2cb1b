"""The keys that the configuration file may have, found in the classes it is validated against."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from infra.tools.secret import Secret

BESIDE = "providers"
"""The field of tables that stand beside the other keys of their own table."""


def table_of(annotation: Any) -> tuple[type, bool] | None:
    """Return the TOML table a field holds, and whether it holds many of them by name; a secret is a value."""
    if annotation is Secret:
        return None
    if isinstance(annotation, type) and (hasattr(annotation, "model_fields") or is_dataclass(annotation)):
        return annotation, False
    if get_origin(annotation) in (Union, UnionType):
        return next((found for part in get_args(annotation) if (found := table_of(part)) is not None), None)
    if get_origin(annotation) in (dict, Mapping):
        inner = table_of(get_args(annotation)[1])
        return None if inner is None else (inner[0], True)
    return None


def defaults_of(table: type) -> Mapping[str, object]:
    """Return the keys of a table with their defaults; `MISSING` where there is none."""
    if issubclass(table, BaseModel):
        defaults = {name: info.get_default(call_default_factory=True) for name, info in table.model_fields.items()}
        return {name: MISSING if default is PydanticUndefined else default for name, default in defaults.items()}
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(cast("Any", table))
        if "internal" not in field.metadata
    }


def keys(table: type, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of the configuration file with its default."""
    types = get_type_hints(table)
    for name, default in defaults_of(table).items():
        if (held := table_of(types[name])) is not None:
            inner, by_name = held
            beside = before if name == BESIDE else f"{before}{name}."
            yield from keys(inner, f"{beside}{'NAME.' if by_name else ''}")
        else:
            yield f"{before}{name}", default
