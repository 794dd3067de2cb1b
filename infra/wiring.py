"""The composition root: builds a process from settings and a migrated database.

The app, `greenlight plan run`, tests and benches build their parts here, and pass in those that differ.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import URL

from agent.budget.metering import MeteredAgentModel, MeteredModel
from agent.budget.tracker import BudgetTrackers
from agent.execution.execution_context import Ports, SeparateNews
from agent.execution.graph import OpenCheckpoints, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ThreadId, ToolName
from agent.limits import Privacy
from agent.llm.guidance import Guidance
from agent.llm.memory import Memory
from agent.llm.recall import Recall
from agent.llm.tool_search import Embedder, ToolSearch
from agent.planning.answerer import Answerer
from agent.planning.correcting import Correcting
from agent.planning.pack_buffer import NodeEndNotifier
from agent.planning.planner import Planner
from agent.planning.replanner import Replanner
from agent.planning.runbook_drafts import RunbookDrafts
from agent.planning.system_messages import SystemMessages
from agent.planning.undoing import Undoing
from agent.policy.call_policy import CallPolicy
from agent.policy.rules import PolicySet
from agent.ports import (
    AgentModel,
    Approvals,
    Facts,
    Feeder,
    LanguageModel,
    Masks,
    NewsReader,
    NodeWork,
    NotificationSource,
    Progress,
)
from agent.ports import Answerer as AnswererPort
from agent.ports import Replanner as ReplannerPort
from agent.preview import Preview, previews
from agent.runbooks import SAVE_RUNBOOK
from agent.tool import Registry
from agent.tools.call_bounds import Learn
from agent.tools.circuit_breakers import CircuitBreakers
from agent.tools.rate_limits import RateLimits
from agent.tools.shared_bounds import SharedBounds
from bot.app import Ports as BotPorts
from bot.app import SlackApp
from bot.blocks.answer import DraftsInWords, PlainResults, UndoneInWords
from bot.blocks.corrections import CorrectionInWords
from bot.decisions.click_policy import ClickPolicy
from bot.decisions.due_requests import DueRequests
from bot.errors import SlackUnreachable
from bot.ports import FactBook
from bot.publishing.plan_images import PlanImages
from bot.publishing.publisher import ThreadPublisher
from bot.publishing.sender import MessageSender
from bot.publishing.session_status import SessionStatus
from bot.slack.canvases import PinnedCanvases
from bot.slack.client import TIMEOUT_SECONDS, WebApi, open_client, sending_checks
from bot.slack.facts import FactKeeper, SlackPlaces
from bot.slack.membership import Principals
from bot.slack.names import SlackDirectory
from bot.slack.rate_limits import RateLimiter
from bot.slack.socket_mode import Socket
from bot.tools.catalogue import slack_tools
from bot.tools.remember import memory_tools
from infra.accounts.accounts import OpenAccounts, open_accounts
from infra.accounts.keys import KeysUnusable, open_keyring
from infra.accounts.listener import AccountPages, listening
from infra.audit.sealing import Sealer
from infra.config.environment import Settings
from infra.config.file import ConfigurationError
from infra.config.file_store import FilesTable
from infra.config.policy import NOT_TOOLS
from infra.config.policy_file import PolicyFile
from infra.config.roles import unusable_roles
from infra.config.tool_access import ELSEWHERE
from infra.db.database import Database, WorkerId, new_worker_id
from infra.plan_image.renderer import LoggedPlanRenderer
from infra.process_health import published_health
from infra.stores.grants import GrantedApprovals
from infra.stores.instructions import AllInstructions
from infra.stores.s3_contents import S3Contents
from infra.stores.search_tokens import TokenSeal
from infra.stores.stores import Stores
from infra.tools.catalogue import TOOL_NAMES, clusters_of, enabled, known_tools, open_tools, switched_on
from infra.tools.files import ThreadFiles
from infra.tools.mcp.tools import known_mcp_tools, open_mcp_tools
from infra.tools.runbooks import RepositoryNotFetched, RunbookFiles
from infra.tools.save_runbook import kept_text, save_runbook
from infra.worker.checkpoints import open_checkpoints, open_pool
from infra.worker.lease import ThreadLease
from infra.worker.loop_watchdog import LoopWatchdog
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from infra.worker.worker import Worker
from sandbox.background_task import BackgroundTask
from sandbox.choice import choose_sandbox
from sandbox.script import Json, Sandbox

if TYPE_CHECKING:
    from agent.llm.client import OpenAILanguageModel

_log = logging.getLogger(__name__)


LISTENER_CONNECTIONS = 4
"""Slack waits for the listeners, so they have connections of their own and never wait for runs."""


FREEZABLE = TOOL_NAMES | NOT_TOOLS - {"default"}
"""What `/greenlight freeze` knows besides tools in Python and of MCP servers: tools, and node kinds that may ask."""


class Part(StrEnum):
    """A part of the app that a process runs."""

    #: Listens to Slack.
    BOT = "bot"
    #: Runs threads.
    WORKER = "worker"


@dataclass(frozen=True, kw_only=True)
class Storage:
    """An open database and every store on it."""

    database: Database
    notifications: PgNotifications
    queue: Queue
    stores: Stores


@asynccontextmanager
async def open_storage(
    url: URL,
    worker: WorkerId | None = None,
    approvals_open_for: timedelta | None = None,
    files: FilesTable | None = None,
    token_seal: TokenSeal | None = None,
) -> AsyncGenerator[Storage]:
    """Open a migrated database; writes buffered progress at the end."""
    database = Database(url, worker=worker)
    notifications, queue = PgNotifications(database), Queue(database)
    stores = Stores(
        database,
        queue,
        notifications,
        approvals_open_for=approvals_open_for,
        file_limits=files,
        contents=open_contents(files),
        token_seal=token_seal,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await stack.enter_async_context(notifications.listening())
        stack.push_async_callback(stores.progress.close)
        yield Storage(database=database, notifications=notifications, queue=queue, stores=stores)


def open_contents(files: FilesTable | None) -> S3Contents | None:
    """Return the store of the files' contents; None: the database."""
    return S3Contents(files) if files is not None and files.store == "s3" else None


