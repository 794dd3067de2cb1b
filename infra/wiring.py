"""The composition root: builds a process out of its parts, from settings and a migrated database."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import URL

from agent.approval import Policies
from agent.budget.metering import MeteredModel
from agent.budget.tracker import BudgetTrackers
from agent.execution.execution_context import Lease, Ports
from agent.execution.graph import Checkpoints, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ThreadId
from agent.llm.client import OpenAILanguageModel
from agent.llm.memory import Memory
from agent.planning.answerer import Answerer
from agent.planning.pack_buffer import NodeEndNotifier
from agent.planning.planner import Planner
from agent.planning.replanner import Replanner
from agent.tool import Registry
from bot.app import Ports as BotPorts
from bot.app import SlackApp
from bot.blocks.plain_results import PlainResults
from bot.publishing.plan_images import PlanImages
from bot.publishing.publisher import ThreadPublisher
from bot.publishing.sender import MessageSender
from bot.publishing.session_status import Sessions
from bot.slack.client import TIMEOUT_SECONDS, open_client
from bot.slack.names import SlackDirectory
from bot.slack.rate_limits import RateLimiter
from bot.slack.socket_mode import Socket
from bot.tools.post_message import slack_tools
from infra.config.environment import Settings, SlackSettings
from infra.db.database import Database, new_worker_id
from infra.plan_image.renderer import LoggedPlanRenderer
from infra.stores.stores import Stores, open_stores
from infra.tools.catalogue import enabled, open_tools
from infra.worker.checkpoints import open_checkpoints, open_pool
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from infra.worker.worker import Worker
from sandbox.choice import choose_sandbox

_log = logging.getLogger(__name__)


LISTENER_CONNECTIONS = 4
"""What listeners do, Slack waits for: they have connections of their own, and never queue behind runs for one."""


class Part(StrEnum):
    """What a process does: hear Slack, run threads, or both."""

    BOT = "bot"
    WORKER = "worker"


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What both parts stand on."""

    settings: Settings
    database: Database
    wakeups: PgNotifications
    queue: Queue
    stores: Stores
    session: aiohttp.ClientSession
    slack: SlackSettings
    app: SlackApp
    client: AsyncWebClient
    policies: Policies


@asynccontextmanager
async def open_app(settings: Settings, url: URL, parts: frozenset[Part] = frozenset(Part)) -> AsyncGenerator[None]:
    """Run the parts until the context is left. The database is migrated already.

    Raises:
        ConfigurationError: credentials are missing.
        BotError: Slack refuses the tokens, or cannot be reached.
        ExceptionGroup: with `WorkerLost`: others must be assumed to run our threads now.
    """
    async with AsyncExitStack() as stack:
        base = await _open_base(stack, settings, url, parts)
        if Part.WORKER in parts:
            await stack.enter_async_context(_working(await _open_worker(stack, base)))
        if Part.BOT in parts:
            socket = Socket(base.app.bolt, base.slack.app_token, base.client)
            stack.push_async_callback(base.app.drain)
            await stack.enter_async_context(socket.open())
        yield


async def _open_base(stack: AsyncExitStack, settings: Settings, url: URL, parts: frozenset[Part]) -> _Base:
    slack = settings.required_slack()
    database = Database(url, worker=new_worker_id() if Part.WORKER in parts else None)
    stack.push_async_callback(database.close)
    door = Database(url, pool_size=LISTENER_CONNECTIONS)
    stack.push_async_callback(door.close)
    wakeups = PgNotifications(database)
    await stack.enter_async_context(wakeups.listening())
    queue = Queue(database)
    open_for = settings.configuration.limits.questions_open_for()
    stores = open_stores(database, queue, wakeups, questions_open_for=open_for)
    stack.push_async_callback(stores.progress.close)
    heard = open_stores(door, queue, wakeups)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
    client = open_client(slack.bot_token, base_url=slack.api_url, session=session)
    policies = settings.configuration.policies()
    ports = BotPorts(
        inbox=heard.inbox,
        decisions=heard.decisions,
        views=heard.run_views,
        posted=heard.posted,
        packages=heard.attempts,
    )
    app = SlackApp(client, ports, policies.of, signing_secret=slack.signing_secret)
    return _Base(
        settings=settings,
        database=database,
        wakeups=wakeups,
        queue=queue,
        stores=stores,
        session=session,
        slack=slack,
        app=app,
        client=client,
        policies=policies,
    )


