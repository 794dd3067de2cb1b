"""Red calls inside scripts: each asks, each happens once, and the script goes on from its journal."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL

from agent.approval import ApprovalKind, Decision, DecisionRecord
from agent.events import RunEvent
from agent.execution.graph import AdvanceResult, Checkpoints, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ChannelId, NodeId, Tenant, ThreadId, ToolName, UserId, thread_id
from agent.limits import Limits, Role
from agent.plan.operations import Add, Cancel, Node, NodeKind
from agent.plan.outcomes import Cancelled, Failed, NodeState, Outcome, Succeeded
from agent.ports import Progress
from agent.scripts.runner import WAITS_FOR_PEOPLE
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from bot.ports import Incoming, Kind
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.stores.stores import Stores
from infra.wiring import runner_ports
from infra.worker.checkpoints import Pool, open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from sandbox.docker_sandbox import DockerSandbox
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import CallTool, Job, Json, Sandbox, ScriptOutcome
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.assertions import rows as query
from tests.acceptance.plans import ANSWERS, ENDS, package, planned
from tests.acceptance.test_approvals_groups import press
from tests.fakes.crash_injection import CrashingPostgresSaver, CrashInjector
from tests.fakes.docker_engine import docker_sandbox
from tests.fakes.packages import fenced, repair
from tests.fakes.plan_runs import run_plan
from tests.fakes.planning import planning_world
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
    #: Those whose process died before a row had their answers, as far as that is certain to be all of them.
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


class Killer(CrashInjector):
    """Ends the runner, too: where a write was refused, it may wait for a commit that never comes."""

    runner: "asyncio.Task[AdvanceResult] | None" = None

    def die(self) -> None:
        super().die()
        if self.runner is not None:
            self.runner.cancel()


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


class ScriptThread:
    """One script in a thread of its own. Each `advance` is a process of its own, which knows the rows only."""

    def __init__(self, code: str, rows: Rows, sandbox: Sandbox, *, number: int = 1, model: Any = None) -> None:
        self.code = code
        self.world = World()
        self.thread = thread_id("T1", "C1", f"{number}.0")
        self.stores = rows.stores()
        self._number = number
        self._rows = rows
        self._sandbox = sandbox
        self._model = model

    async def say(self) -> None:
        """Ask for the script."""
        incoming = Incoming(
            tenant=Tenant("T1"),
            app="A1",
            event_id=str(self._number),
            channel=ChannelId("C1"),
            ts=f"{self._number}.0",
            thread=self.thread,
            author=UserId("U1"),
            text="go",
            kind=Kind.MENTION,
        )
        await self.stores.inbox.accept(incoming)

    async def advance(self) -> AdvanceResult:
        """Run the thread until it is finished or parked."""
        async with asyncio.timeout(LIFE_SECONDS):
            return await self.runner(Killer()).advance(self.thread, HeldLease())

    def runner(self, injector: CrashInjector) -> ThreadRunner:
        """Return the runner of a new process, which `injector` kills."""
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
                model=self._model,
            ),
            feeder=FakeFeeder(stores.log, stores.mailbox, {"go": [Add(node=script_node(self.code))]}),
            replanner=FakeReplanner(stores.log),
            answerer=FakeAnswerer(stores.runs),
        )

        def checkpoints(*_: object) -> Checkpoints:
            saver = CrashingPostgresSaver(self._rows.pool, injector)
            return Checkpoints(saver=saver, committed=saver.committed, prune=saver.prune_thread, end=saver.end)

        return ThreadRunner(ports, checkpoints, limits=Limits(fan_out=500, nodes_per_turn=2000))

    async def pending(self) -> Sequence[DecisionRecord]:
        """Return the open requests, in the order they were asked."""
        requests = await self.stores.approvals.read(self.thread)
        return [record for record in requests.values() if record.decision is Decision.PENDING]

    async def decide(self, record: DecisionRecord, decision: Decision, reason: str = "no, thanks") -> None:
        """Have a person decide."""
        await self.stores.approvals.decide(
            Tenant("T1"), record.id, version=1, by=UserId("U2"), decision=decision, reason=reason
        )

    async def nodes(self) -> Mapping[NodeId, Node]:
        """Return the nodes of the plan, in its order."""
        added = [entry.operation for entry in await self.stores.log.after(self.thread, 0)]
        return {operation.node.id: operation.node for operation in added if isinstance(operation, Add)}

    async def outcome(self, node: NodeId = PACKAGE) -> Outcome | None:
        """Return how a node ended."""
        return (await self.stores.statuses.of(self.thread))[node].outcome


class KilledScript(ScriptThread):
    """A random script whose runner is killed a few times, at any step that reaches the rows or at any moment."""

    def __init__(self, seed: int, rows: Rows, sandbox: Sandbox) -> None:
        super().__init__(random_script(seed), rows, sandbox, number=seed)
        self.seed = seed
        self.kills = 0
        self.parked = 0
        #: Looks whose process died before a row had their answers.
        self.repeated = 0
        self._rng = random.Random(seed + 1)  # noqa: S311  # reproducible, not secret
        self._deaths_left = self._rng.randint(0, 4)

    async def run(self) -> None:
        """Run the script to its end and compare it with one that asks nobody."""
        await self.say()
        while await self._life() is not AdvanceResult.FINISHED:
            await self._decide(self._rng.randint(1, 12))
        await self._check()

    async def _life(self) -> AdvanceResult | None:
        injector = Killer()
        dies = self._deaths_left > 0
        self._deaths_left -= dies
        at_a_step = self._rng.random() < 0.6
        if dies and at_a_step:
            injector.at, injector.after_effect = self._rng.randint(1, 60), self._rng.random() < 0.5
        advancing = asyncio.create_task(self.runner(injector).advance(self.thread, HeldLease()))
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

    async def _decide_hot(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.05, 0.4))
            if self._rng.random() < 0.5:
                await self._decide(self._rng.randint(1, 4))

    async def _decide(self, most: int) -> None:
        pending = await self.pending()
        for record in self._rng.sample(pending, min(most, len(pending))):
            await self.decide(record, await self._decision(record))

    async def _decision(self, record: DecisionRecord) -> Decision:
        """Return what somebody says who looks first."""
        if record.kind is ApprovalKind.UNKNOWN:
            return Decision.HAPPENED if record.node in self.world.happened else Decision.AGAIN
        return Decision.REJECTED if is_rejected((await self.nodes())[record.node].args) else Decision.APPROVED

    async def _check(self) -> None:
        free = World()
        add = Add(node=script_node(self.code))
        ungated = await run_plan([add], free.registry(gated=False), self._sandbox)
        told = f"seed {self.seed}:\n{self.code}"
        assert isinstance(ungated.outcomes[PACKAGE], Succeeded), told
        assert await self.outcome() == ungated.outcomes[PACKAGE], told
        assert Counter(self.world.changed) == Counter(free.changed), told
        assert Counter(free.looked) <= Counter(self.world.looked), told
        repeated = Counter(self.world.looked) - Counter(free.looked)
        assert repeated <= Counter(self.world.lost), told
        self.repeated = repeated.total()


@dataclass(kw_only=True)
class _Figures:
    scripts: int = 0
    kills: int = 0
    parked: int = 0
    red: int = 0
    green: int = 0
    #: Green calls made again because their process died before a row had their answers.
    repeated: int = 0


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
            figures.repeated += script.repeated

    async with open_rows(url) as rows, asyncio.TaskGroup() as group:
        for seed in seeds:
            group.create_task(run(seed))
    print(f"seeds {seeds[0]} to {seeds[-1]}: {figures}")
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


@pytest_asyncio.fixture(params=["monty", pytest.param("docker", marks=pytest.mark.docker)])
async def sandbox(request: pytest.FixtureRequest) -> AsyncGenerator[Sandbox]:
    """Either sandbox."""
    if request.param == "docker":
        async with docker_sandbox() as opened:
            yield opened
        return
    monty = MontySandbox(monty_binary())
    yield monty
    await monty.close()


GATHER = """
import asyncio

