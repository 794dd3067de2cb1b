"""What the nodes of one execution share: ports, limits, frontier, budget gate, room for inline results."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from agent.budget.tracker import BudgetTrackers
from agent.events import NodeChanged, NodePlanned
from agent.execution.budget_gate import BudgetGate
from agent.execution.parking import Parking
from agent.execution.step import Step
from agent.ids import NodeId, ThreadId, ToolName
from agent.limits import Limits
from agent.plan.artifacts import fits_inline
from agent.plan.dependencies import Frontier
from agent.plan.effects import Inverse
from agent.plan.files import FileOrigin
from agent.plan.operations import Add, LoggedOperation, canonical_json
from agent.plan.outcomes import NOT_YOURS, Failed, NodeState, Outcome, Succeeded, outcome_json, state_of
from agent.plan.sources import OutputSources, Source, not_yours
from agent.policy.call_policy import CallPolicy
from agent.ports import (
    Answerer,
    Approvals,
    Artifacts,
    Bound,
    Facts,
    Feeder,
    Ledger,
    Mailbox,
    News,
    NewsReader,
    NodeStatuses,
    NodeWork,
    NotificationSource,
    OperationLog,
    Progress,
    Replanner,
    Runs,
)
from agent.tool import CallContext, InputGiven
from agent.tools.output import moved_out

INLINE_BYTES_PER_RUN = 128 * 1024
"""128 KiB of inline results per turn: LangGraph writes the whole channel again at every step."""

_ALWAYS_INLINE_BYTES = 768
"""A result up to this size stays inline, room or not: the reference to an artifact is as large."""

_MOVES_AT_ONCE = 4
"""Artifacts that one execution stores at the same time, so that thousands do not wait for a connection."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything a thread's runner needs of the world."""

    log: OperationLog
    approvals: Approvals
    ledger: Ledger
    artifacts: Artifacts
    progress: Progress
    statuses: NodeStatuses
    notifications: NotificationSource
    mailbox: Mailbox
    runs: Runs
    work: NodeWork
    feeder: Feeder
    replanner: Replanner
    answerer: Answerer
    news: NewsReader
    #: None: nothing is remembered beyond threads.
    facts: Facts | None = None
    #: None: every red call asks, as the approvals store them.
    policy: CallPolicy | None = None
    #: None: a turn may spend without limit.
    budget_trackers: BudgetTrackers | None = None


class SeparateNews:
    """A NewsReader for ports that do not share one database.

    A request is read before what it may come from: nobody decides what is not in the log yet.
    """

    def __init__(self, mailbox: Mailbox, log: OperationLog, approvals: Approvals) -> None:
        self._mailbox = mailbox
        self._log = log
        self._approvals = approvals

    async def read(self, thread: ThreadId, turn: int, seq: int) -> News:
        """Return what there is for this turn, and the operations after `seq`."""
        requests = await self._approvals.read(thread)
        mail = await self._mailbox.mail(thread, turn)
        return News(requests=requests, mail=mail, operations=await self._log.after(thread, seq))


class Lease(Protocol):
    """The fenced lease under which one runner works on one thread."""

    async def check(self) -> None:
        """Return when the thread is certainly still ours. Asked right before every red call.

        Raises:
            RunnerLost: another runner has the thread, or may have it.
        """
        ...

    def not_after(self) -> float:
        """Return until when nobody else can have the thread, in `agent.tool.uptime_seconds`; later calls may say later.

        `check` was true when it was asked; this is what a red tool goes by right before it sends.
        """
        ...


class InlineResults:
    """Bounds the inline results in a turn's state, each and all together; the others become artifacts."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._bytes_left = INLINE_BYTES_PER_RUN
        self._moves = asyncio.Semaphore(_MOVES_AT_ONCE)

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Count results that are in the state already."""
        self._bytes_left -= sum(_inline_bytes(outcome) for outcome in outcomes)

    async def fit(
        self, step: Step, outcome: Outcome, origin: Callable[[], FileOrigin | None] = lambda: None
    ) -> Outcome:
        """Return the outcome, its value moved to an artifact when it is too large or no room is left for it."""
        match outcome:
            case Succeeded(artifact=None, value=value) if not fits_inline(value) or self._is_crowded_out(outcome):
                async with self._moves:
                    return await moved_out(step.thread, step.id, outcome, self._artifacts, origin())
            case _:
                self._bytes_left -= _inline_bytes(outcome)
                return outcome

    def _is_crowded_out(self, outcome: Succeeded) -> bool:
        return _inline_bytes(outcome) > max(self._bytes_left, _ALWAYS_INLINE_BYTES)


def _inline_bytes(outcome: Outcome) -> int:
    if isinstance(outcome, Succeeded) and outcome.artifact is not None:
        return 0
    return len(canonical_json(outcome_json(outcome)).encode())