@asynccontextmanager
async def open_thread_checkpoints(database: Database) -> AsyncGenerator[OpenCheckpoints]:
    """Yield a function that opens the checkpoints of a thread."""
    async with open_pool(database.conninfo, configure=database.configure) as pool:
        yield lambda _thread, _lease: open_checkpoints(pool)


@dataclass(frozen=True, kw_only=True)
class PlanEnvironment:
    """The configured tools and the sandbox."""

    registry: Registry
    sandbox: Sandbox

    @property
    def dialect(self) -> str | None:
        """The Python that a script may use; None: no sandbox can run scripts here."""
        return None if self.sandbox.name == "none" else self.sandbox.dialect


@asynccontextmanager
async def open_plan_environment(
    settings: Settings, app: SlackApp | None = None, stores: Stores | None = None
) -> AsyncGenerator[PlanEnvironment]:
    """Open the tools and the sandbox. Slack's tools need its credentials, and share the caches of `app`.

    The files of threads, and the facts, are in `stores`.

    Raises:
        ConfigurationError: a role names a tool that is not here.
    """
    configuration = settings.configuration
    files = None if stores is None else ThreadFiles(files=stores.files, artifacts=stores.artifacts)
    async with AsyncExitStack() as stack:
        tools = await stack.enter_async_context(open_tools(configuration.tools, files))
        if settings.slack is not None:
            api = app.api if app else WebApi(open_client(settings.slack.bot_token, base_url=settings.slack.api_url))
            principals = app.principals if app else Principals(api)
            tools = (*tools, *slack_tools(api, principals, None if stores is None else stores.search_tokens))
        if app is not None and stores is not None:
            tools = (*tools, *memory_tools(_fact_keeper(settings, app, stores.facts)))
        own = {tool.name for tool in tools}
        servers = await stack.enter_async_context(open_mcp_tools(settings.mcp))
        tools = (*tools, *(tool for tool in servers if tool.name not in own))
        if app is not None and configuration.runbooks.folder is not None:
            tools = (*tools, save_runbook(configuration.runbooks.folder))
        choice = await choose_sandbox(configuration.sandbox, configuration.containers.settings())
        stack.push_async_callback(choice.sandbox.close)
        _log.info("sandbox %s: %s", choice.sandbox.name, choice.reason)
        registry = Registry(enabled(tools, configuration.tools.disabled), configuration.roles.values())
        if wrong := unusable_roles(registry):
            raise ConfigurationError("; ".join(wrong))
        yield PlanEnvironment(registry=registry, sandbox=choice.sandbox)


