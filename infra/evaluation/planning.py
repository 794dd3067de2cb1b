"""Plans one request as the app does, with stores in memory: the model's text, repair, packing, the stored plan."""
# ruff: noqa: ARG002  the ports serve one thread and one turn, so they ignore most arguments

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent.errors import DuplicateNode
from agent.events import RunEvent
from agent.ids import NodeId, ThreadId, UserId
from agent.limits import Role
from agent.llm.memory import Memory
from agent.llm.tool_search import ToolSearch
from agent.plan.operations import Add, LoggedOperation, Operation, operation_json
from agent.plan.outcomes import NodeStatus, Outcome
from agent.planning.pack_buffer import NodeEndNotifier
from agent.planning.planner import Planner
from agent.ports import ChatMessage, Heard, LanguageModel, Mail, Message, PastTurn, Recalled, Reflection, Run, RunStatus
from agent.runbooks import RunbookUsed
from agent.tool import Registry
from sandbox.script import Json

THREAD = ThreadId("T0EVAL:C0EVAL:1.0")
_AUTHOR = UserId("U0EVAL")
_TURN = 1


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


async def plan_request(model: LanguageModel, request: str, tools: ToolSearch, dialect: str) -> PlanningResult:
    """Let the model plan a request. No output of the model raises."""
    rows, recording = _InMemoryPorts(request), _RecordingModel(model)
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
        operations=[operation_json(entry.operation) for entry in rows.logged],
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
    """The ports of a planner, for one thread with one request in which nothing has run yet."""

    request: str
    logged: list[LoggedOperation] = field(default_factory=list[LoggedOperation])

    def __post_init__(self) -> None:
        message = Message(id=1, author=_AUTHOR, text=self.request, at=datetime.now(UTC))
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
        return ()

    async def of(self, thread: ThreadId) -> Mapping[NodeId, NodeStatus]:
        return {}

    async def ended(self, thread: ThreadId, nodes: Collection[NodeId], before_turn: int) -> Mapping[NodeId, Outcome]:
        return {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        return

    async def flush(self) -> None:
        return
