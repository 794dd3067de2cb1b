"""Runs a plan file with the real executor and stores, decisions from options, no Slack and no model."""

import math
import secrets
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

import psycopg
from psycopg import sql
from sqlalchemy import URL

from agent.approval import ApprovalRequest, Decision, DecisionRecord
from agent.events import AttemptEnded, NodeChanged, NodePlanned, PlanPacked, RunEvent
from agent.execution.graph import ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.ids import ApprovalId, NodeId, ThreadId, UserId, thread_id, thread_parts
from agent.limits import Limits
from agent.plan.file_names import FILE_TOOLS
from agent.plan.operations import Add, Node, Operation, nodes_added, operation_json
from agent.plan.outcomes import Expired, Failed, Outcome, Rejected, outcome_json, state_of
from agent.plan.templates import template_of
from agent.ports import ReplanReport, ReplanResult, Runs, RunStatus, WrittenAnswer
from agent.reading.plan_file import PlanFile, read_plan
from agent.tool import Registry
from infra.config.environment import Settings
from infra.db.embedded_postgres import ROLE, HeldPostgres, hold_postgres
from infra.db.migrate import migrate
from infra.stores.approvals import PostgresApprovals
from infra.tools.files import ThreadFiles, file_tools
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


_OPERATOR = UserId("operator")
"""Requests the run and decides its approvals: the person at the command line."""

_OWN_PLANS = HttpGetConfig(known={"here": "http://localhost/", "IPv4": "http://127.0.0.1/"}, allow_private=True)
"""What `http_get` may read without `[tools.http_get]`."""

_FIRST_TURN = 1
_FIRST_VERSION = 1

_SCRATCH = "scratch_"

_ABANDONED = """
SELECT datname FROM pg_database WHERE starts_with(datname, %s)
AND datname NOT IN (SELECT application_name FROM pg_stat_activity)
"""
"""An owner's connection has the name of its database, so a database without one belongs to a killed command."""


class DecisionsMismatch(Exception):
    """The decisions given as options do not fit the plan; the text says how."""


@dataclass(frozen=True, kw_only=True)
class GivenDecisions:
    """The decisions that the options give before the run starts."""

    approved: frozenset[NodeId] = frozenset()
    #: Comes before `approve_all`.
    rejected: frozenset[NodeId] = frozenset()
    approve_all: bool = False
    #: The plan's nodes with a list; a decision on one holds for every item without a decision of its own.
    templates: frozenset[NodeId] = frozenset()

    def on(self, node: NodeId) -> Decision | None:
        """Return the decision on a node, or None when no option decides it."""
        template = template_of(node)
        for name in (node, template) if template in self.templates else (node,):
            if name in self.rejected:
                return Decision.REJECTED
            if name in self.approved:
                return Decision.APPROVED
        return Decision.APPROVED if self.approve_all else None

    def for_plan(self, nodes: Mapping[NodeId, Node]) -> "GivenDecisions":
        """Return the decisions with the plan's templates.

        Raises:
            DecisionsMismatch: a decision is on an unknown node, or there are two on one node.
        """
        templates = frozenset(node.id for node in nodes.values() if node.for_each)
        decided = self.approved | self.rejected
        if unknown := {node for node in decided if node not in nodes and template_of(node) not in templates}:
            raise DecisionsMismatch(f"the plan has no node {', '.join(sorted(unknown))}")
        if both := self.approved & self.rejected:
            raise DecisionsMismatch(f"both approved and rejected: {', '.join(sorted(both))}")
        return replace(self, templates=templates)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended."""

    #: Of every node that finished.
    outcomes: Mapping[NodeId, Outcome]
    #: Approval requests that no option decides, in the order they were made.
    undecided: Sequence[ApprovalRequest]

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed, was rejected or expired; nodes that the plan skips or cancels do not count."""
        return not any(isinstance(outcome, Failed | Rejected | Expired) for outcome in self.outcomes.values())


async def run_text(text: str, settings: Settings, decisions: GivenDecisions, emit: Emit) -> PlanFile | RunResult:
    """Read a plan and run it; return the plan instead when it has faults.

    Without `[tools.http_get]`, `http_get` may read private addresses and this machine too: the plan is the operator's.

    Raises:
        DecisionsMismatch: see the class.
        PostgresUnusable: the embedded database cannot run here.
        AgentError: the run broke off.
    """
    configuration = settings.configuration
    tools = replace(configuration.tools, http_get=configuration.tools.http_get or _OWN_PLANS)
    settings = replace(settings, configuration=configuration.model_copy(update={"tools": tools}))
    async with open_plan_environment(settings) as environment:
        packages = environment.dialect is not None
        plan = read_plan(text, environment.registry, packages=packages, limits=configuration.limits.plan())
        if plan.faults:
            return plan
        decisions = decisions.for_plan(nodes_added(plan.operations))
        # These block for up to two seconds, while nothing else runs.
        with hold_postgres(settings.data) as postgres, _scratch_database(postgres) as url:
            result = await _run(plan.operations, url, environment, configuration.limits, decisions, emit)
        emit(_end_line(result))
        return result


@contextmanager
def _scratch_database(postgres: HeldPostgres) -> Generator[URL]:
    """Yield the address of a fresh, migrated database. Drops it at the end; drops those of killed commands first."""
    name = f"{_SCRATCH}{secrets.token_hex(8)}"
    address = postgres.admin_url().set(drivername="postgresql").update_query_dict({"application_name": name})
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as owner:
        for (abandoned,) in owner.execute(_ABANDONED, [_SCRATCH]).fetchall():
            _drop(owner, abandoned)
        create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(ROLE))
        owner.execute(create)
        try:
            migrate(postgres.url(name))
            yield postgres.url(name)
        finally:
            _drop(owner, name)


