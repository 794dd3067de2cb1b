"""Reads what a replan decides while people are waited for. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from agent.limits import PlanLimits
from agent.plan.json_values import sanitized_text, truncated
from agent.plan.operations import Operation
from agent.planning.conclusion import QUESTION_CHARACTERS, REASON_CHARACTERS
from agent.planning.earlier_work import EarlierWork, Unclear, admitted
from agent.ports import Choice
from agent.reading.operation_reader import Ask, NeedTools, Reply, read_operation
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.validation import Fault, FaultCode
from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class ReplanDecision:
    """A decision of the model."""

    choice: Choice
    #: With `REPLAN`.
    operations: tuple[Operation, ...] = ()
    #: With `ASK`.
    question: str = ""
    #: The reason, as the model gave it.
    why: str = ""


def read_replan_decision(
    answer: str, builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits
) -> ReplanDecision | Unclear:
    """Return the model's decision, or the faults of its answer."""
    begin, end = answer.find("{"), answer.rfind("}")
    try:
        value = cast("Mapping[str, Json]", json.loads(answer[begin : end + 1]))
    except (ValueError, RecursionError):
        return _unclear(FaultCode.NOT_JSON, "", "the answer must be one JSON object")
    why = value.get("why")
    decision = _decision(value, builder, earlier, limits)
    if isinstance(decision, Unclear) or not isinstance(why, str):
        return decision
    return replace(decision, why=truncated(sanitized_text(why).strip(), REASON_CHARACTERS))


def _decision(
    value: Mapping[str, Json], builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits
) -> ReplanDecision | Unclear:
    question = value.get("question")
    match value.get("decision"):
        case "end":
            return ReplanDecision(choice=Choice.END)
        case "continue":
            return ReplanDecision(choice=Choice.CONTINUE)
        case "ask" if isinstance(question, str) and question.strip():
            text = truncated(sanitized_text(question).strip(), QUESTION_CHARACTERS)
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
    read = [read_operation(element, None, limits) for element in cast("list[Mapping[str, Json]]", written)]
    items = [item if isinstance(item, Reply | Ask | NeedTools | Fault) else Placed(operation=item) for item in read]
    match admitted(items, builder, earlier):
        case Unclear() as unclear:
            return unclear
        case Ask(question=question):
            return ReplanDecision(choice=Choice.ASK, question=truncated(question.strip(), QUESTION_CHARACTERS))
        case operations:
            return ReplanDecision(choice=Choice.REPLAN if operations else Choice.END, operations=operations)


def _unclear(code: FaultCode, pointer: str, message: str) -> Unclear:
    return Unclear(faults=[Fault(code=code, message=message, pointer=pointer)])
