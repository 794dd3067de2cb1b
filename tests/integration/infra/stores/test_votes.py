"""Several approvals of a request on PostgreSQL, and the proof of them in the audit."""

import asyncio
import json
from dataclasses import replace

from sqlalchemy import text

from agent.approval import ApprovalPolicy, Decision, Requirement
from agent.ids import ApprovalId, Digest, NodeId, UserId
from bot.ports import ApprovalView
from infra.audit.chain import Entry, Position
from infra.audit.proof import EffectProof
from infra.audit.reader import AuditReader
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, GRACE, THREAD, a_request, audited, tenant_of

TEAM, Q1 = tenant_of(THREAD), ApprovalId("q1")
LINUS = UserId("U0LINUS")
TWO = Requirement(stages=(ApprovalPolicy(quorum=2),), version="v1")


async def view(stores: Stores) -> ApprovalView:
    found = await stores.run_views.approval(TEAM, Q1)
    assert found is not None
    return found


async def approve(stores: Stores, by: UserId) -> object:
    return await stores.approvals.decide(TEAM, Q1, version=1, by=by, decision=Decision.APPROVED)


async def proof(database: Database, *without: str) -> list[str]:
    """Return what is wrong with the audit, its rows of these events left out."""
    proving = EffectProof()
    async with database.snapshot() as connection:
        entries: list[Entry] = [entry async for entry in AuditReader(connection, TEAM).entries(Position())]
    return [fault for entry in entries if entry.event not in without for fault in proving.note(entry)]


async def test_racing_clicks_of_one_person_are_one_vote(stores: Stores, database: Database) -> None:
    await stores.approvals.ask(a_request(requirement=TWO))
    await asyncio.gather(*(approve(stores, GRACE) for _ in range(20)))
    assert [vote.by for vote in (await view(stores)).votes] == [GRACE]
    assert (await view(stores)).is_open
    await asyncio.gather(*(approve(stores, by) for by in (ADA, LINUS)))
    assert (await view(stores)).record.decision is Decision.APPROVED
    assert await audited(database) == ["asked", "voted", "voted", "decided"]


async def test_the_requests_of_a_shared_card_come_with_their_votes(stores: Stores) -> None:
    for asked in ("q1", "q2", "q3"):
        await stores.approvals.ask(a_request(id=ApprovalId(asked), requirement=TWO))
    await stores.posted.join(THREAD, Q1, [Q1, ApprovalId("q2")])
    await approve(stores, GRACE)
    together = await stores.run_views.on_card(TEAM, ApprovalId("q2"))
    assert {one.request.id: [vote.by for vote in one.votes] for one in together} == {"q1": [GRACE], "q2": []}


async def test_stages_are_stored_as_they_come(stores: Stores) -> None:
    stages = (ApprovalPolicy(users=frozenset({GRACE})), ApprovalPolicy(users=frozenset({LINUS})))
    await stores.approvals.ask(a_request(requirement=Requirement(stages=stages)))
    await approve(stores, GRACE)
    takes = (await view(stores)).request.requirement
    assert takes is not None
    assert takes.current == stages[1]
    await approve(stores, LINUS)
    assert not (await view(stores)).is_open


async def test_a_stricter_policy_voids_the_votes_before_it(stores: Stores, database: Database) -> None:
    await stores.approvals.ask(a_request(requirement=TWO))
    await approve(stores, GRACE)
    now = replace(TWO, stages=(ApprovalPolicy(quorum=3),), version="v2")
    assert await stores.approvals.tighten(await view(stores), now)
    assert (await view(stores)).votes == ()
    for by in (GRACE, ADA, LINUS):
        assert (await view(stores)).is_open
        await approve(stores, by)
    assert (await view(stores)).record.decision is Decision.APPROVED
    await stores.ledger.start(THREAD, NodeId("post"), Digest("d" * 64), 1)
    assert await proof(database) == []


async def test_a_change_since_it_was_read_is_not_overwritten(stores: Stores) -> None:
    await stores.approvals.ask(a_request(requirement=TWO))
    read = await view(stores)
    assert await stores.approvals.tighten(read, replace(TWO, version="v2"))
    assert not await stores.approvals.tighten(read, replace(TWO, version="v3"))


async def test_the_audit_shows_a_call_that_too_few_people_approved(stores: Stores, database: Database) -> None:
    await stores.approvals.ask(a_request(requirement=TWO))
    await approve(stores, GRACE)
    await approve(stores, ADA)
    await stores.ledger.start(THREAD, NodeId("post"), Digest("d" * 64), 1)
    assert await proof(database) == []
    assert any("too few people" in fault for fault in await proof(database, "voted"))


async def test_a_rule_approves_without_a_person_and_the_audit_names_it(stores: Stores, database: Database) -> None:
    record = await stores.approvals.ask(a_request(requirement=Requirement(rule="notes", allowed=True)))
    assert (record.decision, record.by) == (Decision.APPROVED, None)
    await stores.ledger.start(THREAD, NodeId("post"), Digest("d" * 64), 1)
    assert await proof(database) == []
    found = await database.execute(text("SELECT details FROM audit WHERE event = 'decided'"))
    assert json.loads(json.dumps(found.scalar_one()))["rule"] == "notes"


async def test_a_request_beyond_the_bound_is_held_until_a_card_closes(stores: Stores) -> None:
    takes = Requirement(cards_per_person=1, expires_minutes=5)
    await stores.approvals.ask(a_request(requirement=takes))
    await asyncio.gather(
        *(
            stores.approvals.ask(a_request(f"r{number}", node=NodeId(f"n{number}"), requirement=takes))
            for number in range(3)
        )
    )
    views = [await stores.run_views.approval(TEAM, ApprovalId(f"r{number}")) for number in range(3)]
    assert [found is not None and found.is_held and found.expires_at is None for found in views] == [True] * 3
    await approve(stores, GRACE)
    views = [await stores.run_views.approval(TEAM, ApprovalId(f"r{number}")) for number in range(3)]
    assert sorted(found is not None and found.is_held for found in views) == [False, True, True]
    assert await stores.approvals.release_held() == 0
