"""The script of a packed chain, as text: names, references, and what cannot be written."""

import ast
from typing import Any

from agent.packing.script_writer import CannotPack, PackedScript, packed_script
from agent.plan.operations import nodes_added
from tests.fakes.packing_plans import ASYNC, read, script, tool

OTHER = tool("other")


def written(*chain: Any) -> PackedScript:
    nodes = [*nodes_added(read([OTHER, *chain])).values()][1:]
    made = packed_script(nodes)
    assert isinstance(made, PackedScript)
    ast.parse(made.code)
    return made


def lines(*chain: Any) -> list[str]:
    """The lines of the script's main."""
    return [line.strip() for line in written(*chain).code.rpartition("def main(inputs):\n")[2].splitlines()]


def test_steps_are_variables_and_the_last_one_is_returned() -> None:
    assert lines(tool("a", n=1), tool("b", text="${a#/text}")) == [
        "a = tools.mix(n=1)",
        "return tools.mix(text=_part(a, 'text'))",
    ]


def test_ids_that_are_no_names_of_their_own_get_others() -> None:
    plan = tool("print"), tool("a-b", "print"), tool("match", "a-b"), tool("0", "match"), tool("z", "0")
    names = [line.split(" = ")[0] for line in lines(*plan)[:-1]]
    assert names == ["_step_1", "a_b", "_step_3", "_step_4"]


def test_arguments_that_are_no_names_are_passed_as_a_mapping() -> None:
    odd = {**tool("a"), "args": {"from": 1, "a-b": None}}
    assert lines(odd, tool("b", "a"))[0] == "a = tools.mix({'from': 1, 'a-b': None})"


def test_other_nodes_come_in_as_inputs() -> None:
    made = written(tool("a", text="${other#/list/0} of ${other}"), tool("b", value="${other}", text="${a#/text}"))
    assert made.inputs == {"other#/list/0": "${other#/list/0}", "other": "${other}"}
    assert "a = tools.mix(text=_text(inputs['other#/list/0']) + ' of ' + _text(inputs['other']))" in made.code


def test_pointers_and_literals_keep_their_meaning() -> None:
    last = lines(tool("a"), tool("b", value=["${a#/a~1b/0/x~0y}", "$${a}", True, 1.5]))[-1]
    assert last == "return tools.mix(value=[_part(a, 'a/b', 0, 'x~y'), '${a}', True, 1.5])"


def test_async_script_makes_every_call_awaited() -> None:
    assert lines(tool("a"), script("b", x="${a}", code=ASYNC, tools=["mix"])) == [
        "a = await atools.mix()",
        "return _plain(await _script_2()(_plain({'x': a})))",
    ]


def test_tool_whose_name_cannot_be_written_cannot_be_packed() -> None:
    nodes = [*nodes_added(read([tool("a"), tool("b", "a", tool="odd-name")])).values()]
    assert packed_script(nodes) == CannotPack(step=nodes[1].id, why="a script cannot write its tool's name")
