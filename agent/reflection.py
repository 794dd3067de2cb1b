"""Reflection: decides at the end of the DAG whether to answer, or appends what is still needed."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias, cast

from agent.conversation import past_dialogue, shown_nodes, standings_of
from agent.dialogue import LanguageModel, Role, Said
from agent.errors import DuplicateNode, ModelUnavailable
from agent.faults import DEFAULT_LIMITS, Fault, FaultCode, PlanLimits
from agent.ids import NodeId, ThreadId, ToolName, UserId
from agent.intake import Intake, Placed
from agent.lifecycle import Expired, Failed, Outcome, Rejected
from agent.packaging import pack
from agent.plan import Add, LoggedOperation, Node, Operation, nodes_added
from agent.ports import OperationLog, Run, Runs
from agent.prompt import results_message, system_message
from agent.reading import Reply, read_operation
from agent.tools.registry import Colour, Registry
from sandbox.script import Json

ROUNDS = 3
"""How often reflection may extend the plan of one turn."""

REPAIRS = 1
"""How often the model gets its faults back before the turn is answered with what there is."""


@dataclass(frozen=True, kw_only=True)
class _End:
    """Nothing more is needed."""


@dataclass(frozen=True, kw_only=True)
class _Replan:
    operations: Sequence[Operation]


@dataclass(frozen=True, kw_only=True)
class _Faulty:
    faults: Sequence[Fault]


_Decision: TypeAlias = _End | _Replan | _Faulty


class Reflector:
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
        dialect: str | None,
        packing: bool = False,
        limits: PlanLimits = DEFAULT_LIMITS,
    ) -> None:
        self._model = model
        self._registry = registry
        self._log = log
        self._runs = runs
        self._dialect = dialect
        self._packing = packing and dialect is not None
        self._limits = limits

    async def reflect(self, thread: ThreadId, turn: int, round_number: int, outcomes: Mapping[NodeId, Outcome]) -> bool:
        """Append what is still needed and return True, or return False when the turn can be answered."""
        run = await self._runs.read(thread, turn)
        logged = await self._log.after(thread, 0)
        authors = dict.fromkeys(each.author for each in logged if each.turn == turn)
        if self._model is None or run.trouble or run.stopped_by is not None or round_number > ROUNDS:
            return False
        extended = [await self._extend(self._model, run, author, outcomes) for author in authors]
        return any(extended)

    async def _extend(self, model: LanguageModel, run: Run, author: UserId, outcomes: Mapping[NodeId, Outcome]) -> bool:
        logged = await self._log.after(run.thread, 0)
        dialogue = await self._dialogue(run, author, logged, outcomes)
        for _ in range(1 + REPAIRS):
            try:
                answer = await model.complete(Role.REFLECTION, dialogue)
            except ModelUnavailable:
                return False
            match self._decided(answer, logged, self._declined(run.turn, logged, outcomes)):
                case _End():
                    return False
                case _Replan(operations=operations):
                    return await self._append(run, author, operations)
                case _Faulty(faults=faults):
                    dialogue += [Said(by="ai", text=answer), results_message([], [], faults)]
        return False

    async def _dialogue(
        self, run: Run, author: UserId, logged: Sequence[LoggedOperation], outcomes: Mapping[NodeId, Outcome]
    ) -> list[Said]:
        own = [each for each in logged if (each.turn, each.author) == (run.turn, author)]
        messages = [each for each in run.messages if each.author == author]
        past = await self._runs.past(run.thread, run.turn)
        return [
            system_message(Role.REFLECTION, self._registry, self._dialect),
            *past_dialogue(past),
            results_message(messages, shown_nodes(own, standings_of(outcomes))),
        ]

    async def _append(self, run: Run, author: UserId, operations: Sequence[Operation]) -> bool:
        if self._packing:
            operations = pack(operations, self._registry, limits=self._limits).operations
        try:
            await self._log.append(run.thread, run.turn, author, operations)
        except DuplicateNode:
            return False
        return True

    def _decided(self, answer: str, logged: Sequence[LoggedOperation], declined: AbstractSet[ToolName]) -> _Decision:
        """Return what the model decided. Of operations with a fault none is taken."""
        written = _operations_in(answer)
        if isinstance(written, Fault):
            return _Faulty(faults=[written])
        intake = Intake(
            registry=self._registry,
            known=nodes_added([each.operation for each in logged]),
            packages=self._dialect is not None,
            limits=self._limits,
        )
        faults: list[Fault] = []
        operations: list[Operation] = []
        for each in written:
            match read_operation(each, None, self._limits):
                case Fault() as fault:
                    faults.append(fault)
                case Reply():
                    faults.append(Fault(code=FaultCode.BAD_OP, message="a reply is not possible here", pointer="/op"))
                case Add(node=node) if node.tool in declined:
                    faults.append(_decided_before(node))
                case operation:
                    verdict = intake.offer(Placed(operation=operation))
                    operations += verdict.admitted
                    faults += verdict.faults
        faults += intake.close()
        if faults:
            return _Faulty(faults=faults)
        return _Replan(operations=operations) if operations else _End()

    def _declined(
        self, turn: int, logged: Sequence[LoggedOperation], outcomes: Mapping[NodeId, Outcome]
    ) -> AbstractSet[ToolName]:
        """Return the tools that a person declined or did not decide on in this turn, and red ones that failed."""
        nodes = nodes_added([each.operation for each in logged if each.turn == turn]).values()
        return {
            node.tool for node in nodes if node.tool is not None and self._is_final(node.tool, outcomes.get(node.id))
        }

    def _is_final(self, name: ToolName, outcome: Outcome | None) -> bool:
        tool = self._registry.find(name)
        red = tool is None or tool.colour is not Colour.GREEN
        return isinstance(outcome, Rejected | Expired) or (red and isinstance(outcome, Failed))


def _decided_before(node: Node) -> Fault:
    message = f"{node.tool!r} was declined, not decided on, or failed in this turn; it is not asked for again"
    return Fault(code=FaultCode.DECIDED_BEFORE, message=message, node=node.id, pointer="/tool")


def _operations_in(answer: str) -> Sequence[Mapping[str, Json]] | Fault:
    """Return the operations of a decision to replan, none for one to end, or what is wrong with it."""
    begin, end = answer.find("{"), answer.rfind("}")
    try:
        value = cast("Mapping[str, Json]", json.loads(answer[begin : end + 1]))
    except (ValueError, RecursionError):
        return Fault(code=FaultCode.NOT_JSON, message="the answer must be one JSON object")
    operations = value.get("operations")
    if value.get("decision") == "end":
        return []
    if value.get("decision") == "replan" and isinstance(operations, list):
        found = [each for each in operations if isinstance(each, Mapping)]
        if len(found) == len(operations):
            return found
    message = '"decision" must be "end", or "replan" with a list of "operations"'
    return Fault(code=FaultCode.BAD_OP, message=message, pointer="/decision")
