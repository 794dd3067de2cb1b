"""The border between the agent and the world: one Protocol per thing the agent needs. `infra/stores/` implements them.

A method that returns has committed its change, unless its docstring says otherwise. Every method raises
`agent.errors.StoreUnavailable` when the database cannot be reached.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from agent.approval import ApprovalRequest, Decision, DecisionRecord, Requirement, WorldState
from agent.card_facts import CardFacts
from agent.events import AttemptEnded, RunEvent, SubagentStep
from agent.facts import Fact, FactId, Place, Readable
from agent.ids import ApprovalId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId
from agent.limits import Role
from agent.plan.effects import Effect
from agent.plan.eviction import PromptFiles
from agent.plan.files import FileOrigin, FileRecord
from agent.plan.operations import LoggedOperation, Node, Operation
from agent.plan.outcomes import ArtifactRef, Failed, NodeStatus, Outcome
from agent.plan.script_calls import DecidedCalls, Suspended
from agent.roles import SubagentRole
from agent.runbooks import Runbook, RunbookUsed
from agent.tool import Account, CallContext, Colour, Reversibility
from sandbox.script import Json


class OperationLog(Protocol):
    """The thread's append-only plan."""

    async def append(
        self, thread: ThreadId, turn: int, author: UserId, operations: Sequence[Operation]
    ) -> Sequence[LoggedOperation]:
        """Store operations in order, allotting sequence numbers under the thread's row lock.

        Raises:
            DuplicateNode: a node of that id is already in the thread's log; nothing was stored.
        """
        ...

    async def after(self, thread: ThreadId, seq: int) -> Sequence[LoggedOperation]:
        """Return the operations after `seq`, in order."""
        ...


class Approvals(Protocol):
    """Requests to people: one row each, decided once by compare-and-set.

    While a freeze covers a call that was approved and not started, `ask` and `read` return its request as pending.
    """

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        """Insert the row unless one with this id exists; return it as it stands.

        A request that a rule lets run is stored as approved, by nobody.
        """
        ...

    async def deny(self, request: ApprovalRequest, rule: str) -> None:
        """Record, once, that a rule of the policy refused a call, so that nobody was asked."""
        ...

    async def read(self, thread: ThreadId) -> Mapping[ApprovalId, DecisionRecord]:
        """Return every request of the thread, in the order they were asked."""
        ...

    async def decide(
        self,
        tenant: Tenant,
        approval: ApprovalId,
        *,
        version: int,
        by: UserId,
        decision: Decision,
        reason: str = "",
        place: str = "",
        result: Json = None,
        edited: Mapping[str, Json] | None = None,
        checked: Requirement | None = None,
    ) -> DecisionRecord | None:
        """Decide a request that is open at this version: of any number of racing calls one does.

        `reason` are the person's words; after `Decision.CHANGES` they are also a message of theirs in the thread.
        `result` is what came out of it by hand. `edited` are arguments that the person put in place of the request's;
        the decision is about them.

        The audit row, with the `place` where the person clicked, and the thread's `wake` job come in the same
        transaction, and so does the stop when the decision ends the turn. None, and nothing changed, when it was
        closed before, is overdue, reads otherwise by now, or the tenant has no such request.

        Of a request that takes several approvals (`ApprovalRequest.requirement`) an approval is a vote, with its own
        audit row: the record stays pending until the last one. None, too, when this person's vote counts already.
        `checked` is what the request took when somebody looked whether this person may approve it: in another stage,
        or with other stages, their approval is none. None: whatever it takes.
        """
        ...

    async def withdraw(self, thread: ThreadId, approval: ApprovalId, why: str) -> DecisionRecord:
        """Close an open request without an answer; return its row, which may have been decided meanwhile."""
        ...

    async def extend(self, thread: ThreadId, approval: ApprovalId, args: Mapping[str, Json]) -> None:
        """Replace the arguments of a budget request; the new ones hold what had been spent at a "go on"."""
        ...


