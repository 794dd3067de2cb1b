"""What the parts of one entry into `execute` share: its ports, its suspensions, its frontier."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agent.brake import Brake
from agent.events import NodeChanged, NodePlanned
from agent.frontier import Frontier
from agent.ids import NodeId, ThreadId
from agent.lifecycle import NodeState, Outcome, Skipped, state_of
from agent.ports import (
    Answerer,
    Artifacts,
    Feeder,
    Ledger,
    Mailbox,
    Newsroom,
    NodeWork,
    OperationLog,
    Progress,
    Questions,
    Reflector,
    Runs,
)
from agent.purse import Purses
from agent.step import Step
from agent.suspension import Suspension


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything a thread's runner needs of the world. Without `purses` a turn may spend what it takes."""

    log: OperationLog
    questions: Questions
    ledger: Ledger
    artifacts: Artifacts
    progress: Progress
    newsroom: Newsroom
    mailbox: Mailbox
    runs: Runs
    work: NodeWork
    feeder: Feeder
    reflector: Reflector
    answerer: Answerer
    purses: Purses | None = None


class Lease(Protocol):
    """The fenced lease under which one runner works on one thread."""

    async def check(self) -> None:
        """Return when the thread is certainly still ours. Asked right before every red call.

        Raises:
            RunnerLost: somebody else has the thread, or may have it.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry into `execute`. `cancelled` is node id -> why, for every cancel of the log so far, `skipped`
    the same for conditions. `grown` tells that the log holds something new."""

    thread: ThreadId
    ports: Ports
    lease: Lease
    suspension: Suspension
    frontier: Frontier
    brake: Brake
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
