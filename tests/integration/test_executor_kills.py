"""The executor under kill -9: runners in processes of their own, on PostgreSQL, killed and started again."""

import asyncio
import multiprocessing
import os
import random
import signal
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from sqlalchemy import URL, RowMapping, select, text

from agent.approval import ApprovalKind, Decision
from agent.execution.graph import ThreadRunner
from agent.ids import ApprovalId, ChannelId, NodeId, Tenant, UserId, thread_id
from agent.plan.outcomes import Outcome, outcome_from_json
from bot.ports import Incoming, Kind
from infra.db.database import Database, WorkerId, worker_application
from infra.db.tables import ApprovalRow
from infra.stores.stores import Stores
from infra.worker.checkpoints import Pool, open_checkpoints, open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.fakes.crash_injection import CrashInjector
from tests.fakes.thread_world import HeldLease
from tests.integration.fuzz.case import draw_case
from tests.integration.fuzz.invariants import Answered, Story, check_finished, check_history, check_parked
from tests.integration.fuzz.journal import What
from tests.integration.fuzz.life import End, FileJournal, Life, fuzz_ports, message_plans, read_journal

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
KILLS = int(os.environ.get("KILLS") or 500)
CASES = 40
SHORT_CASES = 16
AT_ONCE = 4
LIFE_SECONDS = 120.0
"""Only a hang takes this long."""

_nursery = multiprocessing.get_context("forkserver")
_nursery.set_forkserver_preload(["tests.integration.fuzz.life"])


class KilledRun:
    """One case, its runner killed up to four times: by itself at a step it was told, or by us at any moment."""

    def __init__(self, seed: int, database: Database, pool: Pool, folder: Path) -> None:
        self.seed = seed
        self.case = draw_case(seed)
        self.rng = random.Random(seed + 1)  # noqa: S311  # reproducible, not secret
        self.thread = thread_id("T1", "C1", f"{seed}.0")
        self.journal = folder / f"{seed}.jsonl"
        self.journal.touch()
        self.database = database
        self.pool = pool
        self.stores = Stores(database, Queue(database), PgNotifications(database))
        self.to_say = [f"turn {number}" for number in range(len(self.case.turns))]
        self.later = [f"later {number}" for number in range(len(self.case.later))]
        self.kills = 0
        self.deaths_left = self.rng.randint(1, 4)

    async def run(self) -> None:
        """Run the case to its end, checking on the way."""
        await self._say(self.to_say.pop(0))
        quiet = False
        while True:
            end = await self._life(quiet=quiet)
            check_history(await self._story())
            if end is None:
                quiet = False
            elif end is End.PARKED and not quiet:
                quiet = True  # somebody may have acted since: look again among nobody
            elif end is End.PARKED:
                check_parked(await self._story(), await self._interrupted())
                await self._act_parked()
                quiet = self.rng.random() < 0.4
            elif self.to_say or self.later:
                await self._say(self.to_say.pop(0) if self.to_say else self.later.pop(0))
            elif quiet:
                break
            else:
                quiet = True
        check_finished(await self._story(), await self._results())

    async def _life(self, *, quiet: bool) -> End | None:
        dies = self.deaths_left > 0
        self.deaths_left -= dies
        by_itself = dies and self.rng.random() < 0.6
        worker = WorkerId(uuid.uuid4().hex)
        life = Life(
            database=self._url(),
            worker=worker,
            thread=self.thread,
            seed=self.seed,
            journal=self.journal,
            dies_at=self.rng.randint(1, 70) if by_itself else None,
            after_effect=self.rng.random() < 0.5,
        )
        process = _nursery.Process(target=life.live)
        process.start()
        people = None if quiet else asyncio.create_task(self._act_hot())
        try:
            if dies and not by_itself:
                await _ended_within(self.rng.uniform(0.05, 0.6), process)
                with suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGKILL)
            await _ended_within(LIFE_SECONDS, process)
            assert process.exitcode is not None, "the runner hangs"
        finally:
            process.kill()
            if people is not None:
                people.cancel()
                await asyncio.wait([people])
        return await self._ended(process.exitcode, worker)

    async def _ended(self, exit_code: int | None, worker: WorkerId) -> End | None:
        if exit_code == -signal.SIGKILL:
            self.kills += 1
            await self._end_connections(worker)
            return None
        assert exit_code in (End.PARKED, End.FINISHED), f"a life ended with {exit_code}"
        return End(exit_code)

    async def _end_connections(self, worker: WorkerId) -> None:
        """What the sweep does before it hands a dead worker's threads on."""
        end = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :name")
        async with self.database.begin() as connection:
            await connection.execute(end, {"name": worker_application(worker)})

    async def _act_hot(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.01, 0.15))
            if self.rng.random() < 0.6:
                await self._click(1)
            elif self.later:
                await self._say(self.later.pop(0))

    async def _act_parked(self) -> None:
        if self.later and self.rng.random() < 0.5:
            await self._say(self.later.pop(0))
        await self._click(self.rng.randint(1, 3))

    async def _say(self, message: str) -> None:
        plans = message_plans(self.case)
        if message.startswith("later") and self.rng.random() < 0.5 and await self.stores.log.after(self.thread, 0):
            await self.stores.log.append(self.thread, 1, UserId("U1"), plans[message])
            return
        incoming = Incoming(
            tenant=Tenant("T1"),
            app="A1",
            event_id=f"{self.seed} {message}",
            channel=ChannelId("C1"),
            ts=f"{self.seed}.{message}",
            thread=self.thread,
            author=UserId("U1"),
            text=message,
            kind=Kind.MENTION,
        )
        await self.stores.inbox.accept(incoming)

    async def _click(self, count: int) -> None:
        rows = [row for row in await self._approvals() if row["status"] == Decision.PENDING.value]
        for row in self.rng.sample(rows, min(count, len(rows))):
            decision = self._decision(ApprovalKind(row["kind"]), NodeId(row["node"]))
            await self.stores.approvals.decide(
                Tenant("T1"), ApprovalId(row["id"]), version=row["version"], by=UserId("U2"), decision=decision
            )

    def _decision(self, kind: ApprovalKind, node: NodeId) -> Decision:
        if kind is ApprovalKind.APPROVE:
            return self.rng.choice((Decision.APPROVED,) * 8 + (Decision.REJECTED,) * 2)
        if self.rng.random() < 0.2:
            return Decision.GIVE_UP
        effects = {line.node for line in read_journal(self.journal) if line.what is What.EFFECT}
        return Decision.HAPPENED if node in effects else Decision.AGAIN

    async def _approvals(self) -> Sequence[RowMapping]:
        rows = select(ApprovalRow.__table__).where(ApprovalRow.thread == self.thread)
        async with self.database.begin() as connection:
            return list((await connection.execute(rows)).mappings())

    async def _story(self) -> Story:
        answered = [
            Answered(
                node=NodeId(row["node"]),
                kind=ApprovalKind(row["kind"]),
                digest=row["digest"],
                decision=Decision(row["status"]),
            )
            for row in await self._approvals()
        ]
        log = await self.stores.log.after(self.thread, 0)
        return Story(log=log, answered=answered, lines=read_journal(self.journal))

    async def _snapshot(self) -> Any:
        ports = fuzz_ports(
            self.stores, PgNotifications(self.database), self.case, FileJournal(self.journal), CrashInjector()
        )
        checkpoints = open_checkpoints(self.pool)
        runner = ThreadRunner(ports, lambda _thread, _lease: checkpoints)
        graph = runner.graph(self.thread, HeldLease(), checkpoints)
        return await graph.aget_state(RunnableConfig(configurable={"thread_id": self.thread}))

    async def _interrupted(self) -> list[NodeId]:
        return [interrupt.value["node"] for interrupt in (await self._snapshot()).interrupts]

    async def _results(self) -> Mapping[NodeId, Outcome]:
        """Return how nodes ended: those of the last turn are in the state, those of earlier turns rows."""
        values: Mapping[str, Any] = (await self._snapshot()).values
        nodes = (await self._story()).nodes.keys()
        earlier = await self.stores.statuses.ended(self.thread, nodes, values["turn"])
        return {**earlier, **{node: outcome_from_json(result) for node, result in values["results"].items()}}

    def _url(self) -> str:
        return self.database.engine.url.render_as_string(hide_password=False)


