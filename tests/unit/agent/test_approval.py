"""Approval policy: who may decide, and that doubt refuses."""

from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.approval import (
    ABOUT_TURN,
    DECISIONS,
    TURN,
    Allowed,
    ApprovalKind,
    ApprovalPolicy,
    ApprovalRequest,
    Clicker,
    Decision,
    GroupId,
    Policies,
    Refusal,
    Refused,
    ends_turn,
    may_decide,
)
from agent.ids import ApprovalId, Digest, NodeId, ThreadId, ToolName, UserId

ALICE, BOB, CAROL = UserId("U1"), UserId("U2"), UserId("U3")
OPS, DEV = GroupId("S1"), GroupId("S2")


def clicker(
    user: UserId = BOB,
    *,
    member: bool | None = True,
    in_channel: bool | None = True,
    groups: AbstractSet[str] | None = frozenset(),
) -> Clicker:
    return Clicker(user=user, is_full_member=member, in_channel=in_channel, groups=groups)


def request(kind: ApprovalKind, tool: str) -> ApprovalRequest:
    return ApprovalRequest(
        id=ApprovalId("q1"),
        thread=ThreadId("T1:C1:1.0"),
        turn=1,
        node=TURN if kind in ABOUT_TURN else NodeId("post"),
        kind=kind,
        title="Post",
        tool=ToolName(tool),
        args={},
        digest=Digest("d"),
        author=ALICE,
    )


DEFAULT = ApprovalPolicy()
STRICT = ApprovalPolicy(self_approval=False)
LISTED = ApprovalPolicy(users=frozenset({BOB}), groups=frozenset({OPS}))
NOBODY = ApprovalPolicy(users=frozenset())


@pytest.mark.parametrize(
    ("policy", "who", "refusal"),
    [
        (DEFAULT, clicker(), None),
        (DEFAULT, clicker(ALICE), None),
        (DEFAULT, clicker(ALICE, in_channel=None), None),
        (DEFAULT, clicker(in_channel=False), Refusal.NOT_IN_CHANNEL),
        (DEFAULT, clicker(in_channel=None), Refusal.UNKNOWN_PERSON),
        (DEFAULT, clicker(member=False), Refusal.NOT_A_MEMBER),
        (DEFAULT, clicker(member=None), Refusal.UNKNOWN_PERSON),
        (DEFAULT, clicker(ALICE, member=False), Refusal.NOT_A_MEMBER),
        (STRICT, clicker(ALICE), Refusal.OWN_REQUEST),
        (STRICT, clicker(), None),
        (LISTED, clicker(BOB, in_channel=False), None),
        (LISTED, clicker(CAROL), Refusal.NOT_AN_APPROVER),
        (LISTED, clicker(ALICE), Refusal.NOT_AN_APPROVER),
        (LISTED, clicker(CAROL, groups={OPS, DEV}), None),
        (LISTED, clicker(CAROL, groups={DEV}), Refusal.NOT_AN_APPROVER),
        (LISTED, clicker(CAROL, groups=None), Refusal.UNKNOWN_PERSON),
        (LISTED, clicker(BOB, groups=None), None),
        (LISTED, clicker(BOB, member=False), Refusal.NOT_A_MEMBER),
        (NOBODY, clicker(), Refusal.NOBODY),
        (NOBODY, clicker(ALICE), Refusal.NOBODY),
        (ApprovalPolicy(groups=frozenset()), clicker(groups=None), Refusal.NOBODY),
        (ApprovalPolicy(users=frozenset(), groups=frozenset({OPS})), clicker(groups={OPS}), None),
        (ApprovalPolicy(users=frozenset({ALICE}), self_approval=False), clicker(ALICE), Refusal.OWN_REQUEST),
        (ApprovalPolicy(users=frozenset({ALICE})), clicker(ALICE), None),
    ],
)
def test_policy_decides_who_may_approve(policy: ApprovalPolicy, who: Clicker, refusal: Refusal | None) -> None:
    assert may_decide(policy, ALICE, who) == (Allowed() if refusal is None else Refused(reason=refusal))


@pytest.mark.parametrize(("policy", "refusal"), [(DEFAULT, None), (STRICT, Refusal.ASKED_TOO), (LISTED, None)])
def test_who_asked_too_may_approve_what_its_author_might(policy: ApprovalPolicy, refusal: Refusal | None) -> None:
    answer = Allowed() if refusal is None else Refused(reason=refusal)
    assert may_decide(policy, ALICE, clicker(BOB), askers={BOB}) == answer
    assert may_decide(policy, ALICE, clicker(BOB), askers={BOB}, approving=False) == Allowed()