def _fact_keeper(settings: Settings, app: SlackApp, facts: FactBook) -> FactKeeper:
    configuration = settings.configuration
    return FactKeeper(facts, app.principals, app.api, configuration.memory, admins=configuration.freeze.admins)


def runner_ports(
    stores: Stores,
    notifications: NotificationSource,
    *,
    work: NodeWork,
    feeder: Feeder,
    replanner: ReplannerPort,
    answerer: AnswererPort,
    approvals: Approvals | None = None,
    progress: Progress | None = None,
    news: NewsReader | None = None,
    budget_trackers: BudgetTrackers | None = None,
    policy: CallPolicy | None = None,
    facts: Facts | None = None,
) -> Ports:
    """Return the ports of a thread's runner; `approvals`, `progress` and `news` replace those of the stores."""
    if news is None:
        news = stores.news if approvals is None else SeparateNews(stores.mailbox, stores.log, approvals)
    return Ports(
        log=stores.log,
        approvals=approvals or stores.approvals,
        news=news,
        ledger=stores.ledger,
        artifacts=stores.artifacts,
        progress=progress or stores.progress,
        statuses=stores.statuses,
        notifications=notifications,
        mailbox=stores.mailbox,
        runs=stores.runs,
        facts=facts,
        work=work,
        feeder=feeder,
        replanner=replanner,
        answerer=answerer,
        budget_trackers=budget_trackers,
        policy=policy,
    )


@dataclass(frozen=True, kw_only=True)
class _Base:
    """The parts that bot and worker share."""

    settings: Settings
    storage: Storage
    app: SlackApp
    client: AsyncWebClient
    policy: CallPolicy
    #: None: nothing works with people's own accounts.
    accounts: OpenAccounts | None
    pages: AccountPages | None