async def main(inputs):
    seen = await atools.look(n=inputs["start"])
    await asyncio.gather(*[atools.change(n=n, tag="a") for n in range(8)])
    return seen
"""


async def test_eight_calls_of_a_gather_are_asked_about_at_once_and_no_container_waits(
    database_url: URL, sandbox: Sandbox
) -> None:
    async with open_rows(database_url) as rows:
        thread = ScriptThread(GATHER, rows, sandbox)
        await thread.say()
        assert await thread.advance() is AdvanceResult.PARKED
        pending, nodes = await thread.pending(), await thread.nodes()
        assert sorted(str(nodes[record.node].args["n"]) for record in pending) == [str(n) for n in range(8)]
        assert thread.world.changed == []
        if isinstance(sandbox, DockerSandbox):
            await sandbox.settle()
            async with asyncio.timeout(LIFE_SECONDS):
                while await sandbox.containers() != sandbox.waiting:  # noqa: ASYNC110  # the next ones are started
                    await asyncio.sleep(0.1)
        for record in pending:
            await thread.decide(record, Decision.APPROVED)
        assert await thread.advance() is AdvanceResult.FINISHED
        assert await thread.outcome() == Succeeded(value=10)
        assert (sorted(thread.world.changed), thread.world.looked) == ([(n, "a") for n in range(8)], [1])


REJECTED = """
def main(inputs):
    told = []
    for n in range(2):
        try:
            tools.change(n=n, tag="a")
        except CallRejected as no:
            told.append(str(no))
    return told