class LedgerState(StrEnum):
    """`started` is committed before a red call, `done` after it."""

    STARTED = "started"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One attempt at one red call."""

    state: LedgerState
    #: From 1.
    attempt: int
    #: Of the call.
    digest: Digest
    #: The outcome's JSON; None until the call is done.
    result: Mapping[str, Json] | None = None


class Ledger(Protocol):
    """The record that makes red calls run at most once, by thread, node and attempt."""

    async def read(self, thread: ThreadId, node: NodeId) -> LedgerEntry | None:
        """Return the newest attempt at the node's red call, or None when it was never started."""
        ...

    async def start(
        self,
        thread: ThreadId,
        node: NodeId,
        digest: Digest,
        attempt: int,
        *,
        tool: str = "",
        account: Account | None = None,
    ) -> bool:
        """Commit `started` for this attempt. False: this very attempt was started before (do not call).

        `account` is what the call runs as; None: the app.

        Raises:
            CallsFrozen: a freeze that covers the tool or the thread's channel stands; nothing was started.
        """
        ...

    async def finish(
        self,
        thread: ThreadId,
        node: NodeId,
        attempt: int,
        result: Mapping[str, Json],
        inverse: Mapping[str, Json] | None = None,
    ) -> None:
        """Commit `done` with the outcome's JSON, and how the effect can be taken back (`agent/plan/effects.py`)."""
        ...


class Effects(Protocol):
    """What the red calls of a thread did."""

    async def of(self, thread: ThreadId) -> Sequence[Effect]:
        """Return the effects of the thread, in the order they began."""
        ...


class Artifacts(Protocol):
    """Values kept outside the run's state, content-addressed within a tenant."""

    async def put(
        self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
    ) -> ArtifactRef:
        """Store content once per tenant and digest; return its reference.

        With `origin` it is a file of the thread from then on, `TURN/NODE/NAME`; one of that name is replaced, because
        a node that is run again makes its output again.
        """
        ...

    async def get(self, thread: ThreadId, digest: Digest) -> bytes:
        """Return the content.

        Raises:
            ArtifactMissing: it was never stored for this thread or has been evicted.
        """
        ...


class Files(Protocol):
    """The files of a thread. `Artifacts.put` makes them, `Artifacts.get` reads one; nobody sees another thread's."""

    async def find(self, thread: ThreadId, name: str) -> FileRecord | None:
        """Return the file of that name, or its tombstone; None when the thread never had one."""
        ...

    async def listed(self, thread: ThreadId, *, after: str = "", prefix: str = "", most: int) -> Sequence[FileRecord]:
        """Return files and tombstones whose names begin with `prefix`, newest first, from behind `after` on."""
        ...


