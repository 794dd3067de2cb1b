"""The agent's ports in memory: rows that outlive a runner, so a test can end one and start another."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from agent.approval import (
    KEPT_WHOLE,
    ApprovalRequest,
    Decision,
    DecisionRecord,
    Requirement,
    edited_digest,
)
from agent.budget.usage import Scope, Spent
from agent.card_facts import card_facts_of
from agent.errors import ArtifactMissing, DuplicateNode
from agent.events import AttemptEnded, NodeChanged, NodePlanned, RunEvent
from agent.ids import ApprovalId, Digest, NodeId, Tenant, ThreadId, UserId, thread_parts
from agent.plan.files import FileOrigin
from agent.plan.operations import Add, LoggedOperation, Operation
from agent.plan.outcomes import ArtifactRef, NodeStatus, Outcome
from agent.ports import Heard, LedgerEntry, LedgerState, Mail, Message, PastTurn, Recalled, Reflection, Run, RunStatus
from agent.runbooks import RunbookUsed
from agent.tool import Account
from infra.worker.notifications import Notifier
from sandbox.script import Json


class LogInMemory:
    """An OperationLog."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self.rows: dict[ThreadId, list[LoggedOperation]] = {}

    async def append(
        self, thread: ThreadId, turn: int, author: UserId, operations: Sequence[Operation]
    ) -> Sequence[LoggedOperation]:
        """Store operations in order."""
        await asyncio.sleep(0)
        rows = self.rows.setdefault(thread, [])
        known = {row.operation.node.id for row in rows if isinstance(row.operation, Add)}
        for operation in operations:
            if isinstance(operation, Add) and operation.node.id in known:
                raise DuplicateNode(operation.node.id)
        logged = [
            LoggedOperation(seq=len(rows) + number, turn=turn, author=author, operation=operation)
            for number, operation in enumerate(operations, start=1)
        ]
        rows.extend(logged)
        self._notifier.notify(thread)
        return logged

    async def after(self, thread: ThreadId, seq: int) -> Sequence[LoggedOperation]:
        """Return the operations after `seq`."""
        await asyncio.sleep(0)
        return self.rows.get(thread, [])[seq:]


