"""A small world to plan in: stores in memory, tools that work, and a scripted model over real HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.events import NodeChanged
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.limits import DEFAULT_LIMITS, MemoryLimits, ModelSettings, PlanLanguage, PlanLimits, Role
from agent.llm.client import OpenAILanguageModel
from agent.llm.memory import DEFAULT_LIMITS as DEFAULT_MEMORY
from agent.llm.memory import Memory
from agent.llm.prompts import system_message
from agent.llm.tool_search import ToolSearch
from agent.plan.operations import Add, operation_json
from agent.plan.outcomes import Outcome, state_of
from agent.planning.answerer import Answerer
from agent.planning.pack_buffer import NodeEndNotifier
from agent.planning.planner import Planner
from agent.planning.replanner import Replanner
from agent.planning.system_messages import SystemMessages
from agent.ports import Message, Run
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from bot.blocks.answer import PlainResults
from infra.dev.scripted_model.script import ModelRequest, Script
from infra.dev.scripted_model.server import ScriptedModel
from infra.worker.notifications import Notifier
from sandbox.script import Json
from tests.fakes.planning_rows import DirectoryInMemory, MailboxWithRuns, SummariesInMemory
from tests.fakes.ports_in_memory import LogInMemory, ProgressInMemory, RunsInMemory, StatusesInMemory

THREAD = ThreadId("T1:C1:1700000000.000100")
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEFAULT_DIALECT = "Scripts are Python."
KEY = "sk-very-secret-0123456789"

COUNT = """\
def main(inputs):
    errors = {}
    page = 0
    pages = 1
    while page < pages:
        got = tools.read_page(page=page)
        pages = got["pages"]
        for line in got["text"].splitlines():
            name, status = line.split(" ")
            errors[name] = errors.get(name, 0) + (int(status) >= 500)
        page += 1
    return errors
"""
"""Crashes on the second page's odd line: `int("line")`."""

MENDED = COUNT.replace(
    """            name, status = line.split(" ")
""",
    """            name, status = line.split(" ")
            if not status.isdigit():
                continue
""",
)


