"""What a model decides while people are waited for, in whichever form it writes it."""

import json
from collections.abc import Mapping

import pytest

from agent.ids import NodeId
from agent.limits import DEFAULT_LIMITS, PlanLanguage
from agent.plan.operations import Add, Cancel, Node, NodeKind
from agent.plan.outcomes import Failed, Outcome
from agent.planning.earlier_work import EarlierWork, Needs, Unclear
from agent.planning.replan_decision import ReplanDecision, read_replan_decision
from agent.ports import Choice
from agent.reading.plan_builder import PlanBuilder
from tests.fakes.chat_messages import fetch, lines
from tests.fakes.planning import registry

TOOLS = registry()
A = Node(id=NodeId("a"), kind=NodeKind.TOOL, title="A")
FAILED: Mapping[NodeId, Outcome] = {A.id: Failed(error="timeout")}


def decided(answer: str, language: PlanLanguage = PlanLanguage.PYTHON) -> ReplanDecision | Needs | Unclear:
    builder = PlanBuilder(registry=TOOLS, known={A.id: A}, packages=True, limits=DEFAULT_LIMITS)
    earlier = EarlierWork(nodes={A.id: A}, outcomes=FAILED, registry=TOOLS)
    return read_replan_decision(answer, builder, earlier, DEFAULT_LIMITS, language)


@pytest.mark.parametrize("language", PlanLanguage)
@pytest.mark.parametrize(
    ("answer", "choice", "why"),
    [
        ("CONTINUE\nThe other check\nis enough.", Choice.CONTINUE, "The other check is enough."),
        ("```\n`END`\n# of no use\n```", Choice.END, "of no use"),
        ("CONTINUE: it is enough", Choice.CONTINUE, "it is enough"),
        ("END", Choice.END, ""),
        ('{"decision":"end","why":"of no use"}', Choice.END, "of no use"),
        ('I think:\n{"decision":"continue","why":"it is enough"}', Choice.CONTINUE, "it is enough"),
    ],
)
def test_a_word_or_an_object_decides(language: PlanLanguage, answer: str, choice: Choice, why: str) -> None:
    assert decided(answer, language) == ReplanDecision(choice=choice, why=why)


@pytest.mark.parametrize("language", PlanLanguage)
@pytest.mark.parametrize(
    "answer",
    [
        '# a is too slow\nb = fetch(url="http://b")  # Look at b\ncancel(a, "too slow")\n',
        "# a is too slow\n"
        + lines({**fetch("b", "http://b"), "title": "Look at b"}, {"op": "cancel", "id": "a", "why": "too slow"}),
        json.dumps(
            {
                "decision": "replan",
                "why": "a is too slow",
                "operations": [
                    {**fetch("b", "http://b"), "title": "Look at b"},
                    {"op": "cancel", "id": "a", "why": "too slow"},
                ],
            }
        ),
    ],
    ids=["python", "json lines", "object"],
)
def test_operations_are_read_in_any_form_whatever_form_is_asked_for(language: PlanLanguage, answer: str) -> None:
    decision = decided(answer, language)
    assert isinstance(decision, ReplanDecision)
    assert (decision.choice, decision.why) == (Choice.REPLAN, "a is too slow")
    [add, cancel] = decision.operations
    assert isinstance(add, Add)
    assert (add.node.id, add.node.tool, add.node.title) == ("b", "fetch", "Look at b")
    assert cancel == Cancel(id=A.id, why="too slow")


@pytest.mark.parametrize(
    "answer",
    ['ask("Which one?")', '{"op":"ask","question":"Which one?"}', '{"decision":"ask","question":"Which one?"}'],
)
def test_a_question_is_read_in_any_form(answer: str) -> None:
    assert decided(answer) == ReplanDecision(choice=Choice.ASK, question="Which one?")


def test_an_argument_that_looks_like_a_decision_is_none() -> None:
    decision = decided('b = fetch(url="http://b?x={\\"decision\\":\\"end\\"}")\n')
    assert isinstance(decision, ReplanDecision)
    assert decision.choice is Choice.REPLAN


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "begin with a line that says CONTINUE or END"),
        ('{"decision":"stop"}', '"decision" must be'),
        ('{"decision":"ask"}', 'needs a "question"'),
        ('{"decision":"replan","operations":[3]}', 'needs "operations"'),
        ('{"decision":"replan","operations":[]}', "begin with a line"),
        ('reply("no")', "a reply is not possible here; write CONTINUE or END"),
        ('b = fetch("http://b")', "url"),
        ('ask("Which?")\nb = fetch(url="http://b")', "a question stands alone"),
    ],
)
def test_an_unclear_answer_says_what_to_write(answer: str, message: str) -> None:
    decision = decided(answer)
    assert isinstance(decision, Unclear)
    assert message in decision.faults[0].message


def test_what_the_model_asks_to_see_first_comes_before_what_it_plans() -> None:
    assert decided('b = fetch(url="http://b")\ntools("send mail")') == Needs(needs=["send mail"])
