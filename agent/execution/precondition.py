"""Preconditions: what a red call is about to change, and whether a person's yes is still about that. Pure.

The state is read for the card and again right before the call. It is part of what is approved: the digest of a call
whose tool reads one covers it. A yes that was given for another state counts no more, also when it is as before again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agent.approval import Decision, DecisionRecord, WorldState, edited_digest
from agent.card_facts import Change
from agent.ids import Digest
from agent.plan.operations import digest_of
from agent.ports import Bound
from sandbox.script import Json

MOST_CHANGES = 10
"""How often a call is asked about because what it is to change was another one; then it fails."""

FRESH_SECONDS = 5.0
"""How long after it was checked a call may be sent; later it is checked again, with twice the time at each such try."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A call was not made, or had no effect: what it was to change is another one now."""

    #: As it was read then.
    state: WorldState | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A call as people are asked about it."""

    #: Without a state.
    base: Bound
    #: With the state that the card shows.
    bound: Bound
    #: How often the state was another one before.
    changes: int
    #: Whether the state was read just now; else it is that of the card.
    is_fresh: bool


def asked_about(base: Bound, records: Sequence[DecisionRecord], state: WorldState | None, *, is_fresh: bool) -> Asked:
    """Return a call as it is asked about in this state. `records` are its node's, in the order they were asked."""
    changes = _changes([record.state for record in records], state)
    return Asked(base=base, bound=_with_state(base, state, changes), changes=changes, is_fresh=is_fresh)


def as_edited(bound: Bound, record: DecisionRecord) -> Bound:
    """Return the call with the arguments that a person put in place of its own, if anybody did."""
    if record.edited is None:
        return bound
    return replace(bound, args=record.edited, digest=edited_digest(bound.digest, bound.tool, record.edited))


def calls_asked_for(base: Bound, records: Sequence[DecisionRecord]) -> Sequence[Bound]:
    """Return the calls, without a state, that a node may be about: its own, and what people's edits made of it."""
    found = [base]
    for record, changes in _numbered(records):
        if record.edited is not None:
            edits = (as_edited(_with_state(call, record.state, changes), record) for call in tuple(found))
            found += [replace(call, state=None) for call in edits if call.digest == record.digest]
    return found


def call_of(base: Bound, digest: Digest, records: Sequence[DecisionRecord]) -> Bound | None:
    """Return the call of this digest as it was asked about or edited; None when it is none of the node's any more."""
    return next((call for call in (base, *_approvable(base, records)) if call.digest == digest), None)


def last_asked(base: Bound, records: Sequence[DecisionRecord]) -> tuple[Bound, DecisionRecord] | None:
    """Return the call, without a state, that the newest request is about, and that request; None: about another one."""
    for record, changes in tuple(_numbered(records))[-1:]:
        for call in calls_asked_for(base, records):
            if as_edited(_with_state(call, record.state, changes), record).digest == record.digest:
                return call, record
    return None


def change_since(records: Sequence[DecisionRecord], attempt: int, state: WorldState | None) -> Change | None:
    """Return why a new request about this state is asked, if that is because the state was another one."""
    last = records[-1] if records else None
    if last is None or last.state is None or state is None or (last.state == state and last.attempt == attempt):
        return None
    return Change(was=last.state, approved=last.decision is Decision.APPROVED)


def _with_state(base: Bound, state: WorldState | None, changes: int) -> Bound:
    if state is None:
        return base
    covered: dict[str, Json] = {"call": base.digest, "state": state}
    if changes:
        covered["changes"] = changes
    return replace(base, state=state, digest=digest_of(covered))


def _approvable(base: Bound, records: Sequence[DecisionRecord]) -> Iterator[Bound]:
    for call in calls_asked_for(base, records):
        for record, changes in _numbered(records):
            asked = _with_state(call, record.state, changes)
            yield from (asked, as_edited(asked, record))


def _numbered(records: Sequence[DecisionRecord]) -> Iterator[tuple[DecisionRecord, int]]:
    """Yield each request with how often the state was another one before it."""
    states = [record.state for record in records]
    for at, record in enumerate(records):
        yield record, _changes(states[:at], record.state)


def _changes(before: Iterable[WorldState | None], state: WorldState | None) -> int:
    states = [*before, state]
    return sum(was != now for was, now in pairwise(states))
