"""Reflection: one decision at the end of the DAG, or when failures leave others no way while people are waited for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.errors import DuplicateNode, ModelUnavailable
from agent.events import PlanPacked
from agent.ids import NodeId, ThreadId, UserId
from agent.limits import DEFAULT_LIMITS, PlanLimits, Role
from agent.llm.memory import Memory
from agent.llm.prompts import results_message, system_message
from agent.llm.transcript import ended_otherwise, shown_nodes
from agent.packing.packing import pack
from agent.plan.dependencies import with_dependents
from agent.plan.operations import Add, Cancel, LoggedOperation, Node, Operation, nodes_added
from agent.plan.outcomes import Failed, NodeStatus, Outcome, Skipped, state_of
from agent.plan.templates import shown_title
from agent.planning.replan_decision import Past, ReplanDecision, Unclear, read_replan_decision
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
from agent.reading.plan_builder import PlanBuilder
from agent.tool import Registry

REPAIRS = 1
"""How often the model gets its faults back before the turn is answered with what there is."""

UNREACHABLE = "the goal cannot be reached any more"
"""Why what is left of a turn is cancelled that reflection ended early."""

_ENOUGH = ReplanReport(next=ReplanResult.ENOUGH)


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """What one author's part of a turn looks like when it is reflected on."""

    run: Run
    author: UserId
    logged: Sequence[LoggedOperation]
    standings: Mapping[NodeId, NodeStatus]

    @property
    def own(self) -> Sequence[LoggedOperation]:
        """The author's operations of this turn."""
        return [each for each in self.logged if (each.turn, each.author) == (self.run.turn, self.author)]

    @property
    def nodes(self) -> Mapping[NodeId, Node]:
        """The turn's nodes, whoever asked for them."""
        return nodes_added([each.operation for each in self.logged if each.turn == self.run.turn])

    @property
    def outcomes(self) -> Mapping[NodeId, Outcome]:
        """How nodes ended."""
        return {node: each.outcome for node, each in self.standings.items() if each.outcome is not None}

    @property
    def unfinished(self) -> Sequence[NodeId]:
        """The author's nodes that have not ended, in plan order."""
        added = nodes_added([each.operation for each in self.own])
        return [each for each in added if each not in self.outcomes]


