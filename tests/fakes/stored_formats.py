"""Everything the code stores or shows outside, as plain JSON by kind and case.

The only place where the tests of stored formats import the product. `tests/unit/stored_formats.json` has the expected
values.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import typer
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from sqlalchemy.dialects import postgresql
from typer.main import get_command

from agent.approval import ApprovalKind, ApprovalPolicy, ApprovalRequest, Decision, DecisionRecord, FreezeScope
from agent.budget.budget import Budget, Budgets, Measure, Start
from agent.budget.tracker import BudgetTracker
from agent.budget.usage import Scope, Spent
from agent.card_facts import CardFacts, DryRun, Origin, OriginKind, card_facts_json, card_facts_of
from agent.errors import TurnError
from agent.events import AttemptEnded, NodeChanged, NodePlanned, PlanPacked, SummarizedCall
from agent.execution.execution_context import Ports as AgentPorts
from agent.execution.graph import Checkpoints, ThreadRunner
from agent.execution.node_executor import NodeExecutor
from agent.execution.parking import Parking, Participant
from agent.execution.step import Step
from agent.execution.turn_flow import request_id
from agent.ids import ApprovalId, Digest, NodeId, ThreadId, ToolName, UserId, thread_id
from agent.limits import DEFAULT_LIMITS, Role
from agent.packing.packing import Fusion, Reason, pack
from agent.packing.write_call_split import split_red
from agent.plan.artifacts import content_of
from agent.plan.files import FileOrigin
from agent.plan.operations import (
    Add,
    Node,
    NodeKind,
    On,
    canonical_json,
    operation_from_json,
    operation_json,
)
from agent.plan.outcomes import (
    ArtifactRef,
    Cancelled,
    Comment,
    Expired,
    Failed,
    NodeState,
    Outcome,
    Rejected,
    Skipped,
    Succeeded,
    outcome_from_json,
    outcome_json,
)
from agent.plan.templates import items_of
from agent.ports import Bound, Choice, LedgerState, RememberedResult, ResultKey, RunStatus
from agent.reading.operation_reader import read_operation
from agent.reading.validation import Fault, FaultCode, fault_json
from agent.scripts.replay import ToolCallReplay
from agent.tool import CallContext, Colour, Registry, Reversibility, Tool
from agent.tools.call import cached_call
from bot.blocks.board import board
from bot.blocks.details import details, shown_by
from bot.blocks.help import stoppable
from bot.cards.card import card
from bot.elements import Block, Rendered, words_only
from bot.handlers.commands import COMMAND
from bot.handlers.stop import STOP_WORDS, stop_row
from bot.payloads import (
    STOP_SHORTCUT,
    AttemptClick,
    Click,
    DetailsClick,
    SessionStop,
    ShowClick,
    StopClick,
    StopShortcut,
)
from bot.ports import (
    ApprovalView,
    AttemptView,
    Kind,
    NodeView,
    OpenRun,
    PackageView,
    Post,
    PostedMessage,
    RunView,
    Slot,
)
from bot.publishing.sender import MessageSender
from bot.slack.rate_limits import RateLimiter
from bot.tools.catalogue import SLACK_TOOLS
from infra.cli.main import COMMANDS
from infra.cli.plan_run import event_line
from infra.config.environment import Settings, read_settings
from infra.config.file import Configuration, parse_configuration
from infra.db.database import NOTIFY_CHANNEL, WorkerId, worker_application
from infra.db.embedded_postgres import ROLE, SYSTEM_USER
from infra.db.tables import Row
from infra.stores.audit import AuditEvent
from infra.tools.catalogue import TOOL_NAMES
from infra.worker.notifications import Notifier
from infra.worker.queue import WAKE, WAKE_LATER, with_wake
from sandbox.script import CallRecord, Json, OutcomeKind, ScriptError, ScriptOutcome
from sandbox.script import outcome_json as script_outcome_json
from tests.fakes.configuration_keys import keys
from tests.fakes.ports_in_memory import ApprovalsInMemory, record_of

Table = Mapping[str, Json]

THREAD = thread_id("T1", "C1", "1700000000.000100")
ADA, GRACE = UserId("U1"), UserId("U2")
AT = datetime(2026, 5, 4, 12, 0, 0, 250_000, tzinfo=UTC)
DIGEST = Digest("d" * 64)
ARTIFACT = ArtifactRef(digest=Digest("a" * 64), name="big.json", size=5000, media_type="application/json", head="[1,2")
FILE = ArtifactRef(
    digest=Digest("f" * 64), name="1/n/r.md", size=9, media_type="text/markdown", head="", summary="1 line: x"
)

OUTCOMES: Mapping[str, Outcome] = {
    "succeeded": Succeeded(value={"b": [1, 2.5, None, True], "a": "ä"}),
    "succeeded-with-nothing": Succeeded(),
    "succeeded-from-the-cache": Succeeded(value="x", age_seconds=7),
    "succeeded-with-an-artifact": Succeeded(artifact=ARTIFACT),
    "succeeded-with-an-artifact-from-the-cache": Succeeded(artifact=ARTIFACT, age_seconds=0),
    "succeeded-with-files": Succeeded(value=1, files=(FILE,)),
    "failed": Failed(error="timeout", message="no answer"),
    "failed-without-words": Failed(error="internal"),
    "rejected": Rejected(by=GRACE, reason="not today"),
    "expired": Expired(),
    "skipped-because-of-an-end": Skipped(because=NodeId("a")),
    "skipped-by-its-condition": Skipped(because=NodeId("a"), why="its condition was not met"),
    "succeeded-with-a-comment": Succeeded(value=1, comment=Comment(by=GRACE, text="go")),
    "failed-with-a-comment": Failed(error="timeout", comment=Comment(by=GRACE, text="go")),
    "cancelled-for-changes": Cancelled(why="in #ops", by=GRACE),
    "cancelled": Cancelled(why="stopped"),
}

ENUMS: Mapping[str, type[Enum]] = {
    "what a node runs": NodeKind,
    "which end lets a dependent run": On,
    "state of a node": NodeState,
    "kind of a question": ApprovalKind,
    "decision": Decision,
    "state of a red call": LedgerState,
    "status of a run": RunStatus,
    "choice of a reflection": Choice,
    "trouble of a turn": TurnError,
    "fault of a plan": FaultCode,
    "scope of a budget": Scope,
    "measure of a budget": Measure,
    "colour of a tool": Colour,
    "end of a script": OutcomeKind,
    "kind of a message in the inbox": Kind,
    "place of a message in a thread": Post,
    "event of the audit": AuditEvent,
    "scope of a freeze": FreezeScope,
    "what becomes of a mistake": Reversibility,
    "where a value comes from": OriginKind,
}
"""The enums stored by value; packing reasons are stored by name (`reasons`)."""


# Nodes and operations


def node_format(stored: Json) -> Json:
    """Return what the code makes of a stored add: the same JSON, its digest and its task's name."""
    operation = operation_from_json(cast("Mapping[str, Json]", stored))
    assert isinstance(operation, Add)
    step = Step(thread=THREAD, turn=1, author=ADA, node=operation.node)
    return {"stored": operation_json(operation), "digest": operation.node.digest, "task": step.task_name}


