"""Replanning: one decision at the end of the DAG, or when failures block other nodes while people are asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.errors import DuplicateNode, ModelUnavailable
from agent.ids import NodeId, ThreadId, UserId
from agent.limits import DEFAULT_LIMITS, PlanLimits, Role
from agent.llm.memory import Memory
from agent.llm.prompts import results_message, system_message
from agent.llm.transcript import shown_nodes, statuses_of
from agent.packing.packing import pack
from agent.plan.dependencies import with_dependents
from agent.plan.operations import Add, Cancel, LoggedOperation, Operation
from agent.plan.outcomes import Failed, NodeStatus, Outcome, Skipped
from agent.plan.templates import shown_title
from agent.planning.author_plan import AuthorPlan, logged_nodes, note_packing
from agent.planning.replan_decision import EarlierWork, ReplanDecision, Unclear, read_replan_decision
from agent.ports import (
    ChatMessage,
    Choice,
    LanguageModel,
    Mailbox,
    NodeStatuses,
    OperationLog,
    Progress,
    Reflection,
    ReplanReport,
    ReplanResult,
    Run,
    Runs,
)
from agent.tool import Registry

REPAIRS = 1
"""How often the model gets its faults back before the turn is answered with what there is."""

UNREACHABLE = "the goal cannot be reached any more"
"""The `why` of the cancels with which an early end withdraws the rest of a turn."""

_ENOUGH = ReplanReport(next=ReplanResult.ENOUGH)


@dataclass(frozen=True, kw_only=True)
class Replanner:
    """The `Replanner` of `ports.py`. Without a model, or when it is away, the turn ends.

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
    #: The sandbox's; None when no scripts can run here, so that nothing is packed either.
    dialect: str | None
    packing: bool = False
    progress: Progress | None = None
    limits: PlanLimits = DEFAULT_LIMITS

    async def reflect(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Decide at the end of the DAG."""
        run = await self.runs.read(thread, turn)
        if self.model is None or run.error or run.stopped_by is not None:
            return _ENOUGH
        reports: list[ReplanReport] = []
        authors = dict.fromkeys(entry.author for entry in await self.log.after(thread, 0) if entry.turn == turn)
        statuses = {**await self.statuses.of(thread), **statuses_of(outcomes)}
        for author in authors:
            plan = await self._author_plan(run, author, statuses)
            decision = await self._decide(self.model, run, plan)
            reports.append(await self._apply(run, plan, decision, may_extend=round_number <= bound))
        order = (ReplanResult.EXTENDED, ReplanResult.ASK, ReplanResult.MORE)
        return next((report for wanted in order for report in reports if report.next is wanted), _ENOUGH)

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Decide about failures while people are asked."""
        run = await self.runs.read(thread, turn)
        logged = await self.log.after(thread, 0)
        statuses = await self.statuses.of(thread)
        failed = _blocking_failures([entry for entry in logged if entry.turn == turn], statuses)
        known = {node for reflection in run.reflections for node in reflection.failed}
        if self.model is None or run.error or round_number > bound or known.issuperset(failed):
            return False
        extended = False
        for author in dict.fromkeys(entry.author for entry in logged if _added_node(entry) in failed):
            plan = await self._author_plan(run, author, statuses)
            decision = await self._decide(self.model, run, plan)
            extended |= await self._apply_early(run, plan, decision, failed)
        return extended

    async def _author_plan(self, run: Run, author: UserId, statuses: Mapping[NodeId, NodeStatus]) -> AuthorPlan:
        logged = await self.log.after(run.thread, 0)
        return AuthorPlan(turn=run.turn, author=author, logged=logged, statuses=statuses)

    async def _apply(self, run: Run, plan: AuthorPlan, decision: ReplanDecision, *, may_extend: bool) -> ReplanReport:
        match decision.choice:
            case Choice.REPLAN if may_extend:
                appended = await self._append(run, plan, decision.operations)
                return ReplanReport(next=ReplanResult.EXTENDED, author=plan.author) if appended else _ENOUGH
            case Choice.REPLAN:
                titles = [shown_title(add.node) for add in decision.operations if isinstance(add, Add)]
                return ReplanReport(next=ReplanResult.MORE, author=plan.author, titles=tuple(titles))
            case Choice.ASK:
                return ReplanReport(next=ReplanResult.ASK, author=plan.author, question=decision.question)
            case Choice.CONTINUE | Choice.END:
                return _ENOUGH

    async def _apply_early(
        self, run: Run, plan: AuthorPlan, decision: ReplanDecision, failed: Sequence[NodeId]
    ) -> bool:
        # Stored before its effects: a crash may lose a round, but never adds one.
        await self.runs.reflected(run.thread, run.turn, Reflection(choice=decision.choice, failed=tuple(failed)))
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

    async def _decide(self, model: LanguageModel, run: Run, plan: AuthorPlan) -> ReplanDecision:
        """Return the model's decision; an unclear one continues: it ends nothing and extends nothing."""
        dialogue = await self._dialogue(run, plan)
        messages = [message for message in run.messages if message.author == plan.author]
        earlier = EarlierWork(nodes=plan.turn_nodes, outcomes=plan.outcomes, registry=self.registry)
        for _ in range(1 + REPAIRS):
            try:
                answer = await model.complete(Role.REPLAN, dialogue)
            except ModelUnavailable:
                break
            builder = plan.builder(self.registry, self.limits, messages, packages=self.dialect is not None)
            decision = read_replan_decision(answer, builder, earlier, self.limits)
            if not isinstance(decision, Unclear):
                return decision
            dialogue += [ChatMessage(by="ai", text=answer), results_message([], [], decision.faults)]
        return ReplanDecision(choice=Choice.CONTINUE)

    async def _dialogue(self, run: Run, plan: AuthorPlan) -> list[ChatMessage]:
        messages = [message for message in run.messages if message.author == plan.author]
        past = await self.memory.past(run.thread, run.turn)
        names = await self.memory.names(run.thread, messages)
        return [
            system_message(Role.REPLAN, self.registry, self.dialect),
            *past,
            results_message(messages, shown_nodes(plan.own, plan.statuses), names=names, heads=True),
        ]

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


def _added_node(entry: LoggedOperation) -> NodeId | None:
    return entry.operation.node.id if isinstance(entry.operation, Add) else None


def _blocking_failures(logged: Sequence[LoggedOperation], statuses: Mapping[NodeId, NodeStatus]) -> Sequence[NodeId]:
    """Return the failed nodes because of which others were skipped, in plan order, while some have not ended."""
    outcomes = {node: statuses[node].outcome if node in statuses else None for node in logged_nodes(logged)}
    if all(outcomes.values()):
        return ()
    blocking = {outcome.because for outcome in outcomes.values() if isinstance(outcome, Skipped) and not outcome.why}
    return [node for node, outcome in outcomes.items() if node in blocking and isinstance(outcome, Failed)]