"""


async def test_a_rejected_call_raises_a_typed_error_with_the_reason_and_the_script_goes_on(
    database_url: URL, sandbox: Sandbox
) -> None:
    async with open_rows(database_url) as rows:
        thread = ScriptThread(REJECTED, rows, sandbox)
        await thread.say()
        for decision in (Decision.REJECTED, Decision.APPROVED):
            assert await thread.advance() is AdvanceResult.PARKED
            [record] = await thread.pending()
            await thread.decide(record, decision, "not on a Friday")
        assert await thread.advance() is AdvanceResult.FINISHED
        assert await thread.outcome() == Succeeded(value=["not on a Friday"])
        assert thread.world.changed == [(1, "a")]


async def test_a_rejection_that_the_script_does_not_catch_ends_it_and_no_model_finds_a_way_around_it(
    database_url: URL, sandbox: Sandbox
) -> None:
    code = "def main(inputs):\n    for n in range(2):\n        tools.change(n=n, tag='a')\n    return 1\n"
    async with planning_world() as world, open_rows(database_url) as rows:
        thread = ScriptThread(code, rows, sandbox, model=world.model)
        await thread.say()
        assert await thread.advance() is AdvanceResult.PARKED
        [record] = await thread.pending()
        await thread.decide(record, Decision.REJECTED, "not on a Friday")
        assert await thread.advance() is AdvanceResult.FINISHED
        failed = Failed(error="call_rejected", message="a person rejected change: not on a Friday")
        assert await thread.outcome() == failed
        assert (thread.world.changed, world.asked(Role.REPAIR)) == ([], [])


DIVERGES = """
import random

def main(inputs):
    n = int(random.random() * 1000000)
    tools.change(n=n, tag="a")
    return [n]
"""


async def test_a_script_that_comes_to_other_arguments_gets_new_cards_that_say_so_until_it_is_ended(
    database_url: URL, sandbox: Sandbox
) -> None:
    async with open_rows(database_url) as rows:
        thread = ScriptThread(DIVERGES, rows, sandbox)
        await thread.say()
        titles: list[str] = []
        while await thread.advance() is AdvanceResult.PARKED:
            [record] = await thread.pending()
            titles.append((await thread.nodes())[record.node].title)
            await thread.decide(record, Decision.REJECTED if titles[1:] else Decision.APPROVED)
        assert titles == ["Run it: change"] + ["Run it: change (other arguments than when the script ran before)"] * 8
        outcome = await thread.outcome()
        assert isinstance(outcome, Failed)
        assert outcome.error == "script_diverges"
        assert len(thread.world.changed) == 1


CRASHES = """
def main(inputs):
    tools.look(n=1)
    for n in range(2):
        tools.change(n=n, tag="a")
    return 1 // 0
