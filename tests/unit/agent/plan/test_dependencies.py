"""Dependencies: which nodes are ready, waiting or blocked, and what a cancel takes with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId, UserId
from agent.plan.dependencies import Blocked, Frontier, Readiness, with_dependents
from agent.plan.operations import Add, Cancel, Dependency, LoggedOperation, Node, On
from agent.plan.outcomes import (
    Cancelled,
    Expired,
    Failed,
    NodeStatus,
    Outcome,
    Rejected,
    Skipped,
    Succeeded,
    satisfies,
    state_of,
)
from sandbox.script import Json
from tests.fakes.readiness import readiness
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


def test_unmet_dependency_blocks_before_the_others_end():
    assert readiness(node("c", "a", "b"), {B: Failed(error="x")}) == Blocked(because=B)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_fallback_follows_a_failure_and_nothing_else(outcome: Outcome):
    expected = Readiness.READY if isinstance(outcome, Failed) else Blocked(because=A)
    assert readiness(node("b", on_failed("a")), {A: outcome}) == expected


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_finished_dependency_accepts_every_end(outcome: Outcome):
    assert readiness(node("b", on_finished("a")), {A: outcome}) is Readiness.READY


def either(id: str, *choice: str, red: bool = False) -> Node:
    """Return a node that takes the result of whichever of these succeeded."""
    return node(id, *map(on_finished, choice), red=red, args={"x": f"${{{'|'.join(choice)}}}"})


def test_either_waits_for_all_and_needs_one():
    join = either("c", "a", "b")
    assert readiness(join, {A: Succeeded()}) is Readiness.WAITING
    frontier = Frontier({})
    frontier.add(join)
    assert frontier.finish(A, Skipped(because=C, why="no")) == []
    assert frontier.finish(B, Succeeded()) == [C]
    assert frontier.readiness(C) is Readiness.READY


def test_either_is_blocked_once_all_ended_and_none_succeeded():
    frontier = Frontier({})
    frontier.add(either("c", "a", "b"))
    assert frontier.finish(A, Skipped(because=C, why="no")) == []
    assert frontier.finish(B, Failed(error="x")) == [C]
    assert frontier.readiness(C) == Blocked(because=B), "the failure tells more than the step left out"


def test_either_that_comes_after_the_end_of_all_is_blocked_at_once():
    frontier = Frontier({A: Cancelled(), B: Expired()})
    frontier.add(either("c", "a", "b"))
    assert frontier.readiness(C) == Blocked(because=A)


def test_finish_returns_each_decided_dependent_once():
    frontier = Frontier({})
    twice = Node(
        id=B,
        kind=node("b").kind,
        title="b",
        depends_on=(Dependency(node=A), Dependency(node=A, on=On.FINISHED)),
    )
    for added in (node("a"), twice, node("c", "a", "b")):
        frontier.add(added)
    assert frontier.finish(A, Succeeded()) == [B]
    assert frontier.readiness(C) is Readiness.WAITING


def test_outcome_of_an_earlier_turn_counts_as_finished():
    frontier = Frontier({A: Succeeded()})
    frontier.add(node("b", "a"))
    assert frontier.readiness(B) is Readiness.READY


def test_behind_names_direct_and_indirect_dependents_in_plan_order():
    frontier = Frontier({})
    for added in (node("a"), node("d", "c"), node("b", "a"), node("c", "b"), node("e")):
        frontier.add(added)
    assert [follower.id for follower in frontier.behind(A)] == ["d", "b", "c"]


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
            Dependency(node=NodeId(f"n{index}"), on=draw(st.sampled_from(On))) for index in earlier if index < number
        )
        loose = [dependency.node for dependency in depends_on if dependency.on is On.FINISHED]
        args: dict[str, Json] = {"x": f"${{{'|'.join(loose)}}}"} if len(loose) > 1 else {}
        nodes.append(Node(id=NodeId(f"n{number}"), kind=node("x").kind, title="", depends_on=depends_on, args=args))
    ends = draw(st.permutations([node.id for node in nodes]))
    outcomes = [(ended, draw(st.sampled_from(OUTCOMES))) for ended in ends]
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
        for added in to_add[:count]:
            frontier.add(added)
        del to_add[:count]

    for (ended, outcome), is_late in zip(ends, late, strict=True):
        add(1 if is_late else 2)
        outcomes[ended] = outcome
        in_plan = [drawn_node for drawn_node in nodes if drawn_node.id in frontier]
        before = {waiting.id for waiting in in_plan if frontier.readiness(waiting.id) is Readiness.WAITING}
        decided = set(frontier.finish(ended, outcome))
        after = {waited for waited in before if frontier.readiness(waited) is not Readiness.WAITING}
        assert decided == after - outcomes.keys()
        for drawn_node in in_plan:
            _agree(frontier, drawn_node, outcomes)


def _agree(frontier: Frontier, of: Node, outcomes: dict[NodeId, Outcome]) -> None:
    expected = readiness(of, outcomes)
    found = frontier.readiness(of.id)
    if not isinstance(found, Blocked):
        assert found is expected
        return
    assert isinstance(expected, Blocked)
    reasons = {edge.node for edge in of.depends_on if edge.node in outcomes}
    assert found.because in reasons
    unmet = any(edge.node == found.because and not satisfies(outcomes[edge.node], edge.on) for edge in of.depends_on)
    lost = any(found.because in choice and not isinstance(outcomes[found.because], Succeeded) for choice in of.choices)
    assert unmet or lost


WHY = "another file is meant"


def cancelled_with(cancelled: str, *nodes: Node, **ended: Outcome) -> list[str]:
    """Return what is cancelled with a node of this plan, of which these have ended."""
    log = [
        LoggedOperation(seq=seq, turn=1, author=UserId("U1"), operation=Add(node=added))
        for seq, added in enumerate(nodes, start=1)
    ]
    statuses = {NodeId(name): NodeStatus(state=state_of(outcome), outcome=outcome) for name, outcome in ended.items()}
    first, *others = with_dependents(Cancel(id=NodeId(cancelled), why=WHY), log, statuses)
    assert first == Cancel(id=NodeId(cancelled), why=WHY)
    assert all(isinstance(other, Cancel) and other.why == WHY for other in others)
    return [other.id for other in others if isinstance(other, Cancel)]


def test_cancel_of_a_finished_node_takes_its_users_through_finished_steps_too() -> None:
    plan = node("a"), node("b", "a"), node("card", "b", red=True), node("behind", "card"), node("other", red=True)
    assert cancelled_with("a", *plan, a=Succeeded(), b=Succeeded()) == ["card", "behind"]


def test_cancel_of_an_unfinished_node_takes_its_dependents_as_it_may_have_finished_meanwhile() -> None:
    assert cancelled_with("a", node("a"), node("card", "a", red=True)) == ["card"]


def test_cancel_leaves_what_follows_a_failure_or_any_end() -> None:
    plan = node("a"), node("rescue", on_failed("a")), node("tidy", on_finished("a")), node("card", "a")
    assert cancelled_with("a", *plan, a=Succeeded()) == ["card"]


def test_cancel_stops_at_a_step_that_ended_without_success() -> None:
    plan = node("a"), node("bad", "a"), node("after", "bad"), node("lost", "after"), node("tidy", on_failed("bad"))
    ended: dict[str, Outcome] = {"bad": Failed(error="x"), "after": Skipped(because=NodeId("bad"))}
    assert cancelled_with("a", *plan, a=Succeeded(), **ended) == []


@pytest.mark.parametrize(
    ("cancelled", "ended", "taken"),
    [
        ("a", {}, []),
        ("b", {}, []),
        ("a", {"b": Succeeded()}, []),
        ("a", {"b": Failed(error="x")}, ["card", "behind"]),
        ("a", {"b": Skipped(because=A, why="no")}, ["card", "behind"]),
        ("a", {"a": Succeeded()}, ["card", "behind"]),
        ("b", {"b": Succeeded()}, []),
        ("b", {"a": Failed(error="x"), "b": Succeeded()}, ["card", "behind"]),
        ("source", {}, ["a", "b", "card", "behind"]),
    ],
)
def test_cancel_takes_what_uses_one_of_several_only_when_none_can_stand_in(
    cancelled: str, ended: dict[str, Outcome], taken: list[str]
) -> None:
    plan = node("source"), node("a", "source"), node("b", "source"), either("card", "a", "b"), node("behind", "card")
    assert cancelled_with(cancelled, *plan, **ended) == taken


def test_add_takes_nothing_with_it() -> None:
    add = Add(node=node("a"))
    assert with_dependents(add, [], {}) == [add]
