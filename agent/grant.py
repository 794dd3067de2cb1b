"""Grants: a person's approval of calls that come later, bounded in what, where, how often and how long. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias, assert_never

from agent.approval import ALWAYS_ASKED, CORRECTED, ApprovalKind, ApprovalRequest
from agent.ids import ChannelId, Digest, NodeId, ThreadId, ToolName, UserId, thread_parts
from agent.plan.operations import canonical_json, digest_of
from agent.plan.references import pieces, references_in, with_texts
from sandbox.script import Json

GrantId = NewType("GrantId", str)


class GrantKind(StrEnum):
    """How far a grant reaches."""

    #: One turn of one thread: what its plan names.
    ENVELOPE = "envelope"
    #: Every thread of one channel.
    RULE = "rule"


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """The argument is one of these values."""

    values: tuple[Json, ...]


@dataclass(frozen=True, kw_only=True)
class AtMost:
    """The argument is a number from 0 to this one."""

    most: float


@dataclass(frozen=True)
class Anything:
    """The argument may have any value."""


Condition: TypeAlias = OneOf | AtMost | Anything
"""What an argument must be."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """An approval of calls that come later."""

    id: GrantId
    kind: GrantKind
    channel: ChannelId
    tool: ToolName
    #: Argument -> what it must be. A call with any other argument is not covered.
    conditions: Mapping[str, Condition]
    made_by: UserId
    made_at: datetime
    expires_at: datetime
    most_uses: int
    uses: int = 0
    #: Of an envelope.
    thread: ThreadId | None = None
    turn: int = 0

    def covers(self, request: ApprovalRequest) -> bool:
        """Return whether a request is about a call that the grant's words cover; its lifetime and uses count apart."""
        parts = thread_parts(request.thread)
        if request.kind is not ApprovalKind.APPROVE or request.tool != self.tool or parts.channel != self.channel:
            return False
        if request.tool in ALWAYS_ASKED or CORRECTED in request.facts:
            return False
        if self.kind is GrantKind.ENVELOPE and (request.thread, request.turn) != (self.thread, self.turn):
            return False
        return meets(self.conditions, request.args)


def meets(conditions: Mapping[str, Condition], args: Mapping[str, Json]) -> bool:
    """Return whether arguments meet the conditions: each one has a condition, and each condition but `Anything` one."""
    if not args.keys() <= conditions.keys():
        return False
    return all(
        isinstance(condition, Anything) if name not in args else _meets(condition, args[name])
        for name, condition in conditions.items()
    )


def _meets(condition: Condition, value: Json) -> bool:
    match condition:
        case Anything():
            return True
        case OneOf(values=values):
            written = canonical_json(value)  # 1 is not True, and not 1.0
            return any(canonical_json(known) == written for known in values)
        case AtMost(most=most):
            return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
        case _:
            assert_never(condition)


def targets_fixed(conditions: Mapping[str, Condition], targets: Sequence[str] | None) -> bool:
    """Return whether conditions leave no target open.

    `targets` are the arguments that say what a tool changes; None: it does not say, so each argument may.
    """
    named = conditions.keys() if targets is None else targets
    return bool(named) and all(isinstance(conditions.get(name), OneOf) for name in named)


