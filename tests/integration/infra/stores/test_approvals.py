"""Approvals on PostgreSQL."""

import asyncio
from datetime import timedelta

from agent.approval import TURN, ApprovalKind, Decision, edited_digest
from agent.ids import ApprovalId, Tenant
from agent.plan.outcomes import NodeState, Succeeded
from bot.ports import ApprovalView
from infra.db.database import Database
from infra.stores.approvals import PostgresApprovals
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.rows import (
    ADA,
    ELSEWHERE,
    GRACE,
    OTHER,
    THREAD,
    a_request,
    audited,
    changed,
    planned,
    tenant_of,
    waiting_jobs,
)

TEAM, Q1 = tenant_of(THREAD), ApprovalId("q1")


async def approval(stores: Stores) -> ApprovalView:
    """Return approval `q1` as it stands."""
    view = await stores.run_views.approval(TEAM, Q1)
    assert view is not None
    return view


async def test_asking_twice_leaves_the_first_row(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
    again = await stores.approvals.ask(a_request(title="other"))
    assert (again.decision, again.by) == (Decision.APPROVED, GRACE)
    assert (await approval(stores)).request == a_request()


async def test_one_of_a_hundred_racing_clicks_decides(stores: Stores, database: Database) -> None:
    await stores.approvals.ask(a_request())

    async def click(number: int) -> object:
        decision = Decision.APPROVED if number % 2 else Decision.REJECTED
        return await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=decision)

    records = await asyncio.gather(*(click(number) for number in range(100)))
    assert [record for record in records if record is not None] == [(await approval(stores)).record]
    assert await audited(database) == ["asked", "decided"]
    assert await waiting_jobs(database) == 1


async def test_decision_notifies_the_runner(stores: Stores, notifications: PgNotifications) -> None:
    await stores.approvals.ask(a_request())
    with notifications.changes.subscribe(THREAD) as subscription:
        await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED)
        assert await subscription.wait(10)
    assert (await stores.approvals.read(THREAD))[Q1].decision is Decision.APPROVED


