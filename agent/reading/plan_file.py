"""A plan read from a file: its operations in an order that can run, or what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.limits import DEFAULT_LIMITS, PlanLimits
from agent.plan.operations import Operation
from agent.reading.operation_reader import Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.stream_reader import read_plan_text
from agent.reading.validation import Fault, FaultCode
from agent.tool import Registry


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """The content of a plan file."""

    #: Every dependency comes before its dependent. With faults, these are only the operations without any.
    operations: Sequence[Operation]
    #: By line.
    faults: Sequence[Fault]


def read_plan(text: str, registry: Registry, *, packages: bool = True, limits: PlanLimits = DEFAULT_LIMITS) -> PlanFile:
    """Read operations, one object each, or one object `{"operations": [...]}`.

    `packages`: scripts may be part of it. A file holds operations only: a reply to a
    person is a fault here, and so is a file without operations.
    """
    builder = PlanBuilder(registry=registry, known={}, packages=packages, limits=limits)
    operations: list[Operation] = []
    faults: list[Fault] = []
    for item in read_plan_text(text, limits, printed=True):
        match item:
            case Placed():
                admission = builder.offer(item)
                operations += admission.admitted
                faults += admission.faults
            case Reply():
                faults.append(Fault(code=FaultCode.BAD_OP, message="a reply is no operation of a plan", pointer="/op"))
            case Fault():
                builder.refuse(item)
                faults.append(item)
    faults += builder.close()
    if not operations and not faults:
        faults.append(Fault(code=FaultCode.EMPTY_PLAN, message="there is no operation in it"))
    faults.sort(key=lambda fault: fault.line or 0)
    return PlanFile(operations=operations, faults=faults)