def operation_format(text: str) -> str:
    """Return the canonical JSON of an operation that was stored as this text."""
    return canonical_json(operation_json(operation_from_json(_parsed(text))))


def written_format(written: Json) -> Json:
    """Return what is stored of an operation as a planner writes it."""
    read = read_operation(cast("Mapping[str, Json]", written), None, DEFAULT_LIMITS)
    assert isinstance(read, Add)
    return operation_json(read)


def unfolded_format(template: Json, values: Json) -> Json:
    """Return the adds that a template becomes for these values."""
    return [operation_json(Add(node=node)) for node in items_of(_node(template), cast("Sequence[Json]", values))]


def packed_format(plan: Json) -> Json:
    """Return the operations that a plan is packed into."""
    operations = [
        operation_from_json(cast("Mapping[str, Json]", operation)) for operation in cast("Sequence[Json]", plan)
    ]
    return [operation_json(operation) for operation in pack(operations, REGISTRY).operations]


def split_format(package: Json) -> Json:
    """Return the two adds that a script with a red end becomes."""
    parts = split_red(_node(package), REGISTRY)
    assert parts is not None
    return [operation_json(Add(node=node)) for node in (parts.script, parts.call)]


def _node(stored: Json) -> Node:
    operation = operation_from_json(cast("Mapping[str, Json]", stored))
    assert isinstance(operation, Add)
    return operation.node


def _parsed(text: str) -> Mapping[str, Json]:
    return json.loads(text)


# Outcomes, artifacts, faults, scripts


def outcomes() -> Table:
    """Return case -> the outcome's canonical JSON."""
    for outcome in OUTCOMES.values():
        assert outcome_from_json(outcome_json(outcome)) == outcome
    return {case: canonical_json(outcome_json(outcome)) for case, outcome in OUTCOMES.items()}


