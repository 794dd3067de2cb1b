"""What people are asked while a run is under way, and the rules about it. Pure.

A request becomes a row; the row is decided once, by compare-and-set (`agent.ports.Approvals`). Who may decide is
policy: the facts about a person are read fresh at the click, and a fact that could not be learnt (None) counts
against them.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias

from agent.ids import ApprovalId, Digest, NodeId, ThreadId, ToolName, UserId
from sandbox.script import Json

TURN = NodeId("")
"""The node of a request that is about a whole turn."""


class ApprovalKind(StrEnum):
    """The kind of decision a person is asked for."""

    #: May this red call run?
    APPROVE = "approve"
    #: Did this red call happen? The process died while it was under way.
    UNKNOWN = "unknown"
    #: May the turn be planned anew, though it has used up its rounds?
    ROUNDS = "rounds"
    #: What is wanted? The replanner does not know.
    ASK = "ask"
    #: May the turn, or its thread, spend its whole budget once more?
    BUDGET = "budget"
    #: Shall the turn be taken up again, though each process that did broke down?
    SET_ASIDE = "set_aside"


class Decision(StrEnum):
    """Where a request stands: open, closed without an answer, or answered."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    HAPPENED = "happened"
    AGAIN = "again"
    GIVE_UP = "give_up"
    MORE = "more"
    ACCEPT = "accept"
    STOP = "stop"
    GO_ON = "go_on"
    TRY_AGAIN = "try_again"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """A request for a decision. For a call it holds exactly what runs after a yes."""

    #: A hash of thread, node, kind, digest and attempt: asking twice finds the same row.
    id: ApprovalId
    thread: ThreadId
    turn: int
    #: `TURN` when the request is about a whole turn.
    node: NodeId
    kind: ApprovalKind
    #: The node's title, or the replanner's question.
    title: str
    #: The tool's name, or the node's kind for a package or subagent that needs approval.
    tool: ToolName
    #: The call's resolved arguments. Of a budget request: what is used up and, once it is extended, from where the
    #: budget counts once more (`agent/budget/tracker.py`).
    args: Mapping[str, Json]
    #: SHA-256 of the canonical JSON of tool, arguments and the outputs they came from.
    digest: Digest
    #: Who asked for the operation.
    author: UserId
    attempt: int = 1
    #: Titles of the nodes that wait behind this one; of a turn's request, of what would be done next.
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """A request's row as the run sees it: where it stands and, once it is decided, who decided and when."""

    id: ApprovalId
    turn: int
    node: NodeId
    kind: ApprovalKind
    digest: Digest
    decision: Decision = Decision.PENDING
    by: UserId | None = None
    reason: str = ""
    at: datetime | None = None
    #: What was asked, of budget requests only: the arguments of a call can be long, and its node knows them.
    budget: ApprovalRequest | None = None


ABOUT_TURN = frozenset({ApprovalKind.ROUNDS, ApprovalKind.ASK, ApprovalKind.BUDGET, ApprovalKind.SET_ASIDE})
"""Requests about a whole turn."""

DECISIONS: Mapping[ApprovalKind, tuple[Decision, ...]] = {
    ApprovalKind.APPROVE: (Decision.APPROVED, Decision.REJECTED),
    ApprovalKind.UNKNOWN: (Decision.AGAIN, Decision.HAPPENED, Decision.GIVE_UP),
    ApprovalKind.ROUNDS: (Decision.MORE, Decision.ACCEPT, Decision.STOP),
    ApprovalKind.ASK: (Decision.ACCEPT, Decision.STOP),
    ApprovalKind.BUDGET: (Decision.GO_ON, Decision.STOP),
    ApprovalKind.SET_ASIDE: (Decision.TRY_AGAIN, Decision.LEAVE),
}
"""Kind -> what a person may answer, in the order of the buttons."""

RUNS_CALL = frozenset({Decision.APPROVED, Decision.AGAIN})
"""Answers after which the call runs: nobody gives them without having seen its arguments."""

GRANTS = RUNS_CALL | {Decision.HAPPENED, Decision.GO_ON}
"""Answers that let work go on: without `self_approval` no author gives them. Authors may always take back."""


def ends_turn(kind: ApprovalKind, decision: Decision) -> bool:
    """Return whether a decision stops the turn: somebody said so, or nobody let it go on in time."""
    undecided = decision is Decision.EXPIRED and kind in (ApprovalKind.BUDGET, ApprovalKind.SET_ASIDE)
    return undecided or decision in (Decision.STOP, Decision.LEAVE)