class ApprovalsInMemory:
    """Approvals; `click` is what a person does."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self.asked: dict[ApprovalId, ApprovalRequest] = {}
        self.rows: dict[ApprovalId, DecisionRecord] = {}
        self.denied: dict[ApprovalId, str] = {}

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        """Insert the row unless it exists."""
        await asyncio.sleep(0)
        self.asked.setdefault(request.id, request)
        return self.rows.setdefault(request.id, record_of(request))

    async def deny(self, request: ApprovalRequest, rule: str) -> None:
        """Remember that a rule refused the call."""
        await asyncio.sleep(0)
        self.denied[request.id] = rule

    async def read(self, thread: ThreadId) -> Mapping[ApprovalId, DecisionRecord]:
        """Return every request of the thread."""
        await asyncio.sleep(0)
        return {key: row for key, row in self.rows.items() if self.asked[key].thread == thread}

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
        """Decide an open request of the tenant; every one is at version 1."""
        await asyncio.sleep(0)
        asked = self.asked.get(approval)
        if asked is None or thread_parts(asked.thread).tenant != tenant or version != 1:
            return None
        done = self._close(approval, decision, by, reason, result, edited)
        return self.rows[approval] if done else None

    async def withdraw(self, thread: ThreadId, approval: ApprovalId, why: str) -> DecisionRecord:
        """Turn pending into withdrawn."""
        await asyncio.sleep(0)
        if self.asked[approval].thread == thread:
            self._close(approval, Decision.WITHDRAWN, None, why)
        return self.rows[approval]

    async def extend(self, thread: ThreadId, approval: ApprovalId, args: Mapping[str, Json]) -> None:
        """Store the args anew."""
        await asyncio.sleep(0)
        if self.asked[approval].thread != thread:
            return
        self.asked[approval] = replace(self.asked[approval], args=args)
        self.rows[approval] = replace(self.rows[approval], asked=self.asked[approval])

    def click(
        self, approval: ApprovalId, decision: Decision, by: str = "U2", reason: str = "", result: Json = None
    ) -> bool:
        """Decide an open request; return whether this was the decision."""
        return self._close(approval, decision, UserId(by), reason, result)

    def pending(self, thread: ThreadId) -> Mapping[NodeId, ApprovalRequest]:
        """Return node -> its open request."""
        asked = (self.asked[key] for key, row in self.rows.items() if row.decision is Decision.PENDING)
        return {request.node: request for request in asked if request.thread == thread}

    def _close(
        self,
        approval: ApprovalId,
        decision: Decision,
        by: UserId | None,
        reason: str,
        result: Json = None,
        edited: Mapping[str, Json] | None = None,
    ) -> bool:
        row = self.rows[approval]
        if row.decision is not Decision.PENDING:
            return False
        if edited is not None:
            row = replace(row, edited=edited, digest=edited_digest(row.digest, self.asked[approval].tool, edited))
        now = datetime.now(UTC)
        self.rows[approval] = replace(row, decision=decision, by=by, reason=reason, result=result, at=now)
        self._notifier.notify(self.asked[approval].thread)
        return True


def record_of(request: ApprovalRequest, decision: Decision = Decision.PENDING, **rest: Any) -> DecisionRecord:
    """Return the row of a request."""
    return DecisionRecord(
        id=request.id,
        turn=request.turn,
        node=request.node,
        kind=request.kind,
        digest=request.digest,
        decision=decision,
        asked=request if request.kind in KEPT_WHOLE else None,
        attempt=request.attempt,
        state=card_facts_of(request).state,
        **rest,
    )


class LedgerInMemory:
    """A Ledger."""

    def __init__(self) -> None:
        self.rows: dict[tuple[ThreadId, NodeId, int], LedgerEntry] = {}

    async def read(self, thread: ThreadId, node: NodeId) -> LedgerEntry | None:
        """Return the newest try."""
        await asyncio.sleep(0)
        tries = [row for (t, n, _), row in self.rows.items() if (t, n) == (thread, node)]
        return max(tries, key=lambda row: row.attempt, default=None)

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
        """Commit `started`."""
        await asyncio.sleep(0)
        if (thread, node, attempt) in self.rows:
            return False
        self.rows[thread, node, attempt] = LedgerEntry(state=LedgerState.STARTED, attempt=attempt, digest=digest)
        return True

    async def finish(
        self,
        thread: ThreadId,
        node: NodeId,
        attempt: int,
        result: Mapping[str, Json],
        inverse: Mapping[str, Json] | None = None,
    ) -> None:
        """Commit `done`."""
        await asyncio.sleep(0)
        started = self.rows[thread, node, attempt]
        self.rows[thread, node, attempt] = replace(started, state=LedgerState.DONE, result=result)


class ArtifactsInMemory:
    """Artifacts."""

    def __init__(self) -> None:
        self.contents: dict[Digest, bytes] = {}

    async def put(
        self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
    ) -> ArtifactRef:
        """Store content once."""
        await asyncio.sleep(0)
        digest = Digest(sha256(content).hexdigest())
        self.contents[digest] = content
        head = content.decode(errors="replace")[:512]
        name = name if origin is None else origin.path(name)
        return ArtifactRef(digest=digest, name=name, size=len(content), media_type=media_type, head=head)

    async def get(self, thread: ThreadId, digest: Digest) -> bytes:
        """Return the content."""
        await asyncio.sleep(0)
        if digest not in self.contents:
            raise ArtifactMissing
        return self.contents[digest]


class ProgressInMemory:
    """Progress that keeps every event, in order."""

    def __init__(self) -> None:
        self.events: list[RunEvent] = []

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Keep the event."""
        self.events.append(event)

    async def flush(self) -> None:
        """Nothing is ever behind."""
        await asyncio.sleep(0)


class StatusesInMemory:
    """NodeStatuses, read back from what `Progress` noted."""

    def __init__(self, progress: ProgressInMemory) -> None:
        self._progress = progress

    async def of(self, thread: ThreadId) -> Mapping[NodeId, NodeStatus]:
        """Return each node's last state."""
        changes = (event for event in self._progress.events if isinstance(event, NodeChanged))
        return {change.node: NodeStatus(state=change.state, outcome=change.outcome) for change in changes}

    async def ended(self, thread: ThreadId, nodes: Collection[NodeId], before_turn: int) -> Mapping[NodeId, Outcome]:
        """Return the outcomes of those that ended in earlier turns."""
        planned = (event for event in self._progress.events if isinstance(event, NodePlanned))
        earlier = {event.node.id for event in planned if event.turn < before_turn}
        statuses = await self.of(thread)
        return {
            node: status.outcome
            for node, status in statuses.items()
            if node in earlier and node in nodes and status.outcome is not None
        }


