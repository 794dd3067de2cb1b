"""Which open requests share a card."""

import random
from dataclasses import replace
from typing import Any

from agent.approval import ApprovalKind, ApprovalPolicy, ApprovalRequest, Decision, Requirement
from agent.ids import ApprovalId, Digest, ToolName, UserId
from bot.ports import ApprovalView, PostedMessage, Slot, card_slot
from bot.publishing.card_groups import ITEM_CHARACTERS, MOST_ON_A_CARD, Joining, cards_of, joinings
from tests.fakes.run_views import GRACE, an_approval

LINUS = UserId("U0LINUS")
LINUS_DECIDES = Requirement(stages=(ApprovalPolicy(users=frozenset({LINUS})),))

STANDS = PostedMessage("1.5", Digest("shown"))


def a_call(number: int, **more: Any) -> ApprovalView:
    """An open request to post to a channel of its own."""
    args = more.pop("args", {"channel": f"#c{number}", "text": "up"})
    return an_approval(id=f"q{number}", args=args, **more)


def joined(views: list[ApprovalView], found: list[Joining]) -> list[ApprovalView]:
    """Return the requests as they are stored afterwards."""
    cards = {member: joining.leader for joining in found for member in joining.members}
    return [replace(view, card=view.card or cards.get(view.request.id)) for view in views]


def ids(views: list[ApprovalView], posts: dict[Slot, PostedMessage] | None = None) -> list[tuple[str, ...]]:
    """Return the cards, each as the numbers of its requests."""
    found = list(joinings(views, posts or {}))
    return [tuple(view.request.id for view in card) for card in cards_of(joined(views, found))]


def test_equal_requests_that_have_no_card_yet_share_one() -> None:
    assert ids([a_call(1), a_call(2), a_call(3)]) == [("q1", "q2", "q3")]


def test_a_request_alone_has_its_own_card() -> None:
    assert list(joinings([a_call(1)], {})) == []
    assert ids([a_call(1)]) == [("q1",)]


def test_requests_of_other_people_or_that_other_people_decide_stay_apart() -> None:
    ada = a_call(1)
    other_author = replace(a_call(2), request=replace(a_call(2).request, author=GRACE))
    other_stages = replace(a_call(3), request=replace(a_call(3).request, requirement=LINUS_DECIDES))
    assert ids([ada, other_author, other_stages]) == [("q1",), ("q2",), ("q3",)]
    tool = replace(a_call(4), request=replace(a_call(4).request, tool=ToolName("send")))

    def policy_for(request: ApprovalRequest) -> ApprovalPolicy:
        return ApprovalPolicy(users=frozenset({LINUS})) if request.tool == "send" else ApprovalPolicy()

    assert list(joinings([ada, tool], {}, policy_for)) == []


def test_requests_of_other_tools_and_arguments_share_a_card_when_the_same_people_decide() -> None:
    tool = replace(a_call(2), request=replace(a_call(2).request, tool=ToolName("send")))
    others = [tool, a_call(3, args={"channel": "#c3"}), a_call(4, facts={"reversibility": "reversible"})]
    assert ids([a_call(1), *others]) == [("q1", "q2", "q3", "q4")]


def test_requests_that_need_a_card_of_their_own_get_it() -> None:
    alone = [
        a_call(1, kind=ApprovalKind.UNKNOWN),
        a_call(2, decision=Decision.APPROVED, by=GRACE),
        replace(a_call(3), script="print(1)"),
        replace(a_call(4), frozen=True),
        replace(a_call(5), places=("C2",)),
        replace(a_call(6), nobody_here=True),
        replace(a_call(7), record=replace(a_call(7).record, claimed_by=UserId("U1"))),
        replace(a_call(8), record=replace(a_call(8).record, edited={"channel": "#x"})),
        a_call(9, facts={"confidential": ["/text"]}),
        a_call(10, facts={"dry_run": {"result": "1 row"}}),
        a_call(11, args={"channel": "#c11", "text": "x" * ITEM_CHARACTERS}),
    ]
    assert list(joinings(alone, {})) == []


def test_a_card_has_so_many_requests_and_the_next_one_the_rest() -> None:
    views = [a_call(number) for number in range(2 * MOST_ON_A_CARD + 1)]
    sizes = [len(card) for card in ids(views)]
    assert sizes == [MOST_ON_A_CARD, MOST_ON_A_CARD, 1]


def test_a_card_that_stands_takes_in_what_comes_later_until_somebody_decided() -> None:
    first, second, third = a_call(1), a_call(2), a_call(3)
    posts = {card_slot(ApprovalId("q1")): STANDS}
    assert ids([first, second], posts) == [("q1", "q2")]
    both = joined([first, second], list(joinings([first, second], posts)))
    assert ids([*both, third], posts) == [("q1", "q2", "q3")]
    decided = replace(both[0], record=replace(both[0].record, decision=Decision.APPROVED, by=GRACE))
    assert ids([decided, both[1], third], posts) == [("q1", "q2"), ("q3",)]


def test_a_card_in_several_messages_takes_in_nothing() -> None:
    posts = {card_slot(ApprovalId("q1")): STANDS, card_slot(ApprovalId("q1"), part=1): STANDS}
    assert ids([a_call(1), a_call(2)], posts) == [("q1",), ("q2",)]


def test_every_request_is_on_exactly_one_card_however_they_come_and_no_card_changes_hands() -> None:
    rng = random.Random(5)  # noqa: S311  # reproducible, not secret
    for _ in range(300):
        views: list[ApprovalView] = []
        posts: dict[Slot, PostedMessage] = {}
        cards: dict[str, str] = {}
        for number in range(rng.randint(1, 25)):
            args = {"channel": f"#c{number}", "text": "up"} if rng.random() < 0.8 else {"channel": "#other"}
            views.append(an_approval(id=f"q{number}", args=args))
            if rng.random() < 0.2:
                chosen = rng.randrange(len(views))
                record = replace(views[chosen].record, decision=Decision.APPROVED, by=GRACE)
                views[chosen] = replace(views[chosen], record=record)
            if rng.random() < 0.5:
                views = joined(views, list(joinings(views, posts)))
                for card in cards_of(views):
                    assert len(card) <= MOST_ON_A_CARD
                    leader = card[0].card or card[0].request.id
                    posts[card_slot(leader)] = STANDS
                    for view in card:
                        assert cards.setdefault(view.request.id, leader) == leader
        assert sorted(view.request.id for card in cards_of(views) for view in card) == sorted(
            view.request.id for view in views
        )
