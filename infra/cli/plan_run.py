"""A plan file as a run: the real executor and stores, decisions from options, no Slack and no model."""

import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy import URL

from agent.entry import Ports
from agent.events import NodeChanged, RunEvent
from agent.fan_out import template_of
from agent.graph import ThreadRunner
from agent.ids import NodeId, QuestionId, ThreadId, UserId, thread_id, thread_parts
from agent.lifecycle import Expired, Failed, Outcome, Rejected
from agent.plan import Node, Operation, nodes_added
from agent.ports import Decision, Next, Question, Questions, Reflected, Runs, RunStatus, Standing
from agent.tools.registry import Registry
from agent.workbench import Workbench
from bot.ports import Decisions
from bot.tools import slack_tools
from bot.web_api import open_client
from infra.checkpoints import open_checkpoints, open_pool
from infra.cli.plan_file import PlanFile, read_plan
from infra.cli.plan_lines import decision_line, end_line, event_line, question_line
from infra.cli.scratch_database import scratch_database
from infra.database import Database
from infra.embedded_postgres import hold_postgres
from infra.queue import Queue
from infra.settings import Settings
from infra.stores.stores import open_stores
from infra.tools.catalogue import enabled, open_tools
from infra.tools.http import HttpConfig
from infra.wakeups import Wakeups
from sandbox.choice import choose_sandbox
from sandbox.script import Json, Sandbox

Emit: TypeAlias = Callable[[Mapping[str, Json]], None]

_WHO = UserId("operator")
"""Who asks and who decides: the person at the command line."""

_FIRST_TURN = 1
_FIRST_VERSION = 1


class Unrunnable(Exception):
    """What was asked for does not fit the plan; the text says how."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The decisions given beforehand. A rejection by name counts before `approve_all`."""

    approved: frozenset[NodeId] = frozenset()
    rejected: frozenset[NodeId] = frozenset()
    approve_all: bool = False
    templates: frozenset[NodeId] = frozenset()

    def to(self, node: NodeId) -> Decision | None:
        """Return the decision for a node's question, None when it stays open.

        What is said of a template holds for each of its items that nothing else is said of.
        """
        for each in (node, template_of(node)):
            if each is None or (each != node and each not in self.templates):
                continue
            if each in self.rejected:
                return Decision.REJECTED
            if each in self.approved:
                return Decision.APPROVED
        return Decision.APPROVED if self.approve_all else None

    def on(self, nodes: Mapping[NodeId, Node]) -> "Answers":
        """Return the answers as they hold for the plan's nodes.

        Raises:
            Unrunnable: an answer is for no node, or there are two for one.
        """
        templates = frozenset(each.id for each in nodes.values() if each.for_each)
        if strangers := {
            each for each in self.approved | self.rejected if each not in nodes and template_of(each) not in templates
        }:
            raise Unrunnable(f"the plan has no node {', '.join(sorted(strangers))}")
        if both := self.approved & self.rejected:
            raise Unrunnable(f"both approved and rejected: {', '.join(sorted(both))}")
        return replace(self, templates=templates)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: node id -> outcome of all that finished, and the questions nobody answered."""

    outcomes: Mapping[NodeId, Outcome]
    unanswered: Sequence[Question]

    @property
    def succeeded(self) -> bool:
        """Nothing failed, was rejected or expired. What was skipped or cancelled as the plan says is no failure."""
        return not any(isinstance(each, Failed | Rejected | Expired) for each in self.outcomes.values())


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the steps of a plan file are done with."""

    registry: Registry
    sandbox: Sandbox

    @property
    def packages(self) -> bool:
        """Tell whether there is a sandbox to run scripts in."""
        return self.sandbox.name != "none"


@asynccontextmanager
async def open_bench(settings: Settings) -> AsyncGenerator[Bench]:
    """Give the tools that are set up here, and the sandbox.

    Without a table of its own `http_get` may read private addresses too: the plan is the operator's.
    """
    async with AsyncExitStack() as stack:
        config = settings.configuration.tools.config()
        tools = await stack.enter_async_context(
            open_tools(replace(config, http=config.http or HttpConfig(allow_private=True)))
        )
        if settings.slack is not None:
            token, address = settings.slack.bot_token, settings.slack.api_url
            once = open_client(token, base_url=address, retries=False)
            tools = (*tools, *slack_tools(open_client(token, base_url=address), once))
        containers = settings.configuration.containers.settings()
        chosen = await choose_sandbox(settings.configuration.sandbox, containers)
        stack.push_async_callback(chosen.sandbox.close)
        registry = Registry(enabled(tools, settings.configuration.tools.disabled))
        yield Bench(registry=registry, sandbox=chosen.sandbox)


