"""A worker's connections and leases, for tests that decide themselves what it does next."""

from sqlalchemy import URL, text

from agent.ids import ThreadId
from infra.db.database import Database, WorkerId, new_worker_id
from infra.worker.lease import Leases, ThreadLease
from infra.worker.queue import Queue
from tests.fakes.rows import THREAD


class Process:
    """A worker's connections and leases, without its loops: it sends no heartbeat."""

    def __init__(self, url: URL) -> None:
        self.id: WorkerId = new_worker_id()
        self.database = Database(url, worker=self.id)
        self.leases = Leases(self.database, self.id)
        self.queue_worker = 0

    async def register(self) -> None:
        """Register the worker with us and with the queue."""
        async with self.database.begin() as connection:
            await connection.execute(text("INSERT INTO workers (id, host, pid) VALUES (:id, 'h', 1)"), {"id": self.id})
            register = text("SELECT worker_id FROM procrastinate_register_worker_v1()")
            self.queue_worker = (await connection.execute(register)).scalar_one()

    async def fetch(self) -> int | None:
        """Take the next job from the queue, if there is one."""
        async with self.database.begin() as connection:
            fetch = text("SELECT id FROM procrastinate_fetch_job_v2(NULL, :worker)")
            return (await connection.execute(fetch, {"worker": self.queue_worker})).scalar_one()

    async def fall_silent(self, by: Database) -> None:
        """Let its last heartbeat be a minute old."""
        await self._set_heartbeat(by, "now() - interval '60 seconds'")

    async def beat(self, by: Database) -> None:
        """Let it send a heartbeat."""
        await self._set_heartbeat(by, "now()")

    async def _set_heartbeat(self, by: Database, at: str) -> None:
        ours = text(f"UPDATE workers SET heartbeat_at = {at} WHERE id = :id AND dead_at IS NULL")  # noqa: S608 - constants
        queues = text(f"UPDATE procrastinate_workers SET last_heartbeat = {at} WHERE id = :id")  # noqa: S608 - constants
        async with by.begin() as connection:
            await connection.execute(ours, {"id": self.id})
            await connection.execute(queues, {"id": self.queue_worker})


async def wake(database: Database, queue: Queue, thread: ThreadId = THREAD) -> None:
    """Wake the thread, in a transaction of its own."""
    async with database.begin() as connection:
        await queue.wake(connection, thread)


async def held(database: Database, queue: Queue, process: Process) -> tuple[int, ThreadLease]:
    """Wake the thread and let the process hold its lease; return the job and the lease."""
    await wake(database, queue)
    job = await process.fetch()
    assert job is not None
    lease = await process.leases.take(THREAD, job, process.queue_worker)
    assert lease is not None
    return job, lease
