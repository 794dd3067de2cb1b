"""Answers are cut where Markdown allows, whole, and mention nobody; plain results hold no error code."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId
from agent.llm.transcript import ShownNode
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Failed, NodeState, Outcome, Skipped, Succeeded, state_of
from bot.blocks.answer import PlainResults, answer, defused, markdown_parts


def test_answer_that_fits_is_one_message() -> None:
    (message,) = answer("**Done.** 3 < 4 & so on")
    assert message.blocks == ({"type": "markdown", "text": "**Done.** 3 < 4 & so on"},)
    assert message.text == "**Done.** 3 &lt; 4 &amp; so on"


def test_no_mention_survives() -> None:
    text = defused("<!channel> <@U1> <#C1|x> <!subteam^S1> 1 < 2 <https://a.example|a>")
    assert "<!" not in text
    assert "<@" not in text
    assert "<#C1|x>" in text  # alerts nobody
    assert "1 < 2 <https://a.example|a>" in text


@given(text=st.text(alphabet="ab \n", max_size=400), characters=st.integers(min_value=20, max_value=100))
def test_parts_are_within_the_limit_and_put_together_are_the_whole(text: str, characters: int) -> None:
    parts = list(markdown_parts(text, characters))
    assert all(len(part) <= characters for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")


def test_fence_cut_in_two_is_closed_and_opened_again() -> None:
    text = "before\n```python\n" + "\n".join(f"line {number}" for number in range(20)) + "\n```\nafter"
    parts = list(markdown_parts(text, 90))
    assert len(parts) > 1
    assert parts[0].endswith("\n```")
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    assert all(part.count("```") % 2 == 0 for part in parts)
    assert all(len(part) <= 90 for part in parts)


def test_empty_answer_still_says_something() -> None:
    (message,) = answer("  \n")
    assert message.text


def shown(id: str, outcome: Outcome | None, state: NodeState = NodeState.PLANNED) -> ShownNode:
    node = Node(id=NodeId(id), kind=NodeKind.TOOL, title=f"Do {id}")
    return ShownNode(node=node, state=state if outcome is None else state_of(outcome), outcome=outcome)


def results(*nodes: ShownNode) -> str:
    return PlainResults().results(nodes)


@pytest.mark.parametrize("error", ["timeout", "sandbox_oom", "no_such_word_of_any_tool"])
def test_plain_results_give_a_failure_in_words(error: str) -> None:
    line = results(shown("a", Failed(error=error, message="KeyError: 'password'")))
    assert line.startswith("- **Do a**: failed: it")
    assert error not in line
    assert "KeyError" not in line


def test_plain_results_give_the_state_of_a_step_that_has_not_ended() -> None:
    assert results(shown("a", None, NodeState.ASKING)) == "- **Do a**: waiting for approval"


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([], "Stopped before anything was planned."),
        ([shown("a", Succeeded(value=None))], "Stopped.\n\nWhat was done:\n- **Do a**: done"),
        ([shown("a", None)], "Stopped.\n\nWhat wasn't done:\n- **Do a**: planned"),
        (
            [shown("a", Failed(error="timeout")), shown("b", Skipped(because=NodeId("a")))],
            "Stopped.\n\nWhat wasn't done:\n- **Do a**: failed: it took too long\n"
            "- **Do b**: skipped, because of “Do a”",
        ),
    ],
    ids=["nothing planned", "all done", "nothing done", "failed and skipped"],
)
def test_plain_results_of_a_stopped_turn_list_both_sides(nodes: Sequence[ShownNode], words: str) -> None:
    assert PlainResults().stopped(nodes, undecided=False) == words


def test_plain_results_say_that_nobody_decided_in_time() -> None:
    text = PlainResults().stopped([shown("a", None)], undecided=True)
    assert text == "Stopped: nobody decided in time.\n\nWhat wasn't done:\n- **Do a**: planned"
