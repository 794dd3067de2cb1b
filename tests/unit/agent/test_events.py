"""Events: the changes of a node in one batch count as one."""

from datetime import UTC, datetime, timedelta

from agent.events import FoldedChange, NodeChanged, folded
from agent.ids import NodeId
from agent.plan.outcomes import NodeState, Outcome, Succeeded

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def change(
    state: NodeState, seconds: float, *, node: str = "a", outcome: Outcome | None = None, detail: str = ""
) -> NodeChanged:
    return NodeChanged(node=NodeId(node), state=state, at=after(seconds), outcome=outcome, detail=detail)


def test_node_has_its_last_state_and_the_time_when_it_first_ran() -> None:
    done = change(NodeState.SUCCEEDED, 4, outcome=Succeeded(value=1))
    running, asking = change(NodeState.RUNNING, 1), change(NodeState.ASKING, 2)
    again = change(NodeState.RUNNING, 3)
    assert folded([running, asking, again, done]) == {"a": FoldedChange(last=done, ran_at=after(1))}


def test_same_state_again_changes_only_the_detail() -> None:
    first = change(NodeState.SUCCEEDED, 1, outcome=Succeeded(value=1))
    again = change(NodeState.SUCCEEDED, 2, outcome=Succeeded(value=2), detail="twice")
    last = folded([first, again])[NodeId("a")].last
    assert (last.at, last.outcome, last.detail) == (after(1), Succeeded(value=1), "twice")


def test_node_that_did_not_run_in_the_batch_has_no_such_time() -> None:
    assert folded([change(NodeState.ASKING, 1)])[NodeId("a")].ran_at is None


def test_nodes_are_folded_apart() -> None:
    one, other = change(NodeState.RUNNING, 1), change(NodeState.ASKING, 2, node="b")
    assert {node: change.last for node, change in folded([one, other]).items()} == {"a": one, "b": other}
