"""What people are asked while a run is under way, and the rules about it. Pure.

A request becomes a row; the row is decided once, by compare-and-set (`agent.ports.Approvals`). Who may decide is
policy: the facts about a person are read fresh at the click, and a fact that could not be learnt (None) counts
against them.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias

from agent.facts import REMEMBER
from agent.ids import ApprovalId, Digest, NodeId, ThreadId, ToolName, UserId
from agent.plan.operations import digest_of
from sandbox.script import Json

TURN = NodeId("")
"""The node of a request that is about a whole turn."""


EDITED_BY = "edited_by"
"""The key of `ApprovalRequest.facts` for the person who edited the arguments last."""

ALWAYS_ASKED = frozenset({REMEMBER})
"""Tools whose every call takes a person's yes about exactly this call: no rule and no grant lets one run."""

CORRECTED = "corrected"
"""Its key for a call planned anew because a person set a result: no rule and no grant lets one run."""

ASKERS = "askers"
"""Its key for those who asked for the call besides its author."""


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
    #: What does the tool want to know before it goes on?
    INPUT = "input"
    #: Which account does a call of this person run as? They connect it at the provider.
    CONNECT = "connect"


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
    #: It does not run as asked; the planner reads what to change.
    CHANGES = "changes"
    #: A person did it themselves; nothing runs.
    BY_HAND = "by_hand"
    #: The tool gets what the person entered.
    ANSWERED = "answered"
    #: The tool is told that the person does not say it; or they connect no account.
    DECLINED = "declined"
    #: The person connected their account. No button says so: the provider did.
    CONNECTED = "connected"


WorldState: TypeAlias = Mapping[str, Json]
"""What a call is about to change, as its tool read it: `{"read": value}`, or `{"unread": code}` when it could not."""


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
    #: The node's title; of a turn's request the replanner's question, or why it would plan on.
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
    #: What the card shows besides the arguments, as `agent/card_facts.py` writes it.
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    #: What it takes to approve it; None: asked before requirements were stored, or not about a call.
    requirement: "Requirement | None" = None


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """A request's row as the run sees it: where it stands and, once it is decided, who decided and when."""

    id: ApprovalId
    turn: int
    node: NodeId
    kind: ApprovalKind
    #: Of the call that a yes lets run: once somebody edited its arguments, `edited_digest`.
    digest: Digest
    decision: Decision = Decision.PENDING
    by: UserId | None = None
    reason: str = ""
    at: datetime | None = None
    #: What was asked, of the kinds in `KEPT_WHOLE` only: the arguments of a call can be long, and its node knows them.
    asked: ApprovalRequest | None = None
    #: The arguments that a person put in place of those asked about; None: nobody changed any.
    edited: Mapping[str, Json] | None = None
    #: What a person entered who did it by hand, or who answered a tool.
    result: Json = None
    #: Who is looking at it.
    claimed_by: UserId | None = None
    #: The grant that answered it (`agent.grant`); empty: a person did.
    grant: str = ""
    #: What it took to approve it.
    requirement: "Requirement | None" = None
    attempt: int = 1
    #: What the card said of what the call is about to change; None: nothing.
    state: WorldState | None = None


OF_AUTHOR = frozenset({ApprovalKind.INPUT, ApprovalKind.CONNECT})
"""Requests of a call that only the person answers for whom it is made."""

KEPT_WHOLE = frozenset({ApprovalKind.BUDGET, *OF_AUTHOR})
"""Requests whose arguments the run reads again."""

ABOUT_TURN = frozenset({ApprovalKind.ROUNDS, ApprovalKind.ASK, ApprovalKind.BUDGET, ApprovalKind.SET_ASIDE})
"""Requests about a whole turn."""