def rule_conditions(
    approved: Sequence[Mapping[str, Json]], targets: Sequence[str] | None
) -> Mapping[str, Condition] | None:
    """Return the narrowest conditions that earlier calls of one tool suggest; None: they have too little in common.

    What was equal stays fixed. What differed may be anything, but a target only what it was.
    """
    if not approved or any(args.keys() != approved[0].keys() for args in approved):
        return None
    conditions: dict[str, Condition] = {}
    for name in approved[0]:
        values = _distinct([args[name] for args in approved])
        fixed = len(values) == 1 or targets is None or name in targets
        conditions[name] = OneOf(values=values) if fixed else Anything()
    return conditions if targets_fixed(conditions, targets) else None


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A rule that earlier decisions suggest."""

    #: The narrowest conditions.
    conditions: Mapping[str, Condition]
    #: Argument -> what it was in each call that was approved.
    seen: Mapping[str, Sequence[Json]]
    #: How many calls like it were approved, and how many rejected.
    approved: int
    rejected: int


def suggest_rule(
    args: Mapping[str, Json],
    approved: Sequence[Mapping[str, Json]],
    rejected: Sequence[Mapping[str, Json]],
    targets: Sequence[str] | None,
) -> Suggestion | None:
    """Return the rule that earlier calls of one tool suggest for calls like this one; None: they suggest none."""
    like = [other for other in approved if alike(args, other, targets)]
    if (conditions := rule_conditions(like, targets)) is None:
        return None
    return Suggestion(
        conditions=conditions,
        seen={name: [other[name] for other in like] for name in conditions},
        approved=len(like),
        rejected=sum(alike(args, other, targets) for other in rejected),
    )


def alike(args: Mapping[str, Json], other: Mapping[str, Json], targets: Sequence[str] | None) -> bool:
    """Return whether two calls of one tool change the same things: targets and names of arguments are equal."""
    names = args.keys() if targets is None else targets
    return args.keys() == other.keys() and all(
        canonical_json(args.get(name)) == canonical_json(other.get(name)) for name in names
    )


def _distinct(values: Sequence[Json]) -> tuple[Json, ...]:
    return tuple({canonical_json(value): value for value in values}.values())


def conditions_json(conditions: Mapping[str, Condition]) -> dict[str, Json]:
    """Return conditions as they are stored."""
    return {name: _condition_json(condition) for name, condition in conditions.items()}


def _condition_json(condition: Condition) -> dict[str, Json]:
    match condition:
        case OneOf(values=values):
            return {"one_of": list(values)}
        case AtMost(most=most):
            return {"at_most": most}
        case Anything():
            return {"any": True}
        case _:
            assert_never(condition)


def conditions_from_json(stored: Mapping[str, Json]) -> Mapping[str, Condition]:
    """Return stored conditions.

    Raises:
        ValueError: one of them is of no kind that is known; then nothing is covered.
    """
    return {name: _condition_from_json(name, condition) for name, condition in stored.items()}


def _condition_from_json(name: str, stored: Json) -> Condition:
    match stored:
        case {"one_of": [*values]}:
            return OneOf(values=tuple(values))
        case {"at_most": int(most) | float(most)}:
            return AtMost(most=most)
        case {"any": True}:
            return Anything()
        case _:
            raise ValueError(f"the condition of {name!r} is of no known kind")


@dataclass(frozen=True, kw_only=True)
class PlannedCall:
    """A red call of a plan that nobody was asked about yet."""

    thread: ThreadId
    turn: int
    node: NodeId
    title: str
    tool: ToolName
    author: UserId
    #: As the plan writes them, references included.
    args: Mapping[str, Json]

    @property
    def digest(self) -> Digest:
        """Ties what a person saw to this very call."""
        return digest_of([self.node, self.tool, self.author, dict(self.args)])

    @property
    def grant(self) -> GrantId:
        """The id of the one grant that lets it run unasked."""
        return GrantId(digest_of(["envelope", self.thread, self.turn, self.digest])[:32])


def planned_conditions(args: Mapping[str, Json], targets: Sequence[str] | None) -> Mapping[str, Condition] | None:
    """Return what a planned call may be: what the plan writes stays fixed, what it takes from other steps may be any.

    None: it is not fixed what the call changes. `targets` are the arguments that say so; None: each one may.
    """
    conditions: dict[str, Condition] = {}
    for name, value in args.items():
        if next(references_in(value), None) is None:
            conditions[name] = OneOf(values=(with_texts(value, _literal),))
        elif targets is None or name in targets:
            return None
        else:
            conditions[name] = Anything()
    named = args.keys() if targets is None else args.keys() & set(targets)
    return conditions if named else None


def _literal(text: str) -> str:
    """Return a text without references as the call gets it."""
    return "".join(str(piece) for piece in pieces(text))
