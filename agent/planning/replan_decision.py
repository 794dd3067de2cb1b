"""Reads what a replan decides while people are waited for. Pure.

A first line that says `CONTINUE` or `END` decides, operations plan on, an `ask` asks: as in a conclusion. One JSON
object with a "decision", which says the same, is understood as well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from agent.limits import PlanLanguage, PlanLimits
from agent.plan.json_values import sanitized_text, truncated
from agent.plan.operations import Operation
from agent.planning.conclusion import QUESTION_CHARACTERS, first_line, read_operations, reason, unclear
from agent.planning.earlier_work import EarlierWork, Needs, Unclear
from agent.ports import Choice
from agent.reading.operation_reader import Ask
from agent.reading.plan_builder import PlanBuilder
from agent.reading.validation import FaultCode
from sandbox.script import Json

_WORDS = {"CONTINUE": Choice.CONTINUE, "END": Choice.END}
_NO_REPLY = "write CONTINUE or END, operations, or an ask"


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
    answer: str, builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits, language: PlanLanguage
) -> ReplanDecision | Needs | Unclear:
    """Return the model's decision, what it asks to be shown first, or the faults of its answer.

    `language` is how a plan is read that does not show how it is written.
    """
    first, below = first_line(answer)
    word, _, beside = first.partition(" ")
    if (choice := _WORDS.get(word.strip(":.`*,"))) is not None:
        return ReplanDecision(choice=choice, why=reason(f"{beside} {below}".strip(" -:#")))
    value = _object(answer)
    if value is None:
        return _planned(answer, builder, earlier, limits, language)
    why = value.get("why")
    decision = _decision(value, builder, earlier, limits)
    if not isinstance(decision, ReplanDecision) or not isinstance(why, str):
        return decision
    return replace(decision, why=reason(why))


def _object(answer: str) -> Mapping[str, Json] | None:
    """Return the one JSON object with a decision that an answer is or holds; None when it is a plan, or neither."""
    begin, end = answer.find("{"), answer.rfind("}")
    if begin < 0 or answer[answer.rfind("\n", 0, begin) + 1 : begin].strip():
        return None  # an argument of a call
    try:
        value = cast("Json", json.loads(answer[begin : end + 1]))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) and "decision" in value else None


def _decision(
    value: Mapping[str, Json], builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits
) -> ReplanDecision | Needs | Unclear:
    question, operations = value.get("question"), value.get("operations")
    match value.get("decision"):
        case "end":
            return ReplanDecision(choice=Choice.END)
        case "continue":
            return ReplanDecision(choice=Choice.CONTINUE)
        case "ask" if isinstance(question, str) and question.strip():
            text = truncated(sanitized_text(question).strip(), QUESTION_CHARACTERS)
            return ReplanDecision(choice=Choice.ASK, question=text)
        case "ask":
            return unclear('"ask" needs a "question"', "/question", FaultCode.MISSING_FIELD)
        case "replan" if isinstance(operations, list) and all(isinstance(one, Mapping) for one in operations):
            lines = "\n".join(json.dumps(one) for one in operations)
            return _planned(lines, builder, earlier, limits, PlanLanguage.JSON)
        case "replan":
            return unclear('"replan" needs "operations", a list of objects', "/operations", FaultCode.BAD_OP)
        case _:
            message = '"decision" must be "continue", "replan", "end" or "ask"'
            return unclear(message, "/decision", FaultCode.BAD_OP)


def _planned(
    text: str, builder: PlanBuilder, earlier: EarlierWork, limits: PlanLimits, language: PlanLanguage
) -> ReplanDecision | Needs | Unclear:
    planned, why = read_operations(text, builder, earlier, limits, language, no_reply=_NO_REPLY)
    match planned:
        case Unclear() | Needs():
            return planned
        case None:
            return unclear("begin with a line that says CONTINUE or END, or write operations, or an ask, alone")
        case Ask(question=question):
            return ReplanDecision(choice=Choice.ASK, question=question)
        case ():
            return unclear("there is nothing new in it; write CONTINUE")
        case operations:
            return ReplanDecision(choice=Choice.REPLAN, operations=operations, why=why)
