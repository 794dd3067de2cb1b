"""A figure, as every bench prints it."""

from collections.abc import Mapping
from typing import TypeAlias

Figure: TypeAlias = Mapping[str, object]
"""`bench`, `name`, `value`, `unit`, `aim` ({"max": x}, {"min": x} or null), `ratio_to` (another figure's name)."""


def figure(
    bench: str,
    name: str,
    value: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    ratio_to: str | None = None,
) -> Figure:
    """Return one figure; `at_most` is what it should not exceed, `at_least` what it should reach."""
    bounds = {"max": at_most, "min": at_least}
    aim = {bound: value for bound, value in bounds.items() if value is not None} or None
    return {"bench": bench, "name": name, "value": round(value, 3), "unit": unit, "aim": aim, "ratio_to": ratio_to}


def missed(figure: Figure) -> bool:
    """Return whether a figure misses its aim."""
    value, aim = figure["value"], figure["aim"]
    if not isinstance(value, float | int) or not isinstance(aim, Mapping):
        return False
    most, least = aim.get("max"), aim.get("min")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # plain JSON
    return (isinstance(most, float | int) and value > most) or (isinstance(least, float | int) and value < least)
