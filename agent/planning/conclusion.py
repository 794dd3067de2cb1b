"""Reads a conclusion: an answer, the operations of another round, or a question. Pure.

An answer begins with a line that says `ANSWER`; everything else is read as a plan is. A single fault refuses all
operations: half of another plan is not what the model meant.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from agent.limits import PlanLanguage, PlanLimits
from agent.plan.json_values import sanitized_text, truncated
from agent.plan.operations import Operation
from agent.planning.earlier_work import EarlierWork, Needs, Unclear, admitted
from agent.reading.answer_reader import AnswerReader
from agent.reading.operation_reader import Ask
from agent.reading.plan_builder import PlanBuilder
from agent.reading.plan_language.statements import Item
from agent.reading.validation import Fault, FaultCode

QUESTION_CHARACTERS = 500
REASON_CHARACTERS = 300

_DRESS = " \t\r#*_`:."
"""What models put around the word on the first line of an answer."""

_FENCE = "```"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The answer to the people, in Markdown. Empty when its text is written later."""

    text: str


@dataclass(frozen=True, kw_only=True)
class PlannedOn:
    """The operations of another round."""

    operations: tuple[Operation, ...]
    #: The reason, as the model gave it.
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that only a person can answer."""

    question: str


Conclusion: TypeAlias = Answered | PlannedOn | Asked

_NO_REPLY = "write ANSWER and the text below it"


def read_conclusion(
    said: str,
    builder: PlanBuilder,
    earlier: EarlierWork,
    limits: PlanLimits,
    language: PlanLanguage,
    *,
    part: bool = False,
) -> Conclusion | Needs | Unclear:
    """Return the model's conclusion, what it asks to be shown first, or the faults of what it said.

    `part`: the text of an answer may be missing. `language` is how a plan is read that does not show how it is written.
    """
    first, text = first_line(said)
    if first == "ANSWER":
        text = sanitized_text(text).strip()
        return Answered(text=text) if text or part else unclear("there is no answer below `ANSWER`")
    planned, why = read_operations(said, builder, earlier, limits, language, no_reply=_NO_REPLY)
    match planned:
        case Unclear() | Needs():
            return planned
        case None:
            return unclear("begin with a line that says ANSWER, or write operations and nothing else")
        case Ask(question=question):
            return Asked(question=question)
        case ():
            return unclear("there is nothing new in it; write ANSWER")
        case operations:
            return PlannedOn(operations=operations, why=why)


def read_operations(
    said: str,
    builder: PlanBuilder,
    earlier: EarlierWork,
    limits: PlanLimits,
    language: PlanLanguage,
    *,
    no_reply: str,
) -> tuple[tuple[Operation, ...] | Ask | Needs | Unclear | None, str]:
    """Return what a plan holds that goes on from earlier work, and the reason above it; None: it holds nothing."""
    why, said = _with_reason(said)
    reader = AnswerReader(earlier.registry, builder, limits, language=language)
    counted = _Counted()
    items = counted.passed(chain(reader.feed(said), reader.finish()))
    planned = admitted(items, builder, earlier, no_reply=no_reply)
    if isinstance(planned, Ask):
        planned = Ask(question=truncated(sanitized_text(planned.question).strip(), QUESTION_CHARACTERS))
    return (planned if counted.items else None), why


def first_line(said: str) -> tuple[str, str]:
    """Return the word on the first line without what models put around it, and what stands below it, without the
    fence around both.
    """
    first, _, rest = said.strip().partition("\n")
    if fenced := first.startswith(_FENCE):
        first, _, rest = rest.partition("\n")
    return first.strip(_DRESS), rest.removesuffix(_FENCE) if fenced else rest


def reason(text: str) -> str:
    """Return the reason that a model gives, in one line and not too long."""
    return truncated(sanitized_text(" ".join(text.split())), REASON_CHARACTERS)


@dataclass
class _Counted:
    """How many items have passed by."""

    items: int = 0

    def passed(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self.items += 1
            yield item


def _with_reason(said: str) -> tuple[str, str]:
    """Return the reason that the comments above a plan give, and what was said with empty lines in their place."""
    lines = said.split("\n")
    count = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    return reason(" ".join(line.strip("# \t\r") for line in lines[:count])), "\n".join([""] * count + lines[count:])


def unclear(message: str, pointer: str = "", code: FaultCode = FaultCode.EMPTY_PLAN) -> Unclear:
    """Return one fault of a whole output."""
    return Unclear(faults=[Fault(code=code, message=message, pointer=pointer)])


def is_understood(faults: Sequence[Fault]) -> bool:
    """Return whether the faults are those of operations, and not of an output that is neither answer nor plan."""
    return any(fault.code is not FaultCode.EMPTY_PLAN for fault in faults)
