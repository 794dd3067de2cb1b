"""Tool calls of scripts: what the host refuses, and which answers are given again."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.plan.operations import canonical_json
from agent.plan.outcomes import Succeeded
from sandbox.script import CallTool, Job, OutcomeKind, Sandbox, ScriptError, ScriptOutcome
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


async def test_script_that_runs_again_since_the_sandbox_failed_makes_its_failed_calls_anew(monty: Sandbox) -> None:
    class FailsOnce:
        """A sandbox that is gone as the first run ends."""

        name, dialect, runs = monty.name, monty.dialect, 0

        async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
            outcome = await monty.run(job, call)
            self.runs += 1
            gone = ScriptError(type="Gone", message="the engine is gone")
            return outcome if self.runs > 1 else replace(outcome, kind=OutcomeKind.INFRA, result=None, error=gone)

        async def close(self) -> None:
            pass

    code = "def main(inputs):\n    tools.read_page(page=0)\n    return tools.read_page(page=1)['page']\n"
    rig = Rig(None, FailsOnce(), Pages(broken={1}))
    assert await rig.perform(package(code)) == Succeeded(value=1)
    assert rig.pages.asked == [0, 1, 1]
    [attempt] = rig.attempts
    assert [(answer.call, answer.error) for answer in attempt.answers] == [
        (canonical_json(["read_page", {"page": page}]), "") for page in (0, 1)
    ]


async def test_rewrite_finds_the_answer_of_a_call_that_failed_at_first(monty: Sandbox) -> None:
    tries = "def main(inputs):\n    try:\n        tools.read_page(page=0)\n    except Exception:\n        pass\n"
    crashes = f"{tries}    return tools.read_page(page=0)['nothing']\n"
    mended = "def main(inputs):\n    return tools.read_page(page=0)['page']\n"
    async with planning_world(repair(fenced(mended))) as world:
        rig = Rig(world, monty, Pages(broken={0}))
        assert await rig.perform(package(crashes)) == Succeeded(value=0)
        assert rig.pages.asked == [0, 0]


async def test_equal_calls_of_one_attempt_are_each_made(monty: Sandbox) -> None:
    code = "def main(inputs):\n    return [tools.read_page(page=0)['page'], tools.read_page(page=0)['page']]\n"
    rig = Rig(None, monty)
    assert await rig.perform(package(code)) == Succeeded(value=[0, 0])
    assert rig.pages.asked == [0, 0]
