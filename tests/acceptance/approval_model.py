"""An oracle of approvals, written apart from the product: which calls may have happened, and how clicks were answered.

It knows who people were and which policy stood at each click. What it cannot know, the order of clicks at one moment,
it leaves open: a call has a set of possible states, which the answers that people got narrow down.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import NamedTuple

AUTHOR = "Ada"


@dataclass(frozen=True, kw_only=True)
class Part:
    """People who may approve; without names and group everybody in the channel."""

    users: frozenset[str] = frozenset()
    group: bool = False
    #: Whether the author counts among them.
    author: bool = False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Approvals that are needed: by so many people, each of whom is in every part."""

    parts: frozenset[Part]
    quorum: int = 1


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy of one rule."""

    effect: str = "ask"
    stages: tuple[Stage, ...] = ()
    #: Who may decide besides, once it is escalated.
    more: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class World:
    """What holds at a moment."""

    policy: Policy
    members: frozenset[str]
    in_channel: frozenset[str]
    in_group: frozenset[str]
    frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class Call:
    """One possible state of a call that people decide."""

    text: str
    stages: tuple[Stage, ...]
    more: frozenset[str]
    #: Person and stage, for this text and these stages.
    votes: tuple[tuple[str, int], ...] = ()
    open: bool = True
    escalated: bool = False
    #: May have happened, as it reads then.
    approved: bool = False

    @property
    def stage(self) -> int | None:
        """The first stage that lacks approvals; None: none does."""
        counts = Counter(stage for _, stage in self.votes)
        return next((place for place, stage in enumerate(self.stages) if counts[place] < stage.quorum), None)

    def allows(self, who: str, stage: Stage, world: World) -> bool:
        """Return whether a person may approve in a stage."""
        if who not in world.members or (who == AUTHOR and not all(part.author for part in stage.parts)):
            return False
        if self.escalated and who in self.more:
            return True
        return all(_is_in(who, part, world) for part in stage.parts)


def _is_in(who: str, part: Part, world: World) -> bool:
    if not part.users and not part.group:
        return who == AUTHOR or who in world.in_channel
    return who in part.users or (part.group and who in world.in_group)


class Answer(NamedTuple):
    """A person's click: yes or no."""

    who: str
    yes: bool


class Step(NamedTuple):
    """What comes of a click: the state, and whether it counted. One that does not is told so."""

    call: Call
    counted: bool


def answered(call: Call, answer: Answer, world: World) -> Step:
    """Return what a click makes of a call."""
    if not call.open:
        return Step(call, counted=False)
    if not answer.yes:
        takes_back = answer.who == AUTHOR and answer.who in world.members
        may = takes_back or any(call.allows(answer.who, stage, world) for stage in call.stages)
        return Step(replace(call, open=not may), counted=may)
    if world.frozen or world.policy.effect == "refuse":
        return Step(call, counted=False)
    return _approved(_tightened(call, world.policy), answer.who, world)


def _approved(call: Call, who: str, world: World) -> Step:
    stage = call.stage
    if stage is None or not call.allows(who, call.stages[stage], world) or who in dict(call.votes):
        return Step(call, counted=False)
    call = replace(call, votes=(*call.votes, (who, stage)))
    complete = call.stage is None
    return Step(replace(call, open=not complete, approved=complete), counted=True)


def _tightened(call: Call, today: Policy) -> Call:
    """Return the call with what today's policy asks for as well; then approvals so far do not count."""
    left = iter(call.stages)
    if all(any(_asks_as_much(stage, wanted) for stage in left) for wanted in today.stages):
        return call
    pairs = itertools.zip_longest(call.stages, today.stages)
    both = tuple(
        Stage(
            parts=frozenset(part for stage in pair if stage for part in stage.parts),
            quorum=max(stage.quorum for stage in pair if stage),
        )
        for pair in pairs
    )
    return replace(call, stages=both, votes=())


def _asks_as_much(stage: Stage, wanted: Stage) -> bool:
    same = all(
        any((one.users, one.group) == (part.users, part.group) and part.author >= one.author for one in stage.parts)
        for part in wanted.parts
    )
    return same and stage.quorum >= wanted.quorum


class Edit(NamedTuple):
    """What comes of an edit: the state, and how its person is answered."""

    call: Call
    #: "refused" in a form, "proposed" with a word, or "approved" on the card.
    answer: str


