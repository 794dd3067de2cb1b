"""Patterns: plans over several roles that a planner knows by name, and that people can ask for by name."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from agent.limits import PlanLanguage
from agent.llm.shipped_roles import shipped_roles
from agent.plan.operations import Add, Operation, operation_json
from agent.reading.answer_reader import AnswerReader
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.tool import Registry

_PATTERNS = Path(__file__).parent / "prompts" / "patterns"
_NAMES = ("review", "contest", "team", "round_table", "branch", "map_reduce")
"""In the order in which people and planners read them."""

_MOST_SHOWN = 2
"""Plans that one request shows."""

_BETWEEN = frozenset({"named", "called", "the", "and", "or", "use", "using"})
"""Words that may stand between the word "pattern" and a name."""


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
        return self._called & shipped_roles().keys()

    @property
    def tools(self) -> frozenset[str]:
        """The tools that its own steps call."""
        return self._called & {"reduce_list", "require_passed"}

    @property
    def _called(self) -> frozenset[str]:
        return frozenset(re.findall(r"\b([a-z_]+)\(", self.plan))

    def written_in(self, language: PlanLanguage, registry: Registry) -> str:
        """Return the plan as a model is to write plans."""
        if language is PlanLanguage.PYTHON:
            return self.plan
        reader = AnswerReader(registry, PlanBuilder(registry=registry, known={}), language=PlanLanguage.PYTHON)
        items = [*reader.feed(self.plan), *reader.finish()]
        return "\n".join(
            json.dumps(operation_json(_unnamed(item.operation)), ensure_ascii=False)
            for item in items
            if isinstance(item, Placed)
        )


def _unnamed(operation: Operation) -> Operation:
    """Return an operation whose node has no variable of the plan language."""
    return Add(node=replace(operation.node, name="")) if isinstance(operation, Add) else operation


@cache
def all_patterns() -> Mapping[str, Pattern]:
    """Return name -> pattern."""
    return {name: _read(name) for name in _NAMES}


def _read(name: str) -> Pattern:
    purpose, _, plan = (_PATTERNS / f"{name}.md").read_text(encoding="utf-8").partition("\n\n")
    return Pattern(name=name, purpose=purpose, plan=plan)


def usable_patterns(registry: Registry) -> Sequence[Pattern]:
    """Return the patterns whose roles and tools are all here."""
    return [
        pattern
        for pattern in all_patterns().values()
        if all(registry.role(name) is not None for name in pattern.roles)
        and all(registry.find(name) is not None for name in pattern.tools)
    ]


def named_patterns(text: str, registry: Registry) -> Sequence[Pattern]:
    """Return the patterns that a text names beside the word itself: "pattern review", "as a round table pattern"."""
    said = _named_in(text)
    return [pattern for pattern in usable_patterns(registry) if pattern.name in said][:_MOST_SHOWN] if said else ()


def _named_in(text: str) -> frozenset[str]:
    """Return the names of patterns in a text, whether a name's words are joined or not."""
    words = re.findall(r"[a-z]+", text.lower())
    said: set[str] = set()
    for at, word in enumerate(words):
        if word in ("pattern", "patterns"):
            said |= _names(words[at + 1 :], 1) | _names(words[:at][::-1], -1)
    return frozenset(said)


def _names(words: Sequence[str], step: int) -> set[str]:
    """Return the names at the beginning of words, with no others than joining ones between; `step` -1: backwards."""
    found: set[str] = set()
    at = 0
    while at < len(words):
        pair = "_".join(words[at : at + 2][::step])
        if pair in _NAMES or words[at] in _NAMES:
            found.add(pair if pair in _NAMES else words[at])
            at += 2 if pair in _NAMES else 1
        elif words[at] in (_BETWEEN if step > 0 else {"and", "or"}):
            at += 1
        else:
            break
    return found
