"""Red calls inside scripts: each asks, each happens once, and the script goes on from its journal."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from sqlalchemy import URL

from agent.approval import ApprovalKind, Decision, DecisionRecord
from agent.events import RunEvent
from agent.execution.graph import AdvanceResult, Checkpoints, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ChannelId, NodeId, Tenant, ThreadId, ToolName, UserId, thread_id
from agent.limits import Limits
from agent.plan.operations import Add, Node, NodeKind
from agent.plan.outcomes import Succeeded
from agent.ports import Progress
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from bot.ports import Incoming, Kind
from infra.db.database import Database
from infra.stores.stores import Stores
from infra.wiring import runner_ports
from infra.worker.checkpoints import GroupCommitSaver, Pool, open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import CallTool, Job, Json, Sandbox, ScriptOutcome
from tests.fakes.crash_injection import CrashingCheckpoints, CrashInjector
from tests.fakes.docker_engine import docker_sandbox
from tests.fakes.plan_runs import run_plan
from tests.fakes.random_scripts import random_script
from tests.fakes.thread_world import HeldLease
from tests.fakes.work import FakeAnswerer, FakeFeeder, FakeReplanner

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
SCRIPTS = 1000
SHORT_SCRIPTS = 24
DOCKER_SCRIPTS = 6
AT_ONCE = 12
LIFE_SECONDS = 120.0
"""Only a hang takes this long."""

PACKAGE = NodeId("script")


def is_rejected(args: Mapping[str, Json]) -> bool:
    """Return whether people say no to this call, always."""
    return (args["n"], args["tag"]) == (3, "b")


@dataclass(kw_only=True)
class World:
    """What the tools of one script did, and what people do."""

    looked: list[int] = field(default_factory=list[int])
    changed: list[tuple[Json, Json]] = field(default_factory=list[tuple[Json, Json]])
    #: The nodes whose effects happened.
    happened: set[NodeId] = field(default_factory=set[NodeId])
    #: The looks whose answers no row has yet.
    unstored: list[int] = field(default_factory=list[int])
    #: Those whose process died before a row had their answers.
    lost: list[int] = field(default_factory=list[int])

    async def look(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        n = int(str(args["n"]))
        self.looked.append(n)
        self.unstored.append(n)
        await asyncio.sleep(n / 200)
        if n % 7 == 5:
            raise ToolError("odd", "it cannot be read")
        return (n * 7 + 3) % 11

    async def change(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        self.changed.append((args["n"], args["tag"]))
        self.happened.add(context.node)
        return None

    async def change_unless_rejected(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        if is_rejected(args):
            raise ToolError("no", "people would say no")
        return await self.change(context, args)

    def registry(self, *, gated: bool) -> Registry:
        """Return the tools; without a gate the red one is green, and refuses what people would."""
        number: Json = {"type": "integer"}
        return Registry(
            [
                _tool("look", {"n": number}, Colour.GREEN, self.look),
                _tool(
                    "change",
                    {"n": number, "tag": {"type": "string"}},
                    Colour.RED if gated else Colour.GREEN,
                    self.change if gated else self.change_unless_rejected,
                ),
            ]
        )


def _tool(name: str, properties: Mapping[str, Json], colour: Colour, call: Any) -> Tool:
    arguments: dict[str, Json] = {"type": "object", "properties": properties, "required": [*properties]}
    return Tool(name=ToolName(name), description=name, arguments=arguments, colour=colour, call=call)


def script_node(code: str) -> Node:
    """Return the package."""
    tools = (ToolName("look"), ToolName("change"))
    return Node(id=PACKAGE, kind=NodeKind.PACKAGE, title="Run it", code=code, tools=tools, inputs={"start": 1})


@dataclass(frozen=True)
class _Sandbox:
    """A sandbox that notes which looks a killed run took with it."""

    inner: Sandbox
    world: World
    name: str = "noted"

    @property
    def dialect(self) -> str:
        return self.inner.dialect

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        self.world.lost += self.world.unstored
        self.world.unstored.clear()
        return await self.inner.run(job, call)

    async def close(self) -> None:
        """The inner one is shared."""


@dataclass(frozen=True)
class _Progress:
    inner: Progress
    world: World
    injector: CrashInjector

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        if not self.injector.dead:
            self.inner.note(thread, event)

    async def flush(self) -> None:
        if not self.injector.dead:
            await self.inner.flush()
            self.world.unstored.clear()


class _Killer(CrashInjector):
    """Ends the runner, too: where a write was refused, it may wait for a commit that never comes."""

    runner: "asyncio.Task[AdvanceResult] | None" = None

    def die(self) -> None:
        super().die()
        if self.runner is not None:
            self.runner.cancel()


class _Saver(CrashingCheckpoints, GroupCommitSaver):
    def __init__(self, pool: Pool, injector: CrashInjector) -> None:
        super().__init__(pool)
        self._injector = injector

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        step = self._injector.before()
        await super().aput_writes(config, writes, task_id, task_path)
        self._injector.after(step)


@dataclass(kw_only=True)
class Rows:
    """One database, and what reaches it."""

    database: Database
    notifications: PgNotifications
    pool: Pool

    def stores(self) -> Stores:
        """Return the stores of a process that has read nothing yet."""
        return Stores(self.database, Queue(self.database), self.notifications)


@asynccontextmanager
async def open_rows(url: URL) -> AsyncGenerator[Rows]:
    """Open a database for many runners."""
    database = Database(url)
    notifications = PgNotifications(database)
    async with (
        open_pool(database.conninfo, configure=database.configure, max_size=8) as pool,
        notifications.listening(),
    ):
        yield Rows(database=database, notifications=notifications, pool=pool)
    await database.close()


class KilledScript:
    """One script in a thread of its own, its runner killed a few times at any step that reaches the rows."""

    def __init__(self, seed: int, rows: Rows, sandbox: Sandbox) -> None:
        self.seed = seed
        self.kills = 0
        self.code = random_script(seed)
        self.world = World()
        self.parked = 0
        self._rng = random.Random(seed + 1)  # noqa: S311  # reproducible, not secret
        self._rows = rows
        self._sandbox = sandbox
        self._stores = rows.stores()
        self._deaths_left = self._rng.randint(0, 4)
        self.thread = thread_id("T1", "C1", f"{seed}.0")

    async def run(self) -> None:
        """Run the script to its end and compare it with one that asks nobody."""
        await self._say()
        while await self._life() is not AdvanceResult.FINISHED:
            await self._decide(self._rng.randint(1, 12))
        await self._check()

    async def _say(self) -> None:
        incoming = Incoming(
            tenant=Tenant("T1"),
            app="A1",
            event_id=str(self.seed),
            channel=ChannelId("C1"),
            ts=f"{self.seed}.0",
            thread=self.thread,
            author=UserId("U1"),
            text="go",
            kind=Kind.MENTION,
        )
        await self._stores.inbox.accept(incoming)

    async def _life(self) -> AdvanceResult | None:
        injector = _Killer()
        dies = self._deaths_left > 0
        self._deaths_left -= dies
        at_a_step = self._rng.random() < 0.6
        if dies and at_a_step:
            injector.at, injector.after_effect = self._rng.randint(1, 60), self._rng.random() < 0.5
        advancing = asyncio.create_task(self._runner(injector).advance(self.thread, HeldLease()))
        injector.runner = advancing
        people = asyncio.create_task(self._decide_hot())
        if dies and not at_a_step:
            await asyncio.wait([advancing], timeout=self._rng.uniform(0.01, 0.5))
            if not advancing.done():
                injector.die()
        await asyncio.wait([advancing], timeout=LIFE_SECONDS)
        people.cancel()
        await asyncio.wait([people])
        assert advancing.done(), "the runner hangs"
        if injector.dead:
            await asyncio.gather(advancing, return_exceptions=True)
            self.kills += 1
            return None
        ended = advancing.result()
        self.parked += ended is AdvanceResult.PARKED
        return ended

    def _runner(self, injector: CrashInjector) -> ThreadRunner:
        stores = copy(self._rows.stores())
        for name in ("log", "approvals", "ledger", "artifacts", "mailbox", "runs"):
            setattr(stores, name, injector.crashing(getattr(stores, name)))
        progress = _Progress(stores.progress, self.world, injector)
        ports = runner_ports(
            stores,
            self._rows.notifications.changes,
            progress=progress,
            work=NodeExecutor(
                registry=self.world.registry(gated=True),
                sandbox=_Sandbox(self._sandbox, self.world),
                artifacts=stores.artifacts,
                progress=progress,
                attempts=stores.attempts,
                model=None,
            ),
            feeder=FakeFeeder(stores.log, stores.mailbox, {"go": [Add(node=script_node(self.code))]}),
            replanner=FakeReplanner(stores.log),
            answerer=FakeAnswerer(stores.runs),
        )

        def checkpoints(*_: object) -> Checkpoints:
            saver = _Saver(self._rows.pool, injector)
            return Checkpoints(saver=saver, committed=saver.committed, prune=saver.prune_thread, end=saver.end)

        return ThreadRunner(ports, checkpoints, limits=Limits(fan_out=500, nodes_per_turn=2000))

    async def _decide_hot(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.05, 0.4))
            if self._rng.random() < 0.5:
                await self._decide(self._rng.randint(1, 4))

    async def _decide(self, most: int) -> None:
        requests = await self._stores.approvals.read(self.thread)
        pending = [record for record in requests.values() if record.decision is Decision.PENDING]
        for record in self._rng.sample(pending, min(most, len(pending))):
            decision = await self._decision(record)
            await self._stores.approvals.decide(
                Tenant("T1"), record.id, version=1, by=UserId("U2"), decision=decision, reason="no, thanks"
            )

    async def _decision(self, record: DecisionRecord) -> Decision:
        """Return what somebody says who looks first."""
        if record.kind is ApprovalKind.UNKNOWN:
            return Decision.HAPPENED if record.node in self.world.happened else Decision.AGAIN
        added = [entry.operation for entry in await self._stores.log.after(self.thread, 0)]
        nodes = {operation.node.id: operation.node for operation in added if isinstance(operation, Add)}
        return Decision.REJECTED if is_rejected(nodes[record.node].args) else Decision.APPROVED

    async def _check(self) -> None:
        free = World()
        add = Add(node=script_node(self.code))
        ungated = await run_plan([add], free.registry(gated=False), self._sandbox)
        statuses = await self._stores.statuses.of(self.thread)
        told = f"seed {self.seed}:\n{self.code}"
        assert isinstance(ungated.outcomes[PACKAGE], Succeeded), told
        assert statuses[PACKAGE].outcome == ungated.outcomes[PACKAGE], told
        assert Counter(self.world.changed) == Counter(free.changed), told
        assert Counter(self.world.looked) == Counter(free.looked) + Counter(self.world.lost), told


@dataclass(kw_only=True)
class _Figures:
    scripts: int = 0
    kills: int = 0
    parked: int = 0
    red: int = 0
    green: int = 0
    lost: int = 0


async def _killed_scripts(url: URL, sandbox: Sandbox, seeds: Sequence[int]) -> _Figures:
    """Run scripts, many at once."""
    figures = _Figures()
    at_once = asyncio.Semaphore(AT_ONCE)

    async def run(seed: int) -> None:
        async with at_once:
            script = KilledScript(seed, rows, sandbox)
            await script.run()
            figures.scripts += 1
            figures.kills += script.kills
            figures.parked += script.parked
            figures.red += len(script.world.changed)
            figures.green += len(script.world.looked)
            figures.lost += len(script.world.lost)

    async with open_rows(url) as rows, asyncio.TaskGroup() as group:
        for seed in seeds:
            group.create_task(run(seed))
    print(f"seeds {seeds[0]} to {seeds[-1]}: {figures}")  # noqa: T201  # the seeds of a failure
    return figures


async def _short(url: URL, sandbox: Sandbox, scripts: int) -> None:
    figures = await _killed_scripts(url, sandbox, range(SEED, SEED + scripts))
    assert figures.scripts == scripts


async def test_random_scripts_with_kills_end_as_ungated_ones_each_red_once_and_no_green_twice(
    database_url: URL,
) -> None:
    sandbox = MontySandbox(monty_binary())
    try:
        await _short(database_url, sandbox, SHORT_SCRIPTS)
    finally:
        await sandbox.close()


@pytest.mark.docker
async def test_random_scripts_in_containers_end_as_ungated_ones(database_url: URL) -> None:
    async with docker_sandbox() as sandbox:
        await _short(database_url, sandbox, DOCKER_SCRIPTS)


@pytest.mark.chaos
async def test_a_thousand_random_scripts_with_kills_end_as_ungated_ones(database_url: URL) -> None:
    sandbox = MontySandbox(monty_binary())
    try:
        figures = await _killed_scripts(database_url, sandbox, range(SEED, SEED + SCRIPTS))
    finally:
        await sandbox.close()
    assert figures.scripts == SCRIPTS
    assert min(figures.kills, figures.parked, figures.red, figures.green) > 0
