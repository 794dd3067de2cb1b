"""Conditions in CEL: checked when they are read, bounded when they are evaluated."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import ChannelId, ToolName, UserId
from agent.policy.facts import CallFacts, RunCounts
from agent.policy.rules import NotEvaluated
from infra.config.conditions import MOST_BYTES, MOST_CHARACTERS, CelCondition
from sandbox.script import Json


def facts(args: Mapping[str, Json]) -> CallFacts:
    return CallFacts(
        tool=ToolName("http_request"),
        args=args,
        author=UserId("U1"),
        channel=ChannelId("C1"),
        channel_name="ops",
        counts=RunCounts(red_calls=2, calls_of_tool=1, open_cards=0),
        now=datetime(2026, 5, 4, 21, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "text",
    [
        "tool == 'http_request' && author == 'U1' && channel == 'C1' && channel_name == 'ops'",
        "args.amount <= 2.5 && !outside && reversibility == 'final'",
        "red_calls == 2 && calls_of_tool == 1 && open_cards == 0",
        "now.getHours('Europe/Berlin') == 23",
        "args.url.matches('^https://[a-z]+[.]example[.]com/')",
        "args.people.all(one, one.startsWith('U')) && size(args.people) == 2",
        "has(args.url) && !has(args.missing)",
    ],
)
def test_what_a_condition_may_ask_about(text: str) -> None:
    args: Mapping[str, Json] = {"amount": 2, "url": "https://api.example.com/x", "people": ["U1", "U2"]}
    assert CelCondition(text).holds(facts(args))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tol == 'x'", "undeclared reference to 'tol'"),
        ("tool == 3", "no matching overload"),
        ("red_calls", "true or false"),
        ("args.flag", "true or false"),
        ("tool ==", "Syntax error"),
        ("args.a.matches(args.b)", "written out"),
        ("args.a.matches('x' + args.b)", "written out"),
        ("matches(args.a, 'x')", "written out"),
        ("tool == '" + "x" * MOST_CHARACTERS + "'", "characters"),
        ("(" * 500 + "true" + ")" * 500, "recursion"),
    ],
    ids=["name", "type", "number", "unknown type", "syntax", "pattern", "built pattern", "function", "long", "deep"],
)
def test_a_condition_that_cannot_work_is_found_when_it_is_read(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CelCondition(text)


def deep(levels: int) -> Json:
    value: Json = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("args.missing == 'x'", {}),
        ("args.x > 1", {"x": "text"}),
        ("args.x > 1", {"x": 10**30}),
        ("args.x == 'a'", {"x": "\ud800"}),
        ("args.x == 'a'", {"x": "x" * MOST_BYTES}),
        ("args.x == 'a'", {"x": deep(50)}),
        ("args.x.all(a, args.x.all(b, a + b >= 0))", {"x": list(range(400))}),
        ("args.x.all(a, a >= 0)", {"x": list(range(3000))}),
    ],
    ids=["missing", "type", "number", "surrogate", "long", "deep", "loops", "long in a loop"],
)
def test_what_has_no_value_is_told_from_no(text: str, args: Mapping[str, Json]) -> None:
    with pytest.raises(NotEvaluated):
        CelCondition(text).holds(facts(args))


def test_a_pattern_takes_linear_time() -> None:
    condition = CelCondition("args.x.matches('^(a|a?)+$')")
    began = time.process_time()
    assert not condition.holds(facts({"x": "a" * 30_000 + "b"}))
    assert time.process_time() - began < 30  # a backtracking one would not end


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_any_arguments_are_evaluated_or_said_not_to_be(args: dict[str, Json]) -> None:
    for text in ("args == {}", "args.exists(name, name == 'x')", "args.x.y.z > 1"):
        try:
            CelCondition(text).holds(facts(args))
        except NotEvaluated:
            continue
