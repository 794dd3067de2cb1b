"""Requirements: their stored form, what holds when two of them do, and the votes they take."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.approval import Again, ApprovalPolicy, Escalation, GroupId, OnExpiry, Requirement, Vote
from agent.ids import UserId
from agent.policy.requirement import (
    brought_on,
    combined,
    due_after,
    open_for,
    requirement_from_json,
    requirement_json,
    stage_after,
    stages_digest,
)

A, B, C = (UserId(f"U{letter}") for letter in "ABC")
LEADS = GroupId("S1")
ANYONE = ApprovalPolicy()


def of(*users: UserId, quorum: int = 1, self_approval: bool = True) -> ApprovalPolicy:
    return ApprovalPolicy(users=frozenset(users), quorum=quorum, self_approval=self_approval)


def takes(*stages: ApprovalPolicy, version: str = "") -> Requirement:
    return Requirement(stages=stages, version=version)


WHOLE = Requirement(
    stages=(
        of(A),
        ApprovalPolicy(self_approval=False, groups=frozenset({LEADS}), quorum=2, channel="#x", also=(of(B),)),
    ),
    stage=1,
    rule="r",
    version="v",
    expires_minutes=2.0,
    on_expiry=OnExpiry.AGAIN,
    remind_minutes=1.0,
    reminded=True,
    escalation=Escalation(after_minutes=3.0, users=frozenset({C}), channel="#leads"),
    escalated=True,
    escalated_to=("UC", "C9"),
    approval_age_minutes=5.0,
    round=1,
    again=Again.EXPIRED,
    cards_per_run=2,
    held=True,
)


def test_the_stored_form_stays_readable() -> None:
    written = {
        "stages": [
            {"users": ["UA"]},
            {"self_approval": False, "groups": ["S1"], "quorum": 2, "channel": "#x", "also": [{"users": ["UB"]}]},
        ],
        "stage": 1,
        "rule": "r",
        "version": "v",
        "expires_minutes": 2.0,
        "on_expiry": "again",
        "remind_minutes": 1.0,
        "reminded": True,
        "escalation": {"after_minutes": 3.0, "users": ["UC"], "channel": "#leads"},
        "escalated": True,
        "escalated_to": ["UC", "C9"],
        "approval_age_minutes": 5.0,
        "round": 1,
        "again": "expired",
        "cards_per_run": 2,
        "held": True,
    }
    assert requirement_json(WHOLE) == written
    assert requirement_from_json(written) == WHOLE
    assert requirement_json(Requirement()) == {}
    assert requirement_from_json({"later": 1}) == Requirement()


def test_a_laxer_policy_since_then_changes_nothing() -> None:
    posted = takes(of(A), of(B, quorum=1))
    for today in (takes(of(B)), takes(of(A)), posted, Requirement(allowed=True)):
        assert combined(posted, today) is posted


def test_a_stricter_policy_since_then_holds_as_well() -> None:
    now = combined(takes(ANYONE), takes(of(B), version="new"))
    assert (now.stages, now.version) == ((ApprovalPolicy(also=(of(B),)),), "new")
    assert combined(takes(ANYONE), takes(ApprovalPolicy(quorum=2))).needs == (2,)
    assert combined(takes(ANYONE), takes(ANYONE, of(B))).stages == (ANYONE, of(B))
    assert combined(takes(ANYONE), takes(ApprovalPolicy(self_approval=False))).stages[0].also[0].self_approval is False


def test_combining_twice_is_combining_once() -> None:
    now = combined(takes(ANYONE), takes(of(B, quorum=1), of(C)))
    assert combined(now, takes(of(B), of(C))) is now


policies = st.builds(
    ApprovalPolicy,
    self_approval=st.booleans(),
    users=st.none() | st.frozensets(st.sampled_from([A, B, C]), max_size=3),
    groups=st.none() | st.frozensets(st.just(LEADS), max_size=1),
    quorum=st.integers(1, 3),
)
requirements = st.lists(policies, min_size=1, max_size=3).map(lambda stages: takes(*stages))


@given(requirements, requirements)
def test_both_hold_and_then_nothing_more_is_asked_for(posted: Requirement, today: Requirement) -> None:
    now = combined(posted, today)
    assert sum(now.needs) >= sum(posted.needs)
    assert combined(now, posted).needs == now.needs
    assert requirement_from_json(requirement_json(now)) == now
    if now is not posted:
        assert all(mine >= theirs for mine, theirs in zip(now.needs, today.needs, strict=False))


def test_stages_follow_each_other() -> None:
    two_then_one = takes(ApprovalPolicy(quorum=2), of(C))
    votes = [Vote(by=A, stage=0), Vote(by=B, stage=0), Vote(by=C, stage=1)]
    assert [stage_after(two_then_one, votes[:count]) for count in range(4)] == [0, 0, 1, None]


def test_votes_count_for_the_same_stages_only() -> None:
    assert stages_digest(takes(of(A))) == stages_digest(takes(of(A), version="other"))
    assert stages_digest(takes(of(A))) != stages_digest(takes(of(A, quorum=2)))


def test_escalated_people_may_decide_in_every_stage() -> None:
    escalated = Requirement(stages=(of(A), of(B)), escalation=Escalation(after_minutes=1, users=frozenset({C})))
    assert escalated.current.more_users == frozenset()
    now = brought_on(escalated, timedelta(minutes=2))
    assert [stage.more_users for stage in now.every] == [{C}, {C}]


@pytest.mark.parametrize(
    ("requirement", "ends", "due"),
    [
        (Requirement(), 72 * 60, None),
        (Requirement(expires_minutes=5), 5, None),
        (Requirement(expires_minutes=5, on_expiry=OnExpiry.PARK), None, 5),
        (Requirement(remind_minutes=2, escalation=Escalation(after_minutes=1)), 72 * 60, 1),
        (Requirement(remind_minutes=2, escalation=Escalation(after_minutes=1), escalated=True), 72 * 60, 2),
    ],
    ids=["usual", "own", "parked", "escalation first", "then the reminder"],
)
def test_times(requirement: Requirement, ends: int | None, due: int | None) -> None:
    assert open_for(requirement, timedelta(hours=72)) == (None if ends is None else timedelta(minutes=ends))
    assert due_after(requirement) == (None if due is None else timedelta(minutes=due))
