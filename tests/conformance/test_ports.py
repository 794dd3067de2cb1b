"""One suite for the ports of agent and bot: the fakes of the tests, and the stores on PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from agent.approval import TURN, ApprovalKind, Decision
from agent.errors import ArtifactMissing, DuplicateNode
from agent.facts import FactId
from agent.ids import ApprovalId, Digest, NodeId, ThreadId
from agent.plan.operations import Cancel
from agent.plan.outcomes import Failed, NodeState, Outcome, Succeeded
from agent.ports import (
    Approvals,
    Artifacts,
    Choice,
    Ledger,
    LedgerState,
    Mailbox,
    NodeStatuses,
    NotificationSource,
    OperationLog,
    Progress,
    Recalled,
    Reflection,
    Runs,
    RunStatus,
)
from agent.runbooks import RunbookUsed
from bot.ports import (
    Inbox,
    Kind,
    Post,
    Posted,
    PostedMessage,
    Receipt,
    RunViews,
    Slot,
    card_slot,
    cut,
)
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from tests.fakes.bot_ports import BotRows
from tests.fakes.ports_in_memory import empty_rows
from tests.fakes.rows import (
    ADA,
    ELSEWHERE,
    GRACE,
    OTHER,
    THREAD,
    a_message,
    a_request,
    an_add,
    changed,
    planned,
    tenant_of,
)
from tests.fakes.run_views import a_run, an_approval

TEAM, Q1 = tenant_of(THREAD), ApprovalId("q1")


@dataclass(frozen=True, kw_only=True)
class AgentSide:
    """The agent's ports; `drop` and `decide` are what people do."""

    log: OperationLog
    approvals: Approvals
    ledger: Ledger
    artifacts: Artifacts
    mailbox: Mailbox
    runs: Runs
    progress: Progress
    statuses: NodeStatuses
    notifications: NotificationSource
    drop: Callable[[ThreadId, str], Awaitable[object]]
    decide: Callable[[ApprovalId, Decision], Awaitable[object]]


@pytest.fixture(params=["memory", "postgres"])
def agent_side(request: pytest.FixtureRequest) -> AgentSide:
    """The ports of `agent/ports.py`, in both forms."""
    if request.param == "memory":
        return _agent_in_memory()
    stores: Stores = request.getfixturevalue("stores")
    notifications: PgNotifications = request.getfixturevalue("notifications")
    count = iter(range(1000))

    async def drop(thread: ThreadId, text: str) -> object:
        return await stores.inbox.accept(a_message(text, ts=f"1.{next(count)}", thread=thread))

    async def decide(question: ApprovalId, decision: Decision) -> object:
        return await stores.approvals.decide(TEAM, question, version=1, by=GRACE, decision=decision)

    return AgentSide(
        log=stores.log,
        approvals=stores.approvals,
        ledger=stores.ledger,
        artifacts=stores.artifacts,
        mailbox=stores.mailbox,
        runs=stores.runs,
        progress=stores.progress,
        statuses=stores.statuses,
        notifications=notifications.changes,
        drop=drop,
        decide=decide,
    )


def _agent_in_memory() -> AgentSide:
    rows = empty_rows()

    async def drop(thread: ThreadId, text: str) -> object:
        return rows.mailbox.drop(thread, text, ADA)

    async def decide(question: ApprovalId, decision: Decision) -> object:
        return rows.approvals.click(question, decision, GRACE)

    return AgentSide(
        log=rows.log,
        approvals=rows.approvals,
        ledger=rows.ledger,
        artifacts=rows.artifacts,
        mailbox=rows.mailbox,
        runs=rows.runs,
        progress=rows.progress,
        statuses=rows.statuses,
        notifications=rows.notifier,
        drop=drop,
        decide=decide,
    )


async def test_the_log_numbers_from_one_and_reads_after(agent_side: AgentSide) -> None:
    log = agent_side.log
    first = await log.append(THREAD, 1, ADA, [an_add("a"), an_add("b", "a")])
    second = await log.append(THREAD, 2, GRACE, [Cancel(id=NodeId("b"), why="no")])
    assert [logged.seq for logged in (*first, *second)] == [1, 2, 3]
    assert list(await log.after(THREAD, 0)) == [*first, *second]
    assert list(await log.after(THREAD, 2)) == list(second)
    assert list(await log.after(OTHER, 0)) == []


