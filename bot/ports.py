"""The Slack side's ports, implemented in `infra/stores/`.

Every method that returns has committed what it says it did. All raise
`agent.errors.StoreUnavailable` when the database cannot be reached.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from agent.approval import ApprovalRequest, Decision, DecisionRecord, Freeze, Requirement, Vote
from agent.budget.usage import Spent
from agent.events import AttemptEnded
from agent.facts import Fact, FactId, Readable
from agent.grant import Grant, GrantId, PlannedCall
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId
from agent.packing.packing import Fusion, Split
from agent.plan.operations import NodeKind
from agent.plan.outcomes import NodeState, Outcome
from agent.plan.sources import Source
from agent.ports import Instruction, Message, Reflection, RunStatus, Subscription
from agent.runbooks import RunbookUsed
from agent.tool import Colour
from sandbox.script import Json


class Kind(StrEnum):
    """How a message reached us."""

    MENTION = "mention"
    REPLY = "reply"
    DIRECT = "direct"
    COMMAND = "command"
    #: A request to end the thread's work: a message that says so, a button or a shortcut.
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """One message of a person, to be stored before Slack gets its ack."""

    #: The team the app is installed in, never the sender's.
    tenant: Tenant
    app: str
    #: Slack's, or `command:<trigger id>`, or `stop:<trigger id>`.
    event_id: str
    channel: ChannelId
    #: The message's own timestamp; of a stop that is no message, `stop:<event id>`.
    ts: str
    thread: ThreadId
    author: UserId
    #: Plain text without the mention of the app: links and channels unfolded, `&amp;` decoded; people stay `<@U1>`.
    text: str
    kind: Kind
    #: Slack's `action_token` that came with it: lets the app search with the author's rights for some minutes.
    search_token: str = field(default="", repr=False)


class Receipt(StrEnum):
    """The result of taking a message in."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    #: A stop where there is nothing to stop.
    IDLE = "idle"


class Load(NamedTuple):
    """What a person has under way."""

    #: Whether the thread asked about has work that has not ended: a message there begins nothing.
    under_way: bool
    #: Threads with a request of theirs that runs, or that no turn has taken yet.
    runs: int
    #: Open requests for a decision about operations of theirs.
    cards: int


class Inbox(Protocol):
    """Stores messages as they come in."""

    async def accept(self, incoming: Incoming) -> Receipt:
        """Insert the row and the thread's `wake` job in one transaction.

        DUPLICATE, and nothing stored, when (tenant, channel, ts) or (app, tenant, event_id) is
        already there: a mention arrives as `app_mention` and as `message` with different event ids.
        IDLE, and nothing stored, for a stop in a thread where nothing is under way.
        """
        ...

    async def engaged(self, thread: ThreadId) -> bool:
        """Return whether a message of this thread was ever accepted: then its replies are for us too."""
        ...

    async def load(self, tenant: Tenant, user: UserId, thread: ThreadId | None) -> Load:
        """Return what the person has under way, and whether `thread` has anything."""
        ...

    async def waiting(self, thread: ThreadId) -> bool:
        """Return whether a message of this thread (a stop is none) is not taken into a turn yet."""
        ...


class SearchTokens(Protocol):
    """The rights to search that people's messages brought, for as long as they live."""

    async def find(self, thread: ThreadId, author: UserId) -> str | None:
        """Return the token of the person's newest message in the thread; None: there is none, or it is too old."""
        ...

    async def forget(self, thread: ThreadId, author: UserId) -> None:
        """Delete a token that Slack takes no longer."""
        ...