class AttemptsInMemory:
    """Attempts: what `Progress` was told, read back."""

    def __init__(self, progress: ProgressInMemory) -> None:
        self._progress = progress

    async def of(self, thread: ThreadId, node: NodeId) -> Sequence[AttemptEnded]:
        """Return the node's attempts; one that was made again counts as it ended last."""
        ended = (event for event in self._progress.events if isinstance(event, AttemptEnded) and event.node == node)
        newest = {attempt.attempt: attempt for attempt in ended}
        return [newest[number] for number in sorted(newest)]


@dataclass(kw_only=True)
class Stop:
    """A stop in the box: behind message `after`, and the turn that took it."""

    after: int
    by: UserId
    turn: int | None = None


class MailboxInMemory:
    """A Mailbox; `drop` is what a Slack message is in production."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self.messages: dict[ThreadId, list[Message]] = {}
        self.taken_by: dict[int, int] = {}
        #: What was said to messages as they were taken, in order.
        self.replies: list[str] = []
        self.stops: dict[ThreadId, list[Stop]] = {}

    def drop(self, thread: ThreadId, text: str, author: str = "U1") -> Message:
        """Put a message into the box."""
        number = self._last() + 1
        message = Message(id=number, author=UserId(author), text=text, at=datetime.now(UTC))
        self.messages.setdefault(thread, []).append(message)
        self._notifier.notify(thread)
        return message

    async def untaken(self, thread: ThreadId) -> Sequence[Message]:
        """Return what no plan answers to yet."""
        await asyncio.sleep(0)
        return [message for message in self.messages.get(thread, ()) if message.id not in self.taken_by]

    async def heard(self, thread: ThreadId, turn: int, node: NodeId) -> Heard:
        """Return what this turn answers to, what no plan answers to yet, and who wrote so far."""
        await asyncio.sleep(0)
        sent = self.messages.get(thread, ())
        messages = [message for message in sent if self.taken_by.get(message.id, turn) == turn]
        return Heard(messages=messages, authors={message.author for message in sent}, planned_at=None)

    async def mail(self, thread: ThreadId, turn: int) -> Mail:
        """Return what waits."""
        stop = any(stop.turn in (None, turn) for stop in self.stops.get(thread, ()))
        return Mail(messages=await self.untaken(thread), stop=stop)

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", error: str = ""
    ) -> None:
        """Mark messages as taken."""
        await asyncio.sleep(0)
        self.taken_by.update(dict.fromkeys(messages, turn))
        self.replies += [reply] if reply else []

    def stop(self, thread: ThreadId, by: str = "U1") -> None:
        """Put a stop into the box."""
        self.stops.setdefault(thread, []).append(Stop(after=self._last(), by=UserId(by)))
        self._notifier.notify(thread)

    async def stopped(self, thread: ThreadId, turn: int) -> UserId | None:
        """Return who stopped the turn."""
        await asyncio.sleep(0)
        stops = self.stops.get(thread, [])
        found = next((stop for stop in stops if stop.turn == turn), None)
        if found is None and (found := next((stop for stop in stops if stop.turn is None), None)) is not None:
            found.turn = turn
            for message in self.messages.get(thread, ()):
                if message.id <= found.after:
                    self.taken_by.setdefault(message.id, turn)
        return None if found is None else found.by

    async def drop_late_stops(self, thread: ThreadId, turn: int) -> None:
        """Take the stops with no untaken message before them."""
        untaken = [message.id for message in await self.untaken(thread)]
        for stop in self.stops.get(thread, ()):
            if stop.turn is None and not any(message <= stop.after for message in untaken):
                stop.turn = turn

    def _last(self) -> int:
        return sum(len(message) for message in self.messages.values())


@dataclass
class RunsInMemory:
    """Runs."""

    rows: dict[tuple[ThreadId, int], Run] = field(default_factory=dict[tuple[ThreadId, int], Run])
    statuses: list[RunStatus] = field(default_factory=list[RunStatus])

    async def begin(self, thread: ThreadId, turn: int) -> None:
        """Insert the turn's row."""
        await asyncio.sleep(0)
        run = Run(thread=thread, turn=turn, requester=UserId("U1"), status=RunStatus.PLANNING)
        self.rows.setdefault((thread, turn), run)

    async def set_status(self, thread: ThreadId, turn: int, status: RunStatus) -> None:
        """Move the turn."""
        await asyncio.sleep(0)
        self.statuses.append(status)
        self.rows[thread, turn] = replace(self.rows[thread, turn], status=status)

    async def finish(self, thread: ThreadId, turn: int, status: RunStatus, answer: str, error: str = "") -> None:
        """End the turn."""
        await asyncio.sleep(0)
        run = self.rows[thread, turn]
        self.rows[thread, turn] = replace(run, status=status, answer=answer, error=error)

    async def read(self, thread: ThreadId, turn: int) -> Run:
        """Return the turn's row."""
        await asyncio.sleep(0)
        return self.rows[thread, turn]

    async def reflected(self, thread: ThreadId, turn: int, reflection: Reflection) -> None:
        """Add to the turn's reflections, in place of one that it repeats."""
        await asyncio.sleep(0)
        run = self.rows[thread, turn]
        kept = (earlier for earlier in run.reflections if not reflection.repeats(earlier))
        self.rows[thread, turn] = replace(run, reflections=(*kept, reflection))

    async def recalled(self, thread: ThreadId, turn: int, facts: Sequence[Recalled]) -> None:
        """Add to the facts of the turn."""
        await asyncio.sleep(0)
        run = self.rows[thread, turn]
        self.rows[thread, turn] = replace(run, recalled=tuple(dict.fromkeys((*run.recalled, *facts))))

    async def followed(self, thread: ThreadId, turn: int, runbooks: Sequence[RunbookUsed]) -> None:
        """Add to the runbooks of the turn."""
        await asyncio.sleep(0)
        run = self.rows[thread, turn]
        self.rows[thread, turn] = replace(run, runbooks=tuple(dict.fromkeys((*run.runbooks, *runbooks))))

    async def past(self, thread: ThreadId, before_turn: int, after_turn: int = 0) -> Sequence[PastTurn]:
        """Return the finished turns."""
        await asyncio.sleep(0)
        return [
            PastTurn(
                turn=turn,
                requests=run.messages,
                answer=run.answer,
                replies=run.replies,
                outside=any(book.canvas for book in run.runbooks) or any(told.outside for told in run.recalled),
            )
            for (of, turn), run in sorted(self.rows.items())
            if of == thread and after_turn < turn < before_turn
        ]