class ExecutionContext:
    """The state that the executor and the nodes of one execution share."""

    def __init__(
        self,
        *,
        thread: ThreadId,
        ports: Ports,
        lease: Lease,
        limits: Limits,
        now: Callable[[], datetime],
        outcomes: Mapping[NodeId, Outcome],
    ) -> None:
        self.thread = thread
        self.ports = ports
        self.lease = lease
        self.limits = limits
        self.now = now
        self.parking = Parking(ports.approvals)
        self.frontier = Frontier(outcomes)
        self.budget_gate = BudgetGate(self.parking)
        self.inline = InlineResults(ports.artifacts)
        self.inline.count(outcomes.values())
        #: Where the outputs of the log's nodes come from.
        self.sources = OutputSources()
        #: Taken by green nodes at work.
        self.slots = asyncio.Semaphore(limits.nodes_at_once)
        #: Held while a template's items are stored: each template counts what the others added.
        self.expanding = asyncio.Lock()

    async def foreign(self, step: Step) -> Failed | None:
        """Return the failure of a node that refers to what another person's rights were needed to read, if it does."""
        sources = self.sources.into(step.id)
        if not self.sources.cover(step.id):  # it refers to an earlier turn or round
            await self._recall()
            sources = self.sources.into(step.id)
        read = sorted({source.tool for source in sources if source.author != step.author and self._personal(source)})
        if not read:
            return None
        return Failed(error=NOT_YOURS, message=not_yours(read))

    def origin(self, step: Step) -> FileOrigin:
        """Return what follows, for whoever reads it, from where a node's output comes. All it refers to has ended.

        What cannot be told any more counts as the strictest.
        """
        sources, texts = self.sources.so_far(step.id), self.sources.texts.so_far(step.id)
        # Others may be looking for what they refer to: that says nothing of this step.
        unknown = not self.sources.cover(step.id) or not self.sources.texts.cover(step.id)
        personal = {source for source in sources if self._personal(source)}
        if unknown:
            personal.add(Source(tool=ToolName(step.node.tool or step.node.kind.value), author=step.author))
        return FileOrigin(
            turn=step.turn,
            node=step.id,
            author=step.author,
            personal=frozenset(personal),
            outside=unknown or any(self.ports.work.outside(source.tool) for source in texts),
        )

    def call_context(
        self,
        step: Step,
        bound: Bound,
        *,
        not_after: Callable[[], float] | None = None,
        note_inverse: Callable[[Inverse], None] = lambda _: None,
        given: InputGiven | None = None,
    ) -> CallContext:
        """Return the context of a node's call."""
        called_for = step.context(bound, not_after or self.lease.not_after, note_inverse, given)
        return replace(called_for, origin=partial(self.origin, step))

    async def outside_nodes(self) -> Sequence[NodeId]:
        """Return the nodes that ended and whose outputs hold text that strangers wrote, in the order they ended."""
        ended = self.frontier.outcomes
        if any(node not in self.sources for node in ended):  # of a round before this process took the thread
            await self._recall()
        return [node for node in ended if self.is_outside(node)]

    def is_outside(self, node: NodeId) -> bool:
        """Return whether a node's output holds text that strangers wrote."""
        return any(self.ports.work.outside(source.tool) for source in self.sources.texts.of(node))

    async def read_outside_before(self, turn: int) -> bool:
        """Return whether a turn before this one read text that strangers wrote."""
        added = [logged for logged in await self._recall() if logged.turn < turn]
        nodes = [logged.operation.node.id for logged in added if isinstance(logged.operation, Add)]
        return any(map(self.is_outside, nodes))

    async def _recall(self) -> Sequence[LoggedOperation]:
        """Take in the nodes of earlier turns; return the whole log."""
        log = await self.ports.log.after(self.thread, 0)
        for logged in log:
            if isinstance(logged.operation, Add):
                self.sources.add(logged.author, logged.operation.node)
        return log

    def _personal(self, source: Source) -> bool:
        return self.ports.work.personal(source.tool)

    async def bind(self, step: Step) -> Bound | Failed:
        """Resolve the node's references with the outcomes so far."""
        if (failed := await self.foreign(step)) is not None:
            return failed
        return await self.ports.work.bind(self.thread, step.node, self.frontier.outcomes)

    def show(self, node: NodeId, state: NodeState, outcome: Outcome | None = None, *, detail: str = "") -> None:
        """Note for people what a node does now."""
        event = NodeChanged(node=node, state=state, at=self.now(), outcome=outcome, detail=detail)
        self.ports.progress.note(self.thread, event)

    def show_planned(self, step: Step) -> None:
        """Note for people that a node entered the plan."""
        colour = self.ports.work.colour(step.node)
        event = NodePlanned(turn=step.turn, node=step.node, colour=colour, author=step.author, at=self.now())
        self.ports.progress.note(self.thread, event)

    def show_ended(self, step: Step, outcome: Outcome) -> None:
        """Note for people how a node ended."""
        self.show(step.id, state_of(outcome), outcome)
