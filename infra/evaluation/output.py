"""A model's output as evaluation makes it up: a plan's operations, and the text they are written as."""

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

Written: TypeAlias = dict[str, Any]
"""An operation as plain JSON; any value may be changed into any other."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """A model's output. `breaks_off`: the connection is lost behind the text."""

    text: str
    breaks_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The plan that is to be distorted, and which tools are red."""

    nodes: list[Written]
    red_tools: AbstractSet[str]


InjectedFault: TypeAlias = Callable[[Draft], Output | None]


def lines(operations: Sequence[Mapping[str, Any]]) -> str:
    """Return operations as a planner writes them."""
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in operations)
