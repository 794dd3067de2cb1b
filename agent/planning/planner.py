"""The planner: turns people's messages into operations, each stored the moment its line is complete."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import assert_never

from agent.errors import ContextExceeded, DuplicateNode, ModelUnavailable, TurnError
from agent.events import PlanPacked
from agent.ids import NodeId, ThreadId, UserId, thread_parts
from agent.limits import DEFAULT_LIMITS, PlanLimits, Role
from agent.llm.memory import Memory
from agent.llm.prompts import planner_message, system_message
from agent.llm.transcript import by_author, ended_otherwise, present_dialogue, shown_nodes
from agent.packing.packing import Packing
from agent.plan.dependencies import with_dependents
from agent.plan.json_values import truncated
from agent.plan.operations import Add, Cancel, Operation, nodes_added
from agent.plan.outcomes import NodeStatus
from agent.planning.pack_buffer import BufferedWriter, DirectWriter, NodeEndNotifier, PackBuffer, buffered_writer
from agent.ports import ChatMessage, LanguageModel, Mailbox, Message, NodeStatuses, OperationLog, Runs
from agent.reading.operation_reader import Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.stream_reader import Item, PlanStreamReader
from agent.reading.validation import Fault, FaultCode
from agent.tool import Registry

REPAIRS = 2
"""How often the model gets its faults back before the person is told."""

RESUMPTIONS = 1
"""How often a stream that broke off is taken up again with the plan so far in view."""

_GATHERINGS = 4
"""How often more messages put a follow-up's planning off."""

_ECHO_CHARACTERS = 100_000
"""The most a model gets back of its own output."""


