"""Leases, the fence and takeover against a model of them, in any order of what two workers do and suffer."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import URL, text

from agent.errors import RunnerLost, StoreUnavailable
from infra.db.database import Database
from infra.worker.lease import ThreadLease
from infra.worker.queue import Queue
from infra.worker.recovery import take_over
from tests.fakes.lease_process import Process, wake
from tests.fakes.rows import THREAD, waiting_jobs

WHO = st.integers(0, 1)
_CLEARED = ("DELETE FROM leases", "DELETE FROM workers", "DELETE FROM procrastinate_jobs")


class LeaseMachine(RuleBasedStateMachine):
    """One thread and two workers; a dead one is replaced. The model knows who runs the job and who holds the lease."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        self.url = url
        self.runner = asyncio.Runner()
        self.database = Database(url)
        self.queue = Queue(self.database)
        self.run(self._clear())
        self.workers = [self.run(self._born()), self.run(self._born())]
        self.buried: list[Process] = []
        self.waits = False
        self.doing: tuple[Process, int] | None = None
        self.holds: ThreadLease | None = None
        self.lease_job: int | None = None
        self.taken: list[tuple[Process, ThreadLease]] = []
        self.silent: set[Process] = set()

    def teardown(self) -> None:
        for worker in (*self.workers, *self.buried):
            self.run(worker.database.close())
        self.run(self.database.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    async def _clear(self) -> None:
        async with self.database.begin() as connection:
            for statement in _CLEARED:
                await connection.execute(text(statement))

    async def _born(self) -> Process:
        process = Process(self.url)
        await process.register()
        return process

    @rule()
    def wake(self) -> None:
        self.run(wake(self.database, self.queue))
        self.waits = True

    @rule(who=WHO)
    def fetch(self, who: int) -> None:
        job = self.run(self.workers[who].fetch())
        assert (job is not None) is (self.waits and self.doing is None)
        if job is not None:
            self.doing, self.waits = (self.workers[who], job), False

    @rule(who=WHO)
    def take(self, who: int) -> None:
        """Only for a job that runs here, and only when nobody holds the lease for a job that still runs."""
        if self.doing is None:
            return
        worker, job = self.workers[who], self.doing[1]
        lease = self.run(worker.leases.take(THREAD, job, worker.queue_worker))
        free = self.holds is None or self.lease_job != job
        assert (lease is not None) is (self.doing[0] is worker and free)
        if lease is not None:
            self.holds, self.lease_job = lease, job
            self.taken.append((worker, lease))

    @rule(who=WHO)
    def release(self, who: int) -> None:
        for worker, lease in [pair for pair in self.taken if pair[0] is self.workers[who]]:
            self.run(worker.leases.release(lease))
            self.taken.remove((worker, lease))
            if self.holds is lease:
                self.holds = None

    @rule()
    def finish(self) -> None:
        """The queue is told that the job is over."""
        if self.doing is None:
            return
        self.run(self._finish(self.doing[1]))
        self.doing = None

    async def _finish(self, job: int) -> None:
        async with self.database.begin() as connection:
            await connection.execute(text("SELECT procrastinate_finish_job_v1(:job, 'succeeded', true)"), {"job": job})

    @rule(who=WHO)
    def fall_silent(self, who: int) -> None:
        self.run(self.workers[who].fall_silent(self.database))
        self.silent.add(self.workers[who])

    @rule(who=WHO)
    def beat(self, who: int) -> None:
        self.run(self.workers[who].beat(self.database))
        self.silent.discard(self.workers[who])

    @rule()
    def sweep(self) -> None:
        """Declare a silent worker dead; recovery wakes the threads it ran or held, and a new worker takes its place."""
        ran = self.doing is not None and self.doing[0] in self.silent
        held = self.holds is not None and any(worker.id == self.holds.worker for worker in self.silent)
        assert self.run(take_over(self.database, self.queue, stall_seconds=20)) == int(ran or held)
        if ran:
            self.doing = None
        if held:
            self.holds = None
        self.waits = self.waits or ran or held
        for dead in self.silent:
            self.buried.append(dead)
            self.workers[self.workers.index(dead)] = self.run(self._born())
        self.silent.clear()

    @invariant()
    def only_the_holder_holds_it(self) -> None:
        for worker, lease in self.taken:
            assert self.run(self._checks(lease)) is (lease is self.holds and worker not in self.buried)

    async def _checks(self, lease: ThreadLease) -> bool:
        try:
            await lease.check()
        except (RunnerLost, StoreUnavailable):
            return False
        return True

    @invariant()
    def the_dead_write_nothing(self) -> None:
        for worker in self.buried[-2:]:
            assert not self.run(self._writes(worker))

    async def _writes(self, process: Process) -> bool:
        try:
            async with process.database.begin() as connection:
                await connection.execute(text("UPDATE workers SET pid = pid"))
        except (RunnerLost, StoreUnavailable):
            return False
        return True

    @invariant()
    def a_job_waits_when_it_should(self) -> None:
        assert self.run(waiting_jobs(self.database)) == int(self.waits)


def test_leases_agree_with_their_model_in_any_order_of_what_workers_do_and_suffer(database_url: URL) -> None:
    run_state_machine_as_test(
        lambda: LeaseMachine(database_url),  # pyright: ignore[reportArgumentType]  # documented: a class or a factory
        settings=settings(
            max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