async def _ended_within(seconds: float, process: BaseProcess) -> None:
    """Return when the process has ended, or after that long; on the loop's thread alone.

    `join` on another thread races with the next `start`, which looks after every child: both read the
    exit code from one pipe, and who comes second takes it for 255.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
    finally:
        loop.remove_reader(process.sentinel)


async def run_cases(database_url: URL, folder: Path, seeds: Sequence[int]) -> int:
    """Run cases, several at a time; return how many runners were killed."""
    database = Database(database_url)
    slots = asyncio.Semaphore(AT_ONCE)
    kills = 0

    async def run_one(seed: int) -> None:
        nonlocal kills
        async with slots:
            run = KilledRun(seed, database, pool, folder)
            try:
                await run.run()
            except BaseException as error:
                error.add_note(f"kill seed {seed}: SEED={seed} runs it first")
                raise
            kills += run.kills

    async with open_pool(database.conninfo) as pool, asyncio.TaskGroup() as group:
        for seed in seeds:
            group.create_task(run_one(seed))
    await database.close()
    return kills


async def test_killed_runners_keep_every_law(database_url: URL, tmp_path: Path):
    print(f"SEED={SEED}")
    kills = await run_cases(database_url, tmp_path, range(SEED, SEED + SHORT_CASES))
    print(f"{kills} runners killed in {SHORT_CASES} cases")
    assert kills >= SHORT_CASES / 2


@pytest.mark.chaos
async def test_killed_runners_keep_every_law_for_long(database_url: URL, tmp_path: Path):
    print(f"SEED={SEED} KILLS={KILLS}")
    kills, cases = 0, 0
    while kills < KILLS:
        kills += await run_cases(database_url, tmp_path, range(SEED + cases, SEED + cases + CASES))
        cases += CASES
    print(f"{kills} runners killed in {cases} cases")