def artifacts() -> Table:
    """Return case -> name, media type and content of the artifact of a value."""
    values: Table = {"text": "grün", "list": [1, "ä"], "object": {"b": 1, "a": None}}
    kept = {case: content_of(NodeId("big"), value) for case, value in values.items()}
    return {case: [artifact.name, artifact.media_type, artifact.content.decode()] for case, artifact in kept.items()}


def faults() -> Table:
    """Return case -> a fault's JSON."""
    whole = Fault(code=FaultCode.BAD_VALUE, message="m", line=3, node="a", pointer="/args/x")
    return {"whole": fault_json(whole), "bare": fault_json(Fault(code=FaultCode.EMPTY_PLAN, message="m"))}


def script_outcomes() -> Table:
    """Return case -> the JSON of how a script ended."""
    call = CallRecord(tool="http_get", args={"url": "u"}, ok=True, milliseconds=1.5)
    error = ScriptError(type="ValueError", message="m", traceback="t")
    return {
        "ok": script_outcome_json(ScriptOutcome(kind=OutcomeKind.OK, result=[1], logs="l", calls=(call,))),
        "error": script_outcome_json(ScriptOutcome(kind=OutcomeKind.ERROR, error=error, milliseconds=2.0)),
    }


# Ids and digests of calls and questions


