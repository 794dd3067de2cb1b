"""Reads a replan's decision strictly and checks it against the turn's earlier work. Pure.

A single fault refuses all operations: half of another plan is not what the model meant.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from agent.ids import NodeId, ToolName
from agent.limits import PlanLimits
from agent.plan.json_values import sanitized_text, truncated
from agent.plan.operations import Add, Node, Operation, same_work
from agent.plan.outcomes import Expired, Failed, Outcome, Rejected, Succeeded
from agent.ports import Choice
from agent.reading.operation_reader import Reply, read_operation
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.validation import Fault, FaultCode
from agent.tool import Colour, Registry
from sandbox.script import Json

_QUESTION_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True)
class ReplanDecision:
    """A decision of the model."""

    choice: Choice
    #: With `REPLAN`.
    operations: tuple[Operation, ...] = ()
    #: With `ASK`.
    question: str = ""


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """An answer that holds no valid decision."""

    faults: Sequence[Fault]


@dataclass(frozen=True, kw_only=True)
class EarlierWork:
    """The work of a turn that a replan must not repeat."""

    #: The turn's nodes.
    nodes: Mapping[NodeId, Node]
    #: The outcomes of those that ended.
    outcomes: Mapping[NodeId, Outcome]
    registry: Registry

    def declined(self) -> frozenset[ToolName]:
        """Return the turn's tools that a person declined or did not decide on, and the red ones that failed.

        A declined script counts with all of its tools.
        """
        return frozenset(
            tool
            for node in self.nodes.values()
            for tool in _tools_of(node)
            if self._is_final(tool, self.outcomes.get(node.id))
        )

    def declined_script(self, node: Node) -> bool:
        """Return whether a person declined this very script, or did not decide on it."""
        same = [other.id for other in self.nodes.values() if node.code and other.code == node.code]
        return any(isinstance(self.outcomes.get(other), Rejected | Expired) for other in same)

    def _is_final(self, name: ToolName, outcome: Outcome | None) -> bool:
        tool = self.registry.find(name)
        red = tool is None or tool.colour is not Colour.GREEN
        return isinstance(outcome, Rejected | Expired) or (red and isinstance(outcome, Failed))

    def done_before(self, node: Node) -> NodeId | None:
        """Return the node that succeeded in doing exactly this, after exactly the same nodes."""
        for other in self.nodes.values():
            if isinstance(self.outcomes.get(other.id), Succeeded) and same_work(other, node):
                return other.id
        return None


def _tools_of(node: Node) -> Sequence[ToolName]:
    """Return the tools that a node or its script calls."""
    return node.tools if node.tool is None else (node.tool,)


def read_replan_decision(
    answer: str, builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits
) -> ReplanDecision | Unclear:
    """Return the model's decision, or the faults of its answer."""
    begin, end = answer.find("{"), answer.rfind("}")
    try:
        value = cast("Mapping[str, Json]", json.loads(answer[begin : end + 1]))
    except (ValueError, RecursionError):
        return _unclear(FaultCode.NOT_JSON, "", "the answer must be one JSON object")
    question = value.get("question")
    match value.get("decision"):
        case "end":
            return ReplanDecision(choice=Choice.END)
        case "continue":
            return ReplanDecision(choice=Choice.CONTINUE)
        case "ask" if isinstance(question, str) and question.strip():
            text = truncated(sanitized_text(question).strip(), _QUESTION_CHARACTERS)
            return ReplanDecision(choice=Choice.ASK, question=text)
        case "ask":
            return _unclear(FaultCode.MISSING_FIELD, "/question", '"ask" needs a "question"')
        case "replan":
            return _replan(value.get("operations"), builder, earlier, limits)
        case _:
            message = '"decision" must be "continue", "replan", "end" or "ask"'
            return _unclear(FaultCode.BAD_OP, "/decision", message)


def _replan(written: Json, builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits) -> ReplanDecision | Unclear:
    if not isinstance(written, list) or not all(isinstance(element, Mapping) for element in written):
        return _unclear(FaultCode.BAD_OP, "/operations", '"replan" needs "operations", a list of objects')
    faults: list[Fault] = []
    operations: list[Operation] = []
    declined = earlier.declined()
    for element in cast("list[Mapping[str, Json]]", written):
        match read_operation(element, None, limits):
            case Fault() as fault:
                builder.refuse(fault)
                faults.append(fault)
            case Reply():
                faults.append(Fault(code=FaultCode.BAD_OP, message="a reply is not possible here", pointer="/op"))
            case Add(node=node) if again := declined.intersection(_tools_of(node)):
                faults.append(_decided_before(node, f"{min(again)!r}"))
                builder.refuse(faults[-1])
            case Add(node=node) if earlier.declined_script(node):
                faults.append(_decided_before(node, "this script"))
                builder.refuse(faults[-1])
            case Add(node=node) if node.id not in earlier.nodes and (done := earlier.done_before(node)) is not None:
                faults.append(_done_before(node, done))
                builder.refuse(faults[-1])
            case operation:
                admission = builder.offer(Placed(operation=operation))
                operations += admission.admitted
                faults += admission.faults
    faults += builder.close()
    if faults:
        return Unclear(faults=faults)
    return ReplanDecision(choice=Choice.REPLAN if operations else Choice.END, operations=tuple(operations))


def _unclear(code: FaultCode, pointer: str, message: str) -> Unclear:
    return Unclear(faults=[Fault(code=code, message=message, pointer=pointer)])


def _decided_before(node: Node, what: str) -> Fault:
    message = f"{what} was declined, not decided on, or failed in this turn; it is not tried in another way"
    pointer = "/tool" if node.tool is not None else "/tools" if node.tools else "/code"
    return Fault(code=FaultCode.DECIDED_BEFORE, message=message, node=node.id, pointer=pointer)


def _done_before(node: Node, done: NodeId) -> Fault:
    message = f"{done!r} has done exactly this; refer to it as ${{{done}}}, or depend on what changed since"
    return Fault(code=FaultCode.DONE_BEFORE, message=message, node=node.id)