DECISIONS: Mapping[ApprovalKind, tuple[Decision, ...]] = {
    ApprovalKind.APPROVE: (Decision.APPROVED, Decision.REJECTED, Decision.CHANGES, Decision.BY_HAND),
    ApprovalKind.UNKNOWN: (Decision.AGAIN, Decision.HAPPENED, Decision.GIVE_UP),
    ApprovalKind.ROUNDS: (Decision.MORE, Decision.ACCEPT, Decision.STOP),
    ApprovalKind.ASK: (Decision.ACCEPT, Decision.STOP),
    ApprovalKind.BUDGET: (Decision.GO_ON, Decision.STOP),
    ApprovalKind.INPUT: (Decision.ANSWERED, Decision.DECLINED),
    ApprovalKind.SET_ASIDE: (Decision.TRY_AGAIN, Decision.LEAVE),
    ApprovalKind.CONNECT: (Decision.CONNECTED, Decision.DECLINED),
}
"""Kind -> what a person may answer, in the order of the buttons."""

GIVES_INPUT = frozenset({Decision.ANSWERED, Decision.DECLINED, Decision.CONNECTED})
"""Answers after which a call that asked goes on."""

RUNS_CALL = frozenset({Decision.APPROVED, Decision.AGAIN})
"""Answers after which the call runs: nobody gives them without having seen its arguments."""

NEEDS_WORDS = frozenset({Decision.CHANGES, Decision.BY_HAND, Decision.ANSWERED, Decision.CONNECTED})
"""Answers that nobody gives without words, or here at all: no button stands for them."""

GRANTS = RUNS_CALL | {Decision.HAPPENED, Decision.GO_ON, Decision.BY_HAND}
"""Answers that let work go on: without `self_approval` no author gives them. Authors may always take back."""


def edited_digest(asked: Digest, tool: ToolName, args: Mapping[str, Json]) -> Digest:
    """Return the digest of a call with edited arguments, in the form of `agent.ports.Bound.digest`.

    It covers the digest that was asked about, so the node and the outputs that its arguments came from.
    """
    return digest_of({"tool": tool, "args": args, "in_place_of": asked})


def ends_turn(kind: ApprovalKind, decision: Decision) -> bool:
    """Return whether a decision stops the turn: somebody said so, or nobody let it go on in time."""
    undecided = decision is Decision.EXPIRED and kind in (ApprovalKind.BUDGET, ApprovalKind.SET_ASIDE)
    return undecided or decision in (Decision.STOP, Decision.LEAVE)


GroupId = NewType("GroupId", str)
"""A Slack user group's id (`S...`)."""

MOST_APPROVERS = 20
"""The largest quorum, and the most stages."""


@dataclass(frozen=True, kw_only=True)
class ApprovalPolicy:
    """Who may decide.

    `users` and `groups` add up. When neither is configured (None) the author of the operation and
    the full members of the channel may; configured but empty means nobody.
    """

    #: When false, authors never approve their own operations, whatever the lists say, and neither does who else wrote
    #: anything that was in view when they were planned.
    self_approval: bool = True
    users: AbstractSet[UserId] | None = None
    groups: AbstractSet[GroupId] | None = None
    #: How many different people must approve.
    quorum: int = 1
    #: `#name` or id of the channel to ask in when nobody who is where the request came from may approve it.
    channel: str = ""
    #: Policies that must hold as well: a stricter one came while the request was open.
    also: "tuple[ApprovalPolicy, ...]" = field(default=(), metadata={"internal": True})
    #: People to whom the request was escalated: they may decide, whatever the lists say.
    more_users: AbstractSet[UserId] = field(default=frozenset(), metadata={"internal": True})
    #: The same for the members of groups.
    more_groups: AbstractSet[GroupId] = field(default=frozenset(), metadata={"internal": True})

    def __post_init__(self) -> None:
        if not 1 <= self.quorum <= MOST_APPROVERS:
            raise ValueError(f"a quorum of {self.quorum} is not available; 1 to {MOST_APPROVERS} are")

    @property
    def is_for_anyone(self) -> bool:
        """Whether the author and the members of the channel may decide."""
        return self.users is None and self.groups is None

    @property
    def parts(self) -> "tuple[ApprovalPolicy, ...]":
        """The policy and those that must hold as well."""
        return (self, *self.also)

    @property
    def every_group(self) -> frozenset[GroupId]:
        """The groups whose members matter."""
        return frozenset(group for part in self.parts for group in (*(part.groups or ()), *part.more_groups))


