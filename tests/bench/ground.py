"""The ground the executor's benches stand on: a PostgreSQL of their own with durable commits, and every real store."""

import itertools
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from agent.execution.execution_context import Lease
from agent.execution.graph import Checkpoints, ThreadRunner
from agent.ids import ThreadId, UserId, thread_id
from agent.limits import Limits
from agent.plan.operations import Add, Node
from agent.ports import NodeWork, Replanner
from infra.db.database import Database, new_worker_id
from infra.db.embedded_postgres import HeldPostgres, hold_postgres
from infra.db.migrate import migrate
from infra.stores.stores import Stores
from infra.wiring import LISTENER_CONNECTIONS, open_storage, runner_ports
from infra.worker.checkpoints import Pool, open_checkpoints, open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.statement_log import LOGGING, StatementLog
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner

WATCHER = "watcher"
"""The application whose statements are not counted: it only looks."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A migrated database and what a process with both parts opens on it; `door` is the listeners' own."""

    url: URL
    database: Database
    pool: Pool
    queue: Queue
    stores: Stores
    door: Stores
    notifications: PgNotifications
    #: What the server was asked, if it logs that.
    statements: StatementLog
    _numbers: "itertools.count[int]"

    def new_thread(self) -> ThreadId:
        """Return a thread nobody has used."""
        return thread_id("T1", "C1", f"{next(self._numbers)}.0")

    async def plan(self, nodes: Sequence[Node]) -> ThreadId:
        """Return a new thread whose log holds these nodes."""
        thread = self.new_thread()
        await self.stores.log.append(thread, 1, UserId("U1"), [Add(node=node) for node in nodes])
        return thread

    def runner(
        self, work: NodeWork, nodes_at_once: int = Limits.nodes_at_once, *, replanner: Replanner | None = None
    ) -> ThreadRunner:
        """Return a runner over the real stores that does this work."""
        stores = self.stores
        ports = runner_ports(
            stores,
            self.notifications.changes,
            work=work,
            feeder=FakeFeeder(stores.log, stores.mailbox),
            replanner=replanner or FakeReplanner(stores.log),
            answerer=FakeAnswerer(stores.runs),
        )
        return ThreadRunner(ports, self._checkpoints, limits=Limits(nodes_at_once=nodes_at_once))

    def _checkpoints(self, thread: ThreadId, lease: Lease) -> Checkpoints:
        return open_checkpoints(self.pool)


@asynccontextmanager
async def ground(*, logging: bool = False) -> AsyncGenerator[Ground]:
    """Yield the ground; the server and its folder are gone afterwards. It logs its statements if asked to."""
    with fresh_server(LOGGING if logging else {}) as server:
        url = server.url()
        async with open_storage(url, new_worker_id()) as storage, open_pool(storage.database.conninfo) as pool:
            door = Database(url, pool_size=LISTENER_CONNECTIONS)
            yield Ground(
                url=url,
                database=storage.database,
                pool=pool,
                queue=storage.queue,
                stores=storage.stores,
                door=Stores(door, storage.queue, storage.notifications),
                notifications=storage.notifications,
                statements=StatementLog(server.layout.log, apart_from=WATCHER),
                _numbers=itertools.count(1),
            )
            await door.close()


@contextmanager
def fresh_database() -> Generator[URL]:
    with fresh_server() as server:
        yield server.url()


@contextmanager
def fresh_server(options: Mapping[str, str] | None = None) -> Generator[HeldPostgres]:
    """Yield a server of our own, its database migrated; it and its folder are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server runs as a user of its own
        with hold_postgres(Path(folder) / "data", options) as server:
            migrate(server.url())
            yield server
