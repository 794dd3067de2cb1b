"""The bot's ports in memory: one set of rows behind Inbox, Approvals, RunViews and Posted."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime

from agent.approval import EDITED_BY, ApprovalRequest, Decision, DecisionRecord, Freeze, Requirement
from agent.errors import StoreUnavailable
from agent.facts import Fact, FactId, Readable
from agent.grant import Grant, GrantId, PlannedCall
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId, thread_parts
from agent.plan.effects import Effect
from agent.plan.files import FileRecord
from agent.ports import Instruction, RunStatus, Subscription
from bot.app import Ports
from bot.ports import (
    ApprovalView,
    Explanation,
    Incoming,
    Kept,
    Kind,
    Load,
    OpenRun,
    PackageView,
    PastCall,
    PendingRequest,
    PostedMessage,
    Proposal,
    Receipt,
    RunView,
    Slot,
    is_of_card,
    places_of,
)
from infra.worker.notifications import Notifier
from sandbox.script import Json
from tests.fakes.ports_in_memory import (
    ApprovalsInMemory,
    ArtifactsInMemory,
    LogInMemory,
    ProgressInMemory,
    StatusesInMemory,
)

ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class NoEffects:
    """Effects of threads in which nothing was changed."""

    async def of(self, thread: ThreadId) -> Sequence[Effect]:
        """Return nothing."""
        return ()


class NoGrants:
    """Grants where nobody made any."""

    async def make(self, tenant: Tenant, grant: Grant, *, place: ChannelId) -> bool:
        raise NotImplementedError

    async def revoke(self, tenant: Tenant, grant: GrantId, *, by: UserId, place: ChannelId) -> bool:
        return False

    async def standing(self, tenant: Tenant, channel: ChannelId | None = None) -> Sequence[Grant]:
        return ()

    async def find(self, tenant: Tenant, grant: GrantId) -> Grant | None:
        return None

    async def past(self, tenant: Tenant, channel: ChannelId, tool: ToolName) -> Sequence[PastCall]:
        return ()


class NoGuidance:
    """Instructions and explanations where there are none."""

    async def of(self, thread: ThreadId) -> Sequence[Instruction]:
        return ()

    async def read(self, tenant: Tenant, channel: ChannelId) -> Instruction | None:
        return None

    async def write(self, tenant: Tenant, channel: ChannelId, text: str, *, by: UserId) -> None:
        raise NotImplementedError

    async def of_thread(self, thread: ThreadId) -> Explanation | None:
        return None

    async def newest_in(self, tenant: Tenant, channel: ChannelId) -> ThreadId | None:
        return None


class NoFacts:
    """A FactBook in which nothing is kept."""

    async def keep(self, fact: Fact, *, most: int) -> Kept:
        raise NotImplementedError

    async def correct(self, fact: Fact, *, place: ChannelId) -> bool:
        return False

    async def forget(self, facts: Sequence[Fact], *, by: UserId, place: ChannelId) -> int:
        return 0

    async def find(self, tenant: Tenant, id: FactId) -> Fact | None:
        return None

    async def standing(self, readable: Readable) -> Sequence[Fact]:
        return ()

    async def of_person(self, tenant: Tenant, person: UserId) -> Sequence[Fact]:
        return ()

    async def proposal(self, thread: ThreadId, node: NodeId) -> Proposal:
        return Proposal()


class NoFiles:
    """Files: no thread has any."""

    async def find(self, thread: ThreadId, name: str) -> FileRecord | None:
        return None

    async def listed(self, thread: ThreadId, *, after: str = "", prefix: str = "", most: int) -> Sequence[FileRecord]:
        return ()


class NoFeedback:
    """Feedback: nobody may rate anything."""

    async def give(self, thread: ThreadId, turn: int, *, by: UserId, good: bool, reason: str = "") -> bool:
        return False


class BotRows(ApprovalsInMemory):
    """Rows as a test wants them. `down` makes every method raise StoreUnavailable."""

    def __init__(self) -> None:
        super().__init__(Notifier())
        self.inbox: list[Incoming] = []
        self.runs: dict[tuple[ThreadId, int], RunView] = {}
        self.begun: set[tuple[ThreadId, int, Slot]] = set()
        self.posts: dict[tuple[ThreadId, int], dict[Slot, PostedMessage]] = {}
        self.settled: set[tuple[ThreadId, int]] = set()
        self.packages: dict[tuple[ThreadId, NodeId], PackageView] = {}
        self.decided: list[tuple[ApprovalId, Decision, UserId]] = []
        self.frozen: list[Freeze] = []
        self.showings: list[tuple[ApprovalId, UserId]] = []
        self.refusals: list[tuple[ApprovalId, UserId, str]] = []
        self.views = Notifier()
        self.down = False

    @property
    def ports(self) -> Ports:
        """All that the app needs of the stores: these rows."""
        return Ports(
            inbox=self,
            approvals=self,
            requests=self,
            views=self,
            posted=self,
            packages=self,
            files=NoFiles(),
            artifacts=ArtifactsInMemory(),
            clicks=self,
            freezes=self,
            grants=NoGrants(),
            effects=NoEffects(),
            log=LogInMemory(Notifier()),
            statuses=StatusesInMemory(ProgressInMemory()),
            facts=NoFacts(),
            instructions=NoGuidance(),
            written_instructions=NoGuidance(),
            explanations=NoGuidance(),
            feedback=NoFeedback(),
        )

    def show(self, run: RunView) -> None:
        """Put a turn's rows in place and notify who watches."""
        self.runs[run.thread, run.turn] = run
        self.views.notify_all()

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

    async def load(self, tenant: Tenant, user: UserId, thread: ThreadId | None) -> Load:
        self._reachable()
        own = [known for known in self.inbox if known.tenant == tenant and known.kind is not Kind.STOP]
        at_work = {known.thread for known in own if known.author == user}
        return Load(under_way=any(known.thread == thread for known in own), runs=len(at_work), cards=0)

    async def waiting(self, thread: ThreadId) -> bool:
        self._reachable()
        return any(known.thread == thread and known.kind is not Kind.STOP for known in self.inbox)

    # Approvals

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
        if edited is not None and await self.edit(tenant, approval, version=version, by=by, args=edited, place=place):
            version += 1
        view = await self.approval(tenant, approval)
        if view is None or not view.is_open or view.version != version:
            return None
        record = replace(view.record, decision=decision, by=by, reason=reason, result=result, at=NOON)
        self.change_approval(replace(view, record=record))
        self.decided.append((approval, decision, by))
        return record

    # OpenRequests

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
        view = await self.approval(tenant, approval)
        if view is None or not view.is_open or view.version != version:
            return False
        request = replace(view.request, facts={**view.request.facts, EDITED_BY: by})
        record = replace(view.record, edited=args)
        self.change_approval(replace(view, request=request, record=record, version=version + 1))
        return True

    async def claim(self, tenant: Tenant, approval: ApprovalId, *, by: UserId) -> bool:
        view = await self.approval(tenant, approval)
        if view is None or not view.is_open:
            return False
        claimed = None if view.record.claimed_by == by else by
        self.change_approval(replace(view, record=replace(view.record, claimed_by=claimed)))
        return True

    async def open_requests(self, tenant: Tenant, most: int) -> Sequence[PendingRequest]:
        self._reachable()
        views = [view for run in self.runs.values() for view in run.approvals if view.is_open]
        mine = [view for view in views if thread_parts(view.request.thread).tenant == tenant][::-1]
        return [
            PendingRequest(
                request=replace(view.request, args={}),
                asked_at=view.asked_at,
                claimed_by=view.record.claimed_by,
                frozen=view.frozen,
                card_ts="",
            )
            for view in mine[:most]
        ]

    def change_approval(self, now: ApprovalView) -> None:
        """Replace a request's row."""
        for run in list(self.runs.values()):
            if any(view.request.id == now.request.id for view in run.approvals):
                views = tuple(now if view.request.id == now.request.id else view for view in run.approvals)
                self.show(replace(run, approvals=views))

    # ClickLog

    async def refused(
        self, request: ApprovalRequest, *, by: UserId, decision: Decision | None, why: str, place: ChannelId
    ) -> None:
        self.refusals.append((request.id, by, why))

    async def shown(self, request: ApprovalRequest, *, by: UserId, place: ChannelId) -> None:
        self.showings.append((request.id, by))

    # Freezes

    async def freeze(self, tenant: Tenant, freeze: Freeze, *, by: UserId, place: ChannelId) -> bool:
        new = freeze not in self.frozen
        self.frozen += [freeze] * new
        return new

    async def lift(self, tenant: Tenant, freeze: Freeze, *, by: UserId, place: ChannelId) -> bool:
        there = freeze in self.frozen
        self.frozen = [other for other in self.frozen if other != freeze]
        return there

    async def standing(self, tenant: Tenant) -> Sequence[Freeze]:
        return list(self.frozen)

    # Packages

    async def package(self, thread: ThreadId, node: NodeId) -> PackageView | None:
        self._reachable()
        return self.packages.get((thread, node))

    # RunViews

    async def unsettled(self, thread: ThreadId) -> Sequence[RunView]:
        self._reachable()
        return [
            replace(run, posts=dict(self.posts.get(key, {})), approvals=tuple(map(self._as_shown, run.approvals)))
            for key, run in sorted(self.runs.items(), key=lambda item: item[0][1])
            if key[0] == thread and key not in self.settled
        ]

    async def approval(self, tenant: Tenant, approval: ApprovalId) -> ApprovalView | None:
        self._reachable()
        views = (view for run in self.runs.values() for view in run.approvals)
        mine = (view for view in views if thread_parts(view.request.thread).tenant == tenant)
        return next((self._as_shown(view) for view in mine if view.request.id == approval), None)

    async def on_card(self, tenant: Tenant, approval: ApprovalId) -> Sequence[ApprovalView]:
        self._reachable()
        views = [view for run in self.runs.values() for view in run.approvals]
        mine = [view for view in views if thread_parts(view.request.thread).tenant == tenant]
        card = next((view.card for view in mine if view.request.id == approval), None)
        return [view for view in mine if view.request.id == approval or (card is not None and view.card == card)]

    async def planned_calls(self, thread: ThreadId, turn: int) -> Sequence[PlannedCall]:
        self._reachable()
        return ()

    def _as_shown(self, view: ApprovalView) -> ApprovalView:
        posts = self.posts.get((view.request.thread, view.request.turn), {})
        card = (posted for slot, posted in posts.items() if is_of_card(slot, view.card or view.request.id))
        whole = not any(posted.is_cut for posted in card)
        return replace(view, shown_whole=whole, places=places_of(posts, view.request.id))

    async def open_of(self, tenant: Tenant, requester: UserId) -> Sequence[OpenRun]:
        return [run for run in self._open(tenant) if run.requester == requester]

    async def open_in(self, tenant: Tenant, channel: ChannelId) -> Sequence[OpenRun]:
        return [run for run in self._open(tenant) if thread_parts(run.thread).channel == channel]

    def watch(self, thread: ThreadId) -> AbstractContextManager[Subscription]:
        return self.views.subscribe(thread)

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
                waiting=sum(view.is_open for view in run.approvals),
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

    async def ask_elsewhere(self, thread: ThreadId, turn: int, slot: Slot) -> None:
        self._reachable()
        self.posts.setdefault((thread, turn), {}).setdefault(slot, PostedMessage("", Digest("")))

    async def join(self, thread: ThreadId, leader: ApprovalId, members: Sequence[ApprovalId]) -> None:
        self._reachable()
        for key, run in self.runs.items():
            if run.thread == thread:
                views = [replace(v, card=v.card or leader) if v.request.id in members else v for v in run.approvals]
                self.runs[key] = replace(run, approvals=tuple(views))

    async def settle(self, thread: ThreadId, turn: int) -> None:
        self._reachable()
        self.settled.add((thread, turn))

    def _reachable(self) -> None:
        if self.down:
            raise StoreUnavailable