async def test_the_log_refuses_a_known_node_and_stores_nothing(agent_side: AgentSide) -> None:
    await agent_side.log.append(THREAD, 1, ADA, [an_add("a")])
    with pytest.raises(DuplicateNode):
        await agent_side.log.append(THREAD, 1, ADA, [an_add("b"), an_add("a")])
    assert len(await agent_side.log.after(THREAD, 0)) == 1


async def test_outcomes_of_earlier_turns_are_read_by_name(agent_side: AgentSide) -> None:
    progress, statuses = agent_side.progress, agent_side.statuses
    gone = Failed(error="tool_error", message="it's gone")
    for event in (
        planned("a", turn=1),
        changed("a", NodeState.SUCCEEDED, outcome=Succeeded(value={"text": "\ud800", "numbers": [1, 2.5, None]})),
        planned("b", turn=1),
        changed("b", NodeState.FAILED, outcome=gone),
        planned("never", turn=1),
        planned("c", turn=2),
        changed("c", NodeState.SUCCEEDED, outcome=Succeeded(value=3)),
    ):
        progress.note(THREAD, event)
    await progress.flush()
    names = {NodeId(name) for name in ("a", "b", "c", "never", "unheard-of")}
    first: dict[str, Outcome] = {"a": Succeeded(value={"text": "\ud800", "numbers": [1, 2.5, None]}), "b": gone}
    assert await statuses.ended(THREAD, names, 2) == first
    assert await statuses.ended(THREAD, names, 3) == {**first, "c": Succeeded(value=3)}
    assert await statuses.ended(THREAD, {NodeId("b")}, 2) == {"b": gone}
    assert await statuses.ended(THREAD, names, 1) == {}


async def test_approval_is_open_until_somebody_decides(agent_side: AgentSide) -> None:
    asked = await agent_side.approvals.ask(a_request())
    assert (asked.id, asked.decision, asked.by) == (Q1, Decision.PENDING, None)
    assert (asked.node, asked.kind, asked.turn) == ("post", ApprovalKind.APPROVE, 1)
    await agent_side.decide(Q1, Decision.APPROVED)
    await agent_side.decide(Q1, Decision.REJECTED)
    record = (await agent_side.approvals.read(THREAD))[Q1]
    assert (record.decision, record.by) == (Decision.APPROVED, GRACE)
    assert record.at is not None
    assert await agent_side.approvals.ask(a_request()) == record
    assert dict(await agent_side.approvals.read(OTHER)) == {}


async def test_approval_withdrawn_keeps_a_decision_made_before(agent_side: AgentSide) -> None:
    await agent_side.approvals.ask(a_request())
    await agent_side.approvals.ask(a_request("q2"))
    await agent_side.decide(Q1, Decision.REJECTED)
    assert (await agent_side.approvals.withdraw(THREAD, Q1, "over")).decision is Decision.REJECTED
    withdrawn = await agent_side.approvals.withdraw(THREAD, ApprovalId("q2"), "over")
    assert (withdrawn.decision, withdrawn.reason, withdrawn.by) == (Decision.WITHDRAWN, "over", None)


async def test_budget_request_is_read_back_whole_with_what_extends_it(agent_side: AgentSide) -> None:
    budget = a_request("q2", kind=ApprovalKind.BUDGET, node=TURN, args={"breaches": []})
    await agent_side.approvals.ask(a_request())
    await agent_side.approvals.ask(budget)
    assert [record.asked for record in (await agent_side.approvals.read(THREAD)).values()] == [None, budget]
    await agent_side.approvals.extend(THREAD, budget.id, {"breaches": [], "from": {"run": {"nodes": 1}}})
    extended = (await agent_side.approvals.read(THREAD))[budget.id].asked
    assert extended is not None
    assert extended.args == {"breaches": [], "from": {"run": {"nodes": 1}}}


async def test_a_try_of_a_red_call_starts_once(agent_side: AgentSide) -> None:
    ledger, node = agent_side.ledger, NodeId("post")
    assert await ledger.read(THREAD, node) is None
    assert await ledger.start(THREAD, node, Digest("d"), 1)
    assert not await ledger.start(THREAD, node, Digest("d"), 1)
    await ledger.finish(THREAD, node, 1, {"state": "succeeded", "value": 1})
    assert not await ledger.start(THREAD, node, Digest("d"), 1)
    assert await ledger.start(THREAD, node, Digest("d"), 2)
    newest = await ledger.read(THREAD, node)
    assert newest is not None
    assert (newest.state, newest.attempt, newest.digest, newest.result) == (LedgerState.STARTED, 2, "d", None)


