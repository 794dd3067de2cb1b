"""The planner: turns people's messages into operations, each stored the moment its line is complete."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import assert_never

from agent.errors import ContextExceeded, DuplicateNode, ModelBusy, ModelSlow, ModelUnavailable, TurnError
from agent.facts import Fact, outside_texts
from agent.ids import NodeId, ThreadId, UserId, thread_parts
from agent.limits import DEFAULT_LIMITS, PlanLanguage, PlanLimits, Role
from agent.llm.guidance import Guidance
from agent.llm.memory import Memory
from agent.llm.prompts import NO_GUIDES, Guides, pattern_section, planner_message, system_message, tools_section
from agent.llm.tool_search import ToolSearch
from agent.llm.transcript import by_author, owners_of, present_dialogue, shown_nodes, withheld
from agent.packing.packing import Packing
from agent.plan.dependencies import with_dependents
from agent.plan.json_values import truncated
from agent.plan.operations import Add, Cancel, Operation
from agent.plan.outcomes import NodeStatus
from agent.planning.author_plan import AuthorPlan, note_packing, tools_for, tools_of
from agent.planning.lookups import Lookups, Shown
from agent.planning.pack_buffer import BufferedWriter, DirectWriter, NodeEndNotifier, PackBuffer, buffered_writer
from agent.ports import ChatMessage, FileRounds, LanguageModel, Mailbox, Message, NodeStatuses, OperationLog, Runs
from agent.reading.answer_reader import AnswerReader
from agent.reading.operation_reader import Ask, NeedTools, Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_language.statements import Item, Scope
from agent.reading.validation import Fault, FaultCode
from agent.tool import Registry
from agent.tools.access import ToolAccess

REPAIRS = 2
"""How often the model gets its faults back before the turn ends with an error."""

RESUMPTIONS = 1
"""How often a stream that broke off is resumed with the plan so far in view."""

_GATHERINGS = 4
"""How often new messages may delay a follow-up's planning."""

_READ_AT_ONCE = 8 * 1024
"""Characters of the model's output that are read before others have their turn."""

_ECHO_CHARACTERS = 100_000
"""The most a model gets back of its own output."""


@dataclass(kw_only=True)
class _Request:
    """One author's untaken messages, and what planning them has led to so far."""

    thread: ThreadId
    turn: int
    author: UserId
    messages: Sequence[Message]
    #: Called after each stored operation.
    appended: Callable[[], None]
    #: The last operation before this planning began.
    upto_seq: int
    #: Those that the author may use here.
    tools: ToolSearch
    #: What the model asks to be shown.
    lookups: Lookups
    #: Whether an operation or a reply has come of it.
    changed: bool = False
    #: How many nodes were stored.
    nodes: int = 0
    replies: list[str] = field(default_factory=list[str])
    #: What the answers so far named.
    scope: Scope = field(default_factory=Scope)
    #: What tools must do that the model asks for in its response.
    needs: list[str] = field(default_factory=list[str])
    #: From long-term memory.
    facts: Sequence[Fact] = ()
    #: Instructions and runbooks, without those that the model asked for.
    guides: Guides = NO_GUIDES
    #: Whether the planning round has begun in which it is planned.
    in_round: bool = False


@dataclass(frozen=True, kw_only=True)
class _Response:
    """One response of the model: its text, what is wrong with it, and the tools that it asks for."""

    text: str
    faults: Sequence[Fault]
    #: What tools must do that it wants to see.
    needs: Sequence[str]


def _turn_error(error: ModelUnavailable) -> TurnError:
    match error:
        case ModelBusy():
            return TurnError.MODEL_BUSY
        case ModelSlow():
            return TurnError.MODEL_SLOW
        case _:
            return TurnError.MODEL_UNAVAILABLE