def _drop(owner: psycopg.Connection, name: str) -> None:
    owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


async def _run(
    operations: Sequence[Operation],
    url: URL,
    environment: PlanEnvironment,
    limits: Limits,
    decisions: GivenDecisions,
    emit: Emit,
) -> RunResult:
    """Run the operations in an empty database until they are finished, or wait for approvals only."""
    async with (
        open_storage(url) as storage,
        open_thread_checkpoints(storage.database) as checkpoints,
        storage.queue.opened(),
    ):
        stores = storage.stores
        progress = _EventPrinter(emit)
        approvals = _DecidedApprovals(storage, decisions, emit)
        others = (tool for tool in environment.registry if tool.name not in FILE_TOOLS)
        registry = Registry((*others, *file_tools(ThreadFiles(files=stores.files, artifacts=stores.artifacts))))
        ports = runner_ports(
            stores,
            storage.notifications.changes,
            approvals=approvals,
            progress=progress,
            work=NodeExecutor(
                registry=registry,
                sandbox=environment.sandbox,
                artifacts=stores.artifacts,
                progress=progress,
                model=None,
            ),
            feeder=_NoFeeder(),
            replanner=_NoReplanner(),
            answerer=_NoAnswerer(stores.runs),
        )
        thread = thread_id("local", "plan", uuid.uuid4().hex)
        await stores.log.append(thread, _FIRST_TURN, _OPERATOR, operations)
        await ThreadRunner(ports, checkpoints, limits=limits).advance(thread, _UnsharedLease())
        return RunResult(outcomes=progress.outcomes, undecided=await approvals.undecided(thread))


class _EventPrinter:
    """A Progress that prints every event and keeps the outcome of every node."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.outcomes: dict[NodeId, Outcome] = {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        del thread
        self._emit(event_line(event))
        if isinstance(event, NodeChanged) and event.outcome is not None:
            self.outcomes[event.node] = event.outcome

    async def flush(self) -> None:
        """Do nothing: events are printed at once."""


class _DecidedApprovals(PostgresApprovals):
    """Approvals that are decided as soon as they are requested, where an option decides them."""

    def __init__(self, storage: Storage, given: GivenDecisions, emit: Emit) -> None:
        super().__init__(storage.database, storage.queue, storage.notifications.views)
        self._given = given
        self._emit = emit
        self._requests: dict[ApprovalId, ApprovalRequest] = {}

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        record = await super().ask(request)
        if request.id not in self._requests:
            self._requests[request.id] = request
            self._emit({"event": "question", **_request_json(request)})
        decision = self._given.on(request.node)
        if record.decision is not Decision.PENDING or decision is None:
            return record
        tenant = thread_parts(request.thread).tenant
        decided = await self.decide(tenant, request.id, version=_FIRST_VERSION, by=_OPERATOR, decision=decision)
        record = decided or await super().ask(request)
        self._emit({"event": "decision", "node": request.node, "id": record.id, "decision": record.decision.value})
        return record

    async def undecided(self, thread: ThreadId) -> Sequence[ApprovalRequest]:
        """Return the requests without a decision, in the order they were made."""
        records = await self.read(thread)
        return [request for request in self._requests.values() if records[request.id].decision is Decision.PENDING]


class _UnsharedLease:
    """The lease of a thread in a database that no other worker knows."""

    async def check(self) -> None:
        """Do nothing: no worker can have taken the thread."""

    def not_after(self) -> float:
        """Return no end, for the same reason."""
        return math.inf


class _NoFeeder:
    """A Feeder for a plan that is in the log from the start."""

    async def feed(self, thread: ThreadId, turn: int, appended: Callable[[], None]) -> None:
        """Append nothing."""


class _NoReplanner:
    """A Replanner without a model: a finished plan is a finished run."""

    async def conclude(
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
class _NoAnswerer:
    """An Answerer without a model: the outcomes are the answer."""

    runs: Runs

    async def answer(
        self, thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome], written: WrittenAnswer | None = None
    ) -> None:
        """End the turn."""
        del outcomes, written
        await self.runs.finish(thread, turn, RunStatus.DONE, "")


def event_line(event: RunEvent) -> Mapping[str, Json]:
    """Return an event as JSON: `planned` with its operation, `changed`, a package's `attempt`, a plan `packed`."""
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
                "fusions": [list(fusion.steps) for fusion in event.fusions],
                "splits": [str(split) for split in event.splits],
            }
        case NodeChanged(node=node, outcome=outcome):
            line = {"event": "changed", "node": node, "at": event.at.isoformat(), "state": event.state.value}
            detail: dict[str, Json] = {"detail": event.detail} if event.detail else {}
            return {**line, **detail, **({} if outcome is None else {"outcome": outcome_json(outcome)})}
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


def _end_line(result: RunResult) -> Mapping[str, Json]:
    """Return how the run ended: `finished`, or `parked` with the requests it waits for."""
    return {
        "event": "ended",
        "status": "parked" if result.undecided else "finished",
        "nodes": {node: state_of(outcome).value for node, outcome in result.outcomes.items()},
        "open": [_request_json(request) for request in result.undecided],
    }


def _request_json(request: ApprovalRequest) -> dict[str, Json]:
    """Return exactly what runs after an approval."""
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