async def _give(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    return "given"


def _tool(name: str, colour: Colour, call: Any = _give, **more: Any) -> Tool:
    schema: Mapping[str, Json] = {"type": "object", "properties": {"url": {}, "text": {}, "channel": {}}}
    return Tool(name=ToolName(name), description=name, arguments=schema, colour=colour, call=call, **more)


REGISTRY = Registry([_tool("http_get", Colour.GREEN), _tool("slack_post_message", Colour.RED)])

_POST = Node(
    id=NodeId("tell"),
    kind=NodeKind.TOOL,
    title="Tell",
    tool=ToolName("slack_post_message"),
    args={"channel": "#incidents", "text": "It says ${look#/body}, ${big}"},
)
_STEP = Step(thread=THREAD, turn=2, author=ADA, node=_POST)
_BOUND = Bound(tool=ToolName("slack_post_message"), args={"channel": "#incidents", "text": "t"}, digest=DIGEST)


class _Artifacts:
    async def put(
        self, thread: ThreadId, name: str, content: bytes, media_type: str, origin: FileOrigin | None = None
    ) -> ArtifactRef:
        raise NotImplementedError

    async def get(self, thread: ThreadId, digest: Digest) -> bytes:
        return b"[1,2,3]"


def bound_calls() -> Table:
    """Return case -> arguments and digest of a bound call."""
    work = NodeExecutor(registry=REGISTRY, sandbox=None, artifacts=_Artifacts(), progress=cast("Any", None), model=None)
    outcomes = {
        NodeId("look"): Succeeded(value={"body": "fine"}),
        NodeId("big"): Succeeded(artifact=replace(ARTIFACT, size=7)),
        NodeId("list"): Succeeded(value=[{"name": "a"}], age_seconds=3),
    }
    inputs: Mapping[str, Json] = {"all": "${list}", "one": "${list#/0/name}"}
    script = Node(id=NodeId("count"), kind=NodeKind.PACKAGE, title="Count", code="c", inputs=inputs)
    plain = replace(_POST, args={"channel": "#incidents", "text": "plain"})
    nodes = {
        "tool": _POST,
        "tool-without-references": plain,
        "package": script,
        "subagent": replace(script, kind=NodeKind.SUBAGENT, code="", role="analyst", instruction="look"),
        "item-of-a-template": replace(plain, id=NodeId("tell-0"), item_of=NodeId("tell"), args={"text": "${list#/0}"}),
    }

    async def bind(node: Node) -> Json:
        bound = await work.bind(THREAD, node, outcomes)
        assert isinstance(bound, Bound)
        return {"tool": bound.tool, "args": bound.args, "digest": bound.digest}

    return {case: asyncio.run(bind(node)) for case, node in nodes.items()}


def question_ids() -> Table:
    """Return case -> the id of a question about a node, by kind and attempt, and of one about a turn."""
    about_nodes: dict[str, Json] = {
        f"{kind.value}-{attempt}": _STEP.question(kind, _BOUND, attempt, ()).id
        for kind in (ApprovalKind.APPROVE, ApprovalKind.UNKNOWN)
        for attempt in (1, 2)
    }
    about_turns: dict[str, Json] = {f"rounds-and-ask-{number}": request_id(THREAD, 2, number) for number in (0, 1)}
    asked = {f"budget-{case}": request.id for case, request in _budget_questions().items()}
    return {**about_nodes, **about_turns, **asked}


class _Account:
    def __init__(self, spent: Spent) -> None:
        self._spent = spent

    def spent(self) -> Mapping[Scope, Spent]:
        return {Scope.RUN: self._spent, Scope.THREAD: self._spent + self._spent}

    def node_started(self) -> None:
        pass


_SPENT = Spent(model_calls=3, input_tokens=100, output_tokens=20, cost_micros=1500, work_milliseconds=2000, nodes=4)


def _tracker(budgets: Budgets, approvals: ApprovalsInMemory) -> BudgetTracker:
    return BudgetTracker(
        budgets=budgets, account=_Account(_SPENT), approvals=approvals, thread=THREAD, turn=2, author=ADA
    )


def _budget_questions() -> Mapping[str, ApprovalRequest]:
    found: dict[str, ApprovalRequest] = {}
    for case, start, budget in (
        ("model_calls", Start.CALL, Budget(model_calls=3)),
        ("tokens", Start.CALL, Budget(tokens=120)),
        ("cost", Start.CALL, Budget(cost_micros=1500)),
        ("time", Start.NODE, Budget(milliseconds=2000)),
        ("nodes", Start.NODE, Budget(nodes=4)),
    ):
        tracker = _tracker(Budgets(run=budget, thread=Budget(nodes=5), currency="EUR"), ApprovalsInMemory(Notifier()))
        assert not tracker.admits(start)
        assert tracker.request is not None
        found[case] = tracker.request
    return found


def budget_questions() -> Table:
    """Return case -> what the row of a question about a budget holds, and what "go on" leaves in it."""
    return {case: _row_of(request) for case, request in _budget_questions().items()} | {
        "gone-on": asyncio.run(_gone_on())
    }


async def _gone_on() -> Json:
    approvals = ApprovalsInMemory(Notifier())
    tracker = _tracker(Budgets(run=Budget(nodes=4), thread=Budget(nodes=5)), approvals)
    assert not tracker.admits(Start.NODE)
    assert tracker.request is not None
    request = tracker.request
    await approvals.ask(request)
    await tracker.apply(record_of(request, Decision.GO_ON))
    return approvals.asked[request.id].args


def node_questions() -> Table:
    """Return case -> what the row of a question about a node holds."""
    behind = (replace(_POST, id=NodeId("after"), title="After"), replace(_POST, title="Each ${item}", for_each="${x}"))
    return {
        kind.value: _row_of(_STEP.question(kind, _BOUND, 1, behind))
        for kind in (ApprovalKind.APPROVE, ApprovalKind.UNKNOWN)
    }


def card_facts() -> Table:
    """Return case -> what a request stores of its card, after reading it back."""
    origins = (
        Origin(kind=OriginKind.STEP, what="Look"),
        Origin(kind=OriginKind.PERSON, what="U0ADA"),
        Origin(kind=OriginKind.PLAN),
    )
    cases = {
        "nothing": CardFacts(),
        "all": CardFacts(
            reversibility=Reversibility.COMPENSABLE,
            origins={"text": origins, "channel": origins[2:]},
            dry_run=DryRun(result="would post"),
            confidential=("/token", "/rows/*/key"),
            targets=("channel",),
        ),
        "dry run failed": CardFacts(dry_run=DryRun(error="no answer")),
    }
    question = _STEP.question(ApprovalKind.APPROVE, _BOUND, 1, ())
    for facts in cases.values():
        assert card_facts_of(replace(question, facts=card_facts_json(facts))) == facts
    return {case: card_facts_json(facts) for case, facts in cases.items()}


def _row_of(question: ApprovalRequest) -> Json:
    return {
        "id": question.id,
        "thread": question.thread,
        "turn": question.turn,
        "node": question.node,
        "kind": question.kind.value,
        "title": question.title,
        "tool": question.tool,
        "args": question.args,
        "digest": question.digest,
        "author": question.author,
        "attempt": question.attempt,
        "blocks": list(question.blocks),
    }


def call_keys() -> Table:
    """Return case -> the key that every try of one call has: a red call's, a script's, a remembered result's."""
    return {
        "red call": _STEP.context(_BOUND, lambda: 0.0).idempotency_key,
        "call of a script": asyncio.run(_script_call()),
        "remembered result": asyncio.run(_remembered()),
    }


async def _script_call() -> Json:
    heard: list[CallContext] = []

    async def call(context: CallContext, _args: Mapping[str, Json]) -> Json:
        heard.append(context)
        return {"status": 200}

    registry = Registry([_tool("http_get", Colour.GREEN, call)])
    node = Node(id=NodeId("count"), kind=NodeKind.PACKAGE, title="Count", code="c", tools=(ToolName("http_get"),))
    context = CallContext(thread=THREAD, node=node.id, author=ADA, idempotency_key=DIGEST)
    replay = ToolCallReplay(registry, node, context, asyncio.sleep)
    await replay("http_get", {"url": "u", "a": 1})
    [answer] = replay.take_new_answers()
    return {"key": heard[0].idempotency_key, "journaled": answer.call, "value": answer.value}


async def _remembered() -> Json:
    class Cache:
        key: ResultKey | None = None

        async def find(self, key: ResultKey) -> RememberedResult | None:
            self.key = key
            return RememberedResult(value="old", age_seconds=5)

        async def keep(self, key: ResultKey, value: Json, seconds: float) -> None:
            raise NotImplementedError

    cache, tool = Cache(), _tool("http_get", Colour.GREEN, cache_seconds=60.0)
    context = CallContext(thread=THREAD, node=NodeId("look"), author=ADA, idempotency_key=DIGEST)

    async def call() -> Succeeded:
        return Succeeded()

    await cached_call(tool, context, {"url": "u"}, cache, call)
    assert cache.key is not None
    return [cache.key.tenant, cache.key.author, cache.key.tool, cache.key.version, cache.key.arguments]


# The graph


def graph() -> Table:
    """Return the names of the graph's nodes, of the state's keys, and the interrupt of an open question."""
    ports = cast("AgentPorts", None)
    unused = cast("Any", None)
    runner = ThreadRunner(ports, unused)
    checkpoints = Checkpoints(saver=InMemorySaver(), committed=unused, prune=unused, end=unused)
    compiled = runner.graph(THREAD, unused, checkpoints).compiled
    return {
        "nodes": sorted(compiled.nodes),
        "channels": sorted(compiled.channels),
        "interrupt": asyncio.run(_interrupt()),
    }


async def _interrupt() -> Json:
    class Approvals:
        async def ask(self, question: ApprovalRequest) -> DecisionRecord:
            return record_of(question)

    parking = Parking(cast("Any", Approvals()))
    participant = Participant(parking)
    participant.go_live()
    asking = asyncio.create_task(participant.ask(_STEP.question(ApprovalKind.APPROVE, _BOUND, 1, ())))
    await parking.wake.wait()
    parking.park()
    try:
        await asking
    except GraphInterrupt as parked:
        return [{"id": interrupt.id, "value": interrupt.value} for interrupt in parked.args[0]]
    raise AssertionError("the question did not park")


# Values of enums, names of reasons


def enums() -> Table:
    """Return what is stored by an enum's values -> the values, in their order."""
    return {what: [str(member.value) for member in kind] for what, kind in ENUMS.items()}


def reasons() -> Table:
    """Return the names under which it is stored why two steps stay apart; the words are people's."""
    return {"names": [reason.name for reason in Reason]}


# Events as the command line prints them


def event_lines() -> Table:
    """Return case -> the line of `greenlight plan run` about an event."""
    changed = NodeChanged(node=NodeId("a"), state=NodeState.FAILED, at=AT, outcome=Failed(error="timeout"), detail="d")
    return {
        "planned": dict(event_line(NodePlanned(turn=1, node=_POST, colour=Colour.RED, author=ADA, at=AT))),
        "packed": dict(event_line(PlanPacked(turn=1, fusions=(_FUSION,), splits=()))),
        "changed": dict(event_line(changed)),
        "running": dict(event_line(NodeChanged(node=NodeId("a"), state=NodeState.RUNNING, at=AT))),
        "attempt": dict(event_line(_attempt(1, "error"))),
    }


_FUSION = Fusion(steps=(NodeId("a"), NodeId("b")))


def _attempt(number: int, kind: str) -> AttemptEnded:
    return AttemptEnded(
        node=NodeId("count"),
        attempt=number,
        kind=kind,
        code="def main(inputs): ...",
        error="ValueError: m",
        traceback="t",
        milliseconds=1.5,
        at=AT,
        logs="printed",
        calls=(SummarizedCall(tool="http_get", args="{}", ok=True, milliseconds=2.5),),
    )


# The database


def columns() -> Table:
    """Return table -> its columns, each with type, nullability, key and default, as the metadata says."""
    return {
        table.name: {
            column.name: " ".join(
                [
                    str(column.type.compile(dialect=_POSTGRESQL)).lower(),
                    "null" if column.nullable else "not null",
                    *(["key"] if column.primary_key else []),
                    *([f"default {_default(column.server_default)}"] if column.server_default is not None else []),
                ]
            )
            for column in table.columns
        }
        for table in Row.metadata.sorted_tables
    }


_POSTGRESQL = postgresql.dialect()  # pyright: ignore[reportUnknownMemberType]


def _default(default: Any) -> str:
    argument = getattr(default, "arg", None)
    return "identity" if argument is None else str(argument)


def indexes() -> Table:
    """Return table -> the names of its indexes and unique constraints."""
    return {
        table.name: sorted(
            str(index.name)
            for index in (*table.indexes, *table.constraints)
            if index.name is not None and not str(index.name).startswith(("pk_", "_unnamed"))
        )
        for table in Row.metadata.sorted_tables
    }


def channels() -> Table:
    """Return what processes of two versions call each other by, in one database."""
    statement = str(with_wake("woken AS (SELECT 1)"))
    return {
        "NOTIFY about a thread's rows": NOTIFY_CHANNEL,
        "NOTIFY and task of a wake": sorted(re.findall(r"'(greenlight_news|procrastinate_\w+|wake\w*)'", statement)),
        "arguments of a wake": re.findall(r"json_build_object\((.+), :failures\)", statement),
        "task that wakes": WAKE,
        "task that wakes later": WAKE_LATER,
        "application name of a worker": worker_application(WorkerId("abc")),
        "role and database of the embedded server": ROLE,
        "system user of the embedded server": SYSTEM_USER,
    }


# Block Kit


def _view(kind: ApprovalKind, **more: Any) -> ApprovalView:
    request = replace(_STEP.question(kind, _BOUND, 1, ()), id=ApprovalId("0123456789abcdef0123456789abcdef"), **more)
    return ApprovalView(request=request, record=record_of(request), asked_at=AT, version=3)


def buttons() -> Table:
    """Return what is shown -> its interactive blocks: block id, and each element's action and value."""
    breach: Json = {"scope": "run", "measure": "nodes", "used": 1, "most": 1}
    cards = {
        kind: card(_view(kind, args={"breaches": [breach], "currency": "$"}), ApprovalPolicy()) for kind in ApprovalKind
    }
    few = board(_run([_package("one"), _package("two", "ok")]))
    many = board(_run([_package(name) for name in ("one", "two", "three", "four")]))
    package = PackageView(
        thread=THREAD, node=NodeId("count"), title="Count", attempts=(_attempt(1, "error"), _attempt(2, "ok"))
    )
    run = OpenRun(thread=THREAD, turn=1, status=RunStatus.WAITING, requester=ADA, request="r", started_at=AT, waiting=1)
    return {
        **{f"card of {kind.value}": _interactive(shown[-1]) for kind, shown in cards.items()},
        "board with two scripts": _interactive(few),
        "board with many scripts": _interactive(many),
        "details of a script": _interactive_blocks(cast("Sequence[Block]", details(package)["blocks"])),
        "runs to stop": _interactive(stoppable([run])),
    }


def _interactive(message: Rendered) -> Json:
    return _interactive_blocks(message.blocks)


def _interactive_blocks(blocks: Iterable[Block]) -> Json:
    return [
        {
            "block_id": re.sub(r"-[0-9a-f]{24}$", "-<look>", str(block["block_id"])),
            "elements": [_element(cast("Block", one)) for one in cast("Sequence[Json]", block.get("elements", ()))],
        }
        for block in blocks
        if "block_id" in block
    ]


def _element(element: Block) -> Json:
    options = cast("Sequence[Mapping[str, Json]]", element.get("options", ()))
    chosen: Json = element["value"] if "value" in element else [option["value"] for option in options]
    return [element["type"], element["action_id"], chosen]


def _package(id: str, kind: str = "error") -> NodeView:
    return NodeView(
        id=NodeId(id),
        title=id,
        kind=NodeKind.PACKAGE,
        colour=Colour.GREEN,
        state=NodeState.FAILED,
        outcome=Failed(error="script_failed"),
        attempts=(AttemptView(attempt=1, kind=kind, error="E"),),
    )


def _run(nodes: Sequence[NodeView] = ()) -> RunView:
    return RunView(thread=THREAD, turn=2, status=RunStatus.RUNNING, requester=ADA, started_at=AT, nodes=tuple(nodes))


def modals() -> Table:
    """Return the modal's own names, and what is read back of which package it shows."""
    shown = details(PackageView(thread=THREAD, node=NodeId("count"), title="Count", attempts=(_attempt(1, "ok"),)))
    thread, node = shown_by(str(shown["private_metadata"]))
    return {
        "callback": shown["callback_id"],
        "private metadata": shown["private_metadata"],
        "read back": [thread, node],
        "shortcut": STOP_SHORTCUT,
        "command": COMMAND,
        "words that stop": sorted(STOP_WORDS),
    }


def click_format(payload: Json) -> Json:
    """Return what is read of a payload: which reader took it, and the facts it found."""
    body = cast("Mapping[str, Any]", payload)
    if (stopped := SessionStop.read(body)) is not None:
        return {"session stop": [stopped.event_id, stopped.channel, stopped.thread_ts, stopped.user]}
    if (stop := StopClick.read(body)) is not None:
        return {"stop": [stop.thread, stop.user]}
    if (shortcut := StopShortcut.read(body)) is not None:
        return {"stop shortcut": [shortcut.channel, shortcut.root_ts, shortcut.user]}
    if (attempt := AttemptClick.read(body)) is not None:
        return {"attempt": [attempt.shown, attempt.attempt, attempt.user]}
    if (asked := DetailsClick.read(body)) is not None:
        return {"details": [asked.node, asked.channel, asked.root_ts, asked.user]}
    if (show := ShowClick.read(body)) is not None:
        return {"show": [show.approval, show.version, show.channel, show.user]}
    if (click := Click.read(body)) is not None:
        return {"decision": [click.approval, click.version, click.decision.value, click.user]}
    return None


def posts() -> Table:
    """Return what is posted -> the metadata by which a message is found again after a crash."""
    slots = {
        "board": Slot(Post.BOARD),
        "card": Slot(Post.CARD, "0123456789abcdef0123456789abcdef"),
        "second part of a card": Slot(Post.CARD, "0123456789abcdef0123456789abcdef#2"),
        "reply": Slot(Post.REPLY, "0"),
    }
    return {case: asyncio.run(_metadata(slot)) for case, slot in slots.items()}


async def _metadata(slot: Slot) -> Json:
    sent: dict[str, Any] = {}

    class Api:
        async def write_once(self, method: str, **body: Any) -> Mapping[str, Any]:
            sent[method] = body
            return {"ts": "1.1"}

    class Posted:
        async def begin(self, thread: ThreadId, turn: int, slot: Slot) -> bool:
            return True

        async def post(self, thread: ThreadId, turn: int, slot: Slot, message: PostedMessage) -> None:
            pass

    sender = MessageSender(cast("Any", Api()), cast("Any", Posted()), RateLimiter(), cast("Any", None))
    await sender.put(_run(), slot, words_only("hello"))
    return cast("Json", sent["chat.postMessage"]["metadata"])


def stop_rows() -> Table:
    """Return case -> the inbox row of a stop: kind, event id, ts, text."""
    given: Any = {"app": "A1", "event_id": "Ev1", "thread": THREAD, "by": ADA}
    rows = {"said in a message": stop_row(**given, ts="1700000001.000100"), "pressed": stop_row(**given)}
    return {case: [row.kind.value, row.event_id, row.ts, row.text] for case, row in rows.items()}


# Settings


def configuration_keys() -> Sequence[str]:
    """Return the path of every key the file may have, sorted; `*` is a name of the user's own."""
    return sorted(key.replace(".NAME.", ".*.") for key, _ in keys(Configuration))


def configuration_values(table: Json) -> Json:
    """Return what the product is built from when the file says this."""
    read = parse_configuration(cast("Mapping[str, object]", table), "the test")
    policies, containers = read.policies(), read.containers.settings()
    executor, worker, budgets = read.limits, read.worker, read.bounds()
    prices, tools = read.prices, read.tools
    built: Mapping[str, Any] = {
        "policies": {
            "default": _policy(policies.default),
            **{name: _policy(policy) for name, policy in policies.by_tool.items()},
        },
        "limits": {
            "nodes at once": executor.nodes_at_once,
            "fan-out": executor.fan_out,
            "nodes per turn": executor.nodes_per_turn,
            "planned nodes": read.limits.plan().nodes,
            "threads at once": read.limits.threads_at_once,
            "seconds a question is open": read.limits.approvals_open_for(),
        },
        "plan": {"packed": read.plan.pack, "gather seconds": read.plan.gather_seconds},
        "worker": [worker.heartbeat, worker.stall, worker.sweep, worker.grace],
        "models": {setting: read.model.by_role.get(role) for setting, role in _ROLES.items()},
        "model seconds": [read.model.silence_seconds, read.model.total_seconds],
        "memory tokens": read.memory.tokens,
        "memory turns": read.memory.turns,
        "prices": {name: [model.input, model.output] for name, model in prices.models.items()},
        "currency": [prices.currency, budgets.currency],
        "budgets": {"run": _budget(budgets.run), "thread": _budget(budgets.thread)},
        "sandbox": read.sandbox,
        "containers": {
            "packages": containers.image.packages,
            "runtime": containers.runtime,
            "ready": containers.pool.ready,
            "at once": containers.concurrency,
        },
        "tools": {
            "http_get": tools.http_get and asdict(tools.http_get),
            "read_access_log": tools.read_access_log and asdict(tools.read_access_log),
            "sql_query": tools.sql_query and asdict(tools.sql_query),
            "http_request": tools.http_request and asdict(tools.http_request),
            "host_metrics": tools.host_metrics and asdict(tools.host_metrics),
        },
        "disabled": read.tools.disabled,
    }
    return _plain(built)


_ROLES: Mapping[str, Role] = {
    "planner": Role.PLANNER,
    "repair": Role.REPAIR,
    "conclude": Role.CONCLUDE,
    "replan": Role.REPLAN,
    "answer": Role.ANSWER,
    "summary": Role.SUMMARY,
}
"""A key of `model.by_role` -> the role it is for."""


def _policy(policy: ApprovalPolicy) -> Any:
    return [policy.self_approval, policy.users, policy.groups, policy.quorum]


def _budget(budget: Budget) -> Any:
    return [budget.model_calls, budget.tokens, budget.cost_micros, budget.milliseconds, budget.nodes]


def _plain(value: Any) -> Json:
    match value:
        case timedelta():
            return value.total_seconds()
        case Path():
            return str(value)
        case Mapping():
            return {str(key): _plain(element) for key, element in cast("Mapping[Any, Any]", value).items()}
        case frozenset() | set():
            return sorted(str(element) for element in cast("frozenset[Any]", value))
        case list() | tuple():
            return [_plain(element) for element in cast("Sequence[Any]", value)]
        case _:
            return value


def environment_values(environ: Json) -> Json:
    """Return the settings that these variables make."""
    read: Settings = read_settings(cast("Mapping[str, str]", environ))
    slack, model = read.slack, read.model
    return {
        "database": read.database_url,
        "data": str(read.data),
        "slack": slack and [slack.bot_token, slack.app_token, slack.signing_secret, slack.api_url],
        "model": model and [model.model, model.api_key, model.base_url],
        "silence seconds": read.configuration.model.silence_seconds,
    }


def tools() -> Table:
    """Return the names of tools, as they stand in plans, policies and the cache."""
    return {"all": sorted(TOOL_NAMES), "Slack's": sorted(SLACK_TOOLS)}


def commands() -> Table:
    """Return command -> its parameters as they are typed, subcommands below it."""
    return {name: _command(_resolved(entry.module, entry.attribute)) for name, entry in COMMANDS.items()}


def _resolved(module: str, attribute: str) -> Any:
    target = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        return get_command(target)
    single = typer.Typer(add_completion=False)
    single.command()(target)
    return get_command(single)


def _command(command: Any) -> Json:
    own = sorted(" ".join(sorted([*param.opts, *param.secondary_opts])) for param in command.params)
    below = cast("Mapping[str, Any]", getattr(command, "commands", {}))
    return {
        "parameters": own,
        **({"commands": {name: _command(command) for name, command in below.items()}} if below else {}),
    }


TABLES: Mapping[str, Callable[[], Table]] = {
    build.__name__: build
    for build in (
        outcomes,
        artifacts,
        faults,
        script_outcomes,
        bound_calls,
        question_ids,
        node_questions,
        card_facts,
        budget_questions,
        call_keys,
        graph,
        enums,
        reasons,
        event_lines,
        columns,
        indexes,
        channels,
        buttons,
        modals,
        posts,
        stop_rows,
        tools,
        commands,
    )
}
"""Kind -> a function that returns what the code writes, by case."""