class FileRounds(Protocol):
    """Evicts files before each planning round."""

    async def begin(self, thread: ThreadId, *, again: bool = False) -> PromptFiles:
        """Begin a round: delete what may go, and return what the round's models are shown.

        `again`: the newest round goes on; what was made since counts as found by it.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ResultKey:
    """The call and the person that a cached result belongs to."""

    tenant: Tenant
    author: UserId
    tool: ToolName
    #: The tool's.
    version: str
    #: Of the arguments' canonical JSON.
    arguments: Digest


@dataclass(frozen=True, kw_only=True)
class RememberedResult:
    """A cached result of a tool."""

    value: Json
    #: How long ago the tool gave it.
    age_seconds: int


class ResultCache(Protocol):
    """Caches results of green tools, for the tools that allow it."""

    async def find(self, key: ResultKey) -> RememberedResult | None:
        """Return the cached result, unless it has expired."""
        ...

    async def keep(self, key: ResultKey, value: Json, seconds: float) -> None:
        """Cache a value for so long, in place of an older one."""
        ...


@dataclass(frozen=True, kw_only=True)
class CallPlace:
    """A place in a rate limit: so many calls in any span of so many seconds."""

    #: The limit, and with `:` the person whose own it is.
    key: str
    calls: int
    seconds: float


class CallPlaces(Protocol):
    """Counts the calls of tools that have a rate limit, over all processes."""

    async def take(self, tenant: Tenant, places: Sequence[CallPlace]) -> Sequence[float]:
        """Take all of these places or none: return how many seconds each is still away, all 0 when they were taken."""
        ...


class Masks(Protocol):
    """The numbers by which models know the personal data of a thread. It holds digests, and never a datum."""

    async def numbers(
        self, thread: ThreadId, data: Sequence[tuple[str, Digest]], *, new: bool
    ) -> Mapping[tuple[str, Digest], int]:
        """Return kind and digest -> number, the same for ever; `new`: give those a number that have none yet."""
        ...


class Accounts(Protocol):
    """People's accounts at the providers of the configuration."""

    async def account(self, thread: ThreadId, person: UserId, provider: str) -> Account | None:
        """Return the account that the person has connected; None: none that can be used."""
        ...

    async def token(self, thread: ThreadId, person: UserId, provider: str, *, refused: str = "") -> str | None:
        """Return an access token of theirs, refreshed once however many ask; None: they must connect again.

        `refused`: one that the provider did not take.

        Raises:
            ToolError: `unavailable`: the provider cannot be reached.
        """
        ...

    def title(self, provider: str) -> str:
        """Return the provider's name for people."""
        ...


class Progress(Protocol):
    """The events of a run, noted for people. Derived data: it may lag, and is complete after `flush`."""

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Queue an event; returns at once, keeps the order."""
        ...

    async def flush(self) -> None:
        """Return when everything noted so far is committed."""
        ...


class Attempts(Protocol):
    """The attempts of packages, as noted in `Progress`."""

    async def of(self, thread: ThreadId, node: NodeId) -> Sequence[AttemptEnded]:
        """Return the node's ended attempts in order, as committed so far."""
        ...


class SubagentSteps(Protocol):
    """The journal of subagents: with it, another process goes on where one died, and repeats no ended step."""

    async def of(self, thread: ThreadId, node: NodeId) -> Sequence[SubagentStep]:
        """Return the node's ended steps, in order."""
        ...

    async def keep(self, thread: ThreadId, step: SubagentStep) -> None:
        """Commit a step. One that is there already stays as it is."""
        ...


class NodeStatuses(Protocol):
    """The nodes' statuses, as noted in `Progress`. A planner reads them, and a turn that refers to an earlier one."""

    async def of(self, thread: ThreadId) -> Mapping[NodeId, NodeStatus]:
        """Return every node of the thread, as committed so far: it may lag behind the run."""
        ...

    async def ended(self, thread: ThreadId, nodes: Collection[NodeId], before_turn: int) -> Mapping[NodeId, Outcome]:
        """Return how those of the nodes ended that did so in turns before this one.

        Nothing lags: the outcomes of a turn are committed before its end is.
        """
        ...


class Subscription(Protocol):
    """Notifications that rows of the thread changed. One may be lost or spurious: re-read the rows."""

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True when something changed since the last wait, False after the timeout."""
        ...


class NotificationSource(Protocol):
    """Gives out subscriptions to notifications."""

    def subscribe(self, thread: ThreadId) -> AbstractContextManager[Subscription]:
        """Listen from now until the context is left."""
        ...


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a person to the agent, as stored in the inbox."""

    #: Later messages have larger ids.
    id: int
    author: UserId
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What people have written to a thread, as it matters to one of its nodes."""

    #: Those that the node's turn answers to, and those no plan answers to yet, in order.
    messages: Sequence[Message]
    #: Who wrote anything to the thread, in any turn, before the node was planned.
    authors: AbstractSet[UserId]
    #: None: the node is not in the log.
    planned_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The messages and stops that concern a turn."""

    #: Those no plan answers to yet, in order.
    messages: Sequence[Message]
    #: Whether a stop waits, or was taken for the turn.
    stop: bool