@asynccontextmanager
async def open_app(settings: Settings, url: URL, parts: frozenset[Part] = frozenset(Part)) -> AsyncGenerator[None]:
    """Run the parts until the context is left. The database is migrated already.

    Raises:
        ConfigurationError: credentials are missing.
        BotError: Slack refuses the tokens, or cannot be reached.
        ExceptionGroup: with `WorkerLost`, when other workers may run our threads now.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(LoopWatchdog().watching())
        await stack.enter_async_context(published_health(settings.data, parts))
        base = await _open_base(stack, settings, url, parts)
        await _check_bot_token(base.app, parts)
        if Part.WORKER in parts:
            await stack.enter_async_context(_working(await _open_worker(stack, base)))
        if Part.BOT in parts:
            socket = Socket(base.app.bolt, settings.required_slack().app_token, base.client)
            stack.push_async_callback(base.app.drain)
            await stack.enter_async_context(socket.open())
            if base.pages is not None:
                await stack.enter_async_context(listening(settings.configuration.accounts, base.pages))
        yield


async def _check_bot_token(app: SlackApp, parts: frozenset[Part]) -> None:
    """Raise `BotError` when Slack refuses the bot token, or when a bot cannot reach it; a worker waits for Slack."""
    try:
        await app.principals.identity()
    except SlackUnreachable as error:
        if Part.BOT in parts:
            raise
        _log.warning("Slack cannot be reached yet: %s", error)


async def _open_base(stack: AsyncExitStack, settings: Settings, url: URL, parts: frozenset[Part]) -> _Base:
    slack, configuration = settings.required_slack(), settings.configuration
    worker = new_worker_id() if Part.WORKER in parts else None
    open_for = configuration.limits.approvals_open_for()
    token_seal = TokenSeal(slack.bot_token)
    storage = await stack.enter_async_context(open_storage(url, worker, open_for, configuration.files, token_seal))
    listener_database = Database(url, pool_size=LISTENER_CONNECTIONS)
    stack.push_async_callback(listener_database.close)
    contents = open_contents(configuration.files)
    stores = Stores(listener_database, storage.queue, storage.notifications, contents=contents, token_seal=token_seal)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout, trace_configs=[sending_checks()]))
    client = open_client(slack.bot_token, base_url=slack.api_url, session=session)
    source = PolicyFile(settings).current
    for_bot = await open_peoples_accounts(settings, stores)
    ports = BotPorts(
        accounts=None if for_bot is None else for_bot.connecting,
        inbox=stores.inbox,
        approvals=stores.approvals,
        requests=stores.approvals,
        views=stores.run_views,
        posted=stores.posted,
        packages=stores.attempts,
        files=stores.files,
        artifacts=stores.artifacts,
        clicks=stores.clicks,
        freezes=stores.freezes,
        grants=stores.grants,
        effects=stores.effects,
        log=stores.log,
        statuses=stores.statuses,
        facts=stores.facts,
        instructions=_instructions(settings, stores),
        written_instructions=stores.instructions,
        explanations=stores.explanations,
        feedback=stores.feedback,
    )
    own = await known_tools(configuration.tools.paths, clusters_of(configuration.tools))
    of_servers = [tool for tool in known_mcp_tools(settings.mcp) if own.find(tool.name) is None]
    known = Registry((*own, *of_servers))
    disabled = configuration.tools.disabled
    own_offered = await switched_on(configuration.tools)
    if configuration.runbooks.folder is not None and SAVE_RUNBOOK not in disabled:
        own_offered = (*own_offered, save_runbook(configuration.runbooks.folder))
    offered = (*own_offered, *enabled(of_servers, disabled))

    app = SlackApp(
        client,
        ports,
        lambda request: source().table.of(request),
        limits=configuration.limits,
        signing_secret=slack.signing_secret,
        admins=configuration.freeze.admins,
        is_tool=lambda name: name in FREEZABLE or known.find(name) is not None,
        previews_of=partial(_previews, known),
        find_tool=known.find,
        offered=offered,
        roles=configuration.roles.values(),
        access_rules=configuration.access_rules(),
        click_policy=lambda names: ClickPolicy(_call_policy(source, stores, names), stores.approvals),
        memory=configuration.memory,
    )
    policy = _call_policy(source, storage.stores, app.directory)
    accounts, table = await open_peoples_accounts(settings, storage.stores), configuration.accounts
    pages = None if for_bot is None else AccountPages(table, for_bot.connecting, for_bot.clients)
    return _Base(
        settings=settings, storage=storage, app=app, client=client, policy=policy, accounts=accounts, pages=pages
    )


async def open_peoples_accounts(settings: Settings, stores: Stores) -> OpenAccounts | None:
    """Return what works with people's accounts on these stores; None where the configuration has no provider.

    Raises:
        ConfigurationError: there is no key for their tokens.
    """
    table = settings.configuration.accounts
    if not table.providers:
        return None
    try:
        keys = await asyncio.to_thread(open_keyring, settings.account_keys, settings.data)
    except KeysUnusable as error:
        raise ConfigurationError(str(error)) from error
    return open_accounts(table, keys, stores.accounts)


def _instructions(settings: Settings, stores: Stores) -> AllInstructions:
    configured = settings.configuration.instructions()
    return AllInstructions(stores.instructions, configured, configured.get(ELSEWHERE, ""))


def _call_policy(source: Callable[[], PolicySet], stores: Stores, names: SlackDirectory) -> CallPolicy:
    return CallPolicy(source, stores.call_counts, names, lambda: datetime.now(UTC))


def _previews(known: Registry, tool: ToolName, args: Mapping[str, Json]) -> Sequence[Preview]:
    """Return how a tool's arguments look; a bot opens no tools, and needs none to tell."""
    found = known.find(tool)
    return previews(args, None if found is None else found.preview)


