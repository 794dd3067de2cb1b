"""Plans one request as the app does, its rows in memory: the model's text, repair, packing, and what is stored."""
# ruff: noqa: ARG002  the rows are of one thread and one turn, whatever a port is asked for

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent.errors import DuplicateNode
from agent.events import RunEvent
from agent.ids import NodeId, ThreadId, UserId
from agent.limits import Role
from agent.llm.memory import Memory
from agent.plan.operations import Add, LoggedOperation, Operation, operation_json
from agent.plan.outcomes import NodeStatus
from agent.planning.pack_buffer import NodeEndNotifier
from agent.planning.planner import Planner
from agent.ports import ChatMessage, LanguageModel, Message, PastTurn, Reflection, Run, RunStatus
from agent.tool import Registry
from sandbox.script import Json

THREAD = ThreadId("T0EVAL:C0EVAL:1.0")
_AUTHOR = UserId("U0EVAL")
_TURN = 1


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What planning came to. `answers` are the model's texts in turn; `trouble` is empty when the plan was taken."""

    operations: Sequence[Mapping[str, Json]]
    answers: Sequence[str]
    trouble: str
    run: Run
    logged: Sequence[LoggedOperation]


async def planned(model: LanguageModel, request: str, registry: Registry, dialect: str) -> Planned:
    """Let the model plan a request. Raises nothing for whatever it says."""
    rows, overheard = _Rows(request), _Overheard(model)
    planner = Planner(
        model=overheard,
        registry=registry,
        log=rows,
        mailbox=rows,
        runs=rows,
        statuses=rows,
        memory=Memory(runs=rows),
        dialect=dialect,
        node_ends=NodeEndNotifier(rows),
    )
    await planner.feed(THREAD, _TURN, lambda: None)
    return Planned(
        operations=[operation_json(each.operation) for each in rows.logged],
        answers=overheard.answers,
        trouble=rows.run.trouble,
        run=rows.run,
        logged=rows.logged,
    )


class _Overheard:
    """A model whose answers are kept, also those that broke off."""

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
class _Rows:
    """The ports a planner needs, for one thread in which one request was made and nothing has run yet."""

    request: str
    logged: list[LoggedOperation] = field(default_factory=list[LoggedOperation])

    def __post_init__(self) -> None:
        message = Message(id=1, author=_AUTHOR, text=self.request, at=datetime.now(UTC))
        self.run = Run(thread=THREAD, turn=_TURN, requester=_AUTHOR, status=RunStatus.PLANNING, messages=(message,))
        self._untaken: Sequence[Message] = (message,)

    async def append(
        self, thread: ThreadId, turn: int, author: UserId, operations: Sequence[Operation]
    ) -> Sequence[LoggedOperation]:
        known = {each.operation.node.id for each in self.logged if isinstance(each.operation, Add)}
        for each in operations:
            if isinstance(each, Add) and each.node.id in known:
                raise DuplicateNode(each.node.id)
        begin = len(self.logged) + 1
        new = [
            LoggedOperation(seq=seq, turn=turn, author=author, operation=each)
            for seq, each in enumerate(operations, start=begin)
        ]
        self.logged += new
        return new

    async def after(self, thread: ThreadId, seq: int) -> Sequence[LoggedOperation]:
        return self.logged[seq:]

    async def untaken(self, thread: ThreadId) -> Sequence[Message]:
        return self._untaken

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", trouble: str = ""
    ) -> None:
        self._untaken = ()
        self.run = replace(self.run, trouble=trouble, replies=(reply,) if reply else ())

    async def stopped(self, thread: ThreadId, turn: int) -> UserId | None:
        return None

    async def drop_late_stops(self, thread: ThreadId, turn: int) -> None:
        return

    async def begin(self, thread: ThreadId, turn: int) -> None:
        return

    async def set_status(self, thread: ThreadId, turn: int, status: RunStatus) -> None:
        self.run = replace(self.run, status=status)

    async def finish(self, thread: ThreadId, turn: int, status: RunStatus, answer: str, trouble: str = "") -> None:
        self.run = replace(self.run, status=status, answer=answer, trouble=trouble)

    async def read(self, thread: ThreadId, turn: int) -> Run:
        return replace(self.run, messages=() if self._untaken else self.run.messages)

    async def reflected(self, thread: ThreadId, turn: int, reflection: Reflection) -> None:
        return

    async def past(self, thread: ThreadId, before_turn: int) -> Sequence[PastTurn]:
        return ()

    async def of(self, thread: ThreadId) -> Mapping[NodeId, NodeStatus]:
        return {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        return

    async def flush(self) -> None:
        return