async def test_an_artifact_is_its_content(agent_side: AgentSide) -> None:
    content = ("é" * 5_000).encode()
    ref = await agent_side.artifacts.put(THREAD, "log", content, "text/plain")
    assert await agent_side.artifacts.put(THREAD, "log", content, "text/plain") == ref
    assert (ref.size, ref.head) == (10_000, "é" * 512)
    assert await agent_side.artifacts.get(THREAD, ref.digest) == content
    with pytest.raises(ArtifactMissing):
        await agent_side.artifacts.get(THREAD, Digest("0" * 64))


async def test_messages_are_untaken_until_a_turn_takes_them(agent_side: AgentSide) -> None:
    await agent_side.drop(THREAD, "one")
    await agent_side.drop(THREAD, "two")
    first, second = await agent_side.mailbox.untaken(THREAD)
    assert (first.text, second.text, first.author) == ("one", "two", ADA)
    assert first.id < second.id
    await agent_side.runs.begin(THREAD, 1)
    await agent_side.mailbox.taken(THREAD, 1, [first.id])
    assert list(await agent_side.mailbox.untaken(THREAD)) == [second]
    assert list(await agent_side.mailbox.untaken(OTHER)) == []
    for thread, turn, messages in ((THREAD, 1, [first, second]), (THREAD, 2, [second]), (OTHER, 1, [])):
        heard = await agent_side.mailbox.heard(thread, turn, NodeId("no such node"))
        assert list(heard.messages) == messages
        assert heard.authors == ({ADA} if messages else set())


async def test_a_turn_is_begun_moved_and_ended(agent_side: AgentSide) -> None:
    await agent_side.drop(THREAD, "one")
    runs = agent_side.runs
    await runs.begin(THREAD, 1)
    assert (await runs.read(THREAD, 1)).status is RunStatus.PLANNING
    await runs.set_status(THREAD, 1, RunStatus.WAITING)
    await runs.begin(THREAD, 1)
    assert (await runs.read(THREAD, 1)).status is RunStatus.WAITING
    await runs.finish(THREAD, 1, RunStatus.FAILED, "", "internal")
    run = await runs.read(THREAD, 1)
    assert (run.status, run.answer, run.error) == (RunStatus.FAILED, "", "internal")
    assert [past.turn for past in await runs.past(THREAD, 2)] == [1]
    assert list(await runs.past(THREAD, 1)) == []
    assert list(await runs.past(THREAD, 2, 1)) == []
    assert [past.turn for past in await runs.past(THREAD, 2, 0)] == [1]


async def test_a_turn_keeps_which_runbooks_models_saw_and_of_canvases_what(agent_side: AgentSide) -> None:
    await agent_side.drop(THREAD, "one")
    runs = agent_side.runs
    await runs.begin(THREAD, 1)
    of_file = RunbookUsed(name="restart", source="restart.md")
    canvas = RunbookUsed(name="stop", source="Stop", canvas="https://a.example/F1", shown="Stop it.", whole=False)
    await runs.followed(THREAD, 1, [canvas, of_file])
    await runs.followed(THREAD, 1, [replace(canvas, whole=True), canvas])
    assert (await runs.read(THREAD, 1)).runbooks == (canvas, of_file, replace(canvas, whole=True))
    await runs.finish(THREAD, 1, RunStatus.DONE, "done")
    await agent_side.drop(THREAD, "two")
    await runs.begin(THREAD, 2)
    await runs.followed(THREAD, 2, [of_file])
    await runs.finish(THREAD, 2, RunStatus.DONE, "done")
    assert [past.outside for past in await runs.past(THREAD, 3)] == [True, False]


async def test_a_turn_keeps_its_reflections_in_order(agent_side: AgentSide) -> None:
    await agent_side.drop(THREAD, "one")
    await agent_side.runs.begin(THREAD, 1)
    made = [Reflection(choice=choice, failed=(NodeId(choice.value),)) for choice in (Choice.CONTINUE, Choice.REPLAN)]
    for reflection in made:
        await agent_side.runs.reflected(THREAD, 1, reflection)
    assert list((await agent_side.runs.read(THREAD, 1)).reflections) == made
    ends = Reflection(
        choice=Choice.END, at_end=True, round=2, author=ADA, at=datetime(2026, 3, 4, 12, tzinfo=UTC), basis="b1"
    )
    wants = replace(ends, choice=Choice.REPLAN, why="“more”", beyond=True)
    others = (replace(wants, author=GRACE), replace(wants, basis="b2"))
    for reflection in (ends, *others, wants):
        await agent_side.runs.reflected(THREAD, 1, reflection)
    assert list((await agent_side.runs.read(THREAD, 1)).reflections) == [*made, *others, wants]


