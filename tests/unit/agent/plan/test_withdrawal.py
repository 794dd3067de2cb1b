"""What a cancel takes with it."""

from agent.ids import NodeId, UserId
from agent.plan.dependencies import with_dependents
from agent.plan.operations import Add, Cancel, LoggedOperation, Node
from agent.plan.outcomes import Failed, NodeStatus, Outcome, Skipped, Succeeded, state_of
from tests.fakes.work import node, on_failed, on_finished

WHY = "another file is meant"


def taken(cancelled: str, *nodes: Node, **ended: Outcome) -> list[str]:
    """Return what is cancelled with a node of this plan, of which these have ended."""
    log = [
        LoggedOperation(seq=seq, turn=1, author=UserId("U1"), operation=Add(node=each))
        for seq, each in enumerate(nodes, start=1)
    ]
    standings = {NodeId(name): NodeStatus(state=state_of(each), outcome=each) for name, each in ended.items()}
    first, *others = with_dependents(Cancel(id=NodeId(cancelled), why=WHY), log, standings)
    assert first == Cancel(id=NodeId(cancelled), why=WHY)
    assert all(isinstance(each, Cancel) and each.why == WHY for each in others)
    return [each.id for each in others if isinstance(each, Cancel)]


def test_what_was_to_use_a_finished_result_goes_with_it_through_finished_steps_too() -> None:
    plan = node("a"), node("b", "a"), node("card", "b", red=True), node("behind", "card"), node("other", red=True)
    assert taken("a", *plan, a=Succeeded(), b=Succeeded()) == ["card", "behind"]


def test_the_dependents_of_an_unfinished_node_go_too_because_it_may_have_finished_meanwhile() -> None:
    assert taken("a", node("a"), node("card", "a", red=True)) == ["card"]


def test_what_follows_a_failure_or_any_end_stays() -> None:
    plan = node("a"), node("rescue", on_failed("a")), node("tidy", on_finished("a")), node("card", "a")
    assert taken("a", *plan, a=Succeeded()) == ["card"]


def test_a_step_that_ended_without_success_passes_nothing_on() -> None:
    plan = node("a"), node("bad", "a"), node("after", "bad"), node("lost", "after"), node("tidy", on_failed("bad"))
    ended: dict[str, Outcome] = {"bad": Failed(error="x"), "after": Skipped(because=NodeId("bad"))}
    assert taken("a", *plan, a=Succeeded(), **ended) == []


def test_an_add_is_alone() -> None:
    add = Add(node=node("a"))
    assert with_dependents(add, [], {}) == [add]