GroupId = NewType("GroupId", str)
"""A Slack user group's id (`S...`)."""


@dataclass(frozen=True, kw_only=True)
class ApprovalPolicy:
    """Who may decide.

    `users` and `groups` add up. When neither is configured (None) the author of the operation and
    the full members of the channel may; configured but empty means nobody.
    """

    #: When false, authors never approve their own operations, whatever the lists say.
    self_approval: bool = True
    users: AbstractSet[UserId] | None = None
    groups: AbstractSet[GroupId] | None = None
    #: Only 1 is available.
    quorum: int = 1
    #: `#name` or id of the channel to ask in when nobody who is where the request came from may approve it.
    channel: str = ""

    def __post_init__(self) -> None:
        if self.quorum != 1:
            raise ValueError(f"a quorum of {self.quorum} is not available; only 1 is")


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policy of each tool, and the one for all others."""

    default: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    by_tool: Mapping[ToolName, ApprovalPolicy] = field(default_factory=dict[ToolName, ApprovalPolicy])

    def of(self, request: ApprovalRequest) -> ApprovalPolicy:
        """Return the policy for a request: that of its tool, or of the node kind that needs approval.

        Whoever may steer a turn may answer what is asked about it; a tool's approvers have no part in that.
        """
        return ApprovalPolicy() if request.kind in ABOUT_TURN else self.by_tool.get(request.tool, self.default)


@dataclass(frozen=True, kw_only=True)
class Clicker:
    """The person who clicked, as Slack described them just now. None: could not be learnt."""

    user: UserId
    #: False for guests, bots, deactivated people and people of another organisation.
    is_full_member: bool | None
    in_channel: bool | None
    #: Those of the policy's groups that the person is in.
    groups: AbstractSet[str] | None
    #: False when the app is not in the channel any more, so that nobody's membership can be seen.
    channel_is_seen: bool = True


class Refusal(StrEnum):
    """Why a person may not decide; `bot/wording.py` has the words."""

    NOT_A_MEMBER = "not_a_member"
    UNKNOWN_PERSON = "unknown_person"
    NOT_IN_CHANNEL = "not_in_channel"
    APP_NOT_IN_CHANNEL = "app_not_in_channel"
    NOT_AN_APPROVER = "not_an_approver"
    OWN_REQUEST = "own_request"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """The person may decide."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The person may not decide."""

    reason: Refusal


Permission: TypeAlias = Allowed | Refused


def may_decide(policy: ApprovalPolicy, author: UserId, clicker: Clicker, *, approving: bool = True) -> Permission:
    """Return whether the clicker may decide a request about an operation of `author`.

    `approving` is whether the decision is one of `GRANTS`: authors may always take back what they asked for.
    """
    if (refusal := _refusal(policy, author, clicker, approving=approving)) is not None:
        return Refused(reason=refusal)
    return Allowed()


def _refusal(policy: ApprovalPolicy, author: UserId, clicker: Clicker, *, approving: bool) -> Refusal | None:
    if clicker.is_full_member is None:
        return Refusal.UNKNOWN_PERSON
    if not clicker.is_full_member:
        return Refusal.NOT_A_MEMBER
    if clicker.user == author:
        if not approving:
            return None
        if not policy.self_approval:
            return Refusal.OWN_REQUEST
    if policy.users is None and policy.groups is None:
        return _channel_refusal(author, clicker)
    return _list_refusal(policy.users or frozenset(), policy.groups or frozenset(), clicker)


def _channel_refusal(author: UserId, clicker: Clicker) -> Refusal | None:
    if clicker.user == author or clicker.in_channel:
        return None
    if not clicker.channel_is_seen:
        return Refusal.APP_NOT_IN_CHANNEL
    return Refusal.UNKNOWN_PERSON if clicker.in_channel is None else Refusal.NOT_IN_CHANNEL


def _list_refusal(users: AbstractSet[UserId], groups: AbstractSet[GroupId], clicker: Clicker) -> Refusal | None:
    if clicker.user in users:
        return None
    if not users and not groups:
        return Refusal.NOBODY
    if groups and clicker.groups is None:
        return Refusal.UNKNOWN_PERSON
    return None if groups & (clicker.groups or frozenset()) else Refusal.NOT_AN_APPROVER
