"""The rules of a policy: which of them decides about a call, and what it says. Pure.

The first rule that is about the call decides. A condition that cannot be evaluated never lets a call run: a rule
that asks then asks, and behind any other one nothing is allowed any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, TypeAlias

from agent.approval import Policies, Requirement
from agent.ids import ToolName
from agent.policy.facts import CallFacts
from sandbox.script import Json


class NotEvaluated(Exception):
    """A condition has no value for these facts; the text says why and holds none of them."""


class Condition(Protocol):
    """A compiled condition."""

    def holds(self, facts: CallFacts) -> bool:
        """Return whether the facts meet it, within a bounded time.

        Raises:
            NotEvaluated: see the class.
        """
        ...


class Effect(StrEnum):
    """What a rule does with a call."""

    #: It runs unasked.
    ALLOW = "allow"
    #: People are asked.
    ASK = "ask"
    #: It does not run.
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule."""

    name: str
    #: Names, or patterns in which `*` stands for any characters; empty: every tool.
    tools: tuple[str, ...] = ()
    #: Ids, or names with `#`; empty: every channel.
    channels: tuple[str, ...] = ()
    #: Argument -> the values it may have for the rule to be about the call.
    targets: Mapping[str, Sequence[Json]] = field(default_factory=dict[str, Sequence[Json]])
    #: None: it always holds.
    condition: Condition | None = None
    effect: Effect
    #: What a refusal says.
    words: str = ""
    #: What it takes when it asks.
    requirement: Requirement = field(default_factory=Requirement)
    #: `file:line`; empty: not known.
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """What the policy says of a call."""

    #: None: the table `[approvals]` decided.
    rule: Rule | None
    effect: Effect
    #: With `allowed` when the call runs unasked.
    requirement: Requirement
    #: Rules whose condition could not be evaluated.
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PolicySet:
    """The whole policy."""

    rules: tuple[Rule, ...] = ()
    #: What holds where no rule decides.
    table: Policies = field(default_factory=Policies)
    #: A digest of all that.
    version: str = ""
    #: The most open cards of a run, and about one person's requests; 0: no bound.
    cards_per_run: int = 0
    cards_per_person: int = 0

    def assess(self, facts: CallFacts, *, may_allow: bool = True) -> Assessed:
        """Return what holds for the call. Without `may_allow` people are asked at the least."""
        doubtful: list[str] = []
        for rule in self.rules:
            met = _is_met(rule, facts)
            if met is None:
                doubtful.append(rule.name)
            allowed = rule.effect is Effect.ALLOW
            skipped = met is False or (met is None and rule.effect is not Effect.ASK)
            if skipped or (allowed and (doubtful or not may_allow)):
                continue
            requirement = self._stamped(replace(rule.requirement, rule=rule.name, allowed=allowed))
            return Assessed(rule=rule, effect=rule.effect, requirement=requirement, doubtful=tuple(doubtful))
        asked = self._stamped(Requirement(stages=(self.table.of_tool(facts.tool),)))
        return Assessed(rule=None, effect=Effect.ASK, requirement=asked, doubtful=tuple(doubtful))

    def _stamped(self, requirement: Requirement) -> Requirement:
        return replace(
            requirement,
            version=self.version,
            cards_per_run=self.cards_per_run,
            cards_per_person=self.cards_per_person,
        )


Met: TypeAlias = bool | None
"""None: it cannot be told."""


def _is_met(rule: Rule, facts: CallFacts) -> Met:
    """Return whether the rule is about the call."""
    if rule.tools and not any(matches_tool(pattern, facts.tool) for pattern in rule.tools):
        return False
    if any(not _is_among(facts.args.get(name), values) for name, values in rule.targets.items()):
        return False
    if (place := _is_in(rule.channels, facts)) is not True:
        return place
    try:
        return rule.condition is None or rule.condition.holds(facts)
    except NotEvaluated:
        return None


def _is_among(value: Json, values: Sequence[Json]) -> bool:
    return any(type(value) is type(one) and value == one for one in values)


def _is_in(channels: Sequence[str], facts: CallFacts) -> Met:
    if not channels or facts.channel in channels:
        return True
    if not any(channel.startswith("#") for channel in channels):
        return False
    return None if facts.channel_name is None else f"#{facts.channel_name}" in channels


def matches_tool(pattern: str, tool: ToolName) -> bool:
    """Return whether a tool's name is the pattern, in which `*` stands for any characters."""
    first, *parts = pattern.split("*")
    if not parts:
        return tool == pattern
    at = len(first)
    for part in parts[:-1]:  # the first place of each leaves most for those behind it
        if (found := tool.find(part, at)) < 0:
            return False
        at = found + len(part)
    return tool.startswith(first) and tool.endswith(parts[-1]) and at + len(parts[-1]) <= len(tool)
