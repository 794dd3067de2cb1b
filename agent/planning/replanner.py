"""Replanning: one conclusion at the end of the DAG, or a decision when failures block others while people are asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from agent.errors import ContextExceeded, DuplicateNode, ModelSlow, ModelUnavailable, TurnError
from agent.facts import Fact, outside_texts
from agent.ids import NodeId, ThreadId, UserId, thread_parts
from agent.limits import DEFAULT_LIMITS, PlanLanguage, PlanLimits, Role
from agent.llm.guidance import Guidance
from agent.llm.memory import Memory
from agent.llm.prompts import (
    FEW_RESULTS_BYTES,
    RESULTS_BYTES,
    Guides,
    faults_message,
    results_message,
    shown_message,
    system_message,
    tools_section,
)
from agent.llm.tool_search import ShownTools, ToolSearch
from agent.llm.transcript import shown_nodes, statuses_of
from agent.packing.packing import pack
from agent.plan.dependencies import with_dependents
from agent.plan.eviction import PromptFiles
from agent.plan.operations import Add, Cancel, LoggedOperation, Operation, digest_of
from agent.plan.outcomes import Failed, NodeStatus, Outcome, Skipped
from agent.plan.templates import shown_title
from agent.planning.author_plan import AuthorPlan, logged_nodes, note_packing, tools_for, tools_of
from agent.planning.conclusion import Answered, Asked, PlannedOn, is_understood, read_conclusion
from agent.planning.earlier_work import EarlierWork, Needs, Unclear
from agent.planning.lookups import Lookups
from agent.planning.replan_decision import ReplanDecision, read_replan_decision
from agent.ports import (
    ChatMessage,
    Choice,
    FileRounds,
    LanguageModel,
    Mailbox,
    Message,
    NodeStatuses,
    OperationLog,
    Progress,
    Reflection,
    ReplanReport,
    ReplanResult,
    Run,
    Runs,
    WrittenAnswer,
)
from agent.reading.plan_builder import PlanBuilder
from agent.tool import Registry
from agent.tools.access import ToolAccess
from sandbox.script import Json

REPAIRS = 1
"""How often the model gets its faults back before the turn is answered with what there is."""

UNREACHABLE = "the goal cannot be reached any more"
"""The `why` of the cancels with which an early end withdraws the rest of a turn."""

Understood = TypeVar("Understood")

_BASIS_DIGITS = 16

_ENOUGH = ReplanReport(next=ReplanResult.ENOUGH)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What a model is to decide about one author's part of a turn, and what it is shown."""

    run: Run
    plan: AuthorPlan
    role: Role
    #: Those that the author may use here.
    tools: ToolSearch
    lookups: Lookups
    #: As the first request shows them.
    guides: Guides
    facts: Sequence[Fact]
    files: PromptFiles | None
    #: Whether other people's requests belong to the turn.
    part: bool


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Which planning round of a turn a decision is about, and how many the turn may have."""

    round: int
    bound: int

    @property
    def is_beyond(self) -> bool:
        return self.round > self.bound


@dataclass(frozen=True, kw_only=True)
class Replanner:
    """The `Replanner` of `ports.py`. Without a model the turn ends; when it is away, with the plain results.

    It decides about each author's part separately: new operations run with the rights of the person whose request
    they serve.
    """

    model: LanguageModel | None
    registry: Registry
    log: OperationLog
    runs: Runs
    mailbox: Mailbox
    statuses: NodeStatuses
    memory: Memory
    #: Where there are many tools, it chooses those that a request shows.
    tools: ToolSearch
    #: None: everybody may use every tool everywhere.
    access: ToolAccess | None = None
    guidance: Guidance = field(default_factory=Guidance)
    #: None: nothing is evicted, and all files stand in prompts.
    files: FileRounds | None = None
    #: The sandbox's; None when no scripts can run here, so that nothing is packed either.
    dialect: str | None
    packing: bool = False
    #: How models are asked to write plans.
    language: PlanLanguage = PlanLanguage.JSON
    progress: Progress | None = None
    limits: PlanLimits = DEFAULT_LIMITS
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def conclude(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Decide at the end of the DAG.

        The answer is written with the conclusion, unless several people's requests belong to the turn.
        """
        run = await self.runs.read(thread, turn)
        if self.model is None or run.error or run.stopped_by is not None:
            return _ENOUGH
        reports: list[ReplanReport] = []
        logged = await self.log.after(thread, 0)
        planned = (entry for entry in logged if entry.turn == turn and _planned_node(entry))
        authors = dict.fromkeys(entry.author for entry in planned)
        statuses = {**await self.statuses.of(thread), **statuses_of(outcomes)}
        files = await self._round(thread)
        for author in authors:
            plan = await self._author_plan(run, author, statuses)
            part = len(authors) > 1
            place = _Place(round=round_number, bound=bound)
            reports.append(await self._concluded(self.model, run, plan, files, place, part=part))
        order = (ReplanResult.EXTENDED, ReplanResult.ASK, ReplanResult.MORE)
        return next((report for wanted in order for report in reports if report.next is wanted), _alone(reports))

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Decide about failures while people are asked."""
        run = await self.runs.read(thread, turn)
        logged = await self.log.after(thread, 0)
        statuses = await self.statuses.of(thread)
        own = [entry for entry in logged if entry.turn == turn and not _undoes(entry)]
        failed = _blocking_failures(own, statuses)
        known = {node for reflection in run.reflections for node in reflection.failed}
        if self.model is None or run.error or round_number > bound or known.issuperset(failed):
            return False
        extended, files = False, await self._round(thread)
        for author in dict.fromkeys(entry.author for entry in logged if _added_node(entry) in failed):
            plan = await self._author_plan(run, author, statuses)
            decision = await self._decide(self.model, run, plan, files)
            extended |= await self._apply_early(run, plan, decision, failed, _Place(round=round_number, bound=bound))
        return extended

    async def _round(self, thread: ThreadId) -> PromptFiles | None:
        return None if self.files is None else await self.files.begin(thread)

    async def _author_plan(self, run: Run, author: UserId, statuses: Mapping[NodeId, NodeStatus]) -> AuthorPlan:
        logged = await self.log.after(run.thread, 0)
        return AuthorPlan(turn=run.turn, author=author, logged=logged, statuses=statuses)

    async def _concluded(
        self,
        model: LanguageModel,
        run: Run,
        plan: AuthorPlan,
        files: PromptFiles | None,
        place: _Place,
        *,
        part: bool,
    ) -> ReplanReport:
        """Ask the model for its conclusion about one author's part, and act on it."""
        try:
            conclusion = await self._conclusion(model, run, plan, files, part=part)
        except ContextExceeded:
            return _without_answer(TurnError.RESULTS_TOO_LONG)
        except ModelSlow:
            return _without_answer(TurnError.ANSWER_SLOW)
        except ModelUnavailable:
            return _without_answer(TurnError.MODEL_UNHEARD)
        match conclusion:
            case Answered(text=text):
                await self._note(run, plan, place, Reflection(choice=Choice.END, at_end=True))
                return _ENOUGH if part else ReplanReport(next=ReplanResult.ENOUGH, answer=WrittenAnswer(text=text))
            case PlannedOn(operations=operations, why=why) if not place.is_beyond:
                # Stored before its effects: a crash in between tells of one too many, and of none too few.
                await self._note(run, plan, place, Reflection(choice=Choice.REPLAN, why=why, at_end=True))
                appended = await self._append(run, plan, operations)
                return ReplanReport(next=ReplanResult.EXTENDED, author=plan.author) if appended else _ENOUGH
            case PlannedOn(operations=operations, why=why):
                wanted = Reflection(choice=Choice.REPLAN, why=why, at_end=True, beyond=True)
                await self._note(run, plan, place, wanted)
                titles = [shown_title(add.node) for add in operations if isinstance(add, Add)]
                return ReplanReport(next=ReplanResult.MORE, author=plan.author, titles=tuple(titles), why=why)
            case Asked(question=question):
                await self._note(run, plan, place, Reflection(choice=Choice.ASK, why=question, at_end=True))
                return ReplanReport(next=ReplanResult.ASK, author=plan.author, question=question)
            case Unclear(faults=faults):
                # Operations that cannot be used say nothing about the results: those are still answered.
                return _ENOUGH if part or is_understood(faults) else _without_answer(TurnError.MODEL_UNHEARD)

    async def _conclusion(
        self, model: LanguageModel, run: Run, plan: AuthorPlan, files: PromptFiles | None, *, part: bool
    ) -> Answered | PlannedOn | Asked | Unclear:
        """Return the model's conclusion; one that cannot be used goes back with its faults.

        Raises:
            ModelUnavailable: it did not say one.
        """
        request = await self._request(run, plan, Role.CONCLUDE, files, part=part)

        def read(said: str) -> Answered | PlannedOn | Asked | Needs | Unclear:
            builder, earlier = self._builder(request), self._earlier(request)
            return read_conclusion(said, builder, earlier, self.limits, self.language, part=part)

        return await self._understood(model, request, read)

    async def _understood(
        self, model: LanguageModel, request: _Request, read: Callable[[str], Understood | Needs | Unclear]
    ) -> Understood | Unclear:
        """Return what the model writes once it has been shown what it asks for, or its faults when it keeps them.

        Raises:
            ModelUnavailable: it wrote nothing whole.
        """
        dialogue = await self._dialogue(request)
        repairs, brief = REPAIRS, False
        while True:
            try:
                said = await model.complete(request.role, dialogue)
            except ContextExceeded:
                if brief:
                    raise
                brief = True
                dialogue = await self._dialogue(request, brief=True)
                continue
            understood = read(said)
            if isinstance(understood, Needs):
                shown = await request.lookups.answer(understood.needs)
                if not shown.is_empty:
                    asked_for = shown_message(request.role, shown.tools, shown.pattern, shown.guides, shown.faults)
                    dialogue += [ChatMessage(by="ai", text=said), asked_for]
                    continue
                understood = Unclear(faults=shown.faults)
            if not isinstance(understood, Unclear) or not repairs:
                return understood
            repairs -= 1
            dialogue += [ChatMessage(by="ai", text=said), faults_message(request.role, understood.faults)]

    async def _note(self, run: Run, plan: AuthorPlan, place: _Place, reflection: Reflection) -> None:
        """Record a decision with what it was made on, by which one that a death interrupted is known."""
        seq = plan.logged[-1].seq if plan.logged else 0
        about: Json = [reflection.at_end, *sorted(reflection.failed)]
        basis: Json = [place.round, place.bound, len(run.messages), seq, about]
        made = replace(
            reflection, round=place.round, author=plan.author, at=self.clock(), basis=digest_of(basis)[:_BASIS_DIGITS]
        )
        await self.runs.reflected(run.thread, run.turn, made)

    async def _apply_early(
        self, run: Run, plan: AuthorPlan, decision: ReplanDecision, failed: Sequence[NodeId], place: _Place
    ) -> bool:
        # Stored before its effects: a crash may lose a round, but never adds one.
        why = decision.why or decision.question
        await self._note(run, plan, place, Reflection(choice=decision.choice, failed=tuple(failed), why=why))
        match decision.choice:
            case Choice.REPLAN:
                return await self._append(run, plan, decision.operations)
            case Choice.END:
                return await self._append(run, plan, [Cancel(id=node, why=UNREACHABLE) for node in plan.unfinished])
            case Choice.ASK:
                await self.mailbox.taken(run.thread, run.turn, [], reply=decision.question)
                return False
            case Choice.CONTINUE:
                return False

    async def _decide(
        self, model: LanguageModel, run: Run, plan: AuthorPlan, files: PromptFiles | None
    ) -> ReplanDecision:
        """Return the model's decision; an unclear one continues: it ends nothing and extends nothing."""
        request = await self._request(run, plan, Role.REPLAN, files)

        def read(said: str) -> ReplanDecision | Needs | Unclear:
            builder, earlier = self._builder(request), self._earlier(request)
            return read_replan_decision(said, builder, earlier, self.limits, self.language)

        try:
            decision = await self._understood(model, request, read)
        except ModelUnavailable:
            return ReplanDecision(choice=Choice.CONTINUE)
        return ReplanDecision(choice=Choice.CONTINUE) if isinstance(decision, Unclear) else decision

    async def _request(
        self, run: Run, plan: AuthorPlan, role: Role, files: PromptFiles | None, *, part: bool = False
    ) -> _Request:
        tools = await tools_for(self.tools, self.access, run.thread, plan.author)
        lookups = Lookups(
            thread=run.thread,
            turn=run.turn,
            tools=tools,
            guidance=self.guidance,
            runs=self.runs,
            language=self.language,
        )
        guides = await self.guidance.again(run, _messages_of(run, plan))
        lookups.listed += guides.listed
        lookups.read += guides.whole
        if not tools.shows_all:
            lookups.begin(*await _likely_tools(tools, _messages_of(run, plan), plan))
        facts = await self.memory.facts_again(run, plan.author)
        return _Request(
            run=run,
            plan=plan,
            role=role,
            tools=tools,
            lookups=lookups,
            guides=guides,
            facts=facts,
            files=files,
            part=part,
        )

    def _builder(self, request: _Request) -> PlanBuilder:
        run, plan = request.run, request.plan
        outside = [book.shown for book in run.runbooks if book.canvas]
        return plan.builder(
            request.tools.registry,
            self.limits,
            _messages_of(run, plan),
            packages=self.dialect is not None,
            outside=[*outside, *request.lookups.guides.outside, *outside_texts(request.facts)],
        )

    def _earlier(self, request: _Request) -> EarlierWork:
        plan, registry = request.plan, request.tools.registry
        return EarlierWork(nodes=plan.turn_nodes, outcomes=plan.outcomes, registry=registry)

    async def _dialogue(self, request: _Request, *, brief: bool = False) -> list[ChatMessage]:
        """Return the messages to the model; `brief` leaves out the past and most of the results."""
        run, plan, lookups = request.run, request.plan, request.lookups
        messages = _messages_of(run, plan)
        nodes = shown_nodes(plan.own, plan.statuses)
        people = [*request.guides.people, *(fact.by for fact in request.facts)]
        question = results_message(
            request.role,
            messages,
            nodes,
            results_bytes=FEW_RESULTS_BYTES if brief else RESULTS_BYTES,
            names=await self.memory.names(run.thread, messages, nodes, people),
            place=thread_parts(run.thread).channel,
            heads=request.role is Role.REPLAN,
            tools=lookups.tools_shown,
            facts=request.facts,
            guides=replace(request.guides, listed=tuple(lookups.listed), whole=tuple(lookups.read)),
            part=request.part,
            files=request.files,
        )
        system = system_message(request.tools.registry, self.dialect, self.language)
        past: Sequence[ChatMessage] = () if brief else await self.memory.past(run.thread, run.turn, system)
        return [system, *past, question]

    async def _append(self, run: Run, plan: AuthorPlan, operations: Sequence[Operation]) -> bool:
        """Store operations, packed; return whether there were any and all were new."""
        operations = [
            stored for operation in operations for stored in with_dependents(operation, plan.logged, plan.statuses)
        ]
        if self.packing and self.dialect is not None:
            packing = pack(operations, self.registry, limits=self.limits)
            operations = packing.operations
            if self.progress is not None:
                note_packing(self.progress, run.thread, run.turn, packing)
        try:
            await self.log.append(run.thread, run.turn, plan.author, operations)
        except DuplicateNode:
            return False
        return bool(operations)


