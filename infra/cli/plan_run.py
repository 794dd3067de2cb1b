"""A plan file as a run: the real executor and stores, decisions from options, no Slack and no model."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from sqlalchemy import URL

from agent.approval import ApprovalRequest, Decision, DecisionRecord
from agent.events import AttemptEnded, NodeChanged, NodePlanned, PlanPacked, RunEvent
from agent.execution.graph import ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ApprovalId, NodeId, ThreadId, UserId, thread_id, thread_parts
from agent.limits import Limits
from agent.plan.operations import Add, Node, Operation, nodes_added, operation_json
from agent.plan.outcomes import Expired, Failed, Outcome, Rejected, outcome_json, state_of
from agent.plan.templates import template_of
from agent.ports import ReplanReport, ReplanResult, Runs, RunStatus
from agent.reading.plan_file import PlanFile, read_plan
from infra.cli.scratch_database import scratch_database
from infra.config.environment import Settings
from infra.db.embedded_postgres import hold_postgres
from infra.stores.approvals import PostgresApprovals
from infra.tools.http import HttpGetConfig
from infra.wiring import (
    PlanEnvironment,
    Storage,
    open_plan_environment,
    open_storage,
    open_thread_checkpoints,
    runner_ports,
)
from sandbox.script import Json

Emit: TypeAlias = Callable[[Mapping[str, Json]], None]


_WHO = UserId("operator")
"""Who asks and who decides: the person at the command line."""


_FIRST_TURN = 1


_FIRST_VERSION = 1


class Unrunnable(Exception):
    """What was asked for does not fit the plan; the text says how."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The decisions given beforehand. A rejection by name counts before `approve_all`."""

    approved: frozenset[NodeId] = frozenset()
    rejected: frozenset[NodeId] = frozenset()
    approve_all: bool = False
    templates: frozenset[NodeId] = frozenset()

    def to(self, node: NodeId) -> Decision | None:
        """Return the decision for a node's question, None when it stays open.

        What is said of a template holds for each of its items that nothing else is said of.
        """
        for each in (node, template_of(node)):
            if each is None or (each != node and each not in self.templates):
                continue
            if each in self.rejected:
                return Decision.REJECTED
            if each in self.approved:
                return Decision.APPROVED
        return Decision.APPROVED if self.approve_all else None

    def on(self, nodes: Mapping[NodeId, Node]) -> "Answers":
        """Return the answers as they hold for the plan's nodes.

        Raises:
            Unrunnable: an answer is for no node, or there are two for one.
        """
        templates = frozenset(each.id for each in nodes.values() if each.for_each)
        if strangers := {
            each for each in self.approved | self.rejected if each not in nodes and template_of(each) not in templates
        }:
            raise Unrunnable(f"the plan has no node {', '.join(sorted(strangers))}")
        if both := self.approved & self.rejected:
            raise Unrunnable(f"both approved and rejected: {', '.join(sorted(both))}")
        return replace(self, templates=templates)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: node id -> outcome of all that finished, and the questions nobody answered."""

    outcomes: Mapping[NodeId, Outcome]
    unanswered: Sequence[ApprovalRequest]

    @property
    def succeeded(self) -> bool:
        """Nothing failed, was rejected or expired. What was skipped or cancelled as the plan says is no failure."""
        return not any(isinstance(each, Failed | Rejected | Expired) for each in self.outcomes.values())


async def run_text(text: str, settings: Settings, answers: Answers, emit: Emit) -> PlanFile | Ended:
    """Read a plan and run it; return it unrun when it has faults.

    Without a table of its own `http_get` may read private addresses too: the plan is the operator's.

    Raises:
        Unrunnable: an answer names a node the plan does not have, or says yes and no to one.
        PostgresUnusable: the embedded database cannot run here.
        AgentError: the run broke off.
    """
    configuration = settings.configuration
    tools = replace(configuration.tools, http_get=configuration.tools.http_get or HttpGetConfig(allow_private=True))
    settings = replace(settings, configuration=configuration.model_copy(update={"tools": tools}))
    async with open_plan_environment(settings) as environment:
        packages = environment.dialect is not None
        plan = read_plan(text, environment.registry, packages=packages, limits=configuration.limits.plan())
        if plan.faults:
            return plan
        answers = answers.on(nodes_added(plan.operations))
        # These block for up to two seconds, and nothing else runs yet or any more.
        with hold_postgres(settings.data) as postgres, scratch_database(postgres) as url:
            ended = await _run(plan.operations, url, environment, configuration.limits, answers, emit)
        emit(end_line(ended.outcomes, ended.unanswered))
        return ended


async def _run(
    operations: Sequence[Operation],
    url: URL,
    environment: PlanEnvironment,
    limits: Limits,
    answers: Answers,
    emit: Emit,
) -> Ended:
    """Run the operations in an empty database until they are finished, or only open questions are left."""
    async with (
        open_storage(url) as storage,
        open_thread_checkpoints(storage.database) as checkpoints,
        storage.queue.app.open_async(),
    ):
        stores = storage.stores
        progress = _Lines(emit)
        approvals = _AnsweredApprovals(storage, answers, emit)
        ports = runner_ports(
            stores,
            storage.wakeups.changes,
            approvals=approvals,
            progress=progress,
            work=NodeExecutor(
                registry=environment.registry,
                sandbox=environment.sandbox,
                artifacts=stores.artifacts,
                progress=progress,
                model=None,
            ),
            feeder=_NothingToFeed(),
            replanner=_NothingMore(),
            answerer=_NoAnswer(stores.runs),
        )
        thread = thread_id("local", "plan", uuid.uuid4().hex)
        await stores.log.append(thread, _FIRST_TURN, _WHO, operations)
        await ThreadRunner(ports, checkpoints, limits=limits).advance(thread, _Alone())
        return Ended(outcomes=progress.outcomes, unanswered=await approvals.unanswered(thread))


class _Lines:
    """A Progress that prints every event, and keeps how each node ended."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.outcomes: dict[NodeId, Outcome] = {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        del thread
        self._emit(event_line(event))
        if isinstance(event, NodeChanged) and event.outcome is not None:
            self.outcomes[event.node] = event.outcome

    async def flush(self) -> None:
        """Nothing is held back."""