async def test_a_turn_keeps_the_facts_that_its_models_were_shown_each_once(agent_side: AgentSide) -> None:
    await agent_side.drop(THREAD, "one")
    await agent_side.runs.begin(THREAD, 1)
    assert (await agent_side.runs.read(THREAD, 1)).recalled == ()
    one, other = Recalled(author=ADA, fact=FactId("f1")), Recalled(author=GRACE, fact=FactId("f1"))
    await agent_side.runs.recalled(THREAD, 1, [one])
    await agent_side.runs.recalled(THREAD, 1, [other, one])
    assert (await agent_side.runs.read(THREAD, 1)).recalled == (one, other)
    await agent_side.runs.begin(THREAD, 2)
    strangers = replace(one, outside=True)
    await agent_side.runs.recalled(THREAD, 2, [strangers, other])
    assert (await agent_side.runs.read(THREAD, 2)).recalled == (strangers, other)
    for turn in (1, 2):
        await agent_side.runs.finish(THREAD, turn, RunStatus.DONE, "done")
    assert [past.outside for past in await agent_side.runs.past(THREAD, 3)] == [False, True]


@pytest.mark.parametrize("change", ["append", "drop", "decide"])
async def test_whatever_a_runner_reads_is_news(agent_side: AgentSide, change: str) -> None:
    await agent_side.approvals.ask(a_request())
    with agent_side.notifications.subscribe(THREAD) as news, agent_side.notifications.subscribe(OTHER) as other:
        while await news.wait(0.5):
            pass  # what asking may have notified of
        if change == "append":
            await agent_side.log.append(THREAD, 1, ADA, [an_add("a")])
        elif change == "drop":
            await agent_side.drop(THREAD, "one")
        else:
            await agent_side.decide(Q1, Decision.APPROVED)
        assert await news.wait(30)
        assert not await other.wait(0)


@dataclass(frozen=True, kw_only=True)
class BotSide:
    """The bot's ports, with one open approval `q1` in THREAD's first turn."""

    inbox: Inbox
    approvals: Approvals
    views: RunViews
    posted: Posted


@pytest.fixture
async def asked(stores: Stores) -> Stores:
    """The stores with that approval."""
    await stores.runs.begin(THREAD, 1)
    await stores.approvals.ask(a_request())
    return stores


@pytest.fixture(params=["memory", "postgres"])
def bot_side(request: pytest.FixtureRequest) -> BotSide:
    """The ports of `bot/ports.py`, in both forms."""
    if request.param == "memory":
        rows = BotRows()
        rows.show(a_run(THREAD, approvals=(an_approval(THREAD),)))
        return BotSide(inbox=rows, approvals=rows, views=rows, posted=rows)
    stores: Stores = request.getfixturevalue("asked")
    return BotSide(inbox=stores.inbox, approvals=stores.approvals, views=stores.run_views, posted=stores.posted)


async def test_a_message_is_accepted_once_by_time_and_by_event(bot_side: BotSide) -> None:
    assert not await bot_side.inbox.engaged(THREAD)
    assert await bot_side.inbox.accept(a_message(ts="1.0", event_id="E1")) is Receipt.ACCEPTED
    assert await bot_side.inbox.accept(a_message(ts="1.0", event_id="E2")) is Receipt.DUPLICATE
    assert await bot_side.inbox.accept(a_message(ts="1.1", event_id="E1")) is Receipt.DUPLICATE
    assert await bot_side.inbox.accept(a_message(ts="1.1", event_id="E2")) is Receipt.ACCEPTED
    assert await bot_side.inbox.accept(a_message(thread=ELSEWHERE, ts="1.0", event_id="E1")) is Receipt.ACCEPTED
    assert await bot_side.inbox.engaged(THREAD)
    assert not await bot_side.inbox.engaged(OTHER)


async def test_a_message_waits_until_a_turn_takes_it_and_a_stop_is_none(bot_side: BotSide) -> None:
    assert not await bot_side.inbox.waiting(THREAD)
    await bot_side.inbox.accept(a_message("!stop", ts="1.0", kind=Kind.STOP))
    assert not await bot_side.inbox.waiting(THREAD)
    await bot_side.inbox.accept(a_message(ts="1.1"))
    assert await bot_side.inbox.waiting(THREAD)
    assert not await bot_side.inbox.waiting(OTHER)


