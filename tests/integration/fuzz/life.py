"""One life of a runner in a process of its own, on real stores, until it parks, finishes or is killed."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from sqlalchemy import make_url

from agent.execution.execution_context import Ports
from agent.execution.graph import AdvanceResult, Checkpoints, ThreadRunner
from agent.ids import ThreadId
from agent.limits import Limits
from agent.plan.operations import Operation
from infra.db.database import Database, WorkerId
from infra.stores.stores import Stores
from infra.wiring import runner_ports
from infra.worker.checkpoints import open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.crash_injection import CrashingPostgresSaver, CrashInjector
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner
from tests.integration.fuzz.case import Case, draw_case
from tests.integration.fuzz.journal import Line, NotedProgress, fuzz_work, line_from

STEP_SECONDS = 0.002


class End(IntEnum):
    """How a life ended by itself, as its exit code."""

    PARKED = 10
    FINISHED = 11
    COMPLAINED = 12


@dataclass(frozen=True, kw_only=True)
class Life:
    """The instructions of a process. It kills itself at its `dies_at`-th step that reaches the rows, if ever."""

    database: str
    worker: str
    thread: ThreadId
    seed: int
    journal: Path
    dies_at: int | None
    after_effect: bool

    def live(self) -> None:
        """Run the thread once and end the process."""
        os._exit(asyncio.run(_advance(self)))


class FileJournal:
    """A journal that survives kill -9 of its writer."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, line: Line) -> None:
        """Add a line; the kernel has it when this returns."""
        os.write(self._file, f"{line.text()}\n".encode())


def read_journal(path: Path) -> Sequence[Line]:
    """Return the lines written so far."""
    return [line_from(line) for line in path.read_text().splitlines()]


def message_plans(case: Case) -> Mapping[str, Sequence[Operation]]:
    """Return the plan of every message of a case, by the message's text."""
    turns = {f"turn {number}": plan for number, plan in enumerate(case.turns)}
    return turns | {f"later {number}": plan for number, plan in enumerate(case.later)}


def fuzz_ports(
    stores: Stores, notifications: PgNotifications, case: Case, journal: FileJournal, injector: CrashInjector
) -> Ports:
    """Return the ports of a fuzz thread over real stores."""

    async def step() -> None:
        injector.before()
        await asyncio.sleep(STEP_SECONDS)

    crashing = copy(stores)
    crashing.log = injector.crashing(stores.log)
    crashing.approvals = injector.crashing(stores.approvals)
    crashing.ledger = injector.crashing(stores.ledger)
    crashing.mailbox = injector.crashing(stores.mailbox)
    crashing.runs = injector.crashing(stores.runs)
    return runner_ports(
        crashing,
        notifications.changes,
        progress=NotedProgress(stores.progress, journal),
        work=fuzz_work(journal, step),
        feeder=FakeFeeder(crashing.log, crashing.mailbox, message_plans(case)),
        replanner=FakeReplanner(crashing.log),
        answerer=FakeAnswerer(crashing.runs),
    )


class _Killer(CrashInjector):
    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


async def _advance(life: Life) -> End:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    injector = _Killer()
    injector.at, injector.after_effect = life.dies_at, life.after_effect
    database = Database(make_url(life.database), worker=WorkerId(life.worker))
    notifications = PgNotifications(database)
    case = draw_case(life.seed)
    stores = Stores(database, Queue(database), notifications)
    ports = fuzz_ports(stores, notifications, case, FileJournal(life.journal), injector)
    async with (
        open_pool(database.conninfo, configure=database.configure, max_size=3) as pool,
        notifications.listening(),
    ):

        def checkpoints(*_: object) -> Checkpoints:
            saver = CrashingPostgresSaver(pool, injector)
            return Checkpoints(saver=saver, committed=saver.committed, prune=saver.prune_thread, end=saver.end)

        limits = Limits(nodes_at_once=case.nodes_at_once, poll_seconds=5.0)
        rest = await ThreadRunner(ports, checkpoints, limits=limits).advance(life.thread, HeldLease())
    await database.close()
    if complaints:
        life.journal.with_suffix(".complaints").write_text(repr(complaints))
        return End.COMPLAINED
    return End.PARKED if rest is AdvanceResult.PARKED else End.FINISHED
