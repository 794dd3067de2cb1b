"""Freezes on PostgreSQL: no red call starts behind one, and what was approved is pending until it is lifted."""

import asyncio

import pytest
from sqlalchemy import text

from agent.approval import ApprovalKind, Decision, Freeze, FreezeScope
from agent.errors import CallsFrozen
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, ToolName
from infra.audit.checker import check_database
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, THREAD, a_message, a_request, tenant_of, waiting_jobs

TENANT, PLACE = tenant_of(THREAD), ChannelId("C1")
POST, TOOL, DIGEST = NodeId("post"), ToolName("slack_post_message"), Digest("d" * 64)
ALL = Freeze(scope=FreezeScope.WORKSPACE)

COVERING = [
    ALL,
    Freeze(scope=FreezeScope.CHANNEL, target="C1"),
    Freeze(scope=FreezeScope.TOOL, target="slack_post_message"),
]
OTHERS = [Freeze(scope=FreezeScope.CHANNEL, target="C2"), Freeze(scope=FreezeScope.TOOL, target="http_request")]


async def approved(stores: Stores, kind: ApprovalKind = ApprovalKind.APPROVE) -> None:
    await stores.approvals.ask(a_request(kind.value, kind=kind))
    decision = Decision.APPROVED if kind is ApprovalKind.APPROVE else Decision.AGAIN
    await stores.approvals.decide(TENANT, ApprovalId(kind.value), version=1, by=GRACE, decision=decision)


async def decision(stores: Stores, kind: ApprovalKind = ApprovalKind.APPROVE) -> Decision:
    asked = ApprovalId(kind.value)
    again = await stores.approvals.ask(a_request(kind.value, kind=kind))
    assert (await stores.approvals.read(THREAD))[asked] == again
    return again.decision


@pytest.mark.parametrize("freeze", COVERING, ids=lambda freeze: freeze.scope.value)
async def test_an_approved_call_does_not_start_and_is_pending_until_the_freeze_is_lifted(
    freeze: Freeze, stores: Stores, database: Database
) -> None:
    await approved(stores)
    assert await stores.freezes.freeze(TENANT, freeze, by=ADA, place=PLACE)
    assert not await stores.freezes.freeze(TENANT, freeze, by=ADA, place=PLACE)
    with pytest.raises(CallsFrozen):
        await stores.ledger.start(THREAD, POST, DIGEST, 1, tool=TOOL)
    assert await stores.ledger.read(THREAD, POST) is None
    assert await decision(stores) is Decision.PENDING
    view = await stores.run_views.approval(TENANT, ApprovalId("approve"))
    assert view is not None
    assert (view.frozen, view.record.decision) == (True, Decision.APPROVED)
    assert await stores.freezes.standing(TENANT) == [freeze]
    assert await stores.freezes.lift(TENANT, freeze, by=ADA, place=PLACE)
    assert not await stores.freezes.lift(TENANT, freeze, by=ADA, place=PLACE)
    assert await decision(stores) is Decision.APPROVED
    assert await stores.ledger.start(THREAD, POST, DIGEST, 1, tool=TOOL)
    assert (await check_database(database, TENANT, frozenset())).faults == ()


@pytest.mark.parametrize("freeze", OTHERS, ids=lambda freeze: freeze.scope.value)
async def test_a_freeze_of_something_else_changes_nothing(freeze: Freeze, stores: Stores) -> None:
    await approved(stores)
    await stores.freezes.freeze(TENANT, freeze, by=ADA, place=PLACE)
    await stores.freezes.freeze(tenant_of(ELSEWHERE), ALL, by=ADA, place=PLACE)
    assert await decision(stores) is Decision.APPROVED
    assert await stores.ledger.start(THREAD, POST, DIGEST, 1, tool=TOOL)


async def test_a_call_that_was_started_keeps_its_decision_and_running_it_again_waits(stores: Stores) -> None:
    await approved(stores)
    await stores.ledger.start(THREAD, POST, DIGEST, 1, tool=TOOL)
    await approved(stores, ApprovalKind.UNKNOWN)
    await stores.freezes.freeze(TENANT, ALL, by=ADA, place=PLACE)
    assert await decision(stores) is Decision.APPROVED
    assert await decision(stores, ApprovalKind.UNKNOWN) is Decision.PENDING
    with pytest.raises(CallsFrozen):
        await stores.ledger.start(THREAD, POST, DIGEST, 2, tool=TOOL)
    await stores.ledger.finish(THREAD, POST, 1, {"state": "succeeded"})  # what is under way ends


async def test_of_starts_and_a_freeze_at_once_none_stands_behind_the_freeze(stores: Stores, database: Database) -> None:
    async def start(number: int) -> bool:
        try:
            return await stores.ledger.start(THREAD, NodeId(f"n{number}"), DIGEST, 1, tool=TOOL)
        except CallsFrozen:
            return False

    async def freeze_in_between() -> bool:
        await asyncio.sleep(0.02)
        return await stores.freezes.freeze(TENANT, ALL, by=ADA, place=PLACE)

    *started, _ = await asyncio.gather(*(start(number) for number in range(80)), freeze_in_between())
    assert not await start(80)
    query = "SELECT event FROM audit_links JOIN audit ON audit.id = audit_links.entry ORDER BY audit_links.seq"
    async with database.begin() as connection:
        events = list((await connection.execute(text(query))).scalars())
    assert events == ["started"] * sum(started) + ["frozen"]


async def test_open_runs_are_woken_by_a_freeze_and_by_its_end(stores: Stores, database: Database) -> None:
    await stores.inbox.accept(a_message())
    await stores.runs.begin(THREAD, 1)
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM procrastinate_jobs"))
    await stores.freezes.freeze(TENANT, ALL, by=ADA, place=PLACE)
    assert await waiting_jobs(database) == 1


async def test_the_combined_read_of_a_run_holds_back_what_a_freeze_covers_and_no_other(stores: Stores) -> None:
    await approved(stores)
    other = a_request("other", tool=ToolName("http_request"), node=NodeId("other"))
    await stores.approvals.ask(other)
    await stores.approvals.decide(TENANT, other.id, version=1, by=GRACE, decision=Decision.APPROVED)
    await stores.freezes.freeze(TENANT, COVERING[2], by=ADA, place=PLACE)
    news = await stores.news.read(THREAD, 1, 0)
    assert news.requests == await stores.approvals.read(THREAD)
    found = {request: record.decision for request, record in news.requests.items()}
    assert found == {"approve": Decision.PENDING, "other": Decision.APPROVED}