class AccountInMemory:
    """An Account of one turn."""

    def __init__(self, spending: "SpendingInMemory", thread: ThreadId, turn: int) -> None:
        self._spending = spending
        self._key = (thread, turn)

    def spent(self) -> Mapping[Scope, Spent]:
        """Return what was spent so far."""
        rows = self._spending.rows
        whole = sum((row for (thread, _), row in rows.items() if thread == self._key[0]), Spent())
        return {Scope.RUN: rows.get(self._key, Spent()), Scope.THREAD: whole}

    def node_started(self) -> None:
        """Count a node."""
        self._spending.charge(*self._key, Spent(nodes=1))


@dataclass
class SpendingInMemory:
    """Spending; `charge` is what the model's meter and the clock are in production."""

    rows: dict[tuple[ThreadId, int], Spent] = field(default_factory=dict[tuple[ThreadId, int], Spent])

    def charge(self, thread: ThreadId, turn: int, more: Spent) -> None:
        """Add to what the turn spent."""
        self.rows[thread, turn] = self.rows.get((thread, turn), Spent()) + more

    async def account(self, thread: ThreadId, turn: int) -> AccountInMemory:
        """Return the turn's account."""
        await asyncio.sleep(0)
        return AccountInMemory(self, thread, turn)

    async def flush(self) -> None:
        """Nothing is ever behind."""
        await asyncio.sleep(0)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Every store of a small world, sharing one source of notifications."""

    notifier: Notifier
    log: LogInMemory
    approvals: ApprovalsInMemory
    ledger: LedgerInMemory
    artifacts: ArtifactsInMemory
    progress: ProgressInMemory
    statuses: StatusesInMemory
    mailbox: MailboxInMemory
    runs: RunsInMemory
    spending: SpendingInMemory


def empty_rows() -> Rows:
    """Return a world in which nothing has happened."""
    notifier, progress = Notifier(), ProgressInMemory()
    return Rows(
        notifier=notifier,
        log=LogInMemory(notifier),
        approvals=ApprovalsInMemory(notifier),
        ledger=LedgerInMemory(),
        artifacts=ArtifactsInMemory(),
        progress=progress,
        statuses=StatusesInMemory(progress),
        mailbox=MailboxInMemory(notifier),
        runs=RunsInMemory(),
        spending=SpendingInMemory(),
    )