"""


async def test_a_rewritten_script_repeats_no_call_that_happened_and_asks_about_others(database_url: URL) -> None:
    mended = CRASHES.replace("range(2)", "range(1, 3)").replace("1 // 0", "1")
    sandbox = MontySandbox(monty_binary())
    async with planning_world(repair(fenced(mended))) as world, open_rows(database_url) as rows:
        thread = ScriptThread(CRASHES, rows, sandbox, model=world.model)
        await thread.say()
        while await thread.advance() is AdvanceResult.PARKED:
            for record in await thread.pending():
                await thread.decide(record, Decision.APPROVED)
        assert await thread.outcome() == Succeeded(value=1)
        assert (thread.world.changed, thread.world.looked) == ([(0, "a"), (1, "a"), (2, "a")], [1])
        [request] = world.asked(Role.REPAIR)
        assert '"args": {"n": 0, "tag": "a"}, "state": "succeeded"' in request.last
        *_, last = (await thread.nodes()).values()
        assert last.title.endswith("(other arguments than when the script ran before)")
        *_, attempt = await thread.stores.attempts.of(thread.thread, PACKAGE)
        assert 'did not come to calls that have happened: change {"n":0,"tag":"a"}' in attempt.logs
    await sandbox.close()


async def test_a_cancelled_script_takes_its_open_calls_back(database_url: URL) -> None:
    sandbox = MontySandbox(monty_binary())
    async with open_rows(database_url) as rows:
        thread = ScriptThread(GATHER, rows, sandbox)
        await thread.say()
        assert await thread.advance() is AdvanceResult.PARKED
        await thread.stores.log.append(thread.thread, 1, UserId("U1"), [Cancel(id=PACKAGE, why="no longer wanted")])
        assert await thread.advance() is AdvanceResult.FINISHED
        assert await thread.outcome() == Cancelled(why="no longer wanted")
        states = [status.state for status in (await thread.stores.statuses.of(thread.thread)).values()]
        assert states == [NodeState.CANCELLED] * 9
        assert (await thread.pending(), thread.world.changed) == ([], [])
    await sandbox.close()


ODD = """
def main(inputs):
    for text in ["${script}", "$${x}", "${"]:
        tools.change(n=1, tag=text)
    return [tools.change(n=1, tag="${")]
"""


async def test_texts_that_look_like_references_reach_the_tool_as_they_are(database_url: URL) -> None:
    sandbox = MontySandbox(monty_binary())
    async with open_rows(database_url) as rows:
        thread = ScriptThread(ODD, rows, sandbox)
        await thread.say()
        while await thread.advance() is AdvanceResult.PARKED:
            for record in await thread.pending():
                await thread.decide(record, Decision.APPROVED)
        assert [tag for _, tag in thread.world.changed] == ["${script}", "$${x}", "${", "${"]
    await sandbox.close()


TELLS = """
import asyncio

async def tell(name, n):
    try:
        await atools.slack_post_message(channel="#incidents", text=f"{name} {n}")
        return "told"
    except CallRejected:
        return "not told"

async def main(inputs):
    page = await atools.http_get(url=inputs["url"])
    return await asyncio.gather(*[tell(page["body"]["name"], n) for n in range(3)])
"""


async def test_each_call_of_a_script_has_its_card_and_the_script_goes_on_after_a_restart(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        tools = ["http_get", "slack_post_message"]
        url = f"{scene.effects.url}/look"
        scene.model.add(planned(package("tell", TELLS, tools=tools, inputs={"url": url})))
        async with scene.asked("look, then tell") as observer:
            await observer.until(lambda seen: all(seen.says(f"look {n}") for n in range(3)), "the cards")
            await observer.until(lambda seen: seen.says(WAITS_FOR_PEOPLE), "the board")
            assert observer.says("holds text from outside: “Title of tell”")
            await scene.stop_app()
            await scene.start_app()
            for action in ("decide_rejected", "decide_approved", "decide_approved"):
                [(left,)] = await query(database_url, _PENDING)
                await press(scene, observer, "Grace", action)
                async with asyncio.timeout(LIFE_SECONDS):
                    while await query(database_url, _PENDING) == [(left,)]:  # noqa: ASYNC110  # rows have no event
                        await asyncio.sleep(0.05)
                await observer.until(lambda seen, left=left: _open_items(seen) == left - 1, "the card")
            await observer.until(answered, "the answer")
            posts = [post["text"] for post in await scene.people.messages("incidents")]
            assert (len(posts), len(set(posts)), scene.effects.calls) == (2, 2, {"look": 1})
            assert "not told" in observer.words()[-1]


_PENDING = "SELECT count(*) FROM approvals WHERE status = 'pending'"


def _open_items(observer: ThreadObserver) -> int:
    """Return how many calls can be decided on the open cards."""
    shown = json.dumps([card.message["blocks"] for card in observer.cards()])
    return shown.count('"decide_approved"')
