"""The frontier: which nodes are ready, waiting or blocked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId, UserId
from agent.plan.dependencies import Blocked, Frontier, Readiness, readiness
from agent.plan.operations import Dependency, Node, On
from agent.plan.outcomes import Cancelled, Expired, Failed, Outcome, Rejected, Skipped, Succeeded, satisfies
from tests.fakes.work import node, on_failed, on_finished

A, B, C = NodeId("a"), NodeId("b"), NodeId("c")
OUTCOMES = (
    Succeeded(value=1),
    Failed(error="x"),
    Rejected(by=UserId("U1")),
    Expired(),
    Skipped(because=A),
    Cancelled(),
)


def test_node_without_dependencies_is_ready():
    assert readiness(node("a"), {}) is Readiness.READY


def test_node_waits_for_every_dependency():
    join = node("c", "a", "b")
    assert readiness(join, {A: Succeeded()}) is Readiness.WAITING
    assert readiness(join, {A: Succeeded(), B: Succeeded()}) is Readiness.READY


def test_one_unmet_dependency_blocks_before_the_others_end():
    assert readiness(node("c", "a", "b"), {B: Failed(error="x")}) == Blocked(because=B)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_fallback_follows_a_failure_and_nothing_else(outcome: Outcome):
    expected = Readiness.READY if isinstance(outcome, Failed) else Blocked(because=A)
    assert readiness(node("b", on_failed("a")), {A: outcome}) == expected


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_finished_dependency_accepts_every_end(outcome: Outcome):
    assert readiness(node("b", on_finished("a")), {A: outcome}) is Readiness.READY


def test_finish_returns_each_decided_dependent_once():
    frontier = Frontier({})
    twice = Node(
        id=B,
        kind=node("b").kind,
        title="b",
        depends_on=(Dependency(node=A), Dependency(node=A, on=On.FINISHED)),
    )
    for each in (node("a"), twice, node("c", "a", "b")):
        frontier.add(each)
    assert frontier.finish(A, Succeeded()) == [B]
    assert frontier.readiness(C) is Readiness.WAITING


def test_outcome_of_an_earlier_turn_counts_as_finished():
    frontier = Frontier({A: Succeeded()})
    frontier.add(node("b", "a"))
    assert frontier.readiness(B) is Readiness.READY


def test_behind_names_direct_and_indirect_dependents_in_plan_order():
    frontier = Frontier({})
    for each in (node("a"), node("d", "c"), node("b", "a"), node("c", "b"), node("e")):
        frontier.add(each)
    assert [each.id for each in frontier.behind(A)] == ["d", "b", "c"]


def test_missing_names_the_dependency_that_never_came():
    frontier = Frontier({A: Succeeded()})
    frontier.add(node("b"))
    frontier.add(node("c", "a", "b", "ghost"))
    assert frontier.missing(C) == "ghost"


def test_missing_names_the_first_dependency_that_has_not_ended():
    frontier = Frontier({A: Succeeded()})
    frontier.add(node("b"))
    frontier.add(node("c", "a", "b"))
    assert frontier.missing(C) == B


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[Node], list[tuple[NodeId, Outcome]], list[bool]]:
    """Draw nodes in plan order, every node's outcome in a random order, and when nodes are added."""
    size = draw(st.integers(1, 8))
    nodes: list[Node] = []
    for number in range(size):
        earlier = draw(st.lists(st.integers(0, size - 1), max_size=3, unique=True)) if number else []
        depends_on = tuple(
            Dependency(node=NodeId(f"n{each}"), on=draw(st.sampled_from(On))) for each in earlier if each < number
        )
        nodes.append(Node(id=NodeId(f"n{number}"), kind=node("x").kind, title="", depends_on=depends_on))
    ends = draw(st.permutations([each.id for each in nodes]))
    outcomes = [(each, draw(st.sampled_from(OUTCOMES))) for each in ends]
    return nodes, outcomes, draw(st.lists(st.booleans(), min_size=size, max_size=size))


@given(plans())
def test_frontier_agrees_with_readiness_at_every_moment(
    drawn: tuple[list[Node], list[tuple[NodeId, Outcome]], list[bool]],
) -> None:
    nodes, ends, late = drawn
    frontier = Frontier({})
    to_add = list(nodes)
    outcomes: dict[NodeId, Outcome] = {}

    def add(count: int) -> None:
        for each in to_add[:count]:
            frontier.add(each)
        del to_add[:count]

    for (ended, outcome), is_late in zip(ends, late, strict=True):
        add(1 if is_late else 2)
        outcomes[ended] = outcome
        before = {each.id for each in nodes if each.id in frontier and frontier.readiness(each.id) is Readiness.WAITING}
        decided = set(frontier.finish(ended, outcome))
        after = {each for each in before if frontier.readiness(each) is not Readiness.WAITING}
        assert decided == after - outcomes.keys()
        for each in nodes:
            if each.id in frontier:
                _agree(frontier, each, outcomes)


def _agree(frontier: Frontier, each: Node, outcomes: dict[NodeId, Outcome]) -> None:
    expected = readiness(each, outcomes)
    found = frontier.readiness(each.id)
    if not isinstance(found, Blocked):
        assert found is expected
        return
    assert isinstance(expected, Blocked)
    reasons = {edge.node for edge in each.depends_on if edge.node in outcomes}
    assert found.because in reasons
    assert any(edge.node == found.because and not satisfies(outcomes[edge.node], edge.on) for edge in each.depends_on)