async def test_first_click_decides_and_the_second_changes_nothing(bot_side: BotSide) -> None:
    decide = bot_side.approvals.decide
    first = await decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.REJECTED, reason="no")
    assert await decide(TEAM, Q1, version=1, by=ADA, decision=Decision.APPROVED) is None
    assert first is not None
    assert (first.decision, first.by, first.reason) == (Decision.REJECTED, GRACE, "no")
    view = await bot_side.views.approval(TEAM, Q1)
    assert view is not None
    assert view.record == first
    assert not view.is_open


async def test_click_on_another_version_or_another_team_decides_nothing(bot_side: BotSide) -> None:
    decide = bot_side.approvals.decide
    assert await decide(TEAM, Q1, version=2, by=GRACE, decision=Decision.APPROVED) is None
    assert await decide(tenant_of(ELSEWHERE), Q1, version=1, by=GRACE, decision=Decision.APPROVED) is None
    assert await decide(TEAM, ApprovalId("nope"), version=1, by=GRACE, decision=Decision.APPROVED) is None
    view = await bot_side.views.approval(TEAM, Q1)
    assert view is not None
    assert view.is_open
    assert await bot_side.views.approval(tenant_of(ELSEWHERE), Q1) is None


async def test_a_place_is_begun_once_and_shows_what_was_posted_last(bot_side: BotSide) -> None:
    slot, posted = Slot(Post.BOARD), bot_side.posted
    assert await posted.begin(THREAD, 1, slot)
    assert not await posted.begin(THREAD, 1, slot)
    (view,) = await bot_side.views.unsettled(THREAD)
    assert dict(view.posts) == {}
    for shown in ("d1", "d2"):
        await posted.post(THREAD, 1, slot, PostedMessage("5.0", Digest(shown)))
    (view,) = await bot_side.views.unsettled(THREAD)
    assert dict(view.posts) == {slot: PostedMessage("5.0", Digest("d2"))}
    await posted.settle(THREAD, 1)
    assert list(await bot_side.views.unsettled(THREAD)) == []


async def test_a_request_is_shown_whole_unless_one_of_its_messages_stands_cut(bot_side: BotSide) -> None:
    async def shown_whole() -> bool:
        view = await bot_side.views.approval(TEAM, Q1)
        (run,) = await bot_side.views.unsettled(THREAD)
        assert view is not None
        assert run.approvals[0].shown_whole == view.shown_whole
        return view.shown_whole

    whole, part = Digest("d1"), Slot(Post.CARD, f"{Q1}#1")
    assert await shown_whole()
    await bot_side.posted.post(THREAD, 1, part, PostedMessage("5.0", whole))
    await bot_side.posted.post(THREAD, 1, Slot(Post.BOARD), PostedMessage("5.1", cut(whole)))
    await bot_side.posted.post(THREAD, 1, Slot(Post.CARD, f"{Q1}0"), PostedMessage("5.2", cut(whole)))
    assert await shown_whole()
    for slot in (part, Slot(Post.CARD, Q1)):
        await bot_side.posted.post(THREAD, 1, slot, PostedMessage("5.0", cut(whole)))
        assert not await shown_whole()
        await bot_side.posted.post(THREAD, 1, slot, PostedMessage("5.0", whole))
        assert await shown_whole()


async def test_a_place_to_ask_in_is_known_before_and_after_its_card_stands(bot_side: BotSide) -> None:
    async def places() -> tuple[str, ...]:
        view = await bot_side.views.approval(TEAM, Q1)
        (run,) = await bot_side.views.unsettled(THREAD)
        assert view is not None
        assert run.approvals[0].places == view.places
        return view.places

    slot = card_slot(Q1, "C0PLACE")
    assert await places() == ()
    assert await bot_side.posted.begin(THREAD, 1, slot)  # a post that a crash interrupted
    for _ in range(2):
        await bot_side.posted.ask_elsewhere(THREAD, 1, slot)
        assert await places() == ("C0PLACE",)
    await bot_side.posted.post(THREAD, 1, slot, PostedMessage("5.0", Digest("d1")))
    await bot_side.posted.ask_elsewhere(THREAD, 1, slot)
    await bot_side.posted.post(THREAD, 1, card_slot(Q1, "U0GRACE", 1), PostedMessage("5.1", Digest("d1")))
    assert await places() == ("C0PLACE", "U0GRACE")
    (run,) = await bot_side.views.unsettled(THREAD)
    assert run.posts[slot] == PostedMessage("5.0", Digest("d1"))


async def test_a_decision_notifies_who_watches(bot_side: BotSide) -> None:
    with bot_side.views.watch(THREAD) as news:
        decided = asyncio.create_task(
            bot_side.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
        )
        assert await news.wait(30)
        await decided
