"""Racing clicks from two bots: each approval is decided once, and what was approved runs once."""

import asyncio
import random
from itertools import product

import pytest
from sqlalchemy import URL

from agent.approval import Decision, DecisionRecord
from agent.execution.execution_context import Lease, Ports
from agent.execution.graph import AdvanceResult, Checkpoints, ThreadRunner
from agent.ids import ApprovalId, Tenant, ThreadId, UserId, thread_id
from agent.limits import Limits
from agent.plan.operations import Add
from infra.db.database import Database
from infra.stores.approvals import PostgresApprovals
from infra.stores.stores import Stores
from infra.wiring import runner_ports
from infra.worker.checkpoints import open_checkpoints, open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner, FakeWork, node

REDS = 50
SEED = 7


@pytest.mark.parametrize(
    "count", [pytest.param(4, id="400 clicks"), pytest.param(20, id="2000 clicks", marks=pytest.mark.chaos)]
)
async def test_racing_clicks_make_one_decision_for_each_card_and_each_is_executed_once(
    database_url: URL, database: Database, stores: Stores, notifications: PgNotifications, count: int
) -> None:
    threads = [thread_id("T1", "C1", f"{number}.0") for number in range(count)]
    work = FakeWork()
    async with open_pool(database.conninfo) as pool:

        def opened(_thread: ThreadId, _lease: Lease) -> Checkpoints:
            return open_checkpoints(pool)

        runner = ThreadRunner(_ports(stores, notifications, work), opened, limits=Limits())
        for thread in threads:
            reds = [Add(node=node(f"r{number}", red=True)) for number in range(REDS)]
            await stores.log.append(thread, 1, UserId("U1"), reds)
        results = await asyncio.gather(*(runner.advance(thread, HeldLease()) for thread in threads))
        assert set(results) == {AdvanceResult.PARKED}
        asked = [approval for thread in threads for approval in await stores.approvals.read(thread)]
        assert len(asked) == count * REDS
        records = await _race(database_url, notifications, asked)
        assert len(records) == 2 * len(asked)
        assert sorted(record.id for record in records if record is not None) == sorted(asked)
        await asyncio.gather(*(runner.advance(thread, HeldLease()) for thread in threads))
    approved = [
        record
        for thread in threads
        for record in (await stores.approvals.read(thread)).values()
        if record.decision is Decision.APPROVED
    ]
    assert len(work.started) == len(approved)
    assert not await _open_runs(stores)


async def _race(url: URL, notifications: PgNotifications, asked: list[ApprovalId]) -> list[DecisionRecord | None]:
    """Click every card in both bots, one approving and one rejecting, in orders of their own."""
    rng = random.Random(SEED)  # noqa: S311 - the same orders every time
    bots = [Database(url) for _ in range(2)]
    stores = [PostgresApprovals(bot, Queue(bot), notifications.views) for bot in bots]
    clicks = list(product(asked, zip(stores, (Decision.APPROVED, Decision.REJECTED), strict=True)))
    rng.shuffle(clicks)
    room = asyncio.Semaphore(24)

    async def click(approval: ApprovalId, store: PostgresApprovals, decision: Decision) -> DecisionRecord | None:
        async with room:
            return await store.decide(Tenant("T1"), approval, version=1, by=UserId("U2"), decision=decision)

    records = await asyncio.gather(*(click(approval, *which) for approval, which in clicks))
    for bot in bots:
        await bot.close()
    return records


async def _open_runs(stores: Stores) -> int:
    return len(await stores.run_views.open_of(Tenant("T1"), UserId("U1")))


def _ports(stores: Stores, notifications: PgNotifications, work: FakeWork) -> Ports:
    return runner_ports(
        stores,
        notifications.changes,
        work=work,
        feeder=FakeFeeder(stores.log, stores.mailbox),
        replanner=FakeReplanner(stores.log),
        answerer=FakeAnswerer(stores.runs),
    )
