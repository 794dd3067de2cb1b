"""The bot's ports in memory: one set of rows behind Inbox, Decisions, RunViews and Posted."""

import asyncio
import contextlib
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from agent.errors import StoreUnavailable
from agent.ids import ApprovalId, ChannelId, NodeId, Tenant, ThreadId, UserId, thread_parts
from agent.ports import Decision, RunStatus
from bot.ports import (
    AlreadyDecided,
    ApprovalView,
    Decided,
    DecisionResult,
    Incoming,
    Kind,
    OpenRun,
    Outdated,
    PackageView,
    PostedMessage,
    Receipt,
    RunView,
    Slot,
    UnknownApproval,
)

ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Hints:
    """A News that a test sets off by hand."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    async def wait(self, timeout_seconds: float) -> bool:
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.changed.wait()
        except TimeoutError:
            return False
        self.changed.clear()
        return True


class BotRows:
    """Rows as a test wants them. `down` makes every method raise StoreUnavailable."""

    def __init__(self) -> None:
        self.inbox: list[Incoming] = []
        self.runs: dict[tuple[ThreadId, int], RunView] = {}
        self.begun: set[tuple[ThreadId, int, Slot]] = set()
        self.posts: dict[tuple[ThreadId, int], dict[Slot, PostedMessage]] = {}
        self.settled: set[tuple[ThreadId, int]] = set()
        self.packages: dict[tuple[ThreadId, NodeId], PackageView] = {}
        self.decided: list[tuple[ApprovalId, Decision, UserId]] = []
        self.hints: list[Hints] = []
        self.down = False

    def show(self, run: RunView) -> None:
        """Put a turn's rows in place and hint at it."""
        self.runs[run.thread, run.turn] = run
        for hints in self.hints:
            hints.changed.set()

    # Inbox

    async def accept(self, incoming: Incoming) -> Receipt:
        self._reachable()
        for known in self.inbox:
            same_message = (known.tenant, known.channel, known.ts) == (incoming.tenant, incoming.channel, incoming.ts)
            same_event = (known.app, known.tenant, known.event_id) == (incoming.app, incoming.tenant, incoming.event_id)
            if same_message or same_event:
                return Receipt.DUPLICATE
        self.inbox.append(incoming)
        return Receipt.ACCEPTED

    async def engaged(self, thread: ThreadId) -> bool:
        self._reachable()
        return any(known.thread == thread for known in self.inbox)

    async def waiting(self, thread: ThreadId) -> bool:
        self._reachable()
        return any(known.thread == thread and known.kind is not Kind.STOP for known in self.inbox)

    # Decisions

    async def read(self, tenant: Tenant, question: ApprovalId) -> ApprovalView | None:
        self._reachable()
        for run in self.runs.values():
            for view in run.questions:
                if view.question.id == question and thread_parts(run.thread).tenant == tenant:
                    return view
        return None

    async def decide(
        self, tenant: Tenant, question: ApprovalId, *, version: int, by: UserId, decision: Decision, reason: str = ""
    ) -> DecisionResult:
        view = await self.read(tenant, question)
        if view is None:
            return UnknownApproval()
        if view.standing.decision is not Decision.PENDING:
            return AlreadyDecided(view=view)
        if view.version != version:
            return Outdated(view=view)
        standing = replace(view.standing, decision=decision, by=by, reason=reason, at=NOON)
        now = replace(view, standing=standing)
        self.change_question(now)
        self.decided.append((question, decision, by))
        return Decided(view=now)

    def change_question(self, now: ApprovalView) -> None:
        """Replace a question's row."""
        for run in list(self.runs.values()):
            if any(view.question.id == now.question.id for view in run.questions):
                views = tuple(now if view.question.id == now.question.id else view for view in run.questions)
                self.show(replace(run, questions=views))

    # Packages

    async def package(self, thread: ThreadId, node: NodeId) -> PackageView | None:
        self._reachable()
        return self.packages.get((thread, node))

    # RunViews

    async def unsettled(self, thread: ThreadId) -> Sequence[RunView]:
        self._reachable()
        return [
            replace(run, posts=dict(self.posts.get(key, {})))
            for key, run in sorted(self.runs.items(), key=lambda item: item[0][1])
            if key[0] == thread and key not in self.settled
        ]

    async def open_of(self, tenant: Tenant, requester: UserId) -> Sequence[OpenRun]:
        return [run for run in self._open(tenant) if run.requester == requester]

    async def open_in(self, tenant: Tenant, channel: ChannelId) -> Sequence[OpenRun]:
        return [run for run in self._open(tenant) if thread_parts(run.thread).channel == channel]

    @contextlib.contextmanager
    def watch(self, thread: ThreadId) -> Generator[Hints]:
        hints = Hints()
        self.hints.append(hints)
        yield hints
        self.hints.remove(hints)

    def _open(self, tenant: Tenant) -> list[OpenRun]:
        self._reachable()
        return [
            OpenRun(
                thread=run.thread,
                turn=run.turn,
                status=run.status,
                requester=run.requester,
                request=run.requests[0].text if run.requests else "",
                started_at=run.started_at,
                waiting=sum(view.standing.decision is Decision.PENDING for view in run.questions),
            )
            for run in self.runs.values()
            if run.status not in ENDED and thread_parts(run.thread).tenant == tenant
        ]

    # Posted

    async def begin(self, thread: ThreadId, turn: int, slot: Slot) -> bool:
        self._reachable()
        fresh = (thread, turn, slot) not in self.begun
        self.begun.add((thread, turn, slot))
        return fresh

    async def post(self, thread: ThreadId, turn: int, slot: Slot, message: PostedMessage) -> None:
        self._reachable()
        self.posts.setdefault((thread, turn), {})[slot] = message

    async def settle(self, thread: ThreadId, turn: int) -> None:
        self._reachable()
        self.settled.add((thread, turn))

    def _reachable(self) -> None:
        if self.down:
            raise StoreUnavailable
