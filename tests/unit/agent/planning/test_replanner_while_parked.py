"""Reflection while people are waited for: once for each failure that leaves other steps no way."""

import json

import pytest

from agent.ids import NodeId
from agent.limits import Limits, Role
from agent.plan.outcomes import Failed, Skipped, Succeeded
from agent.planning.replanner import UNREACHABLE
from agent.ports import Choice
from tests.fakes.chat_messages import asked_for, concluder, fetch, replan, replanner
from tests.fakes.planning import NOW, THREAD, PlanningWorld, planning_world, sections

END = '{"decision":"end"}'


async def _waiting(world: PlanningWorld) -> None:
    """A node failed, so another was skipped; a red one still waits for a person."""
    for name in ("a", "lost", "red"):
        await asked_for(world, name)
    world.ended("a", Failed(error="timeout"))
    world.ended("lost", Skipped(because=NodeId("a")))


async def _reconsider(world: PlanningWorld, round_number: int = 1) -> bool:
    return await world.replanner.reconsider(THREAD, 1, round_number, bound=Limits.rounds_per_turn)


async def test_a_failure_that_leaves_others_no_way_is_decided_about_once_while_people_are_waited_for() -> None:
    async with planning_world(replanner('{"decision":"continue","why":"red is enough"}')) as world:
        await _waiting(world)
        assert not await _reconsider(world)
        assert not await _reconsider(world)
        [request] = world.asked(Role.REPLAN)
        assert [json.loads(line)["state"] for line in sections(request.last)["Results"].splitlines()] == [
            "failed",
            "skipped",
            "planned",
        ]
        run = await world.runs.read(THREAD, 1)
        [made] = run.reflections
        assert (made.choice, made.failed, made.why) == (Choice.CONTINUE, (NodeId("a"),), "red is enough")
        assert (made.round, made.author, made.at) == (1, "U1", NOW)


async def test_each_decision_is_recorded_though_the_log_is_the_same() -> None:
    async with planning_world(replanner('{"decision":"continue"}'), concluder("ANSWER\nDone.")) as world:
        await _waiting(world)
        await asked_for(world, "b")
        await asked_for(world, "beside")
        assert not await _reconsider(world)
        world.ended("b", Failed(error="timeout"))
        world.ended("beside", Skipped(because=NodeId("b")))
        assert not await _reconsider(world)
        world.ended("red", Succeeded(value=1))
        await world.replanner.conclude(THREAD, 1, 1, {}, bound=Limits.rounds_per_turn)
        made = [(one.choice, one.failed, one.at_end) for one in (await world.runs.read(THREAD, 1)).reflections]
        assert made == [
            (Choice.CONTINUE, (NodeId("a"),), False),
            (Choice.CONTINUE, (NodeId("a"), NodeId("b")), False),
            (Choice.END, (), True),
        ]


async def test_another_way_around_a_failure_is_planned_while_people_are_waited_for() -> None:
    async with planning_world(replanner(replan(fetch("around")))) as world:
        await _waiting(world)
        assert await _reconsider(world)
        assert world.nodes[-1] == "around"


async def test_a_turn_that_is_of_no_use_any_more_is_ended_early() -> None:
    async with planning_world(replanner(END)) as world:
        await _waiting(world)
        assert await _reconsider(world)
        assert world.operations[-1] == {"op": "cancel", "id": "red", "why": UNREACHABLE}


async def test_a_question_while_people_are_waited_for_is_said_in_the_thread() -> None:
    async with planning_world(replanner('{"decision":"ask","question":"Which one?"}')) as world:
        await _waiting(world)
        assert not await _reconsider(world)
        assert (await world.runs.read(THREAD, 1)).replies == ("Which one?",)


@pytest.mark.parametrize("case", ["no round left", "nothing failed", "nothing is lost", "all has ended"])
async def test_nothing_is_reconsidered_without_a_reason(case: str) -> None:
    async with planning_world() as world:
        await asked_for(world, "a")
        await asked_for(world, "red")
        world.ended("a", Succeeded(value=1) if case == "nothing failed" else Failed(error="timeout"))
        if case == "no round left":
            await asked_for(world, "lost")
            world.ended("lost", Skipped(because=NodeId("a")))
        if case == "all has ended":
            world.ended("red", Skipped(because=NodeId("a")))
        assert not await _reconsider(world, Limits.rounds_per_turn + 1 if case == "no round left" else 1)
        assert world.server.requests == []
