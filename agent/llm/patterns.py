"""Patterns: plans over several roles that a planner knows by name, and that people can ask for by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.llm.shipped_roles import shipped_roles
from agent.tool import Registry

_PATTERNS = Path(__file__).parent / "prompts" / "patterns"
_NAMES = ("review", "contest", "team", "round_table", "branch", "map_reduce")
"""In the order in which people and planners read them."""

_MOST_SHOWN = 2
"""Plans that one request shows."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A plan with places to fill in, in capital letters."""

    name: str
    #: One line for people and for the planner.
    purpose: str
    #: In the plan language.
    plan: str

    @property
    def spoken(self) -> str:
        """The name as people write it."""
        return self.name.replace("_", "-")

    @property
    def roles(self) -> frozenset[str]:
        """The roles that it gives work to."""
        return frozenset(re.findall(r"\b([a-z]+)\(", self.plan)) & shipped_roles().keys()


@cache
def all_patterns() -> Mapping[str, Pattern]:
    """Return name -> pattern."""
    return {name: _read(name) for name in _NAMES}


def _read(name: str) -> Pattern:
    purpose, _, plan = (_PATTERNS / f"{name}.md").read_text(encoding="utf-8").partition("\n\n")
    return Pattern(name=name, purpose=purpose, plan=plan)


def usable_patterns(registry: Registry) -> Sequence[Pattern]:
    """Return the patterns whose roles are all here."""
    return [
        pattern for pattern in all_patterns().values() if all(registry.role(name) is not None for name in pattern.roles)
    ]


def named_patterns(text: str, registry: Registry) -> Sequence[Pattern]:
    """Return the patterns that a request names, as in "pattern review" or "as a round-table pattern"."""
    words = re.findall(r"[a-z]+(?:[-_][a-z]+)?", text.lower())
    if not {"pattern", "patterns"} & {*words}:
        return ()
    said = {word.replace("-", "_") for word in words}
    return [pattern for pattern in usable_patterns(registry) if pattern.name in said][:_MOST_SHOWN]