class Mailbox(Protocol):
    """The thread's messages."""

    async def untaken(self, thread: ThreadId) -> Sequence[Message]:
        """Return the messages no plan answers to yet, in order."""
        ...

    async def heard(self, thread: ThreadId, turn: int, node: NodeId) -> Heard:
        """Return what people have written, as it matters to a node of this turn."""
        ...

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", error: str = ""
    ) -> None:
        """Mark messages as answered to by this turn's plan, and store the planner's reply and error with the turn.

        One transaction. `reply` is the planner's words in place of a plan; `error` is a `TurnError` or empty.
        """
        ...

    async def mail(self, thread: ThreadId, turn: int) -> Mail:
        """Return what waits in the thread, and whether this turn was stopped; takes nothing."""
        ...

    async def stopped(self, thread: ThreadId, turn: int) -> UserId | None:
        """Return who stopped this turn, if somebody did.

        Takes the first untaken stop for this turn, and every untaken message written before it: nobody plans those
        any more. Messages written after it begin another turn.
        """
        ...

    async def drop_late_stops(self, thread: ThreadId, turn: int) -> None:
        """Take the stops that found nothing to stop for this turn, which is over."""
        ...


@dataclass(frozen=True, kw_only=True)
class News:
    """What a thread's runner looks at, on one state of the rows."""

    mail: Mail
    #: Those after the one asked about, in order.
    operations: Sequence[LoggedOperation]
    #: Every request of the thread, in the order they were asked.
    requests: Mapping[ApprovalId, DecisionRecord]


class NewsReader(Protocol):
    """Reads together what `Mailbox.mail`, `OperationLog.after` and `Approvals.read` return."""

    async def read(self, thread: ThreadId, turn: int, seq: int) -> News:
        """Return what there is for this turn, and the operations after `seq`."""
        ...


@dataclass(frozen=True, kw_only=True)
class PastTurn:
    """An earlier turn of the thread."""

    turn: int
    requests: tuple[Message, ...]
    answer: str
    #: The planner's words in place of a plan.
    replies: tuple[str, ...] = ()
    #: Whether models were shown canvases, or facts that hold text of strangers.
    outside: bool = False


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A thread's turns in a model's words."""

    #: The last turn it covers.
    upto_turn: int
    text: str


class Summaries(Protocol):
    """A thread's running summary."""

    async def newest(self, thread: ThreadId) -> Summary | None:
        """Return the summary, or None when there is none yet."""
        ...

    async def keep(self, thread: ThreadId, summary: Summary) -> None:
        """Store the summary, unless the stored one covers more turns."""
        ...


class Facts(Protocol):
    """What people asked to remember, as far as it may be read (`agent/facts.py`). Expired facts are gone."""

    async def fitting(self, readable: Readable, words: Sequence[str], most: int) -> Sequence[Fact]:
        """Return the facts that have some of the words, the best fit first."""
        ...

    async def among(self, readable: Readable, ids: Collection[FactId]) -> Sequence[Fact]:
        """Return those of the facts that are still there and may be read, in the order of their ids."""
        ...

    async def noted(self, thread: ThreadId, ids: Sequence[FactId]) -> Sequence[Fact]:
        """Return those of the facts that still stand, whoever may read them: they are shown to nobody."""
        ...

    async def vectors(self, readable: Readable, model: str, most: int) -> Sequence[tuple[Fact, bytes]]:
        """Return the newest facts with the vectors that a model made of them; without one it is empty."""
        ...

    async def keep_vectors(self, model: str, vectors: Sequence[tuple[Fact, bytes]]) -> None:
        """Keep vectors beside those facts that still say the same; they go with their fact."""
        ...


