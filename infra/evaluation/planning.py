"""Plans one request as the app does, with stores in memory: the model's text, repair, packing, the stored plan."""
# ruff: noqa: ARG002  the ports serve one thread and one turn, so they ignore most arguments

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent.errors import DuplicateNode
from agent.events import RunEvent
from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.limits import Role
from agent.llm.memory import Memory
from agent.llm.tool_search import ToolSearch
from agent.plan.artifacts import content_of, fits_inline, head_of
from agent.plan.operations import Add, LoggedOperation, Operation, operation_json
from agent.plan.outcomes import ArtifactRef, Failed, NodeStatus, Outcome, Succeeded, state_of
from agent.planning.pack_buffer import NodeEndNotifier
from agent.planning.planner import Planner
from agent.ports import ChatMessage, Heard, LanguageModel, Mail, Message, PastTurn, Recalled, Reflection, Run, RunStatus
from agent.runbooks import RunbookUsed
from agent.tool import Registry
from infra.evaluation.goal import Goal
from sandbox.script import Json

THREAD = ThreadId("T0EVAL:C0EVAL:1.0")
_AUTHOR = UserId("U0EVAL")
_EARLIER, _TURN = 1, 2


@dataclass(frozen=True, kw_only=True)
class PlanningResult:
    """A planned request."""

    operations: Sequence[Mapping[str, Json]]
    #: The texts of the model's calls, in order.
    answers: Sequence[str]
    #: Empty when the plan was accepted.
    trouble: str
    run: Run
    #: The operations as they are stored.
    logged: Sequence[LoggedOperation]


def planning_tools(registry: Registry) -> ToolSearch:
    """Return the tools that goals are planned with.

    The hosts of a goal's world count as known to the operator, so that reading there asks nobody.
    """
    return ToolSearch(Registry((replace(tool, egress=None) for tool in registry), registry.roles))


async def plan_request(model: LanguageModel, goal: Goal, tools: ToolSearch, dialect: str) -> PlanningResult:
    """Let the model plan a goal's request. No output of the model raises."""
    rows, recording = _InMemoryPorts(goal), _RecordingModel(model)
    planner = Planner(
        model=recording,
        registry=tools.registry,
        tools=tools,
        log=rows,
        mailbox=rows,
        runs=rows,
        statuses=rows,
        memory=Memory(runs=rows),
        dialect=dialect,
        node_ends=NodeEndNotifier(rows),
    )
    await planner.feed(THREAD, _TURN, lambda: None)
    return PlanningResult(
        operations=[operation_json(entry.operation) for entry in rows.logged if entry.turn == _TURN],
        answers=recording.answers,
        trouble=rows.run.error,
        run=rows.run,
        logged=rows.logged,
    )


class _RecordingModel:
    """A model that keeps its streamed answers, including those that broke off."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.answers: list[str] = []

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        self.answers.append("")
        async with aclosing(self._model.stream(role, messages)) as pieces:
            async for piece in pieces:
                self.answers[-1] += piece
                yield piece

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        return await self._model.complete(role, messages)


@dataclass
class _InMemoryPorts:
    """The ports of a planner, for one thread with one request; only what its goal says ran in an earlier turn."""

    goal: Goal
    logged: list[LoggedOperation] = field(default_factory=list[LoggedOperation])

    def __post_init__(self) -> None:
        self.logged += (
            LoggedOperation(seq=seq, turn=_EARLIER, author=_AUTHOR, operation=Add(node=node))
            for seq, node in enumerate(self.goal.known.values(), start=1)
        )
        self.now = datetime.now(UTC)
        message = Message(id=1, author=_AUTHOR, text=self.goal.request, at=self.now)
        self.run = Run(thread=THREAD, turn=_TURN, requester=_AUTHOR, status=RunStatus.PLANNING, messages=(message,))
        self._untaken: Sequence[Message] = (message,)

    async def append(
        self, thread: ThreadId, turn: int, author: UserId, operations: Sequence[Operation]
    ) -> Sequence[LoggedOperation]:
        known = {entry.operation.node.id for entry in self.logged if isinstance(entry.operation, Add)}
        for operation in operations:
            if isinstance(operation, Add) and operation.node.id in known:
                raise DuplicateNode(operation.node.id)
        new = [
            LoggedOperation(seq=seq, turn=turn, author=author, operation=operation)
            for seq, operation in enumerate(operations, start=len(self.logged) + 1)
        ]
        self.logged += new
        return new

    async def after(self, thread: ThreadId, seq: int) -> Sequence[LoggedOperation]:
        return self.logged[seq:]

    async def untaken(self, thread: ThreadId) -> Sequence[Message]:
        return self._untaken

    async def heard(self, thread: ThreadId, turn: int, node: NodeId) -> Heard:
        return Heard(messages=self._untaken, authors={message.author for message in self._untaken}, planned_at=None)

    async def mail(self, thread: ThreadId, turn: int) -> Mail:
        return Mail(messages=self._untaken, stop=False)

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", error: str = ""
    ) -> None:
        self._untaken = ()
        self.run = replace(self.run, error=error, replies=(reply,) if reply else ())

    async def stopped(self, thread: ThreadId, turn: int) -> UserId | None:
        return None

    async def drop_late_stops(self, thread: ThreadId, turn: int) -> None:
        return

    async def begin(self, thread: ThreadId, turn: int) -> None:
        return

    async def set_status(self, thread: ThreadId, turn: int, status: RunStatus) -> None:
        self.run = replace(self.run, status=status)

    async def finish(self, thread: ThreadId, turn: int, status: RunStatus, answer: str, error: str = "") -> None:
        self.run = replace(self.run, status=status, answer=answer, error=error)

    async def read(self, thread: ThreadId, turn: int) -> Run:
        return replace(self.run, messages=() if self._untaken else self.run.messages)

    async def reflected(self, thread: ThreadId, turn: int, reflection: Reflection) -> None:
        return

    async def recalled(self, thread: ThreadId, turn: int, facts: Sequence[Recalled]) -> None:
        return

    async def followed(self, thread: ThreadId, turn: int, runbooks: Sequence[RunbookUsed]) -> None:
        return

    async def past(self, thread: ThreadId, before_turn: int, after_turn: int = 0) -> Sequence[PastTurn]:
        asked = [Message(id=0, author=_AUTHOR, text=text, at=self.now) for text in self.goal.before]
        return (PastTurn(turn=_EARLIER, requests=tuple(asked), answer=""),) if asked and not after_turn else ()

    async def of(self, thread: ThreadId) -> Mapping[NodeId, NodeStatus]:
        return {node: NodeStatus(state=state_of(outcome), outcome=outcome) for node, outcome in self._ended.items()}

    async def ended(self, thread: ThreadId, nodes: Collection[NodeId], before_turn: int) -> Mapping[NodeId, Outcome]:
        return {node: outcome for node, outcome in self._ended.items() if node in nodes}

    @property
    def _ended(self) -> Mapping[NodeId, Outcome]:
        return {NodeId(node): outcome_of(NodeId(node), how.gives, how.fails) for node, how in self.goal.earlier.items()}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        return

    async def flush(self) -> None:
        return


def outcome_of(node: NodeId, value: Json, fails: str = "") -> Outcome:
    """Return how a node ended: with its whole output, or why it failed."""
    if fails:
        return Failed(error="tool_error", message=fails)
    if fits_inline(value):
        return Succeeded(value=value)
    content = content_of(node, value)
    return Succeeded(
        artifact=ArtifactRef(
            digest=Digest(""),
            name=content.name,
            size=len(content.content),
            media_type=content.media_type,
            head=head_of(content.content),
        )
    )
