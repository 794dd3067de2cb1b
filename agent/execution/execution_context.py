"""What the parts of one entry into `execute` share: its ports, its suspensions, its frontier."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agent.budget.tracker import BudgetTrackers
from agent.events import NodeChanged, NodePlanned
from agent.execution.budget_gate import BudgetGate
from agent.execution.parking import Parking
from agent.execution.step import Step
from agent.ids import NodeId, ThreadId
from agent.plan.dependencies import Frontier
from agent.plan.outcomes import NodeState, Outcome, Skipped, state_of
from agent.ports import (
    Answerer,
    Approvals,
    Artifacts,
    Feeder,
    Ledger,
    Mailbox,
    NodeWork,
    NotificationSource,
    OperationLog,
    Progress,
    Replanner,
    Runs,
)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything a thread's runner needs of the world. Without `purses` a turn may spend what it takes."""

    log: OperationLog
    questions: Approvals
    ledger: Ledger
    artifacts: Artifacts
    progress: Progress
    notifications: NotificationSource
    mailbox: Mailbox
    runs: Runs
    work: NodeWork
    feeder: Feeder
    reflector: Replanner
    answerer: Answerer
    budget_trackers: BudgetTrackers | None = None


class Lease(Protocol):
    """The fenced lease under which one runner works on one thread."""

    async def check(self) -> None:
        """Return when the thread is certainly still ours. Asked right before every red call.

        Raises:
            RunnerLost: somebody else has the thread, or may have it.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """One entry into `execute`. `cancelled` is node id -> why, for every cancel of the log so far, `skipped`
    the same for conditions. `grown` tells that the log holds something new."""

    thread: ThreadId
    ports: Ports
    lease: Lease
    parking: Parking
    frontier: Frontier
    budget_gate: BudgetGate
    now: Callable[[], datetime]
    cancelled: dict[NodeId, str] = field(default_factory=dict[NodeId, str])
    skipped: dict[NodeId, Skipped] = field(default_factory=dict[NodeId, Skipped])
    grown: Callable[[], None] = lambda: None

    def show(self, node: NodeId, state: NodeState) -> None:
        """Note for people what a node does now."""
        self.ports.progress.note(self.thread, NodeChanged(node=node, state=state, at=self.now()))

    def show_planned(self, step: Step) -> None:
        """Note for people that a node entered the plan."""
        colour = self.ports.work.colour(step.node)
        event = NodePlanned(turn=step.turn, node=step.node, colour=colour, author=step.author, at=self.now())
        self.ports.progress.note(self.thread, event)

    def show_ended(self, node: NodeId, outcome: Outcome) -> None:
        """Note for people how a node ended."""
        event = NodeChanged(node=node, state=state_of(outcome), at=self.now(), outcome=outcome)
        self.ports.progress.note(self.thread, event)