class Replanner:
    """The `Reflector` of `ports.py`. Without a model, or when it is away, the turn ends.

    What each person asked for is reflected on by itself: operations that follow run with the
    rights of the person whose request they serve.
    """

    def __init__(
        self,
        *,
        model: LanguageModel | None,
        registry: Registry,
        log: OperationLog,
        runs: Runs,
        mailbox: Mailbox,
        standings: NodeStatuses,
        memory: Memory,
        dialect: str | None,
        packing: bool = False,
        progress: Progress | None = None,
        limits: PlanLimits = DEFAULT_LIMITS,
    ) -> None:
        self._model = model
        self._registry = registry
        self._log = log
        self._runs = runs
        self._mailbox = mailbox
        self._standings = standings
        self._memory = memory
        self._dialect = dialect
        self._packing = packing and dialect is not None
        self._progress = progress
        self._limits = limits

    async def reflect(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Decide at the end of the DAG."""
        run = await self._runs.read(thread, turn)
        if self._model is None or run.trouble or run.stopped_by is not None:
            return _ENOUGH
        standings = {node: NodeStatus(state=state_of(each), outcome=each) for node, each in outcomes.items()}
        ends: list[ReplanReport] = []
        for author in await self._authors(thread, turn):
            scene = _Scene(run=run, author=author, logged=await self._log.after(thread, 0), standings=standings)
            verdict = await self._decide(self._model, scene)
            ends.append(await self._followed(scene, verdict, may_extend=round_number <= bound))
        order = (ReplanResult.EXTENDED, ReplanResult.ASK, ReplanResult.MORE)
        return next((each for wanted in order for each in ends if each.next is wanted), _ENOUGH)

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Decide about what failed while people are waited for."""
        run = await self._runs.read(thread, turn)
        logged = await self._log.after(thread, 0)
        standings = await self._standings.of(thread)
        failed = _fatal([each for each in logged if each.turn == turn], standings)
        known = {node for each in run.reflections for node in each.failed}
        if self._model is None or run.trouble or round_number > bound or known.issuperset(failed):
            return False
        grown = False
        for author in dict.fromkeys(each.author for each in logged if _adds(each) in failed):
            scene = _Scene(run=run, author=author, logged=await self._log.after(thread, 0), standings=standings)
            grown |= await self._reconsidered(scene, await self._decide(self._model, scene), failed)
        return grown

    async def _reconsidered(self, scene: _Scene, verdict: ReplanDecision, failed: Sequence[NodeId]) -> bool:
        # Before anything is done: a crash may cost a round, but never gives one too many.
        await self._runs.reflected(
            scene.run.thread, scene.run.turn, Reflection(choice=verdict.choice, failed=tuple(failed))
        )
        match verdict.choice:
            case Choice.REPLAN:
                return await self._append(scene, verdict.operations)
            case Choice.END:
                return await self._append(scene, [Cancel(id=each, why=UNREACHABLE) for each in scene.unfinished])
            case Choice.ASK:
                await self._mailbox.taken(scene.run.thread, scene.run.turn, [], reply=verdict.question)
                return False
            case Choice.CONTINUE:
                return False

    async def _followed(self, scene: _Scene, verdict: ReplanDecision, *, may_extend: bool) -> ReplanReport:
        match verdict.choice:
            case Choice.REPLAN if may_extend:
                appended = await self._append(scene, verdict.operations)
                return ReplanReport(next=ReplanResult.EXTENDED, author=scene.author) if appended else _ENOUGH
            case Choice.REPLAN:
                titles = [shown_title(each.node) for each in verdict.operations if isinstance(each, Add)]
                return ReplanReport(next=ReplanResult.MORE, author=scene.author, titles=tuple(titles))
            case Choice.ASK:
                return ReplanReport(next=ReplanResult.ASK, author=scene.author, question=verdict.question)
            case Choice.CONTINUE | Choice.END:
                return _ENOUGH

    async def _authors(self, thread: ThreadId, turn: int) -> Sequence[UserId]:
        logged = await self._log.after(thread, 0)
        return list(dict.fromkeys(each.author for each in logged if each.turn == turn))

    async def _decide(self, model: LanguageModel, scene: _Scene) -> ReplanDecision:
        """Ask the model; what cannot be understood ends nothing that still runs and extends nothing."""
        dialogue = await self._dialogue(scene)
        past = Past(nodes=scene.nodes, outcomes=scene.outcomes, registry=self._registry)
        for _ in range(1 + REPAIRS):
            try:
                answer = await model.complete(Role.REPLAN, dialogue)
            except ModelUnavailable:
                break
            read = read_replan_decision(answer, self._intake(scene), past, self._limits)
            if not isinstance(read, Unclear):
                return read
            dialogue += [ChatMessage(by="ai", text=answer), results_message([], [], read.faults)]
        return ReplanDecision(choice=Choice.CONTINUE)

    def _intake(self, scene: _Scene) -> PlanBuilder:
        return PlanBuilder(
            registry=self._registry,
            known=nodes_added([each.operation for each in scene.logged]),
            added_before=nodes_added([each.operation for each in scene.own]).keys()
            - ended_otherwise(scene.own, scene.standings),
            packages=self._dialect is not None,
            limits=self._limits,
            added=len(scene.nodes),
        )

    async def _dialogue(self, scene: _Scene) -> list[ChatMessage]:
        messages = [each for each in scene.run.messages if each.author == scene.author]
        past = await self._memory.past(scene.run.thread, scene.run.turn)
        names = await self._memory.names(scene.run.thread, messages)
        return [
            system_message(Role.REPLAN, self._registry, self._dialect),
            *past,
            results_message(messages, shown_nodes(scene.own, scene.standings), names=names, heads=True),
        ]

    async def _append(self, scene: _Scene, operations: Sequence[Operation]) -> bool:
        operations = [each for one in operations for each in with_dependents(one, scene.logged, scene.standings)]
        if self._packing:
            packing = pack(operations, self._registry, limits=self._limits)
            operations = packing.operations
            if self._progress is not None and (packing.fusions or packing.splits):
                event = PlanPacked(turn=scene.run.turn, fusions=packing.fusions, splits=packing.splits)
                self._progress.note(scene.run.thread, event)
        try:
            await self._log.append(scene.run.thread, scene.run.turn, scene.author, operations)
        except DuplicateNode:
            return False
        return bool(operations)


def _adds(logged: LoggedOperation) -> NodeId | None:
    return logged.operation.node.id if isinstance(logged.operation, Add) else None


def _fatal(logged: Sequence[LoggedOperation], standings: Mapping[NodeId, NodeStatus]) -> Sequence[NodeId]:
    """Return the failed nodes because of which others were skipped, in plan order, while some have not ended."""
    outcomes = {
        node: standings[node].outcome if node in standings else None
        for node in nodes_added([each.operation for each in logged])
    }
    lost = {each.because for each in outcomes.values() if isinstance(each, Skipped) and not each.why}
    if all(outcomes.values()):
        return ()
    return [node for node, each in outcomes.items() if node in lost and isinstance(each, Failed)]
