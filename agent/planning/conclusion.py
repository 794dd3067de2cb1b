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
from agent.planning.earlier_work import EarlierWork, Unclear, admitted
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


def read_conclusion(
    said: str,
    builder: PlanBuilder,
    earlier: EarlierWork,
    limits: PlanLimits,
    language: PlanLanguage,
    *,
    part: bool = False,
) -> Conclusion | Unclear:
    """Return the model's conclusion, or the faults of what it said. `part`: the text of an answer may be missing.

    `language` is how a plan is read that does not show how it is written.
    """
    text = _below_first_line(said.strip())
    if text is not None:
        text = sanitized_text(text).strip()
        return Answered(text=text) if text or part else _unclear("there is no answer below `ANSWER`")
    why, said = _with_reason(said)
    reader = AnswerReader(earlier.registry, builder, limits, language=language)
    counted = _Counted()
    match admitted(counted.passed(chain(reader.feed(said), reader.finish())), builder, earlier):
        case Unclear() as unclear:
            return unclear
        case Ask(question=question):
            return Asked(question=truncated(sanitized_text(question).strip(), QUESTION_CHARACTERS))
        case () if not counted.items:
            return _unclear("begin with a line that says ANSWER, or write operations and nothing else")
        case ():
            return _unclear("there is nothing new in it; write ANSWER")
        case operations:
            return PlannedOn(operations=operations, why=why)


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
    reason = " ".join(line.strip("# \t\r") for line in lines[:count])
    return truncated(sanitized_text(reason).strip(), REASON_CHARACTERS), "\n".join([""] * count + lines[count:])


def _below_first_line(said: str) -> str | None:
    """Return what stands below a first line that says `ANSWER`, without the fence around both; None without one."""
    first, _, rest = said.partition("\n")
    if fenced := first.startswith(_FENCE):
        first, _, rest = rest.partition("\n")
    if first.strip(_DRESS) != "ANSWER":
        return None
    return rest.removesuffix(_FENCE) if fenced else rest


def _unclear(message: str, pointer: str = "", code: FaultCode = FaultCode.EMPTY_PLAN) -> Unclear:
    return Unclear(faults=[Fault(code=code, message=message, pointer=pointer)])


def is_understood(faults: Sequence[Fault]) -> bool:
    """Return whether the faults are those of operations, and not of an output that is neither answer nor plan."""
    return any(fault.code is not FaultCode.EMPTY_PLAN for fault in faults)