class OnExpiry(StrEnum):
    """What follows when nobody decided in time."""

    #: The step ends as expired.
    FAIL = "fail"
    #: Nothing: the request stays open, and people are reminded.
    PARK = "park"
    #: A new request is asked, a few times at most.
    AGAIN = "again"


class Again(StrEnum):
    """Why a request is asked once more."""

    EXPIRED = "expired"
    TOO_OLD = "too_old"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """Whom else to ask when nobody has decided after a while."""

    after_minutes: float
    #: They may decide from then on.
    users: AbstractSet[UserId] = frozenset()
    groups: AbstractSet[GroupId] = frozenset()
    #: `#name` or id of a channel where the card stands from then on, too.
    channel: str = ""


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What it takes to approve a call, as it was when its request was posted, and how far that got."""

    #: In order; each needs its quorum before the next begins. A person counts once in all of them together.
    stages: tuple[ApprovalPolicy, ...] = (ApprovalPolicy(),)
    #: The stage that is under way, from 0.
    stage: int = 0
    #: The rule that decided; empty: the table `[approvals]`.
    rule: str = ""
    #: A digest of the policy.
    version: str = ""
    #: The rule lets the call run unasked.
    allowed: bool = False
    #: None: as `[limits] approval_hours` says.
    expires_minutes: float | None = None
    on_expiry: OnExpiry = OnExpiry.FAIL
    remind_minutes: float | None = None
    reminded: bool = False
    escalation: Escalation | None = None
    escalated: bool = False
    #: The channel and the people where copies of the card stand because of the escalation.
    escalated_to: tuple[str, ...] = ()
    #: How long an approval counts when its call has not run yet; None: for ever.
    approval_age_minutes: float | None = None
    #: How often the call was asked about before.
    round: int = 0
    again: Again | None = None
    #: The most open cards of a run and about one person's requests; 0: no bound.
    cards_per_run: int = 0
    cards_per_person: int = 0
    #: Whether it waits for a free card.
    held: bool = False

    @property
    def current(self) -> ApprovalPolicy:
        """Return who may approve now."""
        return self._escalated(self.stages[min(self.stage, len(self.stages) - 1)])

    @property
    def every(self) -> tuple[ApprovalPolicy, ...]:
        """Return who may approve in any stage: all of them may reject."""
        return tuple(self._escalated(stage) for stage in self.stages)

    @property
    def is_single(self) -> bool:
        """Whether one approval is all it takes."""
        return self.needs == (1,)

    @property
    def bounds_cards(self) -> bool:
        """Whether it may have to wait for a free card."""
        return bool(self.cards_per_run or self.cards_per_person)

    @property
    def needs(self) -> tuple[int, ...]:
        """The quorum of each stage."""
        return tuple(stage.quorum for stage in self.stages)

    def _escalated(self, stage: ApprovalPolicy) -> ApprovalPolicy:
        if not self.escalated or self.escalation is None:
            return stage
        return replace(stage, more_users=self.escalation.users, more_groups=self.escalation.groups)


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One person's approval, where more than one is needed."""

    by: UserId
    #: The stage it counts in, from 0.
    stage: int


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policy of each tool, and the one for all others."""

    default: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    by_tool: Mapping[ToolName, ApprovalPolicy] = field(default_factory=dict[ToolName, ApprovalPolicy])

    def of(self, request: ApprovalRequest) -> ApprovalPolicy:
        """Return the policy for a request: what it was posted with, else that of its tool or its node's kind.

        Whoever may steer a turn may answer what is asked about it; a tool's approvers have no part in that.
        """
        if request.kind in ABOUT_TURN:
            return ApprovalPolicy()
        return self.of_tool(request.tool) if request.requirement is None else request.requirement.current

    def of_tool(self, tool: ToolName) -> ApprovalPolicy:
        """Return what the table says of a tool."""
        return self.by_tool.get(tool, self.default)


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


class FreezeScope(StrEnum):
    """The red calls that a freeze stops."""

    WORKSPACE = "workspace"
    CHANNEL = "channel"
    TOOL = "tool"


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A stop of red calls by an administrator, until it is lifted."""

    scope: FreezeScope
    #: The channel's id or the tool's name; empty for the whole workspace.
    target: str = ""