@dataclass
class Pages:
    """A green tool with pages of text; `asked` are the pages asked for, `broken` fail once each."""

    texts: Sequence[str] = ("a 200\nb 500", "a 500\nodd line", "b 200")
    broken: set[int] = field(default_factory=set[int])
    asked: list[int] = field(default_factory=list[int])

    async def __call__(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Return one page."""
        page = args["page"]
        assert isinstance(page, int)
        self.asked.append(page)
        if page in self.broken:
            self.broken.remove(page)
            raise ToolError("flaky", f"page {page} cannot be read just now")
        return {"page": page, "pages": len(self.texts), "text": self.texts[page]}


async def _fetch(context: CallContext, args: Mapping[str, Json]) -> Json:
    return {"status": 200, "url": args["url"], "by": context.author}


async def _post(context: CallContext, args: Mapping[str, Json]) -> Json:
    return {"ts": "1.0"}


def registry(pages: Pages | None = None) -> Registry:
    """Return two green tools and a red one."""

    def schema(**properties: Json) -> Mapping[str, Json]:
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    text: Json = {"type": "string"}
    page: Json = {"type": "integer", "minimum": 0}
    return Registry(
        [
            Tool(
                name=ToolName("fetch"),
                description="Gets a page.",
                arguments=schema(url=text),
                colour=Colour.GREEN,
                call=_fetch,
            ),
            Tool(
                name=ToolName("read_page"),
                description="Reads a page of the log.",
                arguments=schema(page=page),
                colour=Colour.GREEN,
                call=pages or Pages(),
            ),
            Tool(
                name=ToolName("post"),
                description="Posts a text.",
                arguments=schema(text=text),
                colour=Colour.RED,
                call=_post,
            ),
        ]
    )


class PlanningWorld:
    """One thread, in its first turn, with everything that plans and answers."""

    def __init__(
        self,
        server: ScriptedModel,
        model: OpenAILanguageModel,
        dialect: str | None,
        limits: PlanLimits,
        *,
        packing: bool = False,
        tools: Registry | None = None,
        memory: MemoryLimits = DEFAULT_MEMORY,
        language: PlanLanguage = PlanLanguage.JSON,
    ) -> None:
        self.notifier = Notifier()
        self.server = server
        self.model = model
        self.log = LogInMemory(self.notifier)
        self.runs = RunsInMemory()
        self.mailbox = MailboxWithRuns(self.notifier, self.runs)
        self.progress = ProgressInMemory()
        self.node_ends = NodeEndNotifier(self.progress)
        self.statuses = StatusesInMemory(self.progress)
        self.appended = 0
        self.grown = asyncio.Event()
        self.registry = tools or registry()
        self.system = system_message(self.registry, dialect, language)
        self.summaries = SummariesInMemory()
        self.directory = DirectoryInMemory()
        self.memory = Memory(
            runs=self.runs,
            system=self.system,
            model=model,
            summaries=self.summaries,
            directory=self.directory,
            limits=memory,
        )
        self.tools = ToolSearch(self.registry)
        self.systems = SystemMessages(tools=self.tools, dialect=dialect, language=language)
        self.planner = Planner(
            model=model,
            registry=self.registry,
            tools=self.tools,
            log=self.log,
            mailbox=self.mailbox,
            runs=self.runs,
            statuses=self.statuses,
            dialect=dialect,
            language=language,
            node_ends=self.node_ends if packing else None,
            memory=self.memory,
            limits=limits,
            clock=lambda: NOW,
        )
        self.replanner = Replanner(
            model=model,
            registry=self.registry,
            tools=self.tools,
            log=self.log,
            runs=self.runs,
            mailbox=self.mailbox,
            statuses=self.statuses,
            memory=self.memory,
            dialect=dialect,
            language=language,
            packing=packing,
            limits=limits,
            clock=lambda: NOW,
        )
        self.answerer = Answerer(model=model, log=self.log, runs=self.runs, words=PlainResults(), memory=self.memory)

    def say(self, text: str, author: str = "U1") -> Message:
        """Put a person's message into the mailbox."""
        return self.mailbox.drop(THREAD, text, author)

    async def feed(self, turn: int = 1) -> Run:
        """Plan what is untaken and return the turn's row."""
        await self.runs.begin(THREAD, turn)

        def appended() -> None:
            self.appended += 1
            assert len(self.log.rows[THREAD]) >= self.appended
            self.grown.set()

        await self.planner.feed(THREAD, turn, appended)
        return await self.runs.read(THREAD, turn)

    def ended(self, node: str, outcome: Outcome) -> None:
        """Note how a node ended, as the executor does."""
        self.node_ends.note(THREAD, NodeChanged(node=NodeId(node), state=state_of(outcome), outcome=outcome, at=NOW))

    @property
    def nodes(self) -> list[str]:
        """The ids of the nodes in the log."""
        return [row.operation.node.id for row in self.log.rows.get(THREAD, []) if isinstance(row.operation, Add)]

    @property
    def operations(self) -> list[dict[str, Json]]:
        """The log's operations as JSON."""
        return [operation_json(row.operation) for row in self.log.rows.get(THREAD, [])]

    @property
    def authors(self) -> dict[str, UserId]:
        """Node id -> author."""
        rows = self.log.rows.get(THREAD, [])
        return {row.operation.node.id: row.author for row in rows if isinstance(row.operation, Add)}

    def asked(self, role: Role) -> list[ModelRequest]:
        """The requests of one role that reached the server."""
        return self.server.requests_of(role.value)


@asynccontextmanager
async def planning_world(
    *scripts: Script,
    dialect: str | None = DEFAULT_DIALECT,
    silence_seconds: float = 30.0,
    limits: PlanLimits = DEFAULT_LIMITS,
    packing: bool = False,
    tools: Registry | None = None,
    memory: MemoryLimits = DEFAULT_MEMORY,
    language: PlanLanguage = PlanLanguage.JSON,
) -> AsyncGenerator[PlanningWorld]:
    """Yield a world whose model says what the scripts say."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedModel(scripts, api_key=KEY))
        settings = ModelSettings(
            model="m",
            api_key=KEY,
            base_url=await server.start(),
            retries=0,
            silence_seconds=silence_seconds,
            first_token_seconds=silence_seconds,
        )
        model = OpenAILanguageModel(settings)
        stack.push_async_callback(model.close)
        yield PlanningWorld(
            server, model, dialect, limits, packing=packing, tools=tools, memory=memory, language=language
        )


def sections(document: str) -> dict[str, str]:
    """Take a human message apart: title -> content."""
    parts = [part.split("\n", 1) for part in ("\n\n" + document).split("\n\n## ")[1:]]
    return {part[0]: part[1] for part in parts}
