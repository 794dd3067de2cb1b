"""Grants: what they cover, and what conditions earlier calls and plans suggest."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.approval import ApprovalKind, ApprovalRequest
from agent.grant import (
    Anything,
    AtMost,
    Grant,
    GrantId,
    GrantKind,
    OneOf,
    PlannedCall,
    alike,
    conditions_from_json,
    conditions_json,
    meets,
    planned_conditions,
    rule_conditions,
)
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, ThreadId, ToolName, UserId, thread_id
from sandbox.script import Json

NOW = datetime(2026, 5, 4, tzinfo=UTC)
POST = {"channel": OneOf(values=("#status",)), "text": Anything()}


def a_request(args: dict[str, Json], *, tool: str = "post", thread: ThreadId | None = None) -> ApprovalRequest:
    return ApprovalRequest(
        id=ApprovalId("q"),
        thread=thread or thread_id("T1", "C1", "1.0"),
        turn=2,
        node=NodeId("n"),
        kind=ApprovalKind.APPROVE,
        title="t",
        tool=ToolName(tool),
        args=args,
        digest=Digest("d"),
        author=UserId("U1"),
    )


def a_grant(kind: GrantKind = GrantKind.RULE, **more: object) -> Grant:
    fields: dict[str, object] = {
        "id": GrantId("g"),
        "kind": kind,
        "channel": ChannelId("C1"),
        "tool": ToolName("post"),
        "conditions": POST,
        "made_by": UserId("U2"),
        "made_at": NOW,
        "expires_at": NOW,
        "most_uses": 3,
    }
    return Grant(**(fields | more))  # pyright: ignore[reportArgumentType]  # the test's own words


@pytest.mark.parametrize(
    ("args", "covered"),
    [
        ({"channel": "#status", "text": "up"}, True),
        ({"channel": "#status"}, True),
        ({"channel": "#general", "text": "up"}, False),
        ({"channel": "#Status", "text": "up"}, False),
        ({"channel": ["#status"], "text": "up"}, False),
        ({"text": "up"}, False),
        ({"channel": "#status", "text": "up", "thread": "1"}, False),
        ({}, False),
    ],
)
def test_rule_covers_calls_that_meet_each_condition_and_have_no_other_argument(
    args: dict[str, Json], covered: bool
) -> None:
    assert a_grant().covers(a_request(args)) is covered


@pytest.mark.parametrize(
    ("value", "met"), [(0, True), (25, True), (24.5, True), (25.1, False), (-1, False), (True, False), ("3", False)]
)
def test_number_is_within_its_bound(value: Json, met: bool) -> None:
    assert meets({"percent": AtMost(most=25)}, {"percent": value}) is met


@pytest.mark.parametrize(("known", "value"), [(1, True), (1, 1.0), (True, 1), ("1", 1), (None, "")])
def test_values_of_different_types_are_different(known: Json, value: Json) -> None:
    assert not meets({"x": OneOf(values=(known,))}, {"x": value})


def test_grant_covers_nothing_of_another_tool_channel_or_kind_of_question() -> None:
    args: dict[str, Json] = {"channel": "#status", "text": "up"}
    assert not a_grant().covers(a_request(args, tool="mail"))
    assert not a_grant().covers(a_request(args, thread=thread_id("T1", "C2", "1.0")))
    assert a_grant().covers(a_request(args, thread=thread_id("T1", "C1", "9.0")))


def test_envelope_covers_its_own_turn_alone() -> None:
    args: dict[str, Json] = {"channel": "#status", "text": "up"}
    here = thread_id("T1", "C1", "1.0")
    assert a_grant(GrantKind.ENVELOPE, thread=here, turn=2).covers(a_request(args))
    assert not a_grant(GrantKind.ENVELOPE, thread=here, turn=1).covers(a_request(args))
    assert not a_grant(GrantKind.ENVELOPE, thread=here, turn=2).covers(
        a_request(args, thread=thread_id("T1", "C1", "9.0"))
    )


def test_rule_keeps_what_was_equal_and_frees_what_differed_but_no_target() -> None:
    calls: list[dict[str, Json]] = [{"channel": "#a", "text": "one"}, {"channel": "#b", "text": "two"}]
    assert rule_conditions(calls, ["channel"]) == {"channel": OneOf(values=("#a", "#b")), "text": Anything()}
    assert rule_conditions(calls, None) == {
        "channel": OneOf(values=("#a", "#b")),
        "text": OneOf(values=("one", "two")),
    }
    assert rule_conditions([*calls, {"channel": "#a"}], ["channel"]) is None
    assert rule_conditions([], ["channel"]) is None
    assert rule_conditions([{"text": "x"}], ["channel"]) is None


def test_calls_are_alike_when_their_targets_are_equal() -> None:
    assert alike({"channel": "#a", "text": "x"}, {"channel": "#a", "text": "y"}, ["channel"])
    assert not alike({"channel": "#a", "text": "x"}, {"channel": "#b", "text": "x"}, ["channel"])
    assert not alike({"channel": "#a", "text": "x"}, {"channel": "#a", "text": "y"}, None)
    assert not alike({"channel": "#a", "text": "x"}, {"channel": "#a"}, ["channel"])


def test_conditions_come_back_from_json_and_unknown_ones_cover_nothing() -> None:
    conditions = {"a": OneOf(values=(1, "x", None, {"k": [True]})), "b": AtMost(most=2.5), "c": Anything()}
    assert conditions_from_json(conditions_json(conditions)) == conditions
    unknown: list[dict[str, Json]] = [{"like": "x"}, {"any": False}, {}, {"at_most": "9"}]
    for condition in unknown:
        with pytest.raises(ValueError, match="'a'"):
            conditions_from_json({"a": condition})


def test_a_suggested_rule_covers_each_call_it_is_made_of_and_none_with_another_target() -> None:
    rng = random.Random(7)  # noqa: S311  # reproducible, not secret
    for _ in range(500):
        targets = rng.sample(["a", "b", "c"], rng.randint(1, 3))
        calls: list[dict[str, Json]] = [
            {name: rng.choice([1, "x", None, [1], {"k": 2}]) for name in "abc"} for _ in range(rng.randint(1, 4))
        ]
        conditions = rule_conditions(calls, targets)
        assert conditions is not None
        assert all(meets(conditions, call) for call in calls)
        other: dict[str, Json] = {**rng.choice(calls), rng.choice(targets): "something else"}
        assert not meets(conditions, other)


@pytest.mark.parametrize(
    ("args", "targets", "conditions"),
    [
        ({"to": "#a", "text": "x"}, ("to",), {"to": OneOf(values=("#a",)), "text": OneOf(values=("x",))}),
        ({"to": "#a", "text": "x ${n}"}, ("to",), {"to": OneOf(values=("#a",)), "text": Anything()}),
        ({"to": "#a", "text": {"deep": ["${n#/p}"]}}, ("to",), {"to": OneOf(values=("#a",)), "text": Anything()}),
        ({"to": "#a", "text": "5 $${"}, ("to",), {"to": OneOf(values=("#a",)), "text": OneOf(values=("5 ${",))}),
        ({"to": "${n}", "text": "x"}, ("to",), None),
        ({"to": "#a", "text": "${n}"}, None, None),
        ({"to": "#a"}, None, {"to": OneOf(values=("#a",))}),
        ({"text": "x"}, ("to",), None),
        ({}, None, None),
        ({}, ("to",), None),
    ],
)
def test_planned_call_keeps_what_is_written_and_frees_what_other_steps_fill_in_but_no_target(
    args: dict[str, Json], targets: tuple[str, ...] | None, conditions: object
) -> None:
    assert planned_conditions(args, targets) == conditions


def test_what_a_person_saw_of_a_planned_call_is_tied_to_that_very_call() -> None:
    call = PlannedCall(
        thread=thread_id("T1", "C1", "1"),
        turn=1,
        node=NodeId("n"),
        title="Tell",
        tool=ToolName("post"),
        author=UserId("U1"),
        args={"to": "#a", "text": "${n}"},
    )
    others = [
        replace(call, node=NodeId("m")),
        replace(call, tool=ToolName("send")),
        replace(call, author=UserId("U2")),
        replace(call, args={"to": "#b", "text": "${n}"}),
    ]
    assert len({one.digest for one in (call, *others)}) == len({one.grant for one in (call, *others)}) == 5
    assert replace(call, turn=2).grant != call.grant
