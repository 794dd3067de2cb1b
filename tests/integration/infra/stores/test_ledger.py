"""The ledger on PostgreSQL."""

import asyncio

from agent.ids import Digest, NodeId
from agent.ports import LedgerState
from infra.db.database import Database
from infra.stores.stores import Stores
from tests.fakes.rows import THREAD, audited

POST, DIGEST = NodeId("post"), Digest("d")


async def test_of_racing_starts_of_one_try_exactly_one_may_call(stores: Stores) -> None:
    started = await asyncio.gather(*(stores.ledger.start(THREAD, POST, DIGEST, 1) for _ in range(20)))
    assert sum(started) == 1


async def test_the_newest_try_is_read(stores: Stores) -> None:
    assert await stores.ledger.read(THREAD, POST) is None
    await stores.ledger.start(THREAD, POST, DIGEST, 1)
    await stores.ledger.start(THREAD, POST, DIGEST, 2)
    entry = await stores.ledger.read(THREAD, POST)
    assert entry is not None
    assert (entry.state, entry.attempt, entry.result) == (LedgerState.STARTED, 2, None)


async def test_the_first_result_stands(stores: Stores, database: Database) -> None:
    await stores.ledger.start(THREAD, POST, DIGEST, 1)
    await stores.ledger.finish(THREAD, POST, 1, {"state": "succeeded", "value": {"ts": "1.0"}})
    await stores.ledger.finish(THREAD, POST, 1, {"state": "failed", "error": "late"})
    entry = await stores.ledger.read(THREAD, POST)
    assert entry is not None
    assert (entry.state, entry.result) == (LedgerState.DONE, {"state": "succeeded", "value": {"ts": "1.0"}})
    assert await audited(database) == ["started", "finished"]
