"""`[policy]` of the configuration file, or of its own file: rules that let a call run, ask about it, or refuse it."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, model_validator

from agent.approval import MOST_APPROVERS, ApprovalPolicy, Escalation, GroupId, OnExpiry, Policies, Requirement
from agent.ids import ToolName, UserId
from agent.plan.operations import NodeKind, digest_of
from agent.policy.requirement import requirement_json
from agent.policy.rules import Condition, Effect, PolicySet, Rule, matches_tool
from infra.config.conditions import CelCondition
from infra.tools.catalogue import TOOL_NAMES, known_names, may_be_later, names_in
from sandbox.script import Json

NOT_TOOLS = frozenset({"default", NodeKind.PACKAGE.value, NodeKind.SUBAGENT.value})
"""Keys of `[approvals]` besides tools; a package or a subagent needs an approval when its plan says so."""

MOST_RULES = 200

_RULE_HEADING = "[[policy.rules]]"
_CHANNEL = re.compile(r"#[^\s#]{1,80}|[CGD][A-Z0-9]{2,20}")
_ALWAYS = frozenset({"", "true"})

_Minutes = Annotated[float, Field(gt=0, le=60 * 24 * 365)]


class _Table(BaseModel):
    """A table in which an unknown key is an error: a misspelt rule must not silently be another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def check_quorum(users: AbstractSet[UserId] | None, quorum: int) -> None:
    """Return when so many of the people can approve.

    Raises:
        ValueError: they are fewer. Nobody at all is a choice.
    """
    if users and len(users) < quorum:
        raise ValueError(f"a quorum of {quorum} of {len(users)} people is never reached")


class ApproversTable(_Table):
    """`stages` of a rule, and the keys of a rule that has one stage."""

    #: Ids of people who may approve; with `groups` they add up.
    users: frozenset[UserId] | None = None
    #: Ids of user groups whose members may; without both keys, the author and the channel's members.
    groups: frozenset[GroupId] | None = None
    #: How many different people must approve.
    quorum: int = Field(default=1, ge=1, le=MOST_APPROVERS)

    @model_validator(mode="after")
    def _reachable(self) -> "ApproversTable":
        check_quorum(self.users, self.quorum if not self.groups else 1)
        return self


class EscalationTable(_Table):
    """`escalate` of a rule."""

    #: After how many minutes without a decision.
    after_minutes: _Minutes
    #: They may decide from then on, and get the card directly.
    users: frozenset[UserId] = frozenset()
    #: Their members may decide from then on.
    groups: frozenset[GroupId] = frozenset()
    #: `#name` or id of a channel where the card stands from then on, too.
    channel: str = ""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "EscalationTable":
        if not (self.users or self.groups or self.channel):
            raise ValueError("an escalation names users, groups or a channel")
        return self


def known_pattern(pattern: str, info: ValidationInfo) -> str:
    """Return a tool's name, or a pattern that some tool has."""
    names = TOOL_NAMES | names_in(info) | NOT_TOOLS - {"default"}
    if not may_be_later(pattern, info) and not any(matches_tool(pattern, ToolName(name)) for name in names):
        raise ValueError(f"no tool is called {pattern!r}")
    return pattern


def _channel(channel: str) -> str:
    if not _CHANNEL.fullmatch(channel):
        raise ValueError("a channel is #name or an id")
    return channel


class RuleTable(ApproversTable):
    """`[[policy.rules]]`: the first rule that is about a call decides."""

    #: Shown in the audit and by `greenlight policy explain`.
    name: str = Field(min_length=1, max_length=80)
    #: Names, or patterns such as `slack_*`; without it every tool.
    tools: tuple[Annotated[str, AfterValidator(known_pattern)], ...] = ()
    #: Ids or `#names` of channels where the request came from; without it every channel.
    channels: tuple[Annotated[str, AfterValidator(_channel)], ...] = ()
    #: Argument -> the values that make the rule be about the call.
    targets: dict[str, tuple[JsonValue, ...]] = Field(default_factory=dict[str, tuple[JsonValue, ...]])
    #: A condition in CEL.
    when: str = ""
    effect: Literal["allow", "ask", "refuse"]
    #: What people read when it refuses.
    words: str = Field(default="", max_length=500)
    #: In order: each needs its quorum before the next begins.
    stages: tuple[ApproversTable, ...] = Field(default=(), max_length=MOST_APPROVERS)
    #: When false, authors never approve their own operations.
    self_approval: bool = True
    #: Where to ask when nobody in the conversation may approve.
    channel: str = ""
    #: Until the request expires.
    expires_minutes: _Minutes | None = None
    #: What follows then: the step fails, the request stays open, or it is asked again.
    on_expiry: OnExpiry = OnExpiry.FAIL
    #: Until people are reminded in the card's thread.
    remind_minutes: _Minutes | None = None
    escalate: EscalationTable | None = None
    #: How long an approval counts whose call has not run yet.
    approval_age_minutes: _Minutes | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "RuleTable":
        if self.stages and {"users", "groups", "quorum"} & self.model_fields_set:
            raise ValueError("users, groups and quorum stand in the stages, where there are any")
        asks = {"users", "groups", "quorum", "stages", "self_approval", "channel", "expires_minutes", "on_expiry"}
        asks |= {"remind_minutes", "escalate", "approval_age_minutes"}
        if self.effect != "ask" and (useless := sorted(asks & self.model_fields_set)):
            raise ValueError(f"only a rule that asks has {', '.join(useless)}")
        if self.words and self.effect != "refuse":
            raise ValueError("only a rule that refuses has words")
        if self.effect == "allow":
            self._check_allowed()
        return self

    def _check_allowed(self) -> None:
        if not self.tools or any("*" in tool for tool in self.tools):
            raise ValueError("a rule that allows names its tools, without patterns")
        if self.when.strip() in _ALWAYS and not any(self.targets.values()):
            raise ValueError("a rule that allows needs a condition (when) or targets")
        if any(channel.startswith("#") for channel in self.channels):
            raise ValueError("a rule that allows names channels by id: anybody can give a channel a name")

    def rule(self, condition: Condition | None, place: str) -> Rule:
        """Return the rule."""
        stages = self.stages or (self,)
        policies = tuple(
            ApprovalPolicy(
                self_approval=self.self_approval,
                users=stage.users,
                groups=stage.groups,
                quorum=stage.quorum,
                channel=self.channel,
            )
            for stage in stages
        )
        requirement = Requirement(
            stages=policies,
            expires_minutes=self.expires_minutes,
            on_expiry=self.on_expiry,
            remind_minutes=self.remind_minutes,
            escalation=None if self.escalate is None else Escalation(**dict(self.escalate)),
            approval_age_minutes=self.approval_age_minutes,
        )
        return Rule(
            name=self.name,
            tools=self.tools,
            channels=self.channels,
            targets=self.targets,
            condition=condition,
            effect=Effect(self.effect),
            words=self.words,
            requirement=requirement,
            place=place,
        )