async def run_text(text: str, settings: Settings, answers: Answers, emit: Emit) -> PlanFile | Ended:
    """Read a plan and run it; return it unrun when it has faults.

    Raises:
        Unrunnable: an answer names a node the plan does not have, or says yes and no to one.
        PostgresUnusable: the embedded database cannot run here.
        AgentError: the run broke off.
    """
    async with open_bench(settings) as bench:
        limits = settings.configuration.limits
        plan = read_plan(text, bench.registry, packages=bench.packages, limits=limits.plan())
        if plan.faults:
            return plan
        answers = answers.on(nodes_added(plan.operations))
        # These block for up to two seconds, and nothing else runs yet or any more.
        with hold_postgres(settings.data) as postgres, scratch_database(postgres) as url:
            ended = await run_plan(plan.operations, url=url, bench=bench, settings=settings, answers=answers, emit=emit)
        emit(end_line(ended.outcomes, ended.unanswered))
        return ended


async def run_plan(
    operations: Sequence[Operation], *, url: URL, bench: Bench, settings: Settings, answers: Answers, emit: Emit
) -> Ended:
    """Run the operations in an empty database until they are finished, or only open questions are left."""
    database = Database(url)
    wakeups = Wakeups(database)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        pool = await stack.enter_async_context(open_pool(database.conninfo))
        queue = Queue(database)
        await stack.enter_async_context(queue.app.open_async())
        await stack.enter_async_context(wakeups.listening())
        stores = open_stores(database, queue, wakeups)
        progress = _Lines(emit)
        questions = _AnsweredQuestions(stores.questions, stores.decisions, answers, emit)
        ports = Ports(
            log=stores.log,
            questions=questions,
            ledger=stores.ledger,
            artifacts=stores.artifacts,
            progress=progress,
            newsroom=wakeups.news,
            mailbox=stores.mailbox,
            runs=stores.runs,
            work=Workbench(
                registry=bench.registry,
                sandbox=bench.sandbox,
                artifacts=stores.artifacts,
                progress=progress,
                model=None,
            ),
            feeder=_NothingToFeed(),
            reflector=_NothingMore(),
            answerer=_NoAnswer(stores.runs),
        )
        thread = thread_id("local", "plan", uuid.uuid4().hex)
        await stores.log.append(thread, _FIRST_TURN, _WHO, operations)
        runner = ThreadRunner(
            ports, lambda _thread, _lease: open_checkpoints(pool), limits=settings.configuration.limits.executor()
        )
        await runner.advance(thread, _Alone())
        return Ended(outcomes=progress.outcomes, unanswered=await questions.unanswered(thread))


class _Lines:
    """A Progress that prints every event, and keeps how each node ended."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.outcomes: dict[NodeId, Outcome] = {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        del thread
        self._emit(event_line(event))
        if isinstance(event, NodeChanged) and event.outcome is not None:
            self.outcomes[event.node] = event.outcome

    async def flush(self) -> None:
        """Nothing is held back."""


@dataclass(frozen=True)
class _AnsweredQuestions:
    """Questions that are decided as soon as they are asked, when there is an answer to them."""

    stored: Questions
    decisions: Decisions
    answers: Answers
    emit: Emit
    asked: dict[QuestionId, Question] = field(default_factory=dict[QuestionId, Question])

    async def ask(self, question: Question) -> Standing:
        standing = await self.stored.ask(question)
        if question.id not in self.asked:
            self.asked[question.id] = question
            self.emit(question_line(question))
        decision = self.answers.to(question.node)
        if standing.decision is not Decision.PENDING or decision is None:
            return standing
        tenant = thread_parts(question.thread).tenant
        await self.decisions.decide(tenant, question.id, version=_FIRST_VERSION, by=_WHO, decision=decision)
        decided = (await self.stored.standings(question.thread))[question.id]
        self.emit(decision_line(question, decided))
        return decided

    async def standings(self, thread: ThreadId) -> Mapping[QuestionId, Standing]:
        return await self.stored.standings(thread)

    async def withdraw(self, question: QuestionId, why: str) -> Standing:
        return await self.stored.withdraw(question, why)

    async def unanswered(self, thread: ThreadId) -> Sequence[Question]:
        """Return the open questions, in the order they were asked."""
        standings = await self.stored.standings(thread)
        return [each for each in self.asked.values() if standings[each.id].decision is Decision.PENDING]


class _Alone:
    """The lease of a run whose database nobody else knows."""

    async def check(self) -> None:
        """Nobody can have taken the thread."""


class _NothingToFeed:
    """A Feeder for a plan that stands in the log from the start."""

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Append nothing."""


class _NothingMore:
    """A Reflector without a model: a finished plan is a finished run."""

    async def reflect(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> Reflected:
        """Append nothing."""
        del thread, turn, round_number, outcomes, bound
        return Reflected(next=Next.ENOUGH)

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Append nothing."""
        del thread, turn, round_number, bound
        return False


@dataclass(frozen=True)
class _NoAnswer:
    """An Answerer without a model: the outcomes are the answer."""

    runs: Runs

    async def answer(self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome]) -> None:
        """End the turn."""
        del outcomes
        await self.runs.finish(thread, turn, RunStatus.DONE, "")
