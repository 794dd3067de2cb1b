"""Results in plain words: people read no machine word, and see what a stopped turn has done and what not."""

from collections.abc import Sequence

import pytest
from bot.blocks.plain_results import PlainResults

from agent.ids import NodeId
from agent.llm.transcript import ShownNode
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Failed, NodeState, Outcome, Skipped, Succeeded, state_of


def shown(id: str, outcome: Outcome | None, state: NodeState = NodeState.PLANNED) -> ShownNode:
    node = Node(id=NodeId(id), kind=NodeKind.TOOL, title=f"Do {id}")
    return ShownNode(node=node, state=state if outcome is None else state_of(outcome), outcome=outcome)


def told(*nodes: ShownNode) -> str:
    return PlainResults().results(nodes)


@pytest.mark.parametrize("error", ["timeout", "sandbox_oom", "no_such_word_of_any_tool"])
def test_failure_is_told_in_words(error: str) -> None:
    line = told(shown("a", Failed(error=error, message="KeyError: 'password'")))
    assert line.startswith("- **Do a**: failed: it")
    assert error not in line
    assert "KeyError" not in line


def test_step_that_has_not_ended_is_told_by_its_state() -> None:
    assert told(shown("a", None, NodeState.ASKING)) == "- **Do a**: waiting for approval"


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([], "Stopped before anything was planned."),
        ([shown("a", Succeeded(value=None))], "Stopped.\n\nWhat was done:\n- **Do a**: done"),
        ([shown("a", None)], "Stopped.\n\nWhat was not done:\n- **Do a**: planned"),
        (
            [shown("a", Failed(error="timeout")), shown("b", Skipped(because=NodeId("a")))],
            "Stopped.\n\nWhat was not done:\n- **Do a**: failed: it took too long\n"
            "- **Do b**: skipped, because of “Do a”",
        ),
    ],
    ids=["nothing planned", "all done", "nothing done", "failed and skipped"],
)
def test_stopped_turn_tells_what_was_done_and_what_was_not(nodes: Sequence[ShownNode], words: str) -> None:
    assert PlainResults().stopped(nodes, undecided=False) == words


def test_turn_that_nobody_let_go_on_says_so() -> None:
    told = PlainResults().stopped([shown("a", None)], undecided=True)
    assert told == "Stopped: nobody decided in time.\n\nWhat was not done:\n- **Do a**: planned"