@pytest.mark.parametrize("policy", [DEFAULT, STRICT, LISTED, NOBODY])
def test_author_may_always_take_back_what_they_asked_for(policy: ApprovalPolicy) -> None:
    assert may_decide(policy, ALICE, clicker(ALICE), approving=False) == Allowed()
    assert may_decide(policy, ALICE, clicker(ALICE, member=False), approving=False) != Allowed()


def test_others_need_the_same_standing_for_a_no_as_for_a_yes() -> None:
    assert may_decide(LISTED, ALICE, clicker(CAROL), approving=False) == Refused(reason=Refusal.NOT_AN_APPROVER)


@pytest.mark.parametrize("quorum", [0, 21, -1])
def test_a_quorum_is_some_people_and_not_a_crowd(quorum: int) -> None:
    with pytest.raises(ValueError, match="quorum"):
        ApprovalPolicy(quorum=quorum)


def test_tool_without_a_policy_gets_the_default() -> None:
    policies = Policies(by_tool={ToolName("post"): STRICT})
    assert policies.of(request(ApprovalKind.APPROVE, "post")) is STRICT
    assert policies.of(request(ApprovalKind.UNKNOWN, "post")) is STRICT
    assert policies.of(request(ApprovalKind.APPROVE, "package")) == DEFAULT


@pytest.mark.parametrize("kind", sorted(ABOUT_TURN))
def test_policy_of_a_tool_has_no_part_in_what_is_asked_about_a_turn(kind: ApprovalKind) -> None:
    policies = Policies(default=STRICT, by_tool={ToolName("budget"): NOBODY})
    assert policies.of(request(kind, "budget")) == ApprovalPolicy()


def test_decisions_of_a_kind_are_answers_and_of_every_answer_there_is_a_kind() -> None:
    answers = {decision for decisions in DECISIONS.values() for decision in decisions}
    assert answers == set(Decision) - {Decision.PENDING, Decision.EXPIRED, Decision.WITHDRAWN}
    assert DECISIONS.keys() == set(ApprovalKind)


@pytest.mark.parametrize("kind", ApprovalKind)
def test_turn_ends_with_a_stop_and_where_nobody_lets_it_go_on_in_time(kind: ApprovalKind) -> None:
    ending = {decision for decision in Decision if ends_turn(kind, decision)}
    in_time = kind in (ApprovalKind.BUDGET, ApprovalKind.SET_ASIDE)
    assert ending == {Decision.STOP, Decision.LEAVE} | ({Decision.EXPIRED} if in_time else set())


users = st.sampled_from([ALICE, BOB, CAROL])
policies = st.builds(
    ApprovalPolicy,
    self_approval=st.booleans(),
    users=st.none() | st.frozensets(users),
    groups=st.none() | st.frozensets(st.sampled_from([OPS, DEV])),
)
facts = st.sampled_from([True, False, None])
clickers = st.builds(
    Clicker,
    user=users,
    is_full_member=facts,
    in_channel=facts,
    groups=st.none() | st.frozensets(st.sampled_from([OPS, DEV])),
)


@given(policies, users, clickers)
def test_no_policy_lets_doubtful_or_foreign_people_decide(policy: ApprovalPolicy, author: UserId, who: Clicker) -> None:
    allowed = may_decide(policy, author, who) == Allowed()
    assert not allowed or who.is_full_member is True
    assert not allowed or policy.self_approval or who.user != author
    configured = policy.users is not None or policy.groups is not None
    if allowed and configured:
        in_group = bool((policy.groups or frozenset()) & (who.groups or frozenset()))
        assert who.user in (policy.users or ()) or in_group
    if allowed and not configured:
        assert who.in_channel is True or who.user == author


@given(policies, users, clickers)
def test_learning_a_fact_never_turns_a_yes_into_a_no(policy: ApprovalPolicy, author: UserId, who: Clicker) -> None:
    """Unknown facts are never better than the best known ones."""
    if may_decide(policy, author, who) != Allowed():
        return
    best = Clicker(user=who.user, is_full_member=True, in_channel=True, groups=who.groups or frozenset())
    assert may_decide(policy, author, best) == Allowed()