@dataclass(kw_only=True)
class _Effort:
    """What planning one author's messages has come to so far. `since` is the last operation before it began."""

    thread: ThreadId
    turn: int
    author: UserId
    messages: Sequence[Message]
    appended: Callable[[], None]
    since: int
    changed: bool = False
    nodes: int = 0
    replies: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One answer of the model: its text, and what was wrong with it."""

    text: str
    faults: Sequence[Fault]


class Planner:
    """The `Feeder`. `dialect` is the sandbox's, None when no scripts can run here.

    Each author's messages are planned by themselves, because an operation runs with the rights of
    the person whose message caused it. With `endings`, what waits for others may be held back until
    the plan is complete, and its chains are packed; without, every operation is stored as it arrives.

    A follow-up waits until nobody has written for `gather_seconds`, so that messages sent close together
    are planned together; what opens a thread is planned at once.
    """

    def __init__(
        self,
        *,
        model: LanguageModel,
        registry: Registry,
        log: OperationLog,
        mailbox: Mailbox,
        runs: Runs,
        standings: NodeStatuses,
        dialect: str | None,
        endings: NodeEndNotifier | None = None,
        memory: Memory | None = None,
        limits: PlanLimits = DEFAULT_LIMITS,
        gather_seconds: float = 0.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._model = model
        self._registry = registry
        self._log = log
        self._mailbox = mailbox
        self._runs = runs
        self._standings = standings
        self._dialect = dialect
        self._endings = None if dialect is None else endings
        self._memory = memory or Memory(runs=runs)
        self._limits = limits
        self._gather_seconds = gather_seconds
        self._clock = clock

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread."""
        for author, messages in by_author(await self._gathered(thread)).items():
            since = await self._planned_before(thread, turn, author)
            effort = _Effort(thread=thread, turn=turn, author=author, messages=messages, appended=appended, since=since)
            trouble = await self._plan(effort)
            await self._mailbox.taken(
                thread,
                turn,
                [message.id for message in effort.messages],
                reply="\n\n".join(effort.replies),
                trouble=trouble.value if trouble else "",
            )

    async def _planned_before(self, thread: ThreadId, turn: int, author: UserId) -> int:
        """Return the last operation before this planning; 0 when the author's first is taken up after a crash."""
        run = await self._runs.read(thread, turn)
        if all(each.author != author for each in run.messages):
            return 0
        return max((each.seq for each in await self._log.after(thread, 0)), default=0)

    async def _gathered(self, thread: ThreadId) -> Sequence[Message]:
        """Return what is to be planned, once people have finished writing; they are waited for only so long."""
        untaken = await self._mailbox.untaken(thread)
        if self._gather_seconds and await self._log.after(thread, 0):
            for _ in range(_GATHERINGS):
                await asyncio.sleep(self._gather_seconds)
                before, untaken = untaken, await self._mailbox.untaken(thread)
                if len(untaken) == len(before):
                    break
        return untaken

    async def _plan(self, effort: _Effort) -> TurnError | None:
        dialogue = [*await self._opening(effort), await self._ask(effort)]
        repairs, resumptions, shortened, cut = REPAIRS, RESUMPTIONS, False, False
        while True:
            nodes = effort.nodes
            try:
                answer = await self._round(effort, dialogue)
            except ContextExceeded:
                if shortened:
                    return TurnError.REQUEST_TOO_LONG
                shortened = True
                dialogue = [dialogue[0], await self._ask(effort, brief=True)]
                continue
            except ModelUnavailable:
                if not effort.changed or not resumptions:
                    return TurnError.MODEL_UNAVAILABLE
                resumptions -= 1
                dialogue[-1] = await self._ask(effort)
                continue
            # What did not fit stays away, unless the next answer brings it in fewer steps.
            cut = _too_large(answer.faults) or (cut and effort.nodes == nodes)
            if not answer.faults or not repairs:
                return TurnError.PLAN_TOO_LARGE if cut else TurnError.PLAN_INVALID if answer.faults else None
            repairs -= 1
            dialogue += [
                ChatMessage(by="ai", text=truncated(answer.text, _ECHO_CHARACTERS)),
                await self._ask(effort, answer.faults),
            ]

    async def _opening(self, effort: _Effort) -> list[ChatMessage]:
        system = system_message(Role.PLANNER, self._registry, self._dialect)
        past = await self._memory.past(effort.thread, effort.turn)
        run = await self._runs.read(effort.thread, effort.turn)
        names = await self._memory.names(effort.thread, run.messages)
        return [system, *past, *present_dialogue(run.messages, run.replies, names)]

    async def _ask(self, effort: _Effort, faults: Sequence[Fault] = (), *, brief: bool = False) -> ChatMessage:
        """Return what the model is asked; `brief` leaves the results of the plan so far out."""
        logged = await self._log.after(effort.thread, 0)
        standings = await self._standings.of(effort.thread)
        if brief:
            standings = {node: NodeStatus(state=each.state) for node, each in standings.items()}
        return planner_message(
            self._clock(),
            effort.messages,
            shown_nodes(logged, standings, effort.turn),
            faults,
            names=await self._memory.names(effort.thread, effort.messages),
            place=thread_parts(effort.thread).channel,
            earlier_bytes=self._memory.limits.node_bytes,
        )

    async def _round(self, effort: _Effort, dialogue: Sequence[ChatMessage]) -> _Round:
        """Take one answer of the model; what is right in it is stored as it arrives.

        Raises:
            ModelUnavailable: it broke off; what was stored stands.
        """
        intake = await self._intake(effort)
        reader = PlanStreamReader(self._limits)
        pieces: list[str] = []
        faults: list[Fault] = []
        replies = len(effort.replies)
        async with self._keeper(effort) as keeper:
            async with aclosing(self._model.stream(Role.PLANNER, dialogue)) as stream:
                async for piece in stream:
                    pieces.append(piece)
                    for item in reader.feed(piece):
                        faults += await self._take(effort, intake, keeper, item)
                    if reader.full:
                        break
            for item in reader.finish():
                faults += await self._take(effort, intake, keeper, item)
            faults += intake.close()
            # A plan with faults goes on: what the model sends next may refer to any step.
            faults += await keeper.complete(packed=not faults)
        if not intake.offers and not faults and len(effort.replies) == replies:
            faults.append(Fault(code=FaultCode.EMPTY_PLAN, message="there is no operation and no reply in it"))
        return _Round(text="".join(pieces), faults=faults)

    @asynccontextmanager
    async def _keeper(self, effort: _Effort) -> AsyncGenerator[BufferedWriter | DirectWriter]:
        store = partial(self._store, effort)
        if self._endings is None:
            yield DirectWriter(store)
            return
        held = PackBuffer(self._registry, self._limits)
        finished, told = partial(self._finished, effort.thread), partial(self._tell, effort)
        async with buffered_writer(held, store, self._endings, effort.thread, finished, told) as keeper:
            yield keeper

    def _tell(self, effort: _Effort, packing: Packing) -> None:
        if self._endings is not None and (packing.fusions or packing.splits):
            event = PlanPacked(turn=effort.turn, fusions=packing.fusions, splits=packing.splits)
            self._endings.note(effort.thread, event)

    async def _finished(self, thread: ThreadId) -> Iterable[NodeId]:
        if self._endings is not None:
            await self._endings.flush()
        return [node for node, each in (await self._standings.of(thread)).items() if each.outcome is not None]

    async def _intake(self, effort: _Effort) -> PlanBuilder:
        logged = await self._log.after(effort.thread, 0)
        turn = [each for each in logged if each.turn == effort.turn]
        own = [each for each in turn if each.author == effort.author]
        earlier = [each for each in own if each.seq <= effort.since]
        failed = ended_otherwise(earlier, await self._standings.of(effort.thread))
        return PlanBuilder(
            registry=self._registry,
            known=nodes_added([each.operation for each in logged]),
            added_before=nodes_added([each.operation for each in own]).keys() - failed,
            packages=self._dialect is not None,
            limits=self._limits,
            added=len(nodes_added([each.operation for each in turn])),
        )

    async def _take(
        self, effort: _Effort, intake: PlanBuilder, keeper: BufferedWriter | DirectWriter, item: Item
    ) -> Sequence[Fault]:
        match item:
            case Fault():
                return [item]
            case Reply(text=text):
                if text not in effort.replies:
                    effort.replies.append(text)
                effort.changed = True
                return []
            case Placed():
                verdict = intake.offer(item)
                return [*verdict.faults, *await keeper.take(verdict.admitted)]
            case _:
                assert_never(item)

    async def _store(self, effort: _Effort, operations: Sequence[Operation]) -> Sequence[Fault]:
        for at, operation in enumerate(operations):
            try:
                stored = await self._with_dependents(effort.thread, operation)
                await self._log.append(effort.thread, effort.turn, effort.author, stored)
            except DuplicateNode as error:
                message = f"the thread already has a node {error.node!r}; choose another id"
                taken = Fault(code=FaultCode.DUPLICATE_ID, message=message, node=error.node, pointer="/id")
                return [taken, *(_left_out(each, error.node) for each in operations[at + 1 :])]
            effort.changed = True
            effort.nodes += isinstance(operation, Add)
            effort.appended()
        return []

    async def _with_dependents(self, thread: ThreadId, operation: Operation) -> Sequence[Operation]:
        if not isinstance(operation, Cancel):
            return [operation]
        return with_dependents(operation, await self._log.after(thread, 0), await self._standings.of(thread))


def _left_out(operation: Operation, because: str) -> Fault:
    """Return what is to be said of an operation that was not stored: it may need the node of another."""
    name = operation.node.id if isinstance(operation, Add) else operation.id
    message = f"not accepted, because {because} was not; send it again with what it needs"
    return Fault(code=FaultCode.HELD_BACK, message=message, node=name)


def _too_large(faults: Iterable[Fault]) -> bool:
    return any(each.code is FaultCode.TOO_MANY_NODES for each in faults)
