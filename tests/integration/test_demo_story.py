"""The demo's requests over the real parts, without Slack and the executor: scripted model over HTTP, tools over the
demo's world, scripts in Monty. Nodes run one by one, in the plan's order."""

import dataclasses
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from agent.events import AttemptEnded
from agent.execution.node_executor import NodeExecutor
from agent.ids import Digest, NodeId, ThreadId, ToolName, UserId
from agent.limits import ModelSettings, PlanLanguage, Role
from agent.llm.client import OpenAILanguageModel
from agent.llm.prompts import planner_message, results_message, system_message
from agent.llm.transcript import shown_nodes, statuses_of
from agent.plan.operations import Add, LoggedOperation, Node
from agent.plan.outcomes import Failed, Outcome, Rejected, Skipped, Succeeded, satisfies
from agent.ports import ChatMessage, Message
from agent.reading.answer_reader import AnswerReader
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.tool import CallContext, Colour, Registry, Tool
from infra.db.embedded_postgres import HeldPostgres
from infra.dev.demo.database import reader
from infra.dev.demo.day import day_of
from infra.dev.demo.world import World, demo_world
from infra.dev.scripted_model.demo_scripts import demo_scripts
from infra.dev.scripted_model.server import ScriptedModel
from infra.tools.catalogue import open_tools
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Json
from tests.databases import cloned
from tests.fakes.ports_in_memory import ArtifactsInMemory, ProgressInMemory

NOW = datetime(2025, 11, 21, 9, 30, tzinfo=UTC)
DAY = day_of((NOW - timedelta(days=1)).date())
INCIDENT = DAY.traffic["payments", DAY.incident_hour]
THREAD = ThreadId("T1:C1:1.0")
CONTEXT = CallContext(thread=THREAD, node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64))
STORY = (
    "check our three services and post a summary to #incidents; "
    "also work out yesterday's error rate per service from the access log"
)


@dataclasses.dataclass(kw_only=True)
class DemoThread:
    """One thread: what was said, planned and came of it, and what was posted."""

    registry: Registry
    node_executor: NodeExecutor
    progress: ProgressInMemory
    model: OpenAILanguageModel
    dialect: str
    posted: list[Mapping[str, Json]]
    rejected: Sequence[str] = ()
    log: list[LoggedOperation] = dataclasses.field(default_factory=list[LoggedOperation])
    outcomes: dict[NodeId, Outcome] = dataclasses.field(default_factory=dict[NodeId, Outcome])
    dialogue: list[ChatMessage] = dataclasses.field(default_factory=list[ChatMessage])
    turn: int = 0

    async def ask(self, text: str) -> str:
        """Plan, run and answer one request; return the answer, or the reply when nothing was planned."""
        self.turn += 1
        message = Message(id=self.turn, author=UserId("U1"), text=text, at=NOW)
        nodes = shown_nodes(self.log, statuses_of(self.outcomes))
        system = system_message(self.registry, self.dialect, PlanLanguage.PYTHON)
        said = [system, *self.dialogue, planner_message(NOW, [message], nodes)]
        draft = "".join([piece async for piece in self.model.stream(Role.PLANNER, said)])
        added = self._accepted(draft)
        for node in added:
            self.outcomes[node.id] = await self._outcome(node)
        own = shown_nodes([row for row in self.log if row.turn == self.turn], statuses_of(self.outcomes))
        asked = [system_message(), *self.dialogue, results_message(Role.ANSWER, [message], own)]
        answer = await self.model.complete(Role.ANSWER, asked)
        self.dialogue += [ChatMessage(by="human", text=text), ChatMessage(by="ai", text=answer)]
        return answer

    def _accepted(self, draft: str) -> Sequence[Node]:
        known = {row.operation.node.id: row.operation.node for row in self.log if isinstance(row.operation, Add)}
        intake = PlanBuilder(registry=self.registry, known=known)
        added: list[Node] = []
        reader = AnswerReader(self.registry, intake)
        for item in (*reader.feed(draft), *reader.finish()):
            assert isinstance(item, Placed), item
            admission = intake.offer(item)
            assert admission.faults == ()
            for operation in admission.admitted:
                self.log.append(
                    LoggedOperation(seq=len(self.log) + 1, turn=self.turn, author=UserId("U1"), operation=operation)
                )
                assert isinstance(operation, Add)
                added.append(operation.node)
        return added

    async def _outcome(self, node: Node) -> Outcome:
        for dependency in node.depends_on:
            if not satisfies(self.outcomes[dependency.node], dependency.on):
                return Skipped(because=dependency.node)
        bound = await self.node_executor.bind(THREAD, node, self.outcomes)
        if isinstance(bound, Failed):
            return bound
        if self.node_executor.colour(node) is Colour.RED and node.id in self.rejected:
            return Rejected(by=UserId("U2"))
        return await self.node_executor.perform(node, bound, dataclasses.replace(CONTEXT, node=node.id))


@pytest.fixture(scope="module")
def name(postgres: HeldPostgres) -> Generator[str]:
    """A demo database's name that no other run uses, and that no other run takes for left behind."""
    with cloned(postgres, None) as url:
        name = str(url.database)
        yield name
    address = postgres.admin_url().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(reader(name))))


