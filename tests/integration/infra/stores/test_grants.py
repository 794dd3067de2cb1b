"""Grants on PostgreSQL: used as often as they say, while they stand, and nothing starts on one that was revoked."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from agent.approval import ApprovalRequest, Decision
from agent.errors import CallsFrozen
from agent.grant import Anything, Grant, GrantId, GrantKind, OneOf
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, ThreadId, ToolName, UserId
from infra.audit.checker import check_database
from infra.db.database import Database
from infra.stores.grants import GrantedApprovals
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, OTHER, THREAD, a_request, tenant_of, waiting_jobs

TENANT, PLACE = tenant_of(THREAD), ChannelId("C1")
TOOL = ToolName("slack_post_message")


def a_rule(id: str = "g1", **more: Any) -> Grant:
    fields: dict[str, Any] = {
        "id": GrantId(id),
        "kind": GrantKind.RULE,
        "channel": PLACE,
        "tool": TOOL,
        "conditions": {"channel": OneOf(values=("#incidents",)), "text": Anything()},
        "made_by": GRACE,
        "made_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
        "most_uses": 2,
    }
    return Grant(**(fields | more))


def a_call(number: int, thread: ThreadId = THREAD, **args: str) -> ApprovalRequest:
    return a_request(
        f"q{number}",
        thread,
        node=NodeId(f"post-{number}"),
        digest=Digest(f"{number:064d}"),
        args={"channel": "#incidents", "text": "down", **args},
    )


async def yes(_user: UserId, _request: ApprovalRequest) -> bool:
    return True


def granted(stores: Stores, may: Any = yes) -> GrantedApprovals:
    return GrantedApprovals(stores.approvals, stores.grants, may)


async def test_rule_answers_what_it_covers_as_often_as_it_says_and_people_the_rest(
    stores: Stores, database: Database
) -> None:
    await stores.grants.make(TENANT, a_rule(), place=PLACE)
    approvals = granted(stores)
    decisions = [(await approvals.ask(a_call(number))).decision for number in range(3)]
    assert decisions == [Decision.APPROVED, Decision.APPROVED, Decision.PENDING]
    assert (await approvals.ask(a_call(0))).grant == "g1"  # asked again: no further use
    assert (await approvals.ask(a_call(4, channel="#general"))).decision is Decision.PENDING
    for number in range(2):
        assert await stores.ledger.start(THREAD, NodeId(f"post-{number}"), a_call(number).digest, 1, tool=TOOL)
    checked = await check_database(database, TENANT, frozenset())
    assert (checked.effects, checked.faults) == (2, ())
    (rule,) = [await stores.grants.find(TENANT, GrantId("g1"))]
    assert rule is not None
    assert rule.uses == 2
    assert await stores.grants.standing(TENANT, PLACE) == []


@pytest.mark.parametrize("limit", ["expired", "elsewhere", "another turn", "no longer allowed", "another tenant"])
async def test_grant_that_does_not_reach_so_far_answers_nothing(limit: str, stores: Stores) -> None:
    rule, may, thread = a_rule(), yes, THREAD
    if limit == "expired":
        rule = a_rule(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    elif limit == "elsewhere":
        rule = a_rule(channel=ChannelId("C2"))
    elif limit == "another turn":
        rule = a_rule(kind=GrantKind.ENVELOPE, thread=THREAD, turn=2)
    elif limit == "another tenant":
        thread = ELSEWHERE
    else:

        async def may(_user: UserId, _request: ApprovalRequest) -> bool:
            return False

    await stores.grants.make(TENANT, rule, place=PLACE)
    assert (await granted(stores, may).ask(a_call(1, thread))).decision is Decision.PENDING
    found = await stores.grants.find(TENANT, GrantId("g1"))
    assert found is not None
    assert found.uses == 0


async def test_an_envelope_answers_in_its_turn_before_a_rule_does(stores: Stores) -> None:
    await stores.grants.make(TENANT, a_rule(), place=PLACE)
    await stores.grants.make(TENANT, a_rule("g2", kind=GrantKind.ENVELOPE, thread=THREAD, turn=1), place=PLACE)
    assert (await granted(stores).ask(a_call(1))).grant == "g2"
    assert (await granted(stores).ask(a_call(2, OTHER))).grant == "g1"


async def test_revoking_makes_what_did_not_start_ask_again_and_nothing_starts(
    stores: Stores, database: Database
) -> None:
    await stores.grants.make(TENANT, a_rule(), place=PLACE)
    approvals = granted(stores)
    started, waits = a_call(1), a_call(2)
    await approvals.ask(started)
    await approvals.ask(waits)
    assert await stores.ledger.start(THREAD, started.node, started.digest, 1, tool=TOOL)
    assert await stores.grants.revoke(TENANT, GrantId("g1"), by=ADA, place=PLACE)
    assert not await stores.grants.revoke(TENANT, GrantId("g1"), by=ADA, place=PLACE)
    assert await waiting_jobs(database) == 1
    with pytest.raises(CallsFrozen):
        await stores.ledger.start(THREAD, waits.node, waits.digest, 1, tool=TOOL)
    records = await stores.approvals.read(THREAD)
    assert [record.decision for record in records.values()] == [Decision.APPROVED, Decision.PENDING]
    assert (await approvals.ask(a_call(3))).decision is Decision.PENDING
    decided = await stores.approvals.decide(TENANT, ApprovalId("q2"), version=1, by=GRACE, decision=Decision.APPROVED)
    assert decided is not None
    assert await stores.ledger.start(THREAD, waits.node, waits.digest, 1, tool=TOOL)
    assert (await check_database(database, TENANT, frozenset())).faults == ()


async def test_uses_revocations_and_starts_that_race_leave_a_proof_for_each_start(
    stores: Stores, database: Database
) -> None:
    rng = random.Random(3)  # noqa: S311  # reproducible, not secret
    approvals = granted(stores)
    starts = 0
    for number in range(12):
        grant = a_rule(f"g{number}", most_uses=3)
        await stores.grants.make(TENANT, grant, place=PLACE)
        calls = [a_call(number * 10 + each) for each in range(5)]

        async def run(call: ApprovalRequest) -> bool:
            if (await approvals.ask(call)).decision is not Decision.APPROVED:
                return False
            await asyncio.sleep(rng.random() * 0.01)
            try:
                return await stores.ledger.start(THREAD, call.node, call.digest, 1, tool=TOOL)
            except CallsFrozen:
                return False

        async def revoke(id: GrantId) -> None:
            await asyncio.sleep(rng.random() * 0.03)
            await stores.grants.revoke(TENANT, id, by=ADA, place=PLACE)

        *begun, _ = await asyncio.gather(*(run(call) for call in calls), revoke(grant.id))
        starts += sum(bool(one) for one in begun)
        for call, one in zip(calls, begun, strict=True):
            standing = (await stores.approvals.read(THREAD))[call.id]
            assert (standing.decision is Decision.APPROVED) is bool(one)
    checked = await check_database(database, TENANT, frozenset())
    assert (checked.effects, checked.faults) == (starts, ())
    assert 0 < starts <= 36


async def test_past_calls_are_those_that_people_decided_in_the_channel(stores: Stores, database: Database) -> None:
    for number, decision in enumerate((Decision.APPROVED, Decision.REJECTED)):
        await stores.approvals.ask(a_call(number))
        await stores.approvals.decide(TENANT, ApprovalId(f"q{number}"), version=1, by=GRACE, decision=decision)
    await stores.approvals.ask(a_call(7))
    await stores.grants.make(TENANT, a_rule(), place=PLACE)
    await granted(stores).ask(a_call(8))
    past = await stores.grants.past(TENANT, PLACE, TOOL)
    assert [(call.request.id, call.record.decision) for call in past] == [
        ("q1", Decision.REJECTED),
        ("q0", Decision.APPROVED),
    ]
    assert await stores.grants.past(TENANT, ChannelId("C2"), TOOL) == []
    async with database.begin() as connection:
        await connection.execute(text("UPDATE approvals SET asked_at = now() - interval '31 days'"))
    assert await stores.grants.past(TENANT, PLACE, TOOL) == []


async def test_a_condition_of_a_later_version_covers_nothing(stores: Stores, database: Database) -> None:
    await stores.grants.make(TENANT, a_rule(), place=PLACE)
    await stores.grants.make(TENANT, replace(a_rule("g2"), channel=ChannelId("C9")), place=PLACE)
    async with database.begin() as connection:
        await connection.execute(
            text("""UPDATE grants SET conditions = '{"channel": {"like": "#"}}' WHERE id = 'g1'""")
        )
    assert (await granted(stores).ask(a_call(1))).decision is Decision.PENDING