class PolicyTable(_Table):
    """`[policy]`: rules, and how many cards may be open."""

    #: A TOML file with `[policy]` and `[approvals]` in place of those of the configuration file.
    file: str = ""
    rules: tuple[RuleTable, ...] = Field(default=(), max_length=MOST_RULES)
    #: The most open cards of one run; further steps wait for a free one. 0: no bound.
    open_cards_per_run: int = Field(default=0, ge=0, le=10_000)
    #: The same about all requests of one person.
    open_cards_per_person: int = Field(default=0, ge=0, le=10_000)

    @model_validator(mode="after")
    def _names_differ(self) -> "PolicyTable":
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {', '.join(twice)}")
        for rule in self.rules:
            try:
                condition_of(rule)
            except ValueError as error:
                raise ValueError(f"rule {rule.name}, when: {error}") from None
        return self


def condition_of(rule: RuleTable) -> Condition | None:
    """Return the compiled condition of a rule.

    Raises:
        ValueError: it cannot be compiled.
    """
    return CelCondition(rule.when) if rule.when.strip() else None


def known_approvals(policies: dict[str, ApprovalPolicy], info: ValidationInfo) -> dict[str, ApprovalPolicy]:
    """Return `[approvals]` after checking names and quorums.

    Raises:
        ValueError: there is no such tool, or a quorum that is never reached.
    """
    known_names(frozenset(policies) - NOT_TOOLS, info)
    for policy in policies.values():
        check_quorum(policy.users, policy.quorum if not policy.groups else 1)
    return policies


def table_policies(approvals: Mapping[str, ApprovalPolicy]) -> Policies:
    """Return what `[approvals]` says."""
    by_tool = {ToolName(name): policy for name, policy in approvals.items() if name != "default"}
    return Policies(default=approvals.get("default", ApprovalPolicy()), by_tool=by_tool)


def policy_set(table: PolicyTable, approvals: Mapping[str, ApprovalPolicy], places: Sequence[str] = ()) -> PolicySet:
    """Return the policy. `places` are where the rules stand, as far as they are known."""
    rules = tuple(
        rule.rule(condition_of(rule), places[number] if number < len(places) else "")
        for number, rule in enumerate(table.rules)
    )
    by_name = {name: requirement_json(Requirement(stages=(policy,))) for name, policy in sorted(approvals.items())}
    bounds: list[Json] = [table.open_cards_per_run, table.open_cards_per_person]
    written = [_written(table, rule) for table, rule in zip(table.rules, rules, strict=True)]
    return PolicySet(
        rules=rules,
        table=table_policies(approvals),
        version=digest_of([written, by_name, bounds])[:16],
        cards_per_run=table.open_cards_per_run,
        cards_per_person=table.open_cards_per_person,
    )


def _written(table: RuleTable, rule: Rule) -> Json:
    """Return all that makes a rule, in one spelling."""
    about: list[Json] = [rule.name, list(rule.tools), list(rule.channels), table.when, rule.effect.value, rule.words]
    targets = {name: list(values) for name, values in rule.targets.items()}
    return [about, targets, requirement_json(rule.requirement)]


def rule_places(text: str, source: Path | str) -> Sequence[str]:
    """Return `file:line` of each rule that has a heading of its own."""
    lines = text.splitlines()
    return [
        f"{source}:{number}"
        for number, line in enumerate(lines, start=1)
        if "".join(line.partition("#")[0].split()) == _RULE_HEADING
    ]
