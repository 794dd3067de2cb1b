"""The planner over the wire: what of a plan is refused, for what it is or for what there is already."""

import asyncio
import json

import pytest

from agent.errors import TurnError
from agent.ids import NodeId, UserId
from agent.limits import PlanLimits, Role
from agent.plan import operations as plan
from agent.plan.operations import nodes_added
from agent.plan.outcomes import Failed, Succeeded
from agent.plan.templates import items_of
from infra.dev.scripted_model.script import Pace, Script
from tests.fakes.chat_messages import fetch, lines, planner
from tests.fakes.planning import THREAD, planning_world, sections
from tests.fakes.plans import Written


async def test_packages_without_a_sandbox_go_back_as_a_fault() -> None:
    package: Written = {"op": "add", "id": "p", "kind": "package", "code": "def main(inputs): return 1"}
    async with planning_world(planner(lines(package), times=1), planner(lines(fetch("a"))), dialect=None) as world:
        world.say("go")
        await world.feed()
        first, second = world.asked(Role.PLANNER)
        assert "There is no sandbox in this installation" in first.system
        assert '"code": "no_sandbox"' in second.last
        assert world.nodes == ["a"]


async def test_endless_output_is_cut_off() -> None:
    line = lines(fetch("a"))
    limits = PlanLimits(text_characters=2000)
    async with planning_world(planner("x" * 3000 + line, times=1), planner(line), limits=limits) as world:
        world.say("go")
        await world.feed()
        assert '"code": "too_large"' in world.asked(Role.PLANNER)[1].last
        assert world.nodes == ["a"]


async def test_what_others_asked_for_and_items_of_lists_count_among_the_nodes_of_a_turn() -> None:
    said = [[fetch("list")], [fetch("each", for_each="${list}")], [fetch("more"), fetch("over")], [fetch("more")]]
    scripts = [planner(lines(*answer), times=1) for answer in said]
    async with planning_world(*scripts, limits=PlanLimits(nodes=5)) as world:
        world.say("list them", author="U1")
        await world.feed()
        world.say("for each", author="U2")
        await world.feed()
        template = nodes_added([entry.operation for entry in world.log.rows[THREAD]])[NodeId("each")]
        items = [plan.Add(node=item) for item in items_of(template, ["a", "b"])]
        await world.log.append(THREAD, 1, UserId("U2"), items)
        world.say("more", author="U1")
        await world.feed()
        assert world.nodes == ["list", "each", "each-0", "each-1", "more"]
        assert '"code": "too_many_nodes"' in world.asked(Role.PLANNER)[-1].last


@pytest.mark.parametrize(
    ("again", "trouble"),
    [
        ([fetch("a")], TurnError.PLAN_TOO_LARGE),
        ([{"op": "reply", "text": "That is all I may do."}], TurnError.PLAN_TOO_LARGE),
        ([fetch("whole")], ""),
    ],
    ids=["says what stands", "only replies", "brings it in fewer steps"],
)
async def test_what_does_not_fit_into_a_turn_is_told_unless_the_next_answer_brings_it(
    again: list[Written], trouble: str
) -> None:
    said = [[fetch("a"), fetch("b", depends_on=["c"]), fetch("c")], again]
    async with planning_world(
        *(planner(lines(*answer), times=1) for answer in said), limits=PlanLimits(nodes=2)
    ) as world:
        world.say("all of it")
        assert (await world.feed()).error == trouble


async def test_a_model_cannot_say_that_its_script_is_packed() -> None:
    """It would have the time and the calls of eight steps, and no rewrite would be asked for."""
    code = "def main(inputs):\n    return tools.read_page(page=0)\n"
    script = {"op": "add", "id": "s", "kind": "package", "code": code, "tools": ["read_page"]}
    steps = [{"id": letter, "title": letter, "tool": "read_page"} for letter in "abs"]
    async with planning_world(planner(lines({**script, "packed": steps}), times=1), planner(lines(script))) as world:
        world.say("go")
        await world.feed()
        assert '"code": "unknown_field"' in world.asked(Role.PLANNER)[1].last
        assert [operation for operation in world.operations if "packed" in operation] == []
        assert world.nodes == ["s"]


async def test_what_failed_is_not_tried_again_in_silence_under_its_old_name() -> None:
    """The same line once more was taken for a repetition: nothing ran, and nobody was told."""
    said = planner(lines(fetch("a"), fetch("b")), times=1), planner(lines(fetch("b"), fetch("a")), times=1)
    async with planning_world(*said, planner(lines(fetch("again")))) as world:
        world.say("go")
        await world.feed()
        world.ended("a", Failed(error="timeout"))
        world.ended("b", Succeeded(value=1))
        world.say("try that again")
        await world.feed()
        assert world.nodes == ["a", "b", "again"]
        faults = [json.loads(line) for line in sections(world.asked(Role.PLANNER)[2].last)["Faults"].splitlines()]
        assert [(fault["code"], fault["node"]) for fault in faults] == [("duplicate_id", "a")]


async def test_what_was_not_stored_because_of_another_is_named_too() -> None:
    written = lines(fetch("a"), fetch("b", "${a#/url}"), fetch("c", "${b#/url}"), fetch("d", "${b#/url}"))
    slowly = Script(role="planner", answer=written, pace=Pace(tokens_per_second=100), times=1)
    async with planning_world(slowly, planner(lines(fetch("later"))), packing=True) as world:
        world.say("go")
        feeding = asyncio.create_task(world.feed())
        async with asyncio.timeout(30):
            await world.grown.wait()
        other = plan.Node(id=NodeId("b"), kind=plan.NodeKind.TOOL, title="another b")
        await world.log.append(THREAD, 1, UserId("U9"), [plan.Add(node=other)])
        await feeding
        faults = [json.loads(line) for line in sections(world.asked(Role.PLANNER)[1].last)["Faults"].splitlines()]
        assert [(fault["code"], fault["node"]) for fault in faults] == [
            ("duplicate_id", "b"),
            ("held_back", "c"),
            ("held_back", "d"),
        ]
        assert world.nodes == ["a", "b", "later"]
