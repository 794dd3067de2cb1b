"""Rules: the first one that is about a call decides, and doubt never lets a call run."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.approval import ApprovalPolicy, Policies
from agent.ids import ChannelId, ToolName, UserId
from agent.policy.facts import CallFacts
from agent.policy.rules import Condition, Effect, NotEvaluated, PolicySet, Rule, matches_tool

POST = ToolName("slack_post_message")
STRICT = ApprovalPolicy(self_approval=False)


class Says:
    """A condition with one answer; None: it cannot be evaluated."""

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer

    def holds(self, facts: CallFacts) -> bool:
        if self.answer is None:
            raise NotEvaluated("no value")
        return self.answer


def facts(channel: str = "C1", name: str | None = "ops", **args: str) -> CallFacts:
    return CallFacts(
        tool=POST,
        args=args,
        author=UserId("U1"),
        channel=ChannelId(channel),
        channel_name=name,
        now=datetime(2026, 5, 4, tzinfo=UTC),
    )


def rule(name: str, effect: Effect, condition: Condition | None = None, **more: object) -> Rule:
    return Rule(name=name, effect=effect, condition=condition, **more)  # pyright: ignore[reportArgumentType]  # as given


def test_the_first_rule_about_the_call_decides() -> None:
    rules = (rule("a", Effect.REFUSE, Says(False)), rule("b", Effect.ASK), rule("c", Effect.REFUSE))
    assessed = PolicySet(rules=rules, version="v").assess(facts())
    assert (assessed.effect, assessed.requirement.rule, assessed.requirement.version) == (Effect.ASK, "b", "v")


def test_the_table_decides_where_no_rule_is_about_the_call() -> None:
    table = Policies(by_tool={POST: STRICT})
    assessed = PolicySet(rules=(rule("a", Effect.ALLOW, Says(False)),), table=table).assess(facts())
    assert (assessed.effect, assessed.rule, assessed.requirement.stages) == (Effect.ASK, None, (STRICT,))


def test_a_rule_that_asks_asks_when_its_condition_cannot_be_evaluated() -> None:
    assessed = PolicySet(rules=(rule("a", Effect.ASK, Says(None)),)).assess(facts())
    assert (assessed.requirement.rule, assessed.doubtful) == ("a", ("a",))


@given(st.lists(st.tuples(st.sampled_from(list(Effect)), st.sampled_from([True, False, None])), max_size=8))
def test_nothing_is_allowed_behind_a_rule_that_could_not_be_evaluated(given: list[tuple[Effect, bool | None]]) -> None:
    rules = tuple(rule(str(number), effect, Says(answer)) for number, (effect, answer) in enumerate(given))
    assessed = PolicySet(rules=rules).assess(facts())
    if assessed.effect is Effect.ALLOW:
        before = given[: int(assessed.requirement.rule)]
        assert all(answer is not None for _, answer in before)
        assert given[int(assessed.requirement.rule)] == (Effect.ALLOW, True)
        assert assessed.requirement.allowed
    else:
        assert not assessed.requirement.allowed


def test_what_must_be_asked_is_never_allowed() -> None:
    assessed = PolicySet(rules=(rule("a", Effect.ALLOW),)).assess(facts(), may_allow=False)
    assert assessed.effect is Effect.ASK


@pytest.mark.parametrize(
    ("channels", "name", "effect"),
    [
        (("C1",), None, Effect.REFUSE),
        (("#ops",), "ops", Effect.REFUSE),
        (("#dev", "C2"), "ops", Effect.ASK),
        (("#ops",), None, Effect.ASK),
    ],
    ids=["id", "name", "others", "unknown name"],
)
def test_a_rule_may_be_about_channels(channels: tuple[str, ...], name: str | None, effect: Effect) -> None:
    policy = PolicySet(rules=(rule("a", Effect.REFUSE, channels=channels),))
    assessed = policy.assess(facts(name=name))
    assert assessed.effect is effect
    assert bool(assessed.doubtful) is (name is None and channels == ("#ops",))


def test_targets_are_the_very_values_of_arguments() -> None:
    policy = PolicySet(rules=(rule("a", Effect.ALLOW, targets={"channel": ["#ops"]}),))
    assert policy.assess(facts(channel="#ops")).effect is Effect.ASK  # the argument, not the place
    assert policy.assess(replace(facts(), args={"channel": "#ops"})).effect is Effect.ALLOW
    assert policy.assess(replace(facts(), args={"channel": ["#ops"]})).effect is Effect.ASK


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        *(("slack_*", True), ("*", True), ("slack_post_message", True), ("slack", False), ("slack_p?st*", False)),
        *(("*_post_*", True), ("s*k_*ss**age", True), ("slack_post_message*message", False), ("*post_*post*", False)),
        *(("", False), ("*slack", False), ("post*", False), ("slack_post_message*", True)),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, matches: bool) -> None:
    assert matches_tool(pattern, POST) is matches


def test_many_stars_take_no_longer() -> None:
    assert not matches_tool("*a" * 40 + "b", ToolName("a" * 10_000))
