"""A worker: runs the queue's jobs, one thread per job, under its lease; sends heartbeats; sweeps (`recovery.py`)."""

import asyncio
import logging
import math
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from procrastinate import JobContext
from procrastinate.exceptions import AppNotOpen, ConnectorException
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from agent.errors import AgentError, RunnerLost, StoreUnavailable
from agent.ids import ThreadId
from agent.tool import uptime_seconds
from bot.errors import BotError
from infra.db.database import Database
from infra.db.tables import LeaseRow, WorkerRow
from infra.worker.lease import Leases, ThreadLease
from infra.worker.presence import Missed, Presence, Vitals
from infra.worker.queue import WAKE, WAKE_LATER, JobFetcher, Queue
from infra.worker.recovery import LostJobs, look_for_losses, take_over, take_over_missed, wake_stranded_threads

_log = logging.getLogger(__name__)

THREADS_AT_ONCE = 32

_BEAT = text("""
    WITH beat AS (
        UPDATE workers SET heartbeat_at = now() WHERE id = :worker AND dead_at IS NULL RETURNING id, queue_worker
    ), queue AS (
        UPDATE procrastinate_workers AS taker SET last_heartbeat = now() FROM beat WHERE taker.id = beat.queue_worker
    )
    SELECT id FROM beat
""")

_GIVE_UP = 0.75
"""The part of `stall` after which a worker without a heartbeat sends nothing more and gives itself up."""

Advance: TypeAlias = Callable[[ThreadId, ThreadLease], Awaitable[object]]
"""Processes everything new of a thread until it is finished or parked. Cancelled when the lease is lost."""

Chore: TypeAlias = Callable[[], Awaitable[object]]
"""Periodic work that any worker may do, such as expiring questions. Runs in a sweep that finds an overdue question, and
once a minute."""


class WorkerLost(Exception):
    """This worker was declared dead, or could not send a heartbeat: the process must start anew."""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """A worker's clockwork, in seconds.

    Takeover comes after `suspicion` from a process that died, and after `stall` and `sweep` at the latest."""

    heartbeat: float = field(default=2.0, metadata={"gt": 0})
    #: A worker silent for so long is declared dead; it gives itself up a little before, so that a database
    #: away for ten seconds costs no worker.
    stall: float = field(default=22.0, metadata={"gt": 0})
    #: Between looks for dead workers.
    sweep: float = field(default=5.0, metadata={"gt": 0})
    #: What jobs get to end at a shutdown; shorter than `stall`.
    grace: float = field(default=10.0, metadata={"gt": 0})
    poll: float = field(default=0.25, metadata={"internal": True})
    #: Between looks for jobs of which no notification told.
    fetch: float = field(default=10.0, metadata={"internal": True})
    #: Between looks for workers whose lock is free; while one is, every `poll`.
    look: float = field(default=0.85, metadata={"internal": True})
    #: The same while there is no other worker.
    look_alone: float = field(default=2.0, metadata={"internal": True})
    #: How long a worker's lock is free, without any other sign of life, before it is declared dead.
    suspicion: float = field(default=1.0, metadata={"internal": True})
    #: Between looks for threads without a job.
    net: float = field(default=60.0, metadata={"internal": True})
    #: The pauses after failures in a row; then the thread waits for a person.
    retry: tuple[float, ...] = field(default=(1.0, 5.0, 30.0, 120.0, 600.0), metadata={"internal": True})