class Places(Protocol):
    """Who can read the conversation that a thread is in."""

    async def of(self, thread: ThreadId) -> Place | None:
        """Return it as of lately; None: it cannot be told soon, so that nothing may be read there."""
        ...


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """How work is to be done in a channel, in the words of the operator or of a person there."""

    text: str
    #: None: the operator, in the configuration.
    by: UserId | None = None
    at: datetime | None = None


class Instructions(Protocol):
    """The instructions of channels."""

    async def of(self, thread: ThreadId) -> Sequence[Instruction]:
        """Return those of a thread's channel, the operator's first."""
        ...


class Runbooks(Protocol):
    """A source of procedures."""

    async def of(self, thread: ThreadId) -> Sequence[Runbook]:
        """Return those that plans of a thread may follow, as they are now, each name once.

        A source that cannot be read has none, or those that it had.
        """
        ...


class Directory(Protocol):
    """The names of people and channels."""

    async def names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        """Return id of a person or channel -> name; without those whose name cannot be found soon.

        Never raises. Returns only names that everybody in the thread may know.
        """
        ...


class RunStatus(StrEnum):
    """The status of a turn. The last three are final."""

    PLANNING = "planning"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


FINAL = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})
"""The statuses of turns that have ended."""


class Choice(StrEnum):
    """A decision of the replanner."""

    CONTINUE = "continue"
    REPLAN = "replan"
    END = "end"
    ASK = "ask"


@dataclass(frozen=True, kw_only=True)
class Reflection:
    """A decision on how a turn goes on."""

    choice: Choice
    #: The nodes it was made about, while the turn still waited for people.
    failed: tuple[NodeId, ...] = ()
    #: The model's reason in a few words; empty when it gave none.
    why: str = ""
    #: Whether it was made once the plan had run to its end. Then `END` says that the results are enough.
    at_end: bool = False
    #: Whether it would have taken one round more than the turn may have, so that a person was asked first.
    beyond: bool = False
    #: Of which planning round it decided; 0: it was made before that was kept.
    round: int = 0
    #: Whose requests it was about.
    author: UserId | None = None
    at: datetime | None = None
    #: Of the round, its bound, the messages, the log and the failures: what it was made on.
    basis: str = ""

    def repeats(self, earlier: "Reflection") -> bool:
        """Return whether an earlier one is this very decision, made before its process died."""
        return bool(self.basis) and (self.basis, self.author) == (earlier.basis, earlier.author)


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """A fact that models were shown in a turn."""

    #: Whose request it was for.
    author: UserId
    fact: FactId
    #: Whether it holds text that strangers wrote.
    outside: bool = False


@dataclass(frozen=True, kw_only=True)
class Run:
    """A turn's row."""

    thread: ThreadId
    turn: int
    requester: UserId
    status: RunStatus
    #: Those its plan answers to, in order.
    messages: tuple[Message, ...] = ()
    #: The planner's words in place of a plan.
    replies: tuple[str, ...] = ()
    #: A `TurnError`, or empty.
    error: str = ""
    answer: str = ""
    stopped_by: UserId | None = None
    #: Those made before its end, in order.
    reflections: tuple[Reflection, ...] = ()
    #: The facts that its plans were made with.
    recalled: tuple[Recalled, ...] = ()
    #: The runbooks that its plans were made with.
    runbooks: tuple[RunbookUsed, ...] = ()


def requests_of(status: RunStatus, taken: Sequence[Message], untaken: Sequence[Message]) -> Sequence[Message]:
    """Return the messages a turn answers to: until its plan is complete, those that no turn has taken yet."""
    return taken or (untaken if status is RunStatus.PLANNING else ())


