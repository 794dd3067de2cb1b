"""Checks operations that are planned on against the earlier work of their turn. Pure.

A single fault refuses all operations: half of another plan is not what the model meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from agent.ids import NodeId, ToolName
from agent.plan.operations import Add, Node, Operation, same_work
from agent.plan.outcomes import NOT_ALLOWED, NOT_YOURS, Expired, Failed, Outcome, Rejected, Succeeded
from agent.reading.operation_reader import Ask, NeedTools, Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_language.statements import Item
from agent.reading.validation import Fault, FaultCode
from agent.tool import Colour, Registry


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """An output that holds no valid decision or conclusion."""

    faults: Sequence[Fault]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an output asks to be shown. Nothing else of it counts: what it was written without may change it."""

    needs: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class EarlierWork:
    """The work of a turn that another round must not repeat."""

    #: The turn's nodes.
    nodes: Mapping[NodeId, Node]
    #: The outcomes of those that ended.
    outcomes: Mapping[NodeId, Outcome]
    registry: Registry

    def declined(self) -> frozenset[ToolName]:
        """Return the turn's tools that a person declined or did not decide on, and the red ones that failed.

        A declined script counts with all of its tools. A step that lacked the rights to what it was to work with may
        be planned again after another one that reads it.
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
        return isinstance(outcome, Rejected | Expired) or (
            red and isinstance(outcome, Failed) and outcome.error not in (NOT_YOURS, NOT_ALLOWED)
        )

    def done_before(self, node: Node) -> NodeId | None:
        """Return the node that succeeded in doing exactly this, after exactly the same nodes."""
        for other in self.nodes.values():
            if isinstance(self.outcomes.get(other.id), Succeeded) and same_work(other, node):
                return other.id
        return None


def _tools_of(node: Node) -> Sequence[ToolName]:
    """Return the tools that a node or its script calls."""
    return node.tools if node.tool is None else (node.tool,)


def admitted(
    items: Iterable[Item], builder: PlanBuilder, earlier: EarlierWork, *, no_reply: str
) -> tuple[Operation, ...] | Ask | Needs | Unclear:
    """Return the operations, dependencies first, a question that stands alone, what the model asks to be shown, or
    what is wrong with any of it. `no_reply` says what to write in place of a reply.

    The items are taken one by one: a reader of the plan language looks up in the builder what came before.
    """
    faults: list[Fault] = []
    questions: list[Ask] = []
    needs: list[str] = []
    others = 0
    operations: list[Operation] = []
    declined = earlier.declined()
    for item in items:
        others += not isinstance(item, Ask)
        match item:
            case Fault() as fault:
                builder.refuse(fault)
                faults.append(fault)
            case Reply():
                message = f"a reply is not possible here; {no_reply}"
                faults.append(Fault(code=FaultCode.BAD_OP, message=message, pointer="/op"))
            case NeedTools(need=need):
                needs.append(need)
            case Ask():
                questions.append(item)
            case Placed(operation=Add(node=node)) if refusal := _refusal(node, declined, earlier):
                faults.append(refusal)
                builder.refuse(refusal)
            case Placed():
                admission = builder.offer(item)
                operations += admission.admitted
                faults += admission.faults
            case _:
                assert_never(item)
    faults += builder.close()
    if needs:
        return Needs(needs=needs)
    if questions and not others:
        return questions[0]
    if questions:
        message = "a question stands alone: ask, or plan on"
        faults.append(Fault(code=FaultCode.BAD_OP, message=message, pointer="/op"))
    return Unclear(faults=faults) if faults else tuple(operations)


def _refusal(node: Node, declined: frozenset[ToolName], earlier: EarlierWork) -> Fault | None:
    """Return why a node may not be planned on, or None."""
    if again := declined.intersection(_tools_of(node)):
        return _decided_before(node, f"{min(again)!r}")
    if earlier.declined_script(node):
        return _decided_before(node, "this script")
    if node.id not in earlier.nodes and (done := earlier.done_before(node)) is not None:
        return _done_before(node, done)
    return None


def _decided_before(node: Node, what: str) -> Fault:
    message = f"{what} was declined, not decided on, or failed in this turn; it is not tried in another way"
    pointer = "/tool" if node.tool is not None else "/tools" if node.tools else "/code"
    return Fault(code=FaultCode.DECIDED_BEFORE, message=message, node=node.id, pointer=pointer)


def _done_before(node: Node, done: NodeId) -> Fault:
    message = f"{done!r} has done exactly this; refer to it as ${{{done}}}, or depend on what changed since"
    return Fault(code=FaultCode.DONE_BEFORE, message=message, node=node.id)