@pytest.fixture
async def world(postgres: HeldPostgres, name: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    folder = tmp_path_factory.getbasetemp() / "demo_world"
    async with demo_world(folder, server_address(postgres), NOW, name) as world:
        yield world


def server_address(postgres: HeldPostgres) -> str:
    return postgres.admin_url().render_as_string(hide_password=False)


@pytest.fixture
async def thread(world: World) -> AsyncGenerator[DemoThread]:
    posted: list[Mapping[str, Json]] = []

    async def post(_context: CallContext, args: Mapping[str, Json]) -> Json:
        posted.append(args)
        return {"channel": "C0INC", "ts": "1.0"}

    slack = Tool(
        name=ToolName("slack_post_message"),
        description="Post a message.",
        arguments={"type": "object", "required": ["channel", "text"]},
        colour=Colour.RED,
        call=post,
    )
    async with AsyncExitStack() as stack:
        tools = await stack.enter_async_context(open_tools(world.tools))
        server = await stack.enter_async_context(ScriptedModel(demo_scripts(None)))
        model = OpenAILanguageModel(ModelSettings(model="any", api_key="key", base_url=await server.start()))
        stack.push_async_callback(model.close)
        sandbox = MontySandbox(monty_binary())
        stack.push_async_callback(sandbox.close)
        progress = ProgressInMemory()
        registry = Registry([*tools, slack])
        node_executor = NodeExecutor(
            registry=registry, sandbox=sandbox, artifacts=ArtifactsInMemory(), progress=progress, model=model
        )
        yield DemoThread(
            registry=registry,
            node_executor=node_executor,
            progress=progress,
            model=model,
            dialect=sandbox.dialect,
            posted=posted,
        )


async def test_story_is_told_from_what_the_world_holds(thread: DemoThread) -> None:
    answer = await thread.ask(STORY)
    assert all(isinstance(outcome, Succeeded) for outcome in thread.outcomes.values())
    attempts = [event.kind for event in thread.progress.events if isinstance(event, AttemptEnded)]
    assert attempts == ["error", "ok"]
    [post] = thread.posted
    assert post["channel"] == "#incidents"
    assert [line.split(" after ")[0] for line in str(post["text"]).splitlines()] == [
        "• storefront: HTTP 200",
        "• search: HTTP 200",
        "• payments: HTTP 503",
    ]
    hour = f"{DAY.incident_hour:02}:00-{DAY.incident_hour + 1:02}:00 UTC on 2025-11-20"
    assert f"{hour}: payments failed {INCIDENT.errors:,} of {INCIDENT.requests:,} requests" in answer
    culprit = next(deployment for deployment in DAY.deployments if "pool" in deployment.change)
    assert f"{culprit.service} {culprit.version}" in answer

    follow_up = await thread.ask("and how many errors did the payments database record in that hour?")
    recorded = sum(DAY.database_errors[DAY.incident_hour].values())
    assert f"**The payments database recorded {recorded:,} errors** in the hour {hour}." in follow_up


async def test_error_rates_are_those_of_the_day(thread: DemoThread) -> None:
    await thread.ask("work out the error rates")
    rates = thread.outcomes[NodeId("error_rates")]
    assert isinstance(rates, Succeeded)
    assert isinstance(rates.value, Mapping)
    told: dict[str, tuple[int, int]] = {}
    for (service, _), traffic in DAY.traffic.items():
        requests, errors = told.get(service, (0, 0))
        told[service] = (requests + traffic.requests, errors + traffic.errors)
    assert rates.value["services"] == {
        name: {"requests": requests, "errors": errors, "rate": round(errors / requests, 6)}
        for name, (requests, errors) in told.items()
    }


async def test_rejected_post_leaves_the_rest_and_the_answer_says_so(thread: DemoThread) -> None:
    thread.rejected = ("post_summary",)
    answer = await thread.ask(STORY)
    assert thread.posted == []
    assert "- Post the summary to #incidents: **rejected** by <@U2>." in answer
    assert "**Error rates on 2025-11-20.**" in answer


@pytest.mark.parametrize(
    ("request_text", "words"),
    [
        ("is payments up?", "**0 of 1 healthy.** payments answers 503 (card network unreachable"),
        ("check search", "**search is healthy.**"),
        ("what was deployed yesterday?", "| storefront 11."),
        ("how many errors did the payments database record yesterday?", "| 2025-11-20 00:00 UTC |"),
        ("how many errors did the payments database record at 3:00?", "in the hour 03:00-04:00 UTC on 2025-11-20"),
        ("what was deployed around the worst hour?", "Roll back"),
        ('post "The sale starts at noon" to #general', "in <#C0INC>"),
        ("work out error rates and post a summary to #ops", "Post the summary to #ops: done"),
        ("how many errors in the database in the worst hour, and post that to #ops", "Post the summary to #ops: done"),
    ],
)
async def test_request_is_answered(thread: DemoThread, request_text: str, words: str) -> None:
    answer = await thread.ask(request_text)
    assert [outcome for outcome in thread.outcomes.values() if not isinstance(outcome, Succeeded)] == []
    assert words in answer
    assert answer.endswith("_(scripted model)_")


async def test_next_start_on_the_same_day_finds_log_and_rows(postgres: HeldPostgres, name: str, tmp_path: Path) -> None:
    counts: list[Json] = []
    logs: list[tuple[str, int]] = []
    for _ in range(2):
        async with demo_world(tmp_path, server_address(postgres), NOW, name) as world, open_tools(world.tools) as tools:
            query = Registry(tools).find("sql_query")
            assert query is not None
            counts.append(await query.call(CONTEXT, {"query": "SELECT count(*) FROM payments_errors"}))
            logs += [(path.name, path.stat().st_mtime_ns) for path in (tmp_path / "demo").glob("*.log")]
    assert counts[0] == counts[1]
    assert logs[0] == logs[1]
    assert [log for log, _ in logs] == ["access-2025-11-20.log"] * 2