def _messages_of(run: Run, plan: AuthorPlan) -> Sequence[Message]:
    return [message for message in run.messages if message.author == plan.author]


async def _likely_tools(tools: ToolSearch, messages: Sequence[Message], plan: AuthorPlan) -> tuple[str, ShownTools]:
    """Return the tools that the planner's first request showed, in the same words, and the others of its plan."""
    before = [entry.operation for entry in plan.logged if entry.turn < plan.turn]
    shown = await tools.likely("\n".join(message.text for message in messages), tools_of(before))
    seen = {tool.name for tool in shown.whole}
    planned = dict.fromkeys(tools_of([entry.operation for entry in plan.own]))
    found = [tool for name in planned if name not in seen and (tool := tools.registry.find(name)) is not None]
    return tools_section(shown, found), replace(shown, whole=[*shown.whole, *found])


def _without_answer(error: TurnError) -> ReplanReport:
    return ReplanReport(next=ReplanResult.ENOUGH, answer=WrittenAnswer(error=error.value))


def _alone(reports: Sequence[ReplanReport]) -> ReplanReport:
    """Return the report of the only author; the answer to several is written later."""
    return reports[0] if len(reports) == 1 else _ENOUGH


def _added_node(entry: LoggedOperation) -> NodeId | None:
    return entry.operation.node.id if isinstance(entry.operation, Add) else None


def _planned_node(entry: LoggedOperation) -> NodeId | None:
    """Return the node that an operation of a plan added: a model says nothing about what undoes an effect."""
    return None if _undoes(entry) else _added_node(entry)


def _undoes(entry: LoggedOperation) -> bool:
    return isinstance(entry.operation, Add) and entry.operation.node.undoes is not None


def _blocking_failures(logged: Sequence[LoggedOperation], statuses: Mapping[NodeId, NodeStatus]) -> Sequence[NodeId]:
    """Return the failed nodes because of which others were skipped, in plan order, while some have not ended."""
    outcomes = {node: statuses[node].outcome if node in statuses else None for node in logged_nodes(logged)}
    if all(outcomes.values()):
        return ()
    blocking = {outcome.because for outcome in outcomes.values() if isinstance(outcome, Skipped) and not outcome.why}
    return [node for node, outcome in outcomes.items() if node in blocking and isinstance(outcome, Failed)]
