"""The invariants of every run, whatever happened to it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.approval import ApprovalKind, Decision
from agent.execution.dynamic_nodes import UNMET
from agent.execution.executor import STOPPED
from agent.ids import NodeId
from agent.plan.conditions import Condition
from agent.plan.dependencies import Blocked
from agent.plan.operations import Add, Cancel, LoggedOperation, Node
from agent.plan.outcomes import (
    Cancelled,
    Expired,
    Failed,
    Outcome,
    Rejected,
    Skipped,
    Succeeded,
    outcome_from_json,
    outcome_json,
)
from agent.plan.references import Reference, at_pointer, pieces, references_in, strings_in
from tests.fakes.readiness import readiness
from tests.integration.fuzz.journal import Line, What, expected_value, shown


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question as it stands in the rows."""

    node: NodeId
    kind: ApprovalKind
    digest: str
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Story:
    """Everything known of a run: its log, its questions, the journal's lines in order, whether somebody stopped it."""

    log: Sequence[LoggedOperation]
    answered: Collection[Answered]
    lines: Sequence[Line]
    stopped: bool = False

    @property
    def nodes(self) -> Mapping[NodeId, Node]:
        """Every node that was ever added."""
        return {
            logged.operation.node.id: logged.operation.node for logged in self.log if isinstance(logged.operation, Add)
        }

    def items_of(self, template: NodeId) -> Sequence[Node]:
        """Return the nodes that a template became, in log order."""
        return [node for node in self.nodes.values() if node.item_of == template]

    @property
    def cancelled(self) -> Collection[NodeId]:
        """Every node that somebody withdrew."""
        return {logged.operation.id for logged in self.log if isinstance(logged.operation, Cancel)}

    @property
    def outcomes(self) -> Mapping[NodeId, Outcome]:
        """Every end that was shown."""
        return {node: outcome_from_json(outcome) for node, outcome in shown(self.lines).items()}

    @property
    def undecided(self) -> Collection[NodeId]:
        """The nodes with an open question."""
        return {answer.node for answer in self.answered if answer.decision is Decision.PENDING}


def check_history(story: Story) -> None:
    """Check what holds at every moment."""
    ended: dict[NodeId, Outcome] = {}
    effects: list[NodeId] = []
    allowed = {
        (answer.node, answer.digest)
        for answer in story.answered
        if (answer.kind, answer.decision)
        in {(ApprovalKind.APPROVE, Decision.APPROVED), (ApprovalKind.UNKNOWN, Decision.AGAIN)}
    }
    for line in story.lines:
        node = story.nodes[line.node]
        if line.what is What.STARTED:
            assert node.id not in ended, f"{node.id} ran again after its end"
            assert not isinstance(readiness(node, ended), Blocked), f"{node.id} ran although it was blocked"
            assert {dependency.node for dependency in node.depends_on} <= ended.keys(), (
                f"{node.id} ran before its inputs"
            )
        elif line.what is What.EFFECT:
            assert (node.id, line.digest) in allowed, f"{node.id} took effect without an approval of these arguments"
            effects.append(node.id)
        elif line.outcome is not None:
            outcome = outcome_from_json(line.outcome)
            assert ended.setdefault(node.id, outcome) == outcome, f"{node.id} ended in two ways"
    assert len(effects) == len(set(effects)), f"effects twice: {effects}"
    for node, outcome in ended.items():
        _check_outcome(story, node, outcome)


def check_parked(story: Story, interrupted: Iterable[NodeId]) -> None:
    """Check what holds when a run has parked."""
    check_history(story)
    interrupted = list(interrupted)
    assert sorted(interrupted) == sorted(story.undecided), "the interrupts are not the undecided reds"
    assert interrupted, "a run parked without a question"
    outcomes = story.outcomes
    held = set(story.undecided)
    unfinished = [node for node in story.nodes.values() if node.id not in outcomes]
    if story.stopped:  # what the stop left unplanned may still come while a question is open
        held |= {
            waiting.id for waiting in unfinished if any(edge.node not in story.nodes for edge in waiting.depends_on)
        }
    for _ in unfinished:
        held |= {waiting.id for waiting in unfinished if held & {edge.node for edge in waiting.depends_on}}
        held |= {waiting.item_of for waiting in unfinished if waiting.item_of is not None and waiting.id in held}
    assert {waiting.id for waiting in unfinished} <= held, "something behind no undecided red is unfinished"
    for node in unfinished:
        assert not isinstance(readiness(node, outcomes), Blocked), f"{node.id} is decided, yet it is unfinished"