class Worker:
    """Runs threads until `run` is cancelled. `database.worker` must be set.

    `chores` are called when a row is overdue, and now and then; `frequent_chores` at every sweep: they know themselves
    when they are due. `give_up` is called with every thread whose retries are used up.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        advance: Advance,
        *,
        concurrency: int = THREADS_AT_ONCE,
        chores: tuple[Chore, ...] = (),
        frequent_chores: tuple[Chore, ...] = (),
        give_up: Callable[[ThreadId], Awaitable[object]] | None = None,
        timings: Timings = Timings(),
    ) -> None:
        if database.worker is None:
            raise ValueError("a worker's database connections must carry its id")
        self._id = database.worker
        self._database = database
        self._queue = queue
        self._advance = advance
        self._concurrency = concurrency
        self._chores = chores
        self._frequent_chores = frequent_chores
        self._give_up = give_up
        self._timings = timings
        self._vitals = Vitals(timings.stall * _GIVE_UP)
        self._leases = Leases(database, self._id, self._vitals.not_after)
        self._running: set[asyncio.Task[object]] = set()
        self._lost_jobs = LostJobs(database, queue)
        self._presence = Presence(
            database,
            self._id,
            self._take_over,
            vitals=self._vitals,
            look_seconds=timings.look,
            look_alone_seconds=timings.look_alone,
            suspicion_seconds=timings.suspicion,
            retry_seconds=timings.poll,
        )
        self._fetcher: JobFetcher | None = None
        self._lost = False
        self._ending = False

    async def run(self) -> None:
        """Run jobs until cancelled; jobs that do not end in time are cancelled and handed over.

        Raises:
            WorkerLost: other workers may run our threads now; everything was cancelled.
            ConnectorException: the database cannot be reached at the start.
        """
        self._queue.app.task(name=WAKE, pass_context=True)(self._wake)
        self._queue.app.task(name=WAKE_LATER, pass_context=True)(self._wake_later)
        await self._retry_until_stored(self._register)
        try:
            async with self._queue.opened(), asyncio.TaskGroup() as group:
                group.create_task(self._beat(), name="heartbeat")
                group.create_task(self._sweep(), name="sweep")
                group.create_task(self._presence.keep(), name="presence")
                await self._until_ended(asyncio.create_task(self._work(), name="queue"))
        except* WorkerLost:
            self._lost = True
        finally:
            if not self._lost:
                await self._retire()
        if self._lost:
            raise WorkerLost

    # Jobs

    async def _wake(self, context: JobContext, thread: str, failures: int = 0) -> None:
        job, queue_worker = context.job.id, context.job.worker_id
        task = asyncio.current_task()
        if job is None or queue_worker is None or task is None:
            return
        self._running.add(task)
        try:
            async with self._rewoken_if_cut_off(ThreadId(thread), job):
                await self._run_job(ThreadId(thread), job, queue_worker, failures)
        finally:
            self._running.discard(task)

    @asynccontextmanager
    async def _rewoken_if_cut_off(self, thread: ThreadId, job: int | None) -> AsyncGenerator[None]:
        """Run a job's work in the block, and wake the thread again when the block is cut off.

        The queue deletes a job that ends, however it ends, and the wake is lost with it.
        """
        try:
            with self._lost_jobs.running(job):
                try:
                    yield
                except RunnerLost:
                    _log.warning("thread %s: no longer ours", thread)
                    # The job stays unfinished: the worker that declared us dead hands it over.
                    await asyncio.sleep(self._timings.stall)
        except asyncio.CancelledError:
            # A shutdown: another worker goes on. After a loss the worker that declared us dead has handed it over.
            if not self._lost:
                await asyncio.shield(self._retry_until_stored(lambda: self._wake_again(thread)))
            raise

    async def _run_job(self, thread: ThreadId, job: int, queue_worker: int, failures: int) -> None:
        try:
            lease = await self._leases.take(thread, job, queue_worker)
        except StoreUnavailable:
            await self._retry_until_stored(lambda: self._retry_later(thread, failures + 1))
            return
        if lease is None:
            _log.info("thread %s is run by another worker", thread)
            await self._retry_until_stored(lambda: self._retry_later(thread, failures))
            return
        await self._advance_leased(lease, failures)

    async def _advance_leased(self, lease: ThreadLease, failures: int) -> None:
        try:
            await self._advance(lease.thread, lease)
        except RunnerLost:
            raise
        except BotError as error:
            _log.warning("thread %s: not all of it is shown (%s); trying again", lease.thread, error)
            await self._retry_until_stored(lambda: self._retry_later(lease.thread, failures + 1))
        except Exception:  # noqa: BLE001 - a job is a process boundary: one thread's fault must not end the worker
            _log.exception("thread %s: advancing failed, %s times in a row", lease.thread, failures + 1)
            await self._retry_until_stored(lambda: self._retry_later(lease.thread, failures + 1))
        finally:
            if not self._lost:
                await asyncio.shield(self._retry_until_stored(lambda: self._leases.release(lease)))

    async def _wake_later(self, context: JobContext, thread: str, failures: int = 0) -> None:
        async with self._rewoken_if_cut_off(ThreadId(thread), context.job.id):
            await self._retry_until_stored(lambda: self._wake_again(ThreadId(thread), failures))

    async def _wake_again(self, thread: ThreadId, failures: int = 0) -> None:
        async with self._database.begin() as connection:
            await self._queue.wake(connection, thread, failures)

    async def _retry_later(self, thread: ThreadId, failures: int) -> None:
        """Wake the thread after the pause that follows so many failures in a row, or give it up."""
        pauses = self._timings.retry
        if failures > len(pauses):
            _log.error("thread %s: given up until somebody writes or decides", thread)
            try:
                if self._give_up is not None:
                    await self._give_up(thread)
            except Exception:  # noqa: BLE001 - the same boundary: a failed report must not end the worker either
                _log.exception("thread %s: could not report that it is given up", thread)
            return
        pause = pauses[max(failures, 1) - 1]
        async with self._database.begin() as connection:
            await self._queue.wake_later(connection, thread, pause, failures)
        if self._fetcher is not None:
            self._fetcher.fetch_after(pause)

    async def _retry_until_stored(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat the step until the database has stored it.

        Ends without it when this worker is lost, since another one does the step then, and in a shutdown when the
        database stays away for `stall`.
        """
        deadline = time.monotonic() + self._timings.stall
        while True:
            try:
                return await step()
            except RunnerLost:
                return None
            except StoreUnavailable:
                if self._lost or (self._ending and time.monotonic() > deadline):
                    raise
                await asyncio.sleep(self._timings.poll)

    # The worker's own life

    async def _register(self) -> None:
        row = insert(WorkerRow).values(id=self._id, host=socket.gethostname(), pid=os.getpid())
        async with self._database.autocommit() as connection:
            await connection.execute(row.on_conflict_do_nothing())

    async def _retire(self) -> None:
        """Delete our row; while we hold leases, declare ourselves dead instead, so that they are handed over."""
        holds = select(LeaseRow.token).where(LeaseRow.worker == self._id).exists()
        try:
            async with self._database.begin() as connection:
                await connection.execute(delete(WorkerRow).where(WorkerRow.id == self._id, ~holds))
                ours = update(WorkerRow).where(WorkerRow.id == self._id)
                await connection.execute(ours.values(dead_at=func.now(), signed_off=True))
        except AgentError as error:
            _log.warning("could not sign off: %s", type(error).__name__)

    async def _until_ended(self, work: asyncio.Task[None]) -> None:
        """Wait for the endless work; when cancelled, let it shut down first.

        The heartbeat goes on until then, or another worker takes over during a slow red call.
        """
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                self._ending = True
                if not work.cancelling():  # a second cancellation would cut the first one's shutdown short
                    work.cancel()
        await work

    async def _beat(self) -> None:
        alive = time.monotonic()
        while True:
            late = time.monotonic() - alive > self._timings.heartbeat
            await asyncio.sleep(min(self._timings.poll, self._timings.heartbeat) if late else self._timings.heartbeat)
            asked, asked_at = time.monotonic(), uptime_seconds()
            try:
                async with asyncio.timeout(self._timings.stall * 0.2):
                    if (await self._database.execute(_BEAT, {"worker": self._id})).first() is None:
                        raise RunnerLost
                alive = asked
                self._vitals.beat(asked_at)
            except RunnerLost:
                await self._lose()
            except (StoreUnavailable, TimeoutError):
                if time.monotonic() - alive > self._timings.stall * _GIVE_UP:
                    await self._lose()

    async def _lose(self) -> None:
        """Stop everything at once.

        Raises:
            WorkerLost: always.
        """
        self._lost = True
        try:
            # First, or the queue reports the jobs cancelled below as over while a connection still lives, and nobody
            # hands them over. Later it would wait for connections that it will never get.
            await self._queue.app.close_async()
        finally:
            for task in self._running:
                task.cancel()
        raise WorkerLost

    async def _sweep(self) -> None:
        searched, tidied = time.monotonic(), -math.inf
        while True:
            try:
                losses = await look_for_losses(self._database, self._id, self._timings.stall)
                if losses.dead:
                    taken_over = await take_over(self._database, self._queue, self._timings.stall)
                    if taken_over:
                        _log.warning("took over %s threads of dead workers", taken_over)
                await self._lost_jobs.hand_over(losses.jobs)
                if time.monotonic() - searched > self._timings.net:
                    searched = time.monotonic()
                    await wake_stranded_threads(self._database, self._queue, self._timings.stall)
                for chore in self._frequent_chores:
                    await chore()
                if losses.overdue or time.monotonic() - tidied > self._timings.net:
                    for chore in self._chores:
                        await chore()
                    tidied = time.monotonic()
            except AgentError as error:
                _log.warning("sweep put off: %s", type(error).__name__)
            except Exception:  # noqa: BLE001 - the loop's boundary: a deadlock, or a chore's fault, must not end the worker
                _log.exception("sweep broke off; sweeping again")
            await asyncio.sleep(self._timings.sweep)

    async def _take_over(self, missed: Sequence[Missed]) -> None:
        try:
            if taken_over := await take_over_missed(self._database, self._queue, missed):
                _log.warning("took over %s threads of processes that died", taken_over)
        except AgentError as error:
            _log.warning("takeover put off: %s", type(error).__name__)
        except Exception:  # noqa: BLE001 - the loop's boundary, as in the sweep: a deadlock must not end the worker
            _log.exception("takeover broke off; the next look tries again")

    async def _work(self) -> None:
        """Run the queue; start it again when it stopped because the database was away."""
        while True:
            try:
                self._fetcher = JobFetcher(
                    self._queue.app,
                    name=self._id,
                    concurrency=self._concurrency,
                    fetch_job_polling_interval=self._timings.poll,
                    fetch_seconds=max(self._timings.fetch, self._timings.poll),
                    abort_job_polling_interval=3600.0,  # no job is ever aborted
                    update_heartbeat_interval=3600.0,  # our own heartbeat writes the queue's, too
                    stalled_worker_timeout=3600.0,  # recovery.py decides who is dead
                    shutdown_graceful_timeout=self._timings.grace,
                    delete_jobs="always",  # failures are in the log, and the thread is woken again
                    install_signal_handlers=False,
                )
                await self._fetcher.run()
            except (ConnectorException, AppNotOpen) as error:
                _log.warning("the queue cannot be reached: %s", type(error.__cause__ or error).__name__)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # the queue swallowed our cancellation, by an error or by a return
            await asyncio.sleep(self._timings.poll)
            await self._retry_until_stored(self._forget_queue_worker)

    async def _forget_queue_worker(self) -> None:
        """Turn the jobs that the stopped queue could not finish into orphans, which the sweep hands over."""
        async with self._database.autocommit() as connection:
            await connection.execute(update(WorkerRow).where(WorkerRow.id == self._id).values(queue_worker=None))