class Refusal(StrEnum):
    """Why a person may not decide; `bot/wording.py` has the words."""

    NOT_A_MEMBER = "not_a_member"
    UNKNOWN_PERSON = "unknown_person"
    NOT_IN_CHANNEL = "not_in_channel"
    APP_NOT_IN_CHANNEL = "app_not_in_channel"
    NOT_AN_APPROVER = "not_an_approver"
    OWN_REQUEST = "own_request"
    ASKED_TOO = "asked_too"
    NOBODY = "nobody"
    NOT_THE_AUTHOR = "not_the_author"


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """The person may decide."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The person may not decide."""

    reason: Refusal


Permission: TypeAlias = Allowed | Refused


def askers_of(request: ApprovalRequest) -> frozenset[UserId]:
    """Return who asked for a call besides its author: their words were in view when it was planned."""
    stored = request.facts.get(ASKERS)
    return frozenset(UserId(str(asker)) for asker in stored) if isinstance(stored, list | tuple) else frozenset()


def may_decide(
    policy: ApprovalPolicy,
    author: UserId,
    clicker: Clicker,
    *,
    askers: AbstractSet[UserId] = frozenset(),
    approving: bool = True,
) -> Permission:
    """Return whether the clicker may decide a request about an operation of `author`.

    `askers` asked for it, too (`askers_of`). `approving` is whether the decision is one of `GRANTS`: authors may always
    take back what they asked for.
    """
    if (refusal := _refusal(policy, author, clicker, approving=approving)) is None and approving:
        refusal = _refusal_of_asker(policy, askers, clicker)
    return Allowed() if refusal is None else Refused(reason=refusal)


def may_decide_on(
    policy: ApprovalPolicy, request: ApprovalRequest, clicker: Clicker, *, approving: bool = True
) -> Permission:
    """Return whether the clicker may decide a request; what a tool asks concerns the person for whom it works alone."""
    if request.kind in OF_AUTHOR and clicker.is_full_member and clicker.user != request.author:
        return Refused(reason=Refusal.NOT_THE_AUTHOR)
    if request.kind in OF_AUTHOR:
        policy = ApprovalPolicy()
    return may_decide(policy, request.author, clicker, askers=askers_of(request), approving=approving)


def _refusal(policy: ApprovalPolicy, author: UserId, clicker: Clicker, *, approving: bool) -> Refusal | None:
    if clicker.is_full_member is None:
        return Refusal.UNKNOWN_PERSON
    if not clicker.is_full_member:
        return Refusal.NOT_A_MEMBER
    if clicker.user == author and not approving:
        return None
    refusals = (_refusal_of_part(part, author, clicker) for part in policy.parts)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _refusal_of_asker(policy: ApprovalPolicy, askers: AbstractSet[UserId], clicker: Clicker) -> Refusal | None:
    asked = clicker.user in askers and not all(part.self_approval for part in policy.parts)
    return Refusal.ASKED_TOO if asked else None


def _refusal_of_part(policy: ApprovalPolicy, author: UserId, clicker: Clicker) -> Refusal | None:
    if clicker.user == author and not policy.self_approval:
        return Refusal.OWN_REQUEST
    if clicker.user in policy.more_users or policy.more_groups & (clicker.groups or frozenset()):
        return None
    if policy.is_for_anyone:
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
