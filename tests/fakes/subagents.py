"""A subagent whose model says what a test wants, with a journal in memory."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.errors import StoreUnavailable
from agent.events import RunEvent, SubagentStep
from agent.ids import Digest, NodeId, ThreadId, ToolName, UserId
from agent.limits import Limits
from agent.plan.files import FileOrigin
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Failed, Outcome, Succeeded
from agent.plan.script_calls import DecidedCalls, Suspended, call_nodes
from agent.ports import Artifacts, AskedCall, Bound, ChatMessage, OfferedTool
from agent.roles import SubagentRole
from agent.subagents.runner import SubagentDependencies, SubagentRunner
from agent.tool import CallContext, Colour, InputAsked, InputRequired, Registry, Tool
from agent.tools.call_bounds import CallBounds
from sandbox.script import Json
from tests.fakes.ports_in_memory import ArtifactsInMemory

THREAD = ThreadId("T1:C1:1.0")
CONTEXT = CallContext(
    thread=THREAD,
    node=NodeId("n"),
    author=UserId("U1"),
    idempotency_key=Digest("key"),
    origin=lambda: FileOrigin(turn=1, node=NodeId("n"), author=UserId("U1")),
)
ROLE = SubagentRole(name="worker", prompt="Work.", tools=("look", "change"), steps=8)

Say = Callable[[Sequence[ChatMessage]], ChatMessage]


def asks(*calls: tuple[str, Mapping[str, Json]], text: str = "") -> ChatMessage:
    """Return an answer with calls."""
    asked = (AskedCall(id="", name=name, args=args) for name, args in calls)
    return ChatMessage(by="ai", text=text, calls=tuple(asked))


def says(text: str) -> ChatMessage:
    """Return an answer without calls."""
    return ChatMessage(by="ai", text=text)


class Dead(Exception):
    """The process died."""


@dataclass(kw_only=True)
class Journal:
    """The rows of a journal; `room` are the steps that can still be kept."""

    rows: list[SubagentStep] = field(default_factory=list[SubagentStep])
    room: int | None = None
    broken: bool = False

    async def of(self, thread: ThreadId, node: NodeId) -> Sequence[SubagentStep]:
        """Return the node's steps."""
        return [row for row in self.rows if row.node == node]

    async def keep(self, thread: ThreadId, step: SubagentStep) -> None:
        """Keep a step, unless the process dies right before."""
        if self.broken:
            raise StoreUnavailable
        if self.room == 0:
            raise Dead
        self.room = None if self.room is None else self.room - 1
        self.rows.append(step)


@dataclass(kw_only=True)
class Notes:
    """What people would see."""

    events: list[RunEvent] = field(default_factory=list[RunEvent])

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Note an event."""
        self.events.append(event)

    async def flush(self) -> None:
        """Nothing waits."""


@dataclass(kw_only=True)
class Bench:
    """A subagent, and what was asked of its model and its tools."""

    answers: Sequence[ChatMessage]
    role: SubagentRole = ROLE
    roles: Sequence[SubagentRole] = ()
    node: Node = field(
        default_factory=lambda: Node(
            id=NodeId("n"),
            kind=NodeKind.SUBAGENT,
            title="N",
            role="worker",
            instruction="Do it",
            tools=(ToolName("look"), ToolName("change")),
        )
    )
    journal: Journal = field(default_factory=Journal)
    artifacts: Artifacts = field(default_factory=ArtifactsInMemory)
    notes: Notes = field(default_factory=Notes)
    asked: list[Sequence[ChatMessage]] = field(default_factory=list[Sequence[ChatMessage]])
    offered: list[Sequence[OfferedTool]] = field(default_factory=list[Sequence[OfferedTool]])
    looked: list[Json] = field(default_factory=list[Json])
    #: Whether the author must connect an account before the green tool can be called.
    unconnected: bool = False
    #: Bound arguments besides role and instruction, and the names of its files.
    given: Mapping[str, Json] = field(default_factory=dict[str, Json])
    file_names: tuple[str, ...] = ()
    #: Tools besides the two.
    tools: Sequence[Tool] = ()
    nodes: list[Node] = field(default_factory=list[Node])
    ended: dict[Digest, Outcome] = field(default_factory=dict[Digest, Outcome])

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        """Answer: which answer is next is read from the dialogue."""
        self.asked.append(messages)
        self.offered.append(tools)
        given = sum(message.by == "ai" for message in messages)
        return self.answers[min(given, len(self.answers) - 1)]

    async def look(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Note a call of the green tool."""
        if self.unconnected:
            raise InputRequired(InputAsked(by="Example", questions={}, account="example"))
        self.looked.append(args["n"])
        return args["n"]

    async def _never(self, _context: CallContext, _args: Mapping[str, Json]) -> Json:
        raise AssertionError("a red call is made by its node alone")

    def registry(self) -> Registry:
        """Return a green tool and a red one."""
        schema: Mapping[str, Json] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        green, red = Colour.GREEN, Colour.RED
        tools = [
            Tool(name=ToolName("look"), description="look", arguments=schema, colour=green, call=self.look),
            Tool(name=ToolName("change"), description="change", arguments=schema, colour=red, call=self._never),
        ]
        return Registry([*tools, *self.tools], [self.role, *self.roles])

    async def run(self) -> Succeeded | Failed | Suspended:
        """Run the subagent once, from its journal on."""
        dependencies = SubagentDependencies(
            registry=self.registry(),
            model=self,
            steps=self.journal,
            artifacts=self.artifacts,
            progress=self.notes,
            bounds=CallBounds(Limits()),
            node_calls=50,
            clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            pause=_at_once,
        )
        decided = DecidedCalls(outcomes=self.ended, nodes={node.position or Digest(""): node for node in self.nodes})
        args: Mapping[str, Json] = {"role": self.node.role, "instruction": self.node.instruction}
        bound = Bound(
            tool=ToolName("subagent"), args={**args, **self.given}, digest=Digest("d"), file_names=self.file_names
        )
        return await SubagentRunner(dependencies, self.node, self.role, bound, CONTEXT, decided).run()

    def decide(self, suspended: Suspended, outcome: Callable[[Node], Outcome]) -> Sequence[Node]:
        """End the calls of a suspended run."""
        made = call_nodes(self.node, self.nodes, suspended)
        self.nodes += made
        self.ended |= {node.position or Digest(""): outcome(node) for node in made}
        return made


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)