async def _open_worker(stack: AsyncExitStack, base: _Base) -> Worker:
    runbooks = RunbookFiles(config=base.settings.configuration.runbooks, data=base.settings.data)
    if runbooks.config.repository:
        following = BackgroundTask(
            "the fetch of the runbooks' repository", runbooks.follow, expected=(RepositoryNotFetched,)
        )
        following.start()
        stack.push_async_callback(following.stop)
    runner = await _open_runner(stack, base, runbooks)
    configuration, stores = base.settings.configuration, base.storage.stores
    settings = base.settings
    sealer = Sealer(base.storage.database, configuration.audit, given=settings.audit_key, data=settings.data)
    rate_limiter = RateLimiter()
    sender = MessageSender(base.app.api, stores.posted, rate_limiter, base.app.principals.identity)
    publisher = ThreadPublisher(
        stores.run_views,
        stores.posted,
        sender,
        base.policy.of,
        currency=configuration.prices.currency,
        plan_images=PlanImages(LoggedPlanRenderer(stores.log), sender),
        sessions=SessionStatus(base.app.api, stores.posted, rate_limiter),
        names=base.app.names,
        approvers=base.app.approvers,
        previews_of=base.app.previews_of,
        effects=stores.effects,
        saves_runbooks=configuration.runbooks.is_used,
        places=SlackPlaces(base.app.principals),
    )

    async def advance(thread: ThreadId, lease: ThreadLease) -> None:
        if (since := lease.set_aside_at) is not None and not await stores.set_aside.released(thread, since):
            await publisher.report_set_aside(thread)
            if not await stores.set_aside.released(thread, since):  # somebody wrote below a card that stood unnoted
                return
        async with publisher.publishing(thread), stores.spending.working(thread):
            await runner.advance(thread, lease)

    return Worker(
        base.storage.database,
        base.storage.queue,
        advance,
        concurrency=configuration.limits.threads_at_once,
        chores=(
            stores.approvals.expire_due,
            stores.approvals.release_held,
            DueRequests(stores.approvals, base.app.principals).bring_on,
            stores.results.prune,
            stores.facts.prune,
            stores.files.prune,
            stores.artifacts.delete_discarded,
            *([stores.call_places.prune] if configuration.rate_limits else ()),
            *([stores.search_tokens.prune] if stores.search_tokens else []),
        ),
        frequent_chores=(sealer.seal_due,),
        give_up=publisher.report_stuck,
        timings=configuration.worker,
    )