class Runs(Protocol):
    """One row per turn of a thread."""

    async def begin(self, thread: ThreadId, turn: int) -> None:
        """Insert the turn's row as planning, with the thread's untaken messages' first author as requester.

        Does nothing when it exists.
        """
        ...

    async def set_status(self, thread: ThreadId, turn: int, status: RunStatus) -> None:
        """Move a turn that is not final to another status that is not final."""
        ...

    async def finish(self, thread: ThreadId, turn: int, status: RunStatus, answer: str, error: str = "") -> None:
        """Store the answer and end the turn. `error` is a `TurnError` or empty."""
        ...

    async def read(self, thread: ThreadId, turn: int) -> Run:
        """Return the turn's row."""
        ...

    async def reflected(self, thread: ThreadId, turn: int, reflection: Reflection) -> None:
        """Add to the turn's reflections, before anybody acts on it, in place of one that it repeats."""
        ...

    async def recalled(self, thread: ThreadId, turn: int, facts: Sequence[Recalled]) -> None:
        """Add to the facts that models were shown in the turn."""
        ...

    async def followed(self, thread: ThreadId, turn: int, runbooks: Sequence[RunbookUsed]) -> None:
        """Add to the runbooks that models were shown in the turn."""
        ...

    async def past(self, thread: ThreadId, before_turn: int, after_turn: int = 0) -> Sequence[PastTurn]:
        """Return the finished turns between the two, oldest first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A node's call with every reference resolved: the card shows it, and it is executed."""

    #: The tool's name, or the node's kind.
    tool: ToolName
    args: Mapping[str, Json]
    #: Of tool, arguments, the node's own digest and the outputs the arguments came from; and of the state, if any.
    digest: Digest
    #: What the call is about to change, as it was read (`agent/execution/precondition.py`); None: nothing to compare.
    state: WorldState | None = None
    #: Of a subagent, the names of its files in their order (`agent/tools/given_files.py`). The digest covers the files.
    file_names: tuple[str, ...] = ()


