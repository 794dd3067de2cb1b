"""A worker in a process of its own, for tests that kill or stop it.

`python -m tests.fakes.worker_process URL` runs threads by appending an operation every few
milliseconds until another process writes `stop` as a node of the thread. Whatever it cannot write,
it does not: what it wrote is what the fence let through.
"""

import asyncio
import sys
from contextlib import suppress

from sqlalchemy import make_url

from agent.errors import DuplicateNode
from agent.ids import ThreadId, UserId
from agent.plan.operations import Add
from infra.db.database import Database, new_worker_id
from infra.stores.operation_log import PostgresOperationLog
from infra.worker.lease import ThreadLease
from infra.worker.queue import Queue
from infra.worker.worker import Timings, Worker, WorkerLost
from tests.fakes.rows import an_add

# A worker gives itself up after half of `stall` without a heartbeat: a busy machine must not take that long for one.
FAST = Timings(heartbeat=0.2, stall=6.0, sweep=0.2, poll=0.2, grace=0.5, retry=(0.1, 0.1))


async def serve(url: str) -> None:
    """Run until killed, or until declared dead."""
    database = Database(make_url(url), worker=new_worker_id())
    log = PostgresOperationLog(database)

    async def advance(thread: ThreadId, _lease: ThreadLease) -> None:
        number = 0
        while not any(
            isinstance(row.operation, Add) and row.operation.node.id == "stop" for row in await log.after(thread, 0)
        ):
            number += 1
            with suppress(DuplicateNode):
                await log.append(thread, 1, UserId(str(database.worker)), [an_add(f"{database.worker}-{number}")])
            await asyncio.sleep(0.02)

    with suppress(WorkerLost):
        await Worker(database, Queue(database), advance, timings=FAST).run()
    await database.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
