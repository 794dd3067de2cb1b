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
    """A model's output."""

    text: str
    #: The connection is lost behind the text.
    breaks_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The plan that gets a fault."""

    nodes: list[Written]
    red_tools: AbstractSet[str]


InjectedFault: TypeAlias = Callable[[Draft], Output | None]


def lines(operations: Sequence[Mapping[str, Any]]) -> str:
    """Return operations as a planner writes them."""
    return "".join(json.dumps(operation, ensure_ascii=False) + "\n" for operation in operations)