async def _open_worker(stack: AsyncExitStack, base: _Base) -> Worker:
    runner = await _open_runner(stack, base)
    rate_limiter = RateLimiter()
    sender = MessageSender(base.app.api, base.stores.posted, rate_limiter)
    publisher = ThreadPublisher(
        base.stores.run_views,
        base.stores.posted,
        sender,
        base.policies.of,
        currency=base.settings.configuration.prices.currency,
        plan_images=PlanImages(LoggedPlanRenderer(base.stores.log), sender),
        sessions=Sessions(base.app.api, base.stores.posted, rate_limiter),
    )

    async def advance(thread: ThreadId, lease: Lease) -> None:
        async with publisher.narrating(thread), base.stores.spending.working(thread):
            await runner.advance(thread, lease)

    configuration = base.settings.configuration
    return Worker(
        base.database,
        base.queue,
        advance,
        concurrency=configuration.limits.threads_at_once,
        chores=(base.stores.decisions.expire_due, base.stores.results.prune),
        give_up=publisher.tell_stuck,
        timings=configuration.worker,
    )


@asynccontextmanager
async def _working(worker: Worker) -> AsyncGenerator[None]:
    """Run the worker beside the body. When it is lost, so is the body: the process must start anew."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run(), name="worker")
        try:
            yield
        finally:
            running.cancel()


async def _open_runner(stack: AsyncExitStack, base: _Base) -> ThreadRunner:
    """Return what advances a thread: planner, tools, sandbox, executor, answer."""
    configuration, stores = base.settings.configuration, base.stores
    prices = configuration.prices
    meter = partial(stores.spending.note, prices=prices)
    openai = OpenAILanguageModel(base.settings.required_model(), meter)
    stack.push_async_callback(openai.close)
    model = MeteredModel(openai)
    budgets = configuration.bounds()
    budget_trackers = BudgetTrackers(
        budgets, stores.spending, questions=stores.questions, allowances=stores.questions, runs=stores.runs
    )
    chosen = await choose_sandbox(configuration.sandbox, configuration.containers.settings())
    stack.push_async_callback(chosen.sandbox.close)
    _log.info("sandbox %s: %s", chosen.sandbox.name, chosen.reason)
    registry = await _registry(stack, base)
    dialect = None if chosen.sandbox.name == "none" else chosen.sandbox.dialect
    plan_limits = configuration.limits.plan()
    endings = NodeEndNotifier(stores.progress)
    work = NodeExecutor(
        registry=registry,
        sandbox=chosen.sandbox,
        artifacts=stores.artifacts,
        progress=stores.progress,
        attempts=stores.attempts,
        cache=stores.results,
        model=model,
    )
    memory = Memory(
        runs=stores.runs,
        model=model,
        summaries=stores.summaries,
        directory=SlackDirectory(base.app.api, base.app.principals),
        limits=configuration.memory,
    )
    feeder = Planner(
        model=model,
        registry=registry,
        log=stores.log,
        mailbox=stores.mailbox,
        runs=stores.runs,
        standings=stores.standings,
        dialect=dialect,
        endings=endings if configuration.plan.pack else None,
        memory=memory,
        limits=plan_limits,
        gather_seconds=configuration.plan.gather_seconds,
    )
    ports = Ports(
        log=stores.log,
        questions=stores.questions,
        ledger=stores.ledger,
        artifacts=stores.artifacts,
        progress=endings,
        notifications=base.wakeups.news,
        mailbox=stores.mailbox,
        runs=stores.runs,
        work=work,
        feeder=feeder,
        reflector=Replanner(
            model=model,
            registry=registry,
            log=stores.log,
            runs=stores.runs,
            mailbox=stores.mailbox,
            standings=stores.standings,
            memory=memory,
            dialect=dialect,
            packing=configuration.plan.pack,
            progress=endings,
            limits=plan_limits,
        ),
        answerer=Answerer(
            model=model,
            log=stores.log,
            runs=stores.runs,
            words=PlainResults(),
            memory=memory,
            spending=stores.spending,
        ),
        budget_trackers=budget_trackers if budgets.bounds else None,
    )
    return ThreadRunner(ports, await _checkpoints(stack, base), limits=configuration.limits)


async def _registry(stack: AsyncExitStack, base: _Base) -> Registry:
    tools = await stack.enter_async_context(open_tools(base.settings.configuration.tools))
    # A lost answer may hide a done deed: what changes something is never tried again by the client.
    once = open_client(base.slack.bot_token, base_url=base.slack.api_url, session=base.session, retries=False)
    return Registry(enabled((*tools, *slack_tools(base.client, once)), base.settings.configuration.tools.disabled))


async def _checkpoints(stack: AsyncExitStack, base: _Base) -> Callable[[ThreadId, Lease], Checkpoints]:
    pool = await stack.enter_async_context(open_pool(base.database.conninfo, configure=base.database.configure))

    def opened(_thread: ThreadId, _lease: Lease) -> Checkpoints:
        return open_checkpoints(pool)

    return opened