@asynccontextmanager
async def _working(worker: Worker) -> AsyncGenerator[None]:
    """Run the worker beside the body, and cancel the body when the worker is lost: the process must start again."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run(), name="worker")
        try:
            yield
        finally:
            running.cancel()


def _canvases(base: _Base) -> Sequence[PinnedCanvases]:
    """Return what reads runbooks from canvases, where the configuration wants them."""
    config = base.settings.configuration.runbooks
    if not config.canvases:
        return ()
    return [PinnedCanvases(base.app.api, max_age_seconds=60 * config.canvas_minutes)]


def _model_client() -> "type[OpenAILanguageModel]":
    """Import the model's client and return its class.

    The import takes a quarter of a worker's start. A bot does without it, and a worker waits for the container engine
    meanwhile.
    """
    from agent.llm.client import OpenAILanguageModel

    return OpenAILanguageModel


@dataclass(frozen=True, kw_only=True)
class _ModelBorder:
    """What a model is asked through, so that it reads no personal data."""

    model: LanguageModel
    agents: AgentModel
    embedder: Embedder
    learn: Learn | None = None


async def _open_privacy(privacy: Privacy, openai: "OpenAILanguageModel", masks: Masks) -> _ModelBorder:
    """Return the border; it loads what finds personal data only where some is masked, as that takes a while."""
    if not privacy.kinds:
        return _ModelBorder(model=openai, agents=openai, embedder=openai)
    await asyncio.to_thread(import_module, "agent.llm.masked_model")
    from agent.llm.masked_model import MaskedEmbedder, MaskedModel, PersonalResults
    from agent.llm.personal_data import PersonalData

    data = PersonalData(privacy)
    model = MaskedModel(openai, data, masks, only_known=bool(privacy.tools))
    return _ModelBorder(
        model=model,
        agents=model,
        embedder=MaskedEmbedder(openai, data),
        learn=PersonalResults(data, masks, privacy.tools) if privacy.tools else None,
    )


async def _open_runner(stack: AsyncExitStack, base: _Base, runbooks: RunbookFiles) -> ThreadRunner:
    """Return the runner of threads, with planner, tools, sandbox, executor and answerer."""
    configuration, stores = base.settings.configuration, base.storage.stores
    model_settings = base.settings.required_model()
    model_client = asyncio.get_running_loop().run_in_executor(None, _model_client)
    environment = await stack.enter_async_context(open_plan_environment(base.settings, base.app, stores))
    openai = (await model_client)(model_settings, partial(stores.spending.note, prices=configuration.prices))
    stack.push_async_callback(openai.close)
    privacy = await _open_privacy(configuration.privacy, openai, stores.masks)
    room = partial(SharedBounds[str](configuration.limits.model_calls_at_once).taken, "model")
    model = MeteredModel(privacy.model, room)
    tools = ToolSearch(environment.registry, privacy.embedder if model_settings.embeddings else None)
    systems = SystemMessages(
        tools=tools, access=base.app.access, dialect=environment.dialect, language=configuration.plan.language
    )
    memory = Memory(
        runs=stores.runs,
        model=model,
        summaries=stores.summaries,
        directory=SlackDirectory(base.app.principals),
        recall=Recall(
            facts=stores.facts,
            places=SlackPlaces(base.app.principals),
            embedder=privacy.embedder if model_settings.embeddings else None,
            vectors_of=model_settings.embeddings,
        ),
        limits=configuration.memory,
    )
    guidance = Guidance(
        instructions=_instructions(base.settings, stores),
        runbooks=(runbooks, *_canvases(base)),
        embedder=privacy.embedder if model_settings.embeddings else None,
    )
    folder = configuration.runbooks.folder
    node_ends = NodeEndNotifier(stores.progress)
    budgets = configuration.bounds()
    trackers = BudgetTrackers(budgets, stores.spending, approvals=stores.approvals, runs=stores.runs)
    planner = Planner(
        model=model,
        registry=environment.registry,
        tools=tools,
        access=base.app.access,
        log=stores.log,
        mailbox=stores.mailbox,
        runs=stores.runs,
        statuses=stores.statuses,
        dialect=environment.dialect,
        files=stores.files,
        node_ends=node_ends if configuration.plan.pack else None,
        memory=memory,
        guidance=guidance,
        limits=configuration.plan_limits(),
        language=configuration.plan.language,
        gather_seconds=configuration.plan.gather_seconds,
    )
    correcting = Correcting(
        planner=planner,
        effects=stores.effects,
        log=stores.log,
        mailbox=stores.mailbox,
        statuses=stores.statuses,
        words=CorrectionInWords(),
        flush=node_ends.flush,
        directory=memory.directory,
    )
    undoing = Undoing(
        planner=correcting,
        effects=stores.effects,
        log=stores.log,
        mailbox=stores.mailbox,
        words=UndoneInWords(),
        tools_for=partial(base.app.access.usable, tools=[tool.name for tool in environment.registry]),
    )
    ports = runner_ports(
        stores,
        base.storage.notifications.changes,
        approvals=GrantedApprovals(stores.approvals, stores.grants, base.app.approvers.may_grant_now),
        news=stores.news,
        facts=stores.facts,
        progress=node_ends,
        work=NodeExecutor(
            registry=environment.registry,
            sandbox=environment.sandbox,
            artifacts=stores.artifacts,
            progress=stores.progress,
            agents=MeteredAgentModel(privacy.agents, room),
            steps=stores.steps,
            attempts=stores.attempts,
            cache=stores.results,
            access=base.app.access,
            rates=RateLimits(configuration.rate_limits, stores.call_places),
            breakers=CircuitBreakers(configuration.circuit_breaker),
            learn=privacy.learn,
            accounts=None if base.accounts is None else base.accounts.people,
            model=model,
            systems=systems,
            limits=configuration.limits,
        ),
        feeder=RunbookDrafts(
            planner=undoing,
            log=stores.log,
            runs=stores.runs,
            mailbox=stores.mailbox,
            statuses=stores.statuses,
            attempts=stores.attempts,
            guidance=guidance,
            words=DraftsInWords(),
            tools_for=undoing.tools_for,
            kept=None if folder is None else partial(kept_text, folder),
        ),
        replanner=Replanner(
            model=model,
            registry=environment.registry,
            tools=tools,
            access=base.app.access,
            log=stores.log,
            runs=stores.runs,
            mailbox=stores.mailbox,
            statuses=stores.statuses,
            memory=memory,
            guidance=guidance,
            files=stores.files,
            dialect=environment.dialect,
            packing=configuration.plan.pack,
            progress=node_ends,
            limits=configuration.plan_limits(),
            language=configuration.plan.language,
        ),
        answerer=Answerer(
            model=model,
            log=stores.log,
            runs=stores.runs,
            words=PlainResults(),
            memory=memory,
            guidance=guidance,
            spending=stores.spending,
            is_personal=environment.registry.is_personal,
            systems=systems,
            undoing=undoing,
        ),
        budget_trackers=trackers if budgets.bounds else None,
        policy=base.policy,
    )
    checkpoints = await stack.enter_async_context(open_thread_checkpoints(base.storage.database))
    return ThreadRunner(ports, checkpoints, limits=configuration.limits)