async def test_click_on_an_outdated_card_decides_nothing(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    assert await stores.approvals.decide(TEAM, Q1, version=2, by=GRACE, decision=Decision.APPROVED) is None
    assert (await approval(stores)).is_open


async def test_approval_of_another_tenant_is_unknown(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    elsewhere = tenant_of(ELSEWHERE)
    assert await stores.approvals.decide(elsewhere, Q1, version=1, by=GRACE, decision=Decision.APPROVED) is None
    assert await stores.run_views.approval(Tenant("T9"), Q1) is None
    assert (await approval(stores)).is_open


async def test_withdrawn_approval_cannot_be_decided(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    withdrawn = await stores.approvals.withdraw(THREAD, Q1, "replanned")
    assert (withdrawn.decision, withdrawn.reason, withdrawn.by) == (Decision.WITHDRAWN, "replanned", None)
    assert await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED) is None
    assert (await approval(stores)).record == withdrawn


async def test_withdrawing_and_extending_leave_another_tenants_request_with_the_same_id_alone(stores: Stores) -> None:
    for thread in (THREAD, ELSEWHERE):
        await stores.approvals.ask(a_request(thread=thread, kind=ApprovalKind.BUDGET, args={"breaches": []}))
    await stores.approvals.extend(ELSEWHERE, Q1, {"breaches": [], "from": {}})
    withdrawn = await stores.approvals.withdraw(ELSEWHERE, Q1, "replanned")
    assert withdrawn.decision is Decision.WITHDRAWN
    assert withdrawn.asked is not None
    assert (withdrawn.asked.thread, withdrawn.asked.args) == (ELSEWHERE, {"breaches": [], "from": {}})
    ours = (await stores.approvals.read(THREAD))[Q1]
    assert ours.decision is Decision.PENDING
    assert ours.asked is not None
    assert ours.asked.args == {"breaches": []}


async def test_withdrawing_what_was_decided_returns_the_decision(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.REJECTED, reason="not now")
    record = await stores.approvals.withdraw(THREAD, Q1, "replanned")
    assert (record.decision, record.by, record.reason) == (Decision.REJECTED, GRACE, "not now")


async def test_overdue_approval_expires_at_the_click_and_wakes_its_thread(
    stores: Stores, database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    overdue = PostgresApprovals(database, queue, notifications.views, timedelta(seconds=-1))
    await overdue.ask(a_request())
    assert await overdue.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED) is None
    assert (await approval(stores)).record.decision is Decision.EXPIRED
    assert await waiting_jobs(database) == 1


async def test_expire_due_expires_only_what_is_overdue(
    stores: Stores, database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    await stores.approvals.ask(a_request())
    overdue = PostgresApprovals(database, queue, notifications.views, timedelta(seconds=-1))
    await overdue.ask(a_request("q2", OTHER))
    assert await stores.approvals.expire_due() == 1
    assert await stores.approvals.expire_due() == 0
    assert (await stores.approvals.read(THREAD))[Q1].decision is Decision.PENDING
    assert await waiting_jobs(database, OTHER) == 1


async def test_decision_that_ends_the_turn_puts_a_stop_into_the_inbox(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    await stores.approvals.ask(a_request(kind=ApprovalKind.ROUNDS, node=TURN))
    await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.STOP)
    assert await stores.mailbox.stopped(THREAD, 1) == GRACE


async def test_budget_that_nobody_extends_in_time_puts_a_stop_into_the_inbox(
    stores: Stores, database: Database, queue: Queue, notifications: PgNotifications
) -> None:
    await stores.runs.begin(THREAD, 1)
    overdue = PostgresApprovals(database, queue, notifications.views, timedelta(seconds=-1))
    await overdue.ask(a_request(kind=ApprovalKind.BUDGET, node=TURN))
    assert await overdue.expire_due() == 1
    assert await stores.mailbox.stopped(THREAD, 1) == ""


async def test_card_names_what_still_waits_behind_its_node_until_it_is_decided(stores: Stores) -> None:
    for event in (planned("post"), planned("tell", "post"), planned("log", "tell"), planned("other")):
        stores.progress.note(THREAD, event)
    stores.progress.note(THREAD, changed("tell", NodeState.SUCCEEDED, outcome=Succeeded()))
    await stores.progress.flush()
    await stores.approvals.ask(a_request(blocks=("Step tell", "Step log")))
    view = await approval(stores)
    assert view.blocks == ("Step log",)
    assert view.request.author == ADA
    await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.REJECTED)
    assert (await approval(stores)).blocks == ("Step tell", "Step log")


async def test_only_budget_requests_are_extended(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    await stores.approvals.extend(THREAD, Q1, {"from": "nowhere"})
    assert (await approval(stores)).request == a_request()


async def test_of_racing_edits_and_decisions_at_one_version_one_counts(stores: Stores, database: Database) -> None:
    await stores.approvals.ask(a_request())

    async def act(number: int) -> object:
        if number % 2:
            return await stores.approvals.edit(TEAM, Q1, version=1, by=ADA, args={"text": str(number)})
        args = {"text": str(number)} if number % 4 else None
        return await stores.approvals.decide(TEAM, Q1, version=1, by=GRACE, decision=Decision.APPROVED, edited=args)

    done = await asyncio.gather(*(act(number) for number in range(40)))
    assert sum(bool(one) for one in done) == 1
    view = await approval(stores)
    events = await audited(database)
    assert events in (["asked", "edited"], ["asked", "decided"], ["asked", "edited", "decided"])
    assert view.version == 1 + events.count("edited")


async def test_an_edit_changes_the_digest_and_leaves_what_was_asked(stores: Stores) -> None:
    asked = a_request()
    await stores.approvals.ask(asked)
    args = {"channel": "#ops", "text": "ä"}
    assert await stores.approvals.edit(TEAM, Q1, version=1, by=ADA, args=args)
    view = await approval(stores)
    assert (view.request.args, view.args, view.record.edited) == (asked.args, args, args)
    assert view.record.digest == view.request.digest == edited_digest(asked.digest, asked.tool, args)
    assert (await stores.approvals.read(THREAD))[Q1].digest == view.record.digest


async def test_a_claim_toggles_is_taken_over_and_ends_with_the_decision(stores: Stores) -> None:
    await stores.approvals.ask(a_request())
    for by, claimed in ((GRACE, GRACE), (ADA, ADA), (ADA, None), (GRACE, GRACE)):
        assert await stores.approvals.claim(TEAM, Q1, by=by)
        view = await approval(stores)
        assert (view.record.claimed_by, view.version) == (claimed, 1)
    await stores.approvals.decide(TEAM, Q1, version=1, by=ADA, decision=Decision.REJECTED)
    assert not await stores.approvals.claim(TEAM, Q1, by=ADA)
    assert not await stores.approvals.claim(tenant_of(ELSEWHERE), Q1, by=ADA)


async def test_open_requests_are_the_tenants_own_newest_first_without_their_arguments(stores: Stores) -> None:
    for number in range(3):
        await stores.approvals.ask(a_request(f"q{number}"))
    await stores.approvals.ask(a_request("theirs", thread=ELSEWHERE))
    await stores.approvals.decide(TEAM, ApprovalId("q1"), version=1, by=GRACE, decision=Decision.CHANGES, reason="no")
    found = await stores.approvals.open_requests(TEAM, 10)
    assert [one.request.id for one in found] == ["q2", "q0"]
    assert [dict(one.request.args) for one in found] == [{}, {}]
    assert len(await stores.approvals.open_requests(TEAM, 1)) == 1
