"""A plan read from a file: its operations in an order that can run, or what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.ids import NodeId
from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.plan.operations import Node, Operation
from agent.reading.answer_reader import AnswerReader
from agent.reading.operation_reader import Ask, NeedTools, Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.validation import Fault, FaultCode
from agent.tool import Registry


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """The content of a plan file."""

    #: Every dependency comes before its dependent. With faults, these are only the operations without any.
    operations: Sequence[Operation]
    #: By line.
    faults: Sequence[Fault]


def read_plan(
    text: str,
    registry: Registry,
    *,
    packages: bool = True,
    limits: PlanLimits = DEFAULT_LIMITS,
    known: Mapping[NodeId, Node] | None = None,
) -> PlanFile:
    """Read a plan in the plan language, or in JSON: an object each, or one object `{"operations": [...]}`.

    `packages`: scripts may be part of it. `known`: nodes to which it may refer. A file holds operations only: a
    reply to a person is a fault here, and so is a file without operations.
    """
    builder = PlanBuilder(registry=registry, known=known or {}, packages=packages, limits=limits)
    operations: list[Operation] = []
    faults: list[Fault] = []
    reader = AnswerReader(registry, builder, limits, printed=True)
    for item in (*reader.feed(text), *reader.finish()):
        match item:
            case Placed():
                admission = builder.offer(item)
                operations += admission.admitted
                faults += admission.faults
            case Reply() | Ask():
                what = "a reply" if isinstance(item, Reply) else "a question"
                faults.append(Fault(code=FaultCode.BAD_OP, message=f"{what} is no operation of a plan", pointer="/op"))
            case NeedTools():
                message = "a request for tools is no operation of a plan"
                faults.append(Fault(code=FaultCode.BAD_OP, message=message, pointer="/op"))
            case Fault():
                builder.refuse(item)
                faults.append(item)
    faults += builder.close()
    if not operations and not faults:
        faults.append(Fault(code=FaultCode.EMPTY_PLAN, message="there is no operation in it"))
    faults.sort(key=lambda fault: fault.line or 0)
    return PlanFile(operations=operations, faults=faults)