class _AnsweredApprovals(PostgresApprovals):
    """Approvals that are decided as soon as they are asked, when there is an answer to them."""

    def __init__(self, storage: Storage, answers: Answers, emit: Emit) -> None:
        super().__init__(storage.database, storage.queue, storage.wakeups.views)
        self._answers = answers
        self._emit = emit
        self._asked: dict[ApprovalId, ApprovalRequest] = {}

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        record = await super().ask(request)
        if request.id not in self._asked:
            self._asked[request.id] = request
            self._emit(question_line(request))
        decision = self._answers.to(request.node)
        if record.decision is not Decision.PENDING or decision is None:
            return record
        tenant = thread_parts(request.thread).tenant
        decided = await self.decide(tenant, request.id, version=_FIRST_VERSION, by=_WHO, decision=decision)
        record = decided or await super().ask(request)
        self._emit(decision_line(request, record))
        return record

    async def unanswered(self, thread: ThreadId) -> Sequence[ApprovalRequest]:
        """Return the open requests, in the order they were asked."""
        records = await self.read(thread)
        return [each for each in self._asked.values() if records[each.id].decision is Decision.PENDING]


class _Alone:
    """The lease of a run whose database nobody else knows."""

    async def check(self) -> None:
        """Nobody can have taken the thread."""


class _NothingToFeed:
    """A Feeder for a plan that stands in the log from the start."""

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Append nothing."""


class _NothingMore:
    """A Reflector without a model: a finished plan is a finished run."""

    async def reflect(
        self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome], *, bound: int
    ) -> ReplanReport:
        """Append nothing."""
        del thread, turn, round_number, outcomes, bound
        return ReplanReport(next=ReplanResult.ENOUGH)

    async def reconsider(self, thread: ThreadId, turn: int, round_number: int, *, bound: int) -> bool:
        """Append nothing."""
        del thread, turn, round_number, bound
        return False


@dataclass(frozen=True)
class _NoAnswer:
    """An Answerer without a model: the outcomes are the answer."""

    runs: Runs

    async def answer(self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome]) -> None:
        """End the turn."""
        del outcomes
        await self.runs.finish(thread, turn, RunStatus.DONE, "")


def event_line(event: RunEvent) -> Mapping[str, Json]:
    """Return a change of a node: `planned` with its operation, `changed`, a package's `attempt`, a plan `packed`."""
    match event:
        case NodePlanned(node=node):
            return {
                "event": "planned",
                "node": node.id,
                "at": event.at.isoformat(),
                "colour": event.colour.value,
                "operation": operation_json(Add(node=node)),
            }
        case PlanPacked():
            return {
                "event": "packed",
                "fusions": [list(each.steps) for each in event.fusions],
                "splits": [str(each) for each in event.splits],
            }
        case NodeChanged(node=node, outcome=outcome):
            said: dict[str, Json] = {"detail": event.detail} if event.detail else {}
            ended: dict[str, Json] = {"outcome": outcome_json(outcome)} if outcome is not None else {}
            return {
                "event": "changed",
                "node": node,
                "at": event.at.isoformat(),
                "state": event.state.value,
                **said,
                **ended,
            }
        case AttemptEnded(node=node):
            return {
                "event": "attempt",
                "node": node,
                "at": event.at.isoformat(),
                "attempt": event.attempt,
                "kind": event.kind,
                "error": event.error,
                "traceback": event.traceback,
                "code": event.code,
                "milliseconds": event.milliseconds,
            }
        case _:
            assert_never(event)


def question_line(request: ApprovalRequest) -> Mapping[str, Json]:
    """Return what a person is asked: exactly what will run if the answer is yes."""
    return {"event": "question", **_asked(request)}


def decision_line(request: ApprovalRequest, record: DecisionRecord) -> Mapping[str, Json]:
    """Return how a request was decided."""
    return {"event": "decision", "node": request.node, "id": record.id, "decision": record.decision.value}


def end_line(outcomes: Mapping[NodeId, Outcome], unanswered: Sequence[ApprovalRequest]) -> Mapping[str, Json]:
    """Return how the run ended: `finished`, or `parked` with the requests it waits for."""
    return {
        "event": "ended",
        "status": "parked" if unanswered else "finished",
        "nodes": {node: state_of(outcome).value for node, outcome in outcomes.items()},
        "open": [_asked(request) for request in unanswered],
    }


def _asked(request: ApprovalRequest) -> dict[str, Json]:
    return {
        "node": request.node,
        "id": request.id,
        "kind": request.kind.value,
        "title": request.title,
        "tool": request.tool,
        "args": request.args,
        "digest": request.digest,
        "blocks": list(request.blocks),
    }