@dataclass(frozen=True, kw_only=True)
class Planner:
    """The `Feeder` of `ports.py`.

    It plans each author's messages separately, because an operation runs with the rights of the person whose message
    caused it.
    """

    model: LanguageModel
    registry: Registry
    log: OperationLog
    mailbox: Mailbox
    runs: Runs
    statuses: NodeStatuses
    memory: Memory
    #: The sandbox's; None when no scripts can run here.
    dialect: str | None
    #: Where there are many tools, it chooses those that a request shows.
    tools: ToolSearch
    #: None: everybody may use every tool everywhere.
    access: ToolAccess | None = None
    guidance: Guidance = field(default_factory=Guidance)
    #: None: nothing is evicted, and all files stand in prompts.
    files: FileRounds | None = None
    #: With it and a sandbox, nodes that wait for others are held back and packed once the plan is complete; without,
    #: every operation is stored as it arrives.
    node_ends: NodeEndNotifier | None = None
    limits: PlanLimits = DEFAULT_LIMITS
    #: How the model is asked to write its plans.
    language: PlanLanguage = PlanLanguage.JSON
    #: A follow-up waits until nobody has written for so long, so that messages sent close together are planned
    #: together. The first messages of a thread are planned at once.
    gather_seconds: float = 0.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Plan every untaken message of the thread."""
        for number, (author, messages) in enumerate(by_author(await self._gathered(thread)).items()):
            tools = await tools_for(self.tools, self.access, thread, author)
            request = _Request(
                thread=thread,
                turn=turn,
                author=author,
                messages=messages,
                appended=appended,
                upto_seq=await self._last_seq(thread, turn, author),
                tools=tools,
                lookups=Lookups(
                    thread=thread,
                    turn=turn,
                    tools=tools,
                    guidance=self.guidance,
                    runs=self.runs,
                    language=self.language,
                ),
                in_round=number > 0,
            )
            error = await self._plan(request)
            await self.mailbox.taken(
                thread,
                turn,
                [message.id for message in messages],
                reply="\n\n".join(request.replies),
                error=error.value if error else "",
            )

    async def _last_seq(self, thread: ThreadId, turn: int, author: UserId) -> int:
        """Return the last operation before this planning; 0 for the author's first, which may resume after a crash."""
        run = await self.runs.read(thread, turn)
        if all(message.author != author for message in run.messages):
            return 0
        return max((entry.seq for entry in await self.log.after(thread, 0)), default=0)

    async def _gathered(self, thread: ThreadId) -> Sequence[Message]:
        """Return the messages to plan once nobody writes any more, or after a few delays."""
        untaken = await self.mailbox.untaken(thread)
        if self.gather_seconds and await self.log.after(thread, 0):
            for _ in range(_GATHERINGS):
                await asyncio.sleep(self.gather_seconds)
                before, untaken = untaken, await self.mailbox.untaken(thread)
                if len(untaken) == len(before):
                    break
        return untaken

    async def _plan(self, request: _Request) -> TurnError | None:
        lookups = request.lookups
        shown, faults = Shown(tools=await self._likely_tools(request)), list[Fault]()
        request.facts = await self.memory.facts(request.thread, request.turn, request.author, request.messages)
        request.guides = await self.guidance.fitting(request.thread, request.messages)
        lookups.listed += request.guides.listed
        await lookups.note([book for book in request.guides.listed if book.canvas], whole=False)
        dialogue = [*await self._opening(request), await self._question(request, shown)]
        repairs, resumptions, shortened, too_large = REPAIRS, RESUMPTIONS, False, False
        while True:
            nodes = request.nodes
            try:
                response = await self._response(request, dialogue)
            except ContextExceeded:
                if shortened:
                    return TurnError.REQUEST_TOO_LONG
                shortened = True
                shown, faults = Shown(tools=lookups.tools_shown, guides=lookups.guides), []
                dialogue = [dialogue[0], await self._question(request, shown, brief=True)]
                continue
            except ModelUnavailable as error:
                if not request.changed or not resumptions:
                    return _turn_error(error)
                resumptions -= 1
                dialogue[-1] = await self._question(request, shown, faults, brief=shortened)
                continue
            # Nodes above the limit are lost, unless the next response does their work in fewer nodes.
            exceeds = any(fault.code is FaultCode.TOO_MANY_NODES for fault in response.faults)
            too_large = exceeds or (too_large and request.nodes == nodes)
            shown = await lookups.answer(response.needs)
            faults = [*response.faults, *shown.faults]
            if shown.is_empty:
                if not faults or not repairs:
                    return TurnError.PLAN_TOO_LARGE if too_large else TurnError.PLAN_INVALID if faults else None
                repairs -= 1
            dialogue += [
                ChatMessage(by="ai", text=truncated(response.text, _ECHO_CHARACTERS)),
                await self._question(request, shown, faults),
            ]

    async def _likely_tools(self, request: _Request) -> str:
        """Return the tools that the request is likely to need, as it shows them; "" where it need not."""
        if request.tools.shows_all:
            return ""
        plan = await self._author_plan(request)
        text = "\n".join(message.text for message in request.messages)
        shown = await request.tools.likely(text, tools_of([entry.operation for entry in plan.logged]))
        section = tools_section(shown)
        request.lookups.begin(section, shown)
        return section

    async def _opening(self, request: _Request) -> list[ChatMessage]:
        system = system_message(request.tools.registry, self.dialect, self.language)
        past = await self.memory.past(request.thread, request.turn, system)
        run = await self.runs.read(request.thread, request.turn)
        names = await self.memory.names(request.thread, run.messages)
        present = present_dialogue(run.messages, run.replies, names)
        return [system, *past, *present]

    async def _question(
        self,
        request: _Request,
        shown: Shown,
        faults: Sequence[Fault] = (),
        *,
        brief: bool = False,
    ) -> ChatMessage:
        """Return the message to the model, with what it asked for; `brief` leaves out the results so far."""
        files = None if self.files is None else await self.files.begin(request.thread, again=request.in_round)
        request.in_round = True
        plan = await self._author_plan(request)
        statuses = plan.statuses
        if brief:
            statuses = {node: NodeStatus(state=status.state) for node, status in statuses.items()}
        first = request.guides.listed
        listed = [*first, *(book for book in shown.guides.listed if book not in first)]
        people = [*request.guides.people, *(fact.by for fact in request.facts)]
        owners = owners_of(plan.logged, request.author, self.registry.is_personal)
        nodes = withheld(shown_nodes(plan.logged, statuses, request.turn), owners)
        return planner_message(
            self.clock(),
            request.messages,
            nodes,
            faults,
            names=await self.memory.names(request.thread, request.messages, nodes, people),
            place=thread_parts(request.thread).channel,
            earlier_bytes=self.memory.limits.node_bytes,
            tools=shown.tools,
            pattern=pattern_section(
                "\n".join([*request.lookups.patterns, *(message.text for message in request.messages)]),
                request.tools.registry,
                self.language,
            ),
            facts=request.facts,
            guides=replace(request.guides, listed=listed, whole=shown.guides.whole),
            files=files,
        )

    async def _author_plan(self, request: _Request) -> AuthorPlan:
        return AuthorPlan(
            turn=request.turn,
            author=request.author,
            logged=await self.log.after(request.thread, 0),
            statuses=await self.statuses.of(request.thread),
        )

    async def _response(self, request: _Request, dialogue: Sequence[ChatMessage]) -> _Response:
        """Read one response of the model, storing what is right in it as it arrives.

        Raises:
            ModelUnavailable: it broke off; the stored operations stay.
        """
        plan = await self._author_plan(request)
        builder = plan.builder(
            request.tools.registry,
            self.limits,
            request.messages,
            packages=self.dialect is not None,
            upto_seq=request.upto_seq,
            outside=[*request.lookups.guides.outside, *outside_texts(request.facts)],
        )
        registry = request.tools.registry
        reader = AnswerReader(registry, builder, self.limits, language=self.language, scope=request.scope)
        pieces: list[str] = []
        faults: list[Fault] = []
        request.needs.clear()
        replies = len(request.replies)
        async with self._writer(request) as writer:
            async with aclosing(self.model.stream(Role.PLANNER, dialogue)) as stream:
                async for piece in stream:
                    pieces.append(piece[: self.limits.text_characters])
                    for start in range(0, len(piece), _READ_AT_ONCE):
                        for item in reader.feed(piece[start : start + _READ_AT_ONCE]):
                            faults += await _take(request, builder, writer, item)
                        if reader.full:
                            break
                        await asyncio.sleep(0)
                    if reader.full:
                        break
            for item in reader.finish():
                faults += await _take(request, builder, writer, item)
            faults += builder.close()
            # A plan with faults is not complete: the model's next lines may refer to any of its nodes.
            faults += await writer.complete(packed=not faults and not request.needs)
        if not builder.offers and not faults and not request.needs and len(request.replies) == replies:
            faults.append(Fault(code=FaultCode.EMPTY_PLAN, message="there is no operation and no reply in it"))
        return _Response(text="".join(pieces), faults=faults, needs=tuple(request.needs))

    @asynccontextmanager
    async def _writer(self, request: _Request) -> AsyncGenerator[BufferedWriter | DirectWriter]:
        store = partial(self._store, request)
        node_ends = self.node_ends
        if node_ends is None or self.dialect is None:
            yield DirectWriter(store)
            return

        async def ended() -> Iterable[NodeId]:
            await node_ends.flush()
            statuses = await self.statuses.of(request.thread)
            return [node for node, status in statuses.items() if status.outcome is not None]

        def packed(packing: Packing) -> None:
            note_packing(node_ends, request.thread, request.turn, packing)

        buffer = PackBuffer(self.registry, self.limits)
        async with buffered_writer(buffer, store, node_ends, request.thread, ended, packed) as writer:
            yield writer

    async def _store(self, request: _Request, operations: Sequence[Operation]) -> Sequence[Fault]:
        for at, operation in enumerate(operations):
            try:
                stored = await self._with_dependents(request.thread, operation)
                await self.log.append(request.thread, request.turn, request.author, stored)
            except DuplicateNode as error:
                message = f"the thread already has a node {error.node!r}; choose another id"
                duplicate = Fault(code=FaultCode.DUPLICATE_ID, message=message, node=error.node, pointer="/id")
                return [duplicate, *(_left_out(later, error.node) for later in operations[at + 1 :])]
            request.changed = True
            request.nodes += isinstance(operation, Add)
            request.appended()
        return []

    async def _with_dependents(self, thread: ThreadId, operation: Operation) -> Sequence[Operation]:
        if not isinstance(operation, Cancel):
            return [operation]
        return with_dependents(operation, await self.log.after(thread, 0), await self.statuses.of(thread))


async def _take(
    request: _Request, builder: PlanBuilder, writer: BufferedWriter | DirectWriter, item: Item
) -> Sequence[Fault]:
    match item:
        case Fault():
            builder.refuse(item)
            return [item]
        case Reply(text=text) | Ask(question=text):
            if text not in request.replies:
                request.replies.append(text)
            request.changed = True
            return []
        case NeedTools(need=need):
            request.needs.append(need)
            return []
        case Placed():
            admission = builder.offer(item)
            return [*admission.faults, *await writer.take(admission.admitted)]
        case _:
            assert_never(item)


def _left_out(operation: Operation, because: str) -> Fault:
    """Return the fault of an operation that was not stored because it may need another one's node."""
    name = operation.node.id if isinstance(operation, Add) else operation.id
    message = f"not accepted, because {because} was not; send it again with what it needs"
    return Fault(code=FaultCode.HELD_BACK, message=message, node=name)
