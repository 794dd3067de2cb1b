"""Tool calls of scripts: what the host refuses, and which answers are given again."""

from collections.abc import Sequence

import pytest

from agent.plan.outcomes import Succeeded
from sandbox.script import Sandbox
from tests.fakes.packages import Rig, fenced, package, repair
from tests.fakes.planning import MENDED, Pages, planning_world

CALL = """\
def main(inputs):
    try:
        return tools.{call}
    except Exception as error:
        return str(error)
"""


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("read_page(page=-1)", "bad_arguments"),
        ("read_page(page='x')", "bad_arguments"),
        ("read_page(side=1)", "bad_arguments"),
        ("read_page(page=0, note='x' * 70000)", "more than 65536 bytes"),
    ],
)
async def test_call_is_checked_on_the_host(monty: Sandbox, call: str, says: str) -> None:
    rig = Rig(None, monty)
    outcome = await rig.perform(package(CALL.format(call=call)))
    assert isinstance(outcome, Succeeded)
    assert says in str(outcome.value)
    assert rig.pages.asked == []


@pytest.mark.parametrize(
    ("tools", "call", "says"),
    [
        (("post",), "post(text='x')", "'post' changes something"),
        (("fly",), "fly()", "'fly' is not among the tools"),
        ((), "read_page(page=0)", "read_page"),
    ],
    ids=["red", "unknown", "undeclared"],
)
async def test_script_reaches_no_tool_that_is_red_unknown_or_undeclared(
    monty: Sandbox, tools: Sequence[str], call: str, says: str
) -> None:
    """Whatever the plan said and whatever the sandbox lets through: the host refuses."""
    rig = Rig(None, monty)
    outcome = await rig.perform(package(CALL.format(call=call), tools=tools, require_human_approval=True))
    assert isinstance(outcome, Succeeded)
    assert says in str(outcome.value)
    assert "ts" not in str(outcome.value).split()
    assert rig.pages.asked == []


async def test_failed_calls_are_made_again_and_answered_ones_are_not(monty: Sandbox) -> None:
    pages = Pages(broken={2})
    async with planning_world(repair(fenced(MENDED + "# again\n"))) as world:
        rig = Rig(world, monty, pages)
        assert await rig.perform(package(MENDED)) == Succeeded(value={"a": 1, "b": 1})
        assert pages.asked == [0, 1, 2, 2]


async def test_equal_calls_of_one_attempt_are_each_made(monty: Sandbox) -> None:
    code = "def main(inputs):\n    return [tools.read_page(page=0)['page'], tools.read_page(page=0)['page']]\n"
    rig = Rig(None, monty)
    assert await rig.perform(package(code)) == Succeeded(value=[0, 0])
    assert rig.pages.asked == [0, 0]
