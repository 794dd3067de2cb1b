"""Splitting: a red call at a script's end becomes a node of its own; anything less plain asks while the script runs."""

from collections.abc import Mapping

import pytest

from agent.ids import NodeId, ToolName
from agent.packing.write_call_split import split_red
from agent.plan.json_values import json_issue_in
from agent.plan.operations import Add, Dependency, Node, NodeKind, operation_json
from agent.reading.plan_builder import Admission, Placed, PlanBuilder
from agent.reading.validation import FaultCode
from agent.tool import Colour, asks_inside, colour_of
from sandbox.script import Json
from tests.fakes.plans import REGISTRY


def written(code: str, **rest: object) -> Node:
    """Return a Package that may call a green and a red tool."""
    fields: dict[str, object] = {"tools": (ToolName("look"), ToolName("post")), "title": "Tell"} | rest
    return Node(id=NodeId("tell"), kind=NodeKind.PACKAGE, code=code, **fields)  # pyright: ignore[reportArgumentType]


SEES = "    seen = tools.look(page=0)\n"


@pytest.mark.parametrize(
    "ending",
    [
        "    return tools.post(channel='#a', text=seen['text'])\n",
        "    tools.post(channel='#a', text=seen['text'])\n",
        "    tools.post(channel='#a', text=seen['text'])\n    return None\n",
        "    done = tools.post(channel='#a', text=seen['text'])\n    return done\n",
    ],
    ids=["returned", "said last", "then nothing", "kept and returned"],
)
def test_red_call_at_the_end_becomes_the_node_behind_the_script(ending: str) -> None:
    node = written(f"def main(inputs):\n{SEES}{ending}", depends_on=(Dependency(node=NodeId("first")),))
    parts = split_red(node, REGISTRY)
    assert parts is not None
    assert (parts.script.id, parts.script.tools, parts.script.depends_on) == ("tell_script", ("look",), node.depends_on)
    assert parts.script.code == (
        "def main(inputs):\n    seen = tools.look(page=0)\n    return {'text': seen['text']}\n"
    )
    assert (parts.call.id, parts.call.tool, parts.call.title) == ("tell", "post", "Tell")
    assert parts.call.args == {"channel": "#a", "text": "${tell_script#/text}"}
    assert [colour_of(node, REGISTRY) for node in (parts.script, parts.call)] == [Colour.GREEN, Colour.RED]


@pytest.mark.parametrize("text", [r"'half a character: \ud800'", r"'nothing: \x00'", "9" * 400])
def test_argument_that_no_plan_may_hold_is_left_to_the_script(text: str) -> None:
    parts = split_red(written(f"def main(inputs):\n    return tools.post(channel='#a', text={text})\n"), REGISTRY)
    assert parts is not None
    assert parts.call.args == {"channel": "#a", "text": "${tell_script#/text}"}
    assert all(
        json_issue_in(operation_json(Add(node=node)), strict_text=True) is None for node in (parts.script, parts.call)
    )


def test_asynchronous_script_is_split_too() -> None:
    code = "async def main(inputs):\n    await atools.post(channel='#a', text=await atools.look(page=0))\n"
    parts = split_red(written(code), REGISTRY)
    assert parts is not None
    assert "return {'text': await atools.look(page=0)}" in parts.script.code


@pytest.mark.parametrize(
    "code",
    [
        "def main(inputs):\n    if inputs:\n        tools.post(channel='#a', text='b')\n",
        "def main(inputs):\n    for each in inputs:\n        tools.post(channel='#a', text=each)\n",
        "def main(inputs):\n    if not inputs:\n        return 1\n    tools.post(channel='#a', text='b')\n",
        "def main(inputs):\n    tools.post(channel='#a', text='b')\n    tools.post(channel='#a', text='c')\n",
        "def main(inputs):\n    tools.post(channel='#a', text='b')\n    return tools.look(page=0)\n",
        "def main(inputs):\n    tools.post(**inputs)\n",
        "def main(inputs):\n    tools.post('#a', 'b')\n",
        "def main(inputs):\n    use = tools\n    use.post(text='b')\n    tools.post(text='c')\n",
        "def say(text):\n    tools.post(channel='#a', text=text)\ndef main(inputs):\n    say('b')\n",
        "def main(inputs):\n    yield 1\n    tools.post(channel='#a', text='b')\n",
        "def main(inputs):\n    tools.post(channel='#a', text='b'",
    ],
    ids=["if", "loop", "early", "twice", "goes on", "unpacked", "by place", "alias", "inside", "yield", "unreadable"],
)
def test_script_that_is_less_plain_keeps_its_calls_each_of_which_asks(code: str) -> None:
    node = written(code)
    assert split_red(node, REGISTRY) is None
    admission = PlanBuilder(registry=REGISTRY, known={}).offer(Placed(operation=Add(node=node)))
    assert admission == Admission(admitted=(Add(node=node),))
    assert asks_inside(node, REGISTRY)
    assert colour_of(node, REGISTRY) is Colour.GREEN


def test_script_that_asks_as_a_whole_may_call_no_red_tool() -> None:
    node = written("def main(inputs):\n    return [tools.post(channel='#a', text='b')]\n", require_human_approval=True)
    admission = PlanBuilder(registry=REGISTRY, known={}).offer(Placed(operation=Add(node=node), line=3))
    assert not admission.admitted
    assert [(fault.code, fault.line, fault.pointer) for fault in admission.faults] == [
        (FaultCode.RED_TOOL_IN_PACKAGE, 3, "/tools/1")
    ]


@pytest.mark.parametrize(
    "rest",
    [{"require_human_approval": True}, {"result_schema": {"type": "object"}}, {"for_each": "${a}"}, {"when": "${a}"}],
    ids=lambda rest: next(iter(rest)),
)
def test_package_that_asks_for_more_is_not_split(rest: Mapping[str, Json]) -> None:
    code = f"def main(inputs):\n{SEES}    tools.post(channel='#a', text=seen)\n"
    assert split_red(written(code, **rest), REGISTRY) is None


def test_builder_admits_both_parts_and_the_same_once_more_changes_nothing() -> None:
    node = written(f"def main(inputs):\n{SEES}    tools.post(channel='#a', text=seen)\n")
    admission = PlanBuilder(registry=REGISTRY, known={}).offer(Placed(operation=Add(node=node)))
    nodes = {added.node.id: added.node for added in admission.admitted if isinstance(added, Add)}
    assert (list(nodes), admission.faults) == (["tell_script", "tell"], ())
    again = PlanBuilder(registry=REGISTRY, known=nodes, added_before=nodes.keys())
    assert again.offer(Placed(operation=Add(node=node))) == type(admission)()


def test_script_is_not_split_where_another_node_has_the_name_of_its_part() -> None:
    node = written(f"def main(inputs):\n{SEES}    tools.post(channel='#a', text=seen)\n")
    other = Node(id=NodeId("tell_script"), kind=NodeKind.TOOL, title="t", tool=ToolName("look"))
    admission = PlanBuilder(registry=REGISTRY, known={other.id: other}).offer(Placed(operation=Add(node=node)))
    assert admission == Admission(admitted=(Add(node=node),))


def test_arguments_that_the_red_tool_does_not_take_are_refused_as_the_script_runs() -> None:
    node = written("def main(inputs):\n    tools.post(nonsense=1)\n")
    admission = PlanBuilder(registry=REGISTRY, known={}).offer(Placed(operation=Add(node=node)))
    assert admission == Admission(admitted=(Add(node=node),))