class NodeWork(Protocol):
    """A node's own work, apart from when it may start."""

    def colour(self, node: Node) -> Colour:
        """Return red when a person must be asked first. Unknown is red; a plan can only be stricter."""
        ...

    def personal(self, tool: ToolName) -> bool:
        """Return whether the tool's output is only for the person whose rights its call took."""
        ...

    def outside(self, tool: ToolName) -> bool:
        """Return whether the tool's output holds text that strangers wrote; of a tool that is not known it does."""
        ...

    def asks_inside(self, node: Node) -> bool:
        """Return whether calls of the node become nodes, so that it is run with `run_script`: a script or subagent."""
        ...

    async def bind(self, thread: ThreadId, node: Node, outcomes: Mapping[NodeId, Outcome]) -> Bound | Failed:
        """Resolve the node's references, or say as an outcome why they cannot be resolved."""
        ...

    async def hopeless(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Return how the call would certainly fail, so that nobody is asked about it; None when it may succeed."""
        ...

    async def reachable(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Wait while nothing is called where the call goes, because calls there failed.

        Return how it ends when that lasts too long, so that nobody is asked about it. It may be cancelled.
        """
        ...

    async def admitted(self, node: Node, bound: Bound, context: CallContext) -> Failed | None:
        """Wait until a red call may be sent: within its tool's rate limits, and to what answers, as far as is known.

        Return how it ends when that is not so in time. It has no effect so far, and may be cancelled.
        """
        ...

    async def state(self, node: Node, bound: Bound, context: CallContext) -> WorldState | None:
        """Return what the call is about to change as it is now; None when its tool has nothing to compare.

        The account that it runs as is a part of it.

        Raises:
            InputRequired: the author must connect that account first.
        """
        ...

    async def facts(
        self,
        node: Node,
        bound: Bound,
        context: CallContext,
        *,
        dry_run: bool,
        reversibility: Reversibility | None = None,
    ) -> CardFacts:
        """Return what a card shows of the call besides its arguments and their origins.

        `reversibility` is the call's where it is known already.

        With `dry_run` the tool says what would happen, if it can: in time, or the facts say that it could not.
        """
        ...

    async def perform(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        """Do the work: timeouts, retries, attempts and artifacts included.

        Raises only CancelledError and InputRequired; of a red call also TooLate when it was not sent, and WorldChanged.
        """
        ...

    async def run_script(
        self, node: Node, bound: Bound, context: CallContext, decided: DecidedCalls
    ) -> Outcome | Suspended:
        """Run a script or subagent whose calls become nodes; return how it ended, or the calls that it came to.

        `decided` are its calls that people were asked about before, all of them ended. Raises only CancelledError, and
        InputRequired when the author must connect an account first.
        """
        ...


class Feeder(Protocol):
    """Turns untaken messages into operations."""

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread, calling `appended` after each stored operation.

        Safe to call again after a crash in the middle: stored operations stand, and messages that were not taken are
        planned again with the plan so far in view. An error of the model or the plan is stored with the turn
        (`Mailbox.taken`), not raised.
        """
        ...


class ReplanResult(StrEnum):
    """How a conclusion ended."""

    #: It appended operations.
    EXTENDED = "extended"
    #: The turn can be answered.
    ENOUGH = "enough"
    #: It would append operations, but no round is left.
    MORE = "more"
    #: A person must decide.
    ASK = "ask"


@dataclass(frozen=True, kw_only=True)
class WrittenAnswer:
    """The answer of a turn."""

    #: In Markdown; empty when there is an error.
    text: str = ""
    #: A `TurnError`: why there is no text. The results are told plainly.
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ReplanReport:
    """A conclusion's end."""

    next: ReplanResult
    #: With `ENOUGH`. None: it is still to be written.
    answer: WrittenAnswer | None = None
    author: UserId | None = None
    #: For a person.
    question: str = ""
    #: Of the steps it would add.
    titles: tuple[str, ...] = ()
    #: Why it would, as the model gave it.
    why: str = ""


class Replanner(Protocol):
    """Decides whether the goal is reached. A round is a conclusion that appends; a turn has `bound` of them."""

    async def conclude(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Write the answer at the end of the DAG, or append what is still needed, if this round may."""
        ...

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Decide about failures because of which other nodes can never run, while the rest waits for people.

        Returns whether operations were appended. Decides about the same failures once.
        """
        ...


class Answerer(Protocol):
    """Ends the turn with its answer."""

    async def answer(
        self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome], written: WrittenAnswer | None = None
    ) -> None:
        """Store the answer, or the turn's error, with `Runs.finish`. Safe to call twice.

        `written`: the conclusion's; without it the answer is written now.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class AskedCall:
    """A tool call that a model's answer asks for."""

    #: Equal in the call and in the message that answers it.
    id: str
    name: str
    #: With `UNREADABLE` as their only key where the model wrote no JSON object.
    args: Mapping[str, Json]


UNREADABLE = "(unreadable)"

UNKNOWN_MASK = "(unknown mask)"
"""The only key of the arguments of a call that holds a mask which stands for nothing the model was shown."""


@dataclass(frozen=True, kw_only=True)
class ChatMessage:
    """One message of a dialogue."""

    by: Literal["system", "human", "ai", "tool"]
    text: str
    #: Of an answer that asks for tool calls.
    calls: tuple[AskedCall, ...] = ()
    #: Of a tool's message: the id of the call that it answers.
    answers: str = ""


@dataclass(frozen=True, kw_only=True)
class OfferedTool:
    """A tool that a model may ask for."""

    #: 1 to 64 letters, digits, "_" or "-".
    name: str
    description: str
    #: A JSON Schema of an object.
    arguments: Mapping[str, Json]


class LanguageModel(Protocol):
    """A chat model. Both methods raise `ModelUnavailable`, whose text never holds a secret."""

    def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives. Close the generator to stop early."""
        ...

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer."""
        ...


class AgentModel(Protocol):
    """A chat model that may ask for tool calls."""

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        """Return the answer of the model of a role: text, tool calls, or both.

        Raises:
            ModelUnavailable: as `LanguageModel`.
        """
        ...