@dataclass(frozen=True, kw_only=True)
class ApprovalView:
    """A request with everything its card shows."""

    request: ApprovalRequest
    record: DecisionRecord
    asked_at: datetime
    #: Starts at 1 and grows with every change to what is asked; a click carries the version it saw.
    version: int = 1
    expires_at: datetime | None = None
    #: Titles of the unfinished nodes that wait behind the request's node now.
    waiting: tuple[str, ...] = ()
    #: False while one of the card's messages stands as cut words: nobody can have read all that would run.
    shown_whole: bool = True
    #: The code of a script that would run; empty when the request is about something else.
    script: str = ""
    #: Channels and people besides the thread where the request is asked, too.
    places: tuple[str, ...] = ()
    #: Nobody where it was asked may grant it.
    nobody_here: bool = False
    #: A freeze keeps its call from starting.
    frozen: bool = False
    #: The request in whose card it stands with others, which may be itself; None: it has its own.
    card: ApprovalId | None = None
    #: How many steps of its turn succeeded, and how many there are; None while steps may still run.
    progress: tuple[int, int] | None = None
    #: How many steps of its turn will ask later; 0 while steps may still run.
    to_come: int = 0
    #: The approvals so far, in order, where several are needed; those that count.
    votes: tuple[Vote, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nobody decided yet."""
        return self.record.decision is Decision.PENDING

    @property
    def args(self) -> Mapping[str, Json]:
        """The arguments that would run: a person's, once somebody edited them."""
        return self.request.args if self.record.edited is None else self.record.edited

    @property
    def asked(self) -> ApprovalRequest:
        """The request with the arguments that would run."""
        return replace(self.request, args=self.args)

    @property
    def is_held(self) -> bool:
        """Whether it waits for a free card."""
        return self.is_open and self.request.requirement is not None and self.request.requirement.held

    @property
    def only_elsewhere(self) -> bool:
        """Whether nobody may grant it where it was asked: copies that an escalation posted do not say that."""
        escalated = () if self.request.requirement is None else self.request.requirement.escalated_to
        return self.nobody_here or bool(set(self.places) - set(escalated))

    @property
    def blocks(self) -> tuple[str, ...]:
        """The waiting titles on the card: as of now while the request is open, then as of when it was asked."""
        return (self.is_open and self.waiting) or self.request.blocks


@dataclass(frozen=True, kw_only=True)
class AttemptView:
    """One ended attempt of a package."""

    attempt: int
    #: A sandbox outcome kind.
    kind: str
    #: E.g. `ValueError: ...`.
    error: str


@dataclass(frozen=True, kw_only=True)
class NodeView:
    """A node as people see it."""

    id: NodeId
    title: str
    kind: NodeKind
    colour: Colour
    state: NodeState
    #: The tool of a call, the role of a subagent.
    tool: str | None = None
    detail: str = ""
    #: Set exactly when `state` is final.
    outcome: Outcome | None = None
    attempts: tuple[AttemptView, ...] = ()
    depends_on: tuple[NodeId, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PackageView:
    """A package with everything its attempts left."""

    thread: ThreadId
    node: NodeId
    title: str
    attempts: tuple[AttemptEnded, ...]
    #: Where all that its script saw comes from.
    sources: AbstractSet[Source] = frozenset()


class Packages(Protocol):
    """Reads packages after they ended."""

    async def package(self, thread: ThreadId, node: NodeId) -> PackageView | None:
        """Return the package, or None when the thread has no such node."""
        ...


class Post(StrEnum):
    """The messages a turn puts into its thread."""

    BOARD = "board"
    CARD = "card"
    REPLY = "reply"
    ANSWER = "answer"
    TROUBLE = "trouble"
    PICTURE = "picture"
    SESSION = "session"
    REMINDER = "reminder"


class Slot(NamedTuple):
    """The place of one message of a turn."""

    post: Post
    #: The approval's id for cards, the reply's index for replies, else empty; a card that stands elsewhere appends
    #: `@` and the channel or person, further messages append `#2`, `#3`, ...
    key: str = ""

    @property
    def place(self) -> str:
        """The channel or person where the message stands; empty for the turn's thread."""
        return self.key.partition("#")[0].partition("@")[2] if self.post is Post.CARD else ""


_MODAL = "modal"


def card_slot(approval: ApprovalId, place: str = "", part: int = 0) -> Slot:
    """Return the slot of a card in a place, or of the numbered message before it."""
    at, number = f"@{place}" if place else "", f"#{part}" if part else ""
    return Slot(Post.CARD, f"{approval}{at}{number}")


def shown_slot(approval: ApprovalId) -> Slot:
    """Return the slot of the modal with a request's confidential values: filled, as cut, once Slack refused it."""
    return Slot(Post.CARD, f"{approval}#{_MODAL}")


def is_of_card(slot: Slot, approval: str) -> bool:
    """Return whether a message belongs to the request's card, wherever it stands."""
    return slot.post is Post.CARD and slot.key.partition("#")[0].partition("@")[0] == approval


def places_of(posts: "Mapping[Slot, PostedMessage]", approval: str) -> tuple[str, ...]:
    """Return where else a request is asked, or will be."""
    return tuple(sorted({slot.place for slot in posts if is_of_card(slot, approval) and slot.place}))


CUT = "cut:"
"""Before the digest of a message that stands as cut words, because Slack refused its blocks."""


def cut(message: Digest) -> Digest:
    """Return what is recorded of a message that stands as cut words."""
    return Digest(f"{CUT}{message}")


class PostedMessage(NamedTuple):
    """A message that stands in Slack."""

    #: Of a picture, which is a file, its address, empty when it could not be shared; of a session, empty; of a card
    #: elsewhere empty until it is posted.
    ts: str
    #: The digest of what the message shows, after `CUT` when it stands as cut words; of a session, its status.
    shown: Digest

    @property
    def is_cut(self) -> bool:
        """Whether it stands as cut words."""
        return self.shown.startswith(CUT)

    def shows(self, message: Digest) -> bool:
        """Return whether it stands for this message, whole or cut: sending it again would change nothing."""
        return self.shown in (message, cut(message))


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One turn of a thread, read in one snapshot: all that Slack shows of it."""

    thread: ThreadId
    turn: int
    status: RunStatus
    requester: UserId
    started_at: datetime
    ended_at: datetime | None = None
    requests: tuple[Message, ...] = ()
    #: Those this turn added, in plan order.
    nodes: tuple[NodeView, ...] = ()
    #: Those asked in this turn, in the order they were asked.
    approvals: tuple[ApprovalView, ...] = ()
    replies: tuple[str, ...] = ()
    answer: str = ""
    error: str = ""
    spent: Spent = field(default_factory=Spent)
    fusions: tuple[Fusion, ...] = ()
    splits: tuple[Split, ...] = ()
    #: The messages that already stand in Slack.
    posts: Mapping[Slot, PostedMessage] = field(default_factory=dict[Slot, PostedMessage])
    #: Whether something that it changed can be undone.
    can_undo: bool = False
    #: Whether it can be saved as a runbook.
    can_save: bool = False
    #: The facts from memory that its plan or its answer used; in a thread one without words may not be told there.
    facts: tuple[Fact, ...] = ()
    #: The runbooks that its plan was made with.
    runbooks: tuple[RunbookUsed, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the turn's status is final."""
        return self.status in {RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED}


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that is not final, for `/greenlight status`."""

    thread: ThreadId
    turn: int
    status: RunStatus
    requester: UserId
    request: str
    started_at: datetime
    #: How many of its approvals are open.
    waiting: int


@dataclass(frozen=True, kw_only=True)
class PendingRequest:
    """An open request, for `/greenlight pending`. The request comes without arguments, which can be long."""

    request: ApprovalRequest
    asked_at: datetime
    claimed_by: UserId | None
    frozen: bool
    #: Of its card in the thread; empty until that stands.
    card_ts: str


@dataclass(frozen=True, kw_only=True)
class ConnectedAccount:
    """An account that a person connected."""

    provider: str
    #: The provider's name for people.
    title: str
    #: Who they are there, in the provider's words; empty: it does not say.
    subject: str
    since: datetime | None
    scopes: str


class Disconnected(StrEnum):
    """What became of an account that a person disconnected."""

    NOT_THERE = "not_there"
    #: It is deleted here; the provider offers no more, or could not be asked.
    HERE = "here"
    #: The provider revoked it, too.
    EVERYWHERE = "everywhere"


class Feedback(Protocol):
    """What people think of answers."""

    async def give(self, thread: ThreadId, turn: int, *, by: UserId, good: bool, reason: str = "") -> bool:
        """Put a person's opinion in place of their earlier one; False: the turn has no answer."""
        ...


class PersonalAccounts(Protocol):
    """The accounts of people at providers."""

    @property
    def titles(self) -> Mapping[str, str]:
        """The providers' names, and those for people."""
        ...

    async def offer(self, tenant: Tenant, person: UserId, provider: str, name: str, approval: ApprovalId) -> str:
        """Return a link, for this person alone, to connect an account; whatever waits for it goes on then.

        `name` is how the page names them; `approval` is the request from which they come, if any.
        """
        ...

    async def connected(self, tenant: Tenant, person: UserId) -> Sequence[ConnectedAccount]:
        """Return the person's accounts."""
        ...

    async def disconnect(self, tenant: Tenant, person: UserId, provider: str) -> Disconnected:
        """Delete an account, and have the provider revoke it."""
        ...


class OpenRequests(Protocol):
    """What becomes of a request before it is decided (`agent.ports.Approvals`)."""

    async def edit(
        self,
        tenant: Tenant,
        approval: ApprovalId,
        *,
        version: int,
        by: UserId,
        args: Mapping[str, Json],
        place: str = "",
    ) -> bool:
        """Put other arguments in place of the request's, if it is open at this version; return whether it was.

        The request is at the next version then, and its digest is that of the call with these arguments.
        """
        ...

    async def claim(self, tenant: Tenant, approval: ApprovalId, *, by: UserId) -> bool:
        """Note who looks at an open request, in place of anybody else, or that they no longer do.

        Its version stays, so that clicks still count. Return whether it is open.
        """
        ...

    async def open_requests(self, tenant: Tenant, most: int) -> Sequence[PendingRequest]:
        """Return the tenant's open requests, newest first, at most so many."""
        ...


class ClickLog(Protocol):
    """Records clicks that changed nothing, beside those that decided (`agent.ports.Approvals`)."""

    async def refused(
        self, request: ApprovalRequest, *, by: UserId, decision: Decision | None, why: str, place: ChannelId
    ) -> None:
        """Record who clicked what, where, and why it did not count. Without a decision: they wanted to see values."""
        ...

    async def shown(self, request: ApprovalRequest, *, by: UserId, place: ChannelId) -> None:
        """Record who is about to see the request's confidential values, and where they clicked."""
        ...


class Freezes(Protocol):
    """Stops red calls, and lets them go on."""

    async def freeze(self, tenant: Tenant, freeze: Freeze, *, by: UserId, place: ChannelId) -> bool:
        """Stop the red calls that the freeze covers, from this commit on; return whether it is new."""
        ...

    async def lift(self, tenant: Tenant, freeze: Freeze, *, by: UserId, place: ChannelId) -> bool:
        """Let them go on; return whether there was such a freeze."""
        ...

    async def standing(self, tenant: Tenant) -> Sequence[Freeze]:
        """Return the freezes that stand, oldest first."""
        ...


class ChannelInstructions(Protocol):
    """What people of a channel wrote about how work is to be done there."""

    async def read(self, tenant: Tenant, channel: ChannelId) -> Instruction | None:
        """Return it, or None when nobody wrote any."""
        ...

    async def write(self, tenant: Tenant, channel: ChannelId, text: str, *, by: UserId) -> None:
        """Put it in place of what was there; an empty text leaves none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """That somebody deleted something, as the audit says."""

    #: None: somebody who was erased.
    by: UserId | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a turn's plan was made of."""

    thread: ThreadId
    turn: int
    began: datetime
    #: The facts that its models were shown, wherever they may be read now, and those of them that were used.
    facts: tuple[Fact, ...] = ()
    used: tuple[Fact, ...] = ()
    #: Those of them that are gone -> who deleted them; None: nobody did, they expired.
    gone: Mapping[FactId, Deletion | None] = field(default_factory=dict[FactId, Deletion | None])
    #: Who cleared the instructions of the channel, where nobody wrote others since.
    cleared: Deletion | None = None
    runbooks: tuple[RunbookUsed, ...] = ()
    #: Those that its steps and scripts name.
    tools: tuple[ToolName, ...] = ()
    #: The rules of the policy that decided about its calls.
    rules: tuple[str, ...] = ()
    #: The decisions on how it went on, in order.
    decisions: tuple[Reflection, ...] = ()


class Explanations(Protocol):
    """Says what shaped plans."""

    async def of_thread(self, thread: ThreadId) -> Explanation | None:
        """Return it of a thread's newest turn; None when there is none."""
        ...

    async def newest_in(self, tenant: Tenant, channel: ChannelId) -> ThreadId | None:
        """Return the thread of a channel in which a turn began last."""
        ...


class Kept(StrEnum):
    """What became of a fact that was to be remembered."""

    NEW = "new"
    #: It stood already.
    KNOWN = "known"
    #: There is no room for another one in its namespace.
    FULL = "full"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is known of a fact that a model proposed."""

    #: None: nobody yet.
    approved_by: UserId | None = None
    #: `Fact.outside`.
    outside: tuple[str, ...] = ()


class FactBook(Protocol):
    """What people asked to remember: kept, listed, corrected, deleted. Expired facts are gone."""

    async def keep(self, fact: Fact, *, most: int) -> Kept:
        """Store a fact, if its namespace holds fewer than `most` others."""
        ...

    async def correct(self, fact: Fact, *, place: ChannelId) -> bool:
        """Put a fact in place of that of the same namespace and id; return whether it stood."""
        ...

    async def forget(self, facts: Sequence[Fact], *, by: UserId, place: ChannelId) -> int:
        """Delete facts; return how many of them stood."""
        ...

    async def find(self, tenant: Tenant, id: FactId) -> Fact | None:
        """Return a fact, wherever it stands."""
        ...

    async def standing(self, readable: Readable) -> Sequence[Fact]:
        """Return the facts that may be read, the newest first."""
        ...

    async def of_person(self, tenant: Tenant, person: UserId) -> Sequence[Fact]:
        """Return the facts about a person and those that they said, wherever that was, the newest first."""
        ...

    async def proposal(self, thread: ThreadId, node: NodeId) -> Proposal:
        """Return what the newest card of a step said about the text that it wants to be remembered."""
        ...


LOOKS_BACK_DAYS = 30
"""How far `Grants.past` looks back."""


@dataclass(frozen=True, kw_only=True)
class PastCall:
    """A call that a person was asked about, and what they decided."""

    request: ApprovalRequest
    record: DecisionRecord

    @property
    def args(self) -> Mapping[str, Json]:
        """The arguments that ran, or would have: a person's, once somebody edited them."""
        return self.request.args if self.record.edited is None else self.record.edited


class Grants(Protocol):
    """Approvals of calls that come later."""

    async def make(self, tenant: Tenant, grant: Grant, *, place: ChannelId) -> bool:
        """Store a new grant; return whether there was none of its id."""
        ...

    async def revoke(self, tenant: Tenant, grant: GrantId, *, by: UserId, place: ChannelId) -> bool:
        """Take a grant back; return whether it stood. Calls that it let run and that did not start ask a person."""
        ...

    async def standing(self, tenant: Tenant, channel: ChannelId | None = None) -> Sequence[Grant]:
        """Return the rules that may still be used, of one channel or of all, newest first."""
        ...

    async def find(self, tenant: Tenant, grant: GrantId) -> Grant | None:
        """Return a grant, however it stands."""
        ...

    async def past(self, tenant: Tenant, channel: ChannelId, tool: ToolName) -> Sequence[PastCall]:
        """Return what people decided about calls of this tool in a channel lately, newest first."""
        ...


@dataclass(frozen=True, kw_only=True)
class DueRequest:
    """An open request about which people are to be reminded, or others to be asked."""

    request: ApprovalRequest
    #: For how long its card has stood.
    waited: timedelta


class Requirements(Protocol):
    """Changes what an open request takes, and how far its reminders and escalation got."""

    async def tighten(self, view: ApprovalView, to: Requirement) -> bool:
        """Replace what a request takes, and leave its votes out of account; False when that changed meanwhile."""
        ...

    async def due(self) -> Sequence[DueRequest]:
        """Return the requests about which something is due, the longest due first."""
        ...

    async def bring_on(self, due: DueRequest, to: Requirement) -> None:
        """Store how far a request got, and wake its thread, so that its publisher shows it."""
        ...

    async def postpone(self, due: DueRequest) -> None:
        """Return the request again in a minute."""
        ...


class RunViews(Protocol):
    """Reads runs as people see them."""

    async def unsettled(self, thread: ThreadId) -> Sequence[RunView]:
        """Return the turns `Posted.settle` was not called for, oldest first."""
        ...

    async def approval(self, tenant: Tenant, approval: ApprovalId) -> ApprovalView | None:
        """Return a request as it stands, or None when this tenant has none of that id."""
        ...

    async def on_card(self, tenant: Tenant, approval: ApprovalId) -> Sequence[ApprovalView]:
        """Return the requests on the card of a request, in the order they were asked; empty when there is none."""
        ...

    async def planned_calls(self, thread: ThreadId, turn: int) -> Sequence[PlannedCall]:
        """Return the red calls of a turn's plan that nobody was asked about yet, in plan order."""
        ...

    async def open_of(self, tenant: Tenant, requester: UserId) -> Sequence[OpenRun]:
        """Return this person's runs that are not final, newest first."""
        ...

    async def open_in(self, tenant: Tenant, channel: ChannelId) -> Sequence[OpenRun]:
        """Return the channel's runs that are not final, newest first."""
        ...

    def watch(self, thread: ThreadId) -> AbstractContextManager[Subscription]:
        """Subscribe to hints that `unsettled` may return something else, until the context is left.

        Hints may be lost, spurious or local to this process: the publisher re-reads every few seconds.
        """
        ...


class PlanRenderer(Protocol):
    """Draws plans."""

    async def picture(self, run: RunView) -> bytes | None:
        """Return the turn's plan as a PNG, without the states of its steps; None when it cannot be drawn.

        Drawing takes seconds of processor time, outside the event loop.
        """
        ...


class Posted(Protocol):
    """Records which messages stand in Slack, so that each is posted once and edited only when it differs."""

    async def begin(self, thread: ThreadId, turn: int, slot: Slot) -> bool:
        """Commit that the message is about to be posted; return whether this is the first attempt.

        An earlier attempt may have reached Slack unrecorded: look for its message before posting again.
        """
        ...

    async def post(self, thread: ThreadId, turn: int, slot: Slot, message: PostedMessage) -> None:
        """Record that the message stands, or now shows something else. Idempotent."""
        ...

    async def ask_elsewhere(self, thread: ThreadId, turn: int, slot: Slot) -> None:
        """Record that a card is to be posted in another place, and have the thread's publisher do it. Idempotent."""
        ...

    async def join(self, thread: ThreadId, leader: ApprovalId, members: Sequence[ApprovalId]) -> None:
        """Record that requests stand on the card of the request `leader`, from now on. Idempotent."""
        ...

    async def settle(self, thread: ThreadId, turn: int) -> None:
        """Record that the ended turn shows all it ever will."""
        ...
