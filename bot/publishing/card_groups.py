"""Which open requests of a turn share a card: calls alike that ask at about the same time. Pure."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.approval import ApprovalKind, ApprovalPolicy, ApprovalRequest, askers_of
from agent.card_facts import account_in
from agent.ids import ApprovalId
from bot.elements import sent_size
from bot.ports import ApprovalView, PostedMessage, Slot, card_slot
from bot.visibility import visible

MOST_ON_A_CARD = 10
ITEM_CHARACTERS = 600
"""The most that the arguments of one call take on a shared card; a longer one has its own."""


@dataclass(frozen=True, kw_only=True)
class Joining:
    """Requests that join a card."""

    #: The request in whose place the card stands.
    leader: ApprovalId
    #: Without those that are on it already.
    members: tuple[ApprovalId, ...]


def joinings(
    views: Sequence[ApprovalView],
    posts: Mapping[Slot, PostedMessage],
    policy_for: Callable[[ApprovalRequest], ApprovalPolicy] = lambda _: ApprovalPolicy(),
) -> Sequence[Joining]:
    """Return which requests of a turn, given in the order they were asked, join which cards.

    Those of one author and one account that the same people decide are alike; `policy_for` says who does. A card that
    stands takes in such requests as long as it has room and nobody has decided anything on it.
    """
    found: list[Joining] = []
    for alike in _alike((view for view in views if _may_share(view)), policy_for):
        new = [view for view in alike if not view.card and card_slot(view.request.id) not in posts]
        standing = [view for view in alike if view.card or card_slot(view.request.id) in posts]
        for leader, room in _cards_with_room(standing, views, posts):
            joined, new = new[:room], new[room:]
            if joined:
                found.append(_joining(leader, joined))
        while len(new) > 1:
            together, new = new[:MOST_ON_A_CARD], new[MOST_ON_A_CARD:]
            if len(together) > 1:
                found.append(_joining(together[0], together))
    return found


def cards_of(views: Sequence[ApprovalView]) -> Sequence[Sequence[ApprovalView]]:
    """Return the requests of each card, in the order of their first ones."""
    cards: dict[ApprovalId, list[ApprovalView]] = {}
    for view in views:
        cards.setdefault(view.card or view.request.id, []).append(view)
    return list(cards.values())


def _joining(leader: ApprovalView, joined: Sequence[ApprovalView]) -> Joining:
    ids = [view.request.id for view in (leader, *joined) if not view.card]
    return Joining(leader=leader.card or leader.request.id, members=tuple(dict.fromkeys(ids)))


def _cards_with_room(
    standing: Sequence[ApprovalView], views: Sequence[ApprovalView], posts: Mapping[Slot, PostedMessage]
) -> Iterable[tuple[ApprovalView, int]]:
    seen: set[str] = set()
    for view in standing:
        leader = view.card or view.request.id
        on_it = [other for other in views if leader in (other.card, other.request.id)]
        parts = card_slot(leader, part=1) in posts
        if leader in seen or parts or not all(other.is_open for other in on_it):
            continue
        seen.add(leader)
        if (room := MOST_ON_A_CARD - len(on_it)) > 0:
            yield view, room


def _alike(
    views: Iterable[ApprovalView], policy_for: Callable[[ApprovalRequest], ApprovalPolicy]
) -> Iterable[Sequence[ApprovalView]]:
    groups: dict[Hashable, list[ApprovalView]] = {}
    for view in views:
        request = view.request
        stages = None if request.requirement is None else request.requirement.stages
        asked = (request.author, askers_of(request), account_in(request.facts))
        groups.setdefault((asked, stages, policy_for(request)), []).append(view)
    return groups.values()


_ALONE = frozenset({"confidential", "dry_run", "change", "undoes", "corrected"})
"""Facts that need a card of their own."""


def _may_share(view: ApprovalView) -> bool:
    request, record = view.request, view.record
    if request.kind is not ApprovalKind.APPROVE or not view.is_open or view.script or view.frozen:
        return False
    if view.places or view.nobody_here or record.claimed_by is not None or record.edited is not None:
        return False
    if (takes := request.requirement) is not None and not (takes.is_single and takes.again is None and not takes.held):
        return False
    return not _ALONE & request.facts.keys() and _size(view) <= ITEM_CHARACTERS


def _size(view: ApprovalView) -> int:
    size = 0
    for name, value in view.request.args.items():
        size += sent_size(visible(name)) + sent_size(visible(value if isinstance(value, str) else json.dumps(value)))
        if size > ITEM_CHARACTERS:
            break
    return size + sent_size(visible(json.dumps(view.request.facts.get("state", ""))))