def edited(call: Call, who: str, text: str, world: World) -> Edit:
    """Return what an edit makes of an open call: approvals of what it was do not count any more."""
    anew = replace(call, text=text, votes=())
    first = call.stages[0]
    if world.frozen or who not in world.members:
        return Edit(call, "refused")
    if not call.allows(who, first, world):
        listed = (who == AUTHOR and not all(part.author for part in first.parts)) or any(
            (part.users or part.group) and not _is_in(who, part, world) for part in first.parts
        )
        return Edit(anew, "proposed") if listed and who in world.in_channel else Edit(call, "refused")
    if world.policy.effect == "refuse":
        return Edit(call, "refused")
    step = _approved(_tightened(anew, world.policy), who, world)
    if not step.counted:  # a stricter policy stays, the edit does not
        return Edit(_tightened(call, world.policy), "refused")
    return Edit(step.call, "approved")


class Outcome(NamedTuple):
    """Who was told that their clicks did not count, and whose counted, each with how often."""

    told: frozenset[tuple[str, int]]
    counted: frozenset[tuple[str, int]]


@dataclass(kw_only=True)
class ApprovalModel:
    """Every call of a thread by name, in all the states that it may be in."""

    world: World
    calls: dict[str, frozenset[Call]] = field(default_factory=dict[str, frozenset[Call]])
    #: Text -> who approved a call that reads so ahead, by a rule or for this run alone.
    granted: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def ask(self, name: str, text: str) -> None:
        """A red call's turn comes."""
        policy = self.world.policy
        call = Call(text=text, stages=policy.stages, more=policy.more, open=policy.effect == "ask")
        covered = call.open and [stage.quorum for stage in call.stages] == [1] and self._is_granted(call)
        call = replace(call, open=call.open and not covered)
        self.calls[name] = frozenset({replace(call, approved=covered or policy.effect == "allow")})

    def _is_granted(self, call: Call) -> bool:
        """Return whether somebody approved it ahead who may approve it now."""
        return any(call.allows(who, call.stages[0], self.world) for who in self.granted.get(call.text, ()))

    def click(self, name: str, answers: Sequence[Answer]) -> Mapping[Outcome, frozenset[Call]]:
        """Return how clicks at one moment may be answered, each with the states it leaves."""
        found: dict[Outcome, set[Call]] = {}
        for call, order in itertools.product(self.calls[name], set(itertools.permutations(answers))):
            now, told, counted = call, Counter[str](), Counter[str]()
            for answer in order:
                now, counts = answered(now, answer, self.world)
                (counted if counts else told)[answer.who] += 1
            found.setdefault(Outcome(frozenset(told.items()), frozenset(counted.items())), set()).add(now)
        return {outcome: frozenset(calls) for outcome, calls in found.items()}

    def look(self, name: str) -> None:
        """A form opens that lets people approve: a stricter policy counts from then on."""
        if not self.world.frozen and self.world.policy.effect != "refuse":
            policy = self.world.policy
            self.calls[name] = frozenset(_tightened(call, policy) if call.open else call for call in self.calls[name])

    def edit(self, name: str, who: str, text: str) -> str | None:
        """Edit a call, and return how the person is answered; None: that is not sure, and nothing was changed."""
        edits = {edited(call, who, text, self.world) for call in self.calls[name]}
        if len({edit.answer for edit in edits}) > 1:
            return None
        self.calls[name] = frozenset(edit.call for edit in edits)
        return next(iter(edits)).answer

    def close(self, name: str) -> None:
        """Nobody decided in time."""
        self.change(name, open=False)

    def change(self, name: str, **fields: bool) -> None:
        """Change every possible state that is open."""
        self.calls[name] = frozenset(replace(call, **fields) if call.open else call for call in self.calls[name])

    def is_open(self, name: str) -> bool:
        """Return whether it surely waits for people."""
        return all(call.open for call in self.calls[name])

    @property
    def due(self) -> Sequence[str]:
        """The texts that surely were approved."""
        return [next(iter(calls)).text for calls in self.calls.values() if all(call.approved for call in calls)]

    def objections(self, happened: Counter[str]) -> Sequence[str]:
        """Return, in words, which of the effects so far nobody let happen, and which happened twice."""
        may: AbstractSet[str] = {call.text for calls in self.calls.values() for call in calls if call.approved}
        found = [f"{text!r} happened without approvals" for text in happened if text not in may]
        return [*found, *(f"{text!r} happened {count} times" for text, count in happened.items() if count > 1)]

    def expect(self, name: str, possible: Iterable[frozenset[Call]]) -> None:
        """Take a call to be in any of these states, too, until it is seen in which."""
        self.calls[name] = self.calls[name].union(*possible)

    def complaints(self, effects: Iterable[str]) -> Sequence[str]:
        """Return, in words, which effects nobody let happen, which happened twice and which did not happen."""
        happened = Counter(effects)
        return [
            *self.objections(happened),
            *(f"{text!r} was approved and did not happen" for text in self.due if not happened[text]),
        ]
