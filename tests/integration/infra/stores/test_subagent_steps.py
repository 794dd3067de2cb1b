"""The journal of subagents as rows: written once, read in order, apart from other nodes and threads."""

from dataclasses import replace

from sqlalchemy import URL

from agent.events import SubagentStep
from agent.ids import Digest, NodeId, thread_id
from infra.db.database import Database
from infra.stores.subagent_steps import PostgresSubagentSteps

THREAD, OTHER = thread_id("T1", "C1", "1.0"), thread_id("T1", "C1", "2.0")
STEP = SubagentStep(
    node=NodeId("n"), of=Digest("a"), step=1, call=0, content={"text": "\ud800 \0 é", "calls": [{"args": {"n": 1.0}}]}
)


async def test_steps_are_kept_once_and_returned_in_order(database_url: URL) -> None:
    database = Database(database_url)
    steps = PostgresSubagentSteps(database)
    written = [STEP, replace(STEP, call=1), replace(STEP, call=2), replace(STEP, step=2)]
    for step in written:
        await steps.keep(THREAD, step)
    await steps.keep(THREAD, replace(STEP, content={"text": "another", "calls": []}))
    await steps.keep(THREAD, replace(STEP, node=NodeId("other")))
    await steps.keep(OTHER, STEP)
    assert await steps.of(THREAD, NodeId("n")) == written
    await database.close()