def check_finished(story: Story, results: Mapping[NodeId, Outcome]) -> None:
    """Check what holds when a run has finished; `results` is what its state and the rows of earlier turns hold."""
    check_history(story)
    assert not story.undecided
    assert results.keys() == story.nodes.keys(), "not every node has an outcome"
    assert results == story.outcomes, "people were shown other ends than the state holds"


def _check_outcome(story: Story, id: NodeId, outcome: Outcome) -> None:
    node = story.nodes[id]
    decisions = {(answer.kind, answer.decision) for answer in story.answered if answer.node == id}
    starts = [line for line in story.lines if line.what is What.STARTED and line.node == id]
    match outcome:
        case Skipped(because=because, why=why) if why:
            assert why == UNMET
            assert _references(node.when) == {because}
            assert not _holds(node.when, story.outcomes[because]), f"{id} was left out although its condition held"
            assert not starts
        case Failed(error="binding"):
            assert node.when or node.for_each
            assert not starts
        case Failed(error="not_a_list"):
            [source] = _references(node.for_each)
            assert not isinstance(_read(node.for_each, story.outcomes[source]), list)
        case Failed(error="items_not_done"):
            assert not all(_done(story.outcomes[item.id]) for item in story.items_of(id))
        case Succeeded(value=value) if node.for_each:
            ends = [story.outcomes[item.id] for item in story.items_of(id)]
            assert all(_done(outcome) for outcome in ends)
            assert value == [outcome.value if isinstance(outcome, Succeeded) else None for outcome in ends]
            [source] = _references(node.for_each)
            assert len(ends) == len(_read(node.for_each, story.outcomes[source]))
        case Succeeded(value=value):
            seen = [expected_value(node, line.inputs or {}) for line in starts]
            assert value in seen or (ApprovalKind.UNKNOWN, Decision.HAPPENED) in decisions, f"{id} has another's result"
        case Failed(error="fuzz", message=message):
            assert message == id
            assert node.args["fails"]
        case Failed(error="outcome_unknown"):
            assert (ApprovalKind.UNKNOWN, Decision.GIVE_UP) in decisions
        case Rejected():
            assert (ApprovalKind.APPROVE, Decision.REJECTED) in decisions
            assert not starts
        case Expired():
            assert (ApprovalKind.APPROVE, Decision.EXPIRED) in decisions
            assert not starts
        case Skipped(because=because):
            assert because in {dependency.node for dependency in node.depends_on}
            if story.stopped and because not in story.nodes:
                return  # the stop came before this dependency was planned
            named = {because, *(other for choice in node.choices if because in choice for other in choice)}
            ended = {other: story.outcomes[other] for other in named if other in story.outcomes}
            assert isinstance(readiness(node, ended), Blocked)
            assert not starts
        case Cancelled(why=why):
            assert {id, node.item_of} & {*story.cancelled} or (story.stopped and why == STOPPED)
            assert not [line for line in story.lines if line.what is What.EFFECT and line.node == id]
        case _:
            raise AssertionError(f"{id} ended unexpectedly: {outcome}")


def _references(written: Condition) -> Collection[NodeId]:
    """Return the nodes that a text or a condition refers to."""
    return {reference.node for _, reference in references_in(written)}


def _holds(condition: Condition, outcome: Outcome) -> bool:
    """Return whether a condition of a fuzz case holds: a tree is the negation of its first reference."""
    if isinstance(condition, str):
        return bool(_read(condition, outcome))
    [(_, first), *_] = strings_in(condition)
    return not _read(first, outcome)


def _read(reference: str, outcome: Outcome) -> Any:
    """Return what a reference to a node finds in its outcome."""
    [part] = pieces(reference)
    assert isinstance(part, Reference)
    return at_pointer(outcome.value if isinstance(outcome, Succeeded) else outcome_json(outcome), part.pointer)


def _done(outcome: Outcome) -> bool:
    return isinstance(outcome, Succeeded) or (isinstance(outcome, Skipped) and outcome.why == UNMET)
