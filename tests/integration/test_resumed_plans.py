"""The scripted model's plan after a crash in its midst: the same as without one, and nobody is told of a failure."""

from collections.abc import Sequence
from contextlib import suppress

import pytest

from agent.plan.outcomes import Succeeded
from agent.tool import Registry
from infra.dev.scripted_model.demo_scripts import demo_scripts
from sandbox.script import Json
from tests.fakes.planning import THREAD, PlanningWorld, planning_world
from tests.unit.infra.dev.scripted_model.test_demo_scripts import FOLLOW_UP, STORY, registry

__all__ = ["registry"]

OTHER = 'check payments and post "The sale starts at noon" to #general; what was deployed yesterday?'
PLANNED = list[dict[str, Json]]


async def planned(
    registry: Registry, turns: Sequence[str], *, packing: bool, dies_after: int = 0
) -> tuple[PLANNED, PLANNED, str]:
    """Return the operations of the earlier turns and of the last one, in which the planner dies once, and its reply."""
    async with planning_world(*demo_scripts(None), packing=packing, tools=registry) as world:
        earlier: PLANNED = []
        replies: Sequence[str] = ()
        for turn, text in enumerate(turns, start=1):
            earlier = world.operations
            world.say(text)
            if turn == len(turns) and dies_after:
                await dies(world, turn, len(earlier) + dies_after)
            replies = (await world.feed(turn)).replies
            for node in world.nodes:
                world.ended(node, Succeeded(value=None))
        return earlier, world.operations[len(earlier) :], " ".join(replies)


class Died(Exception):
    """The planner's process ends."""


async def dies(world: PlanningWorld, turn: int, operations: int) -> None:
    """Plan until so many operations are stored."""

    def appended() -> None:
        if len(world.operations) >= operations:
            raise Died

    await world.runs.begin(THREAD, turn)
    with suppress(Died):
        await world.planner.feed(THREAD, turn, appended)


@pytest.mark.parametrize("packing", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("request_text", [STORY, OTHER], ids=["story", "other"])
async def test_first_plan_is_the_same_after_a_crash(registry: Registry, request_text: str, packing: bool) -> None:
    whole = await planned(registry, [request_text], packing=packing)
    assert len(whole[1]) > 1
    for number in range(1, len(whole[1]) + 1):
        assert await planned(registry, [request_text], packing=packing, dies_after=number) == whole


@pytest.mark.parametrize("turns", [(STORY, FOLLOW_UP), (STORY, OTHER)], ids=["question", "other"])
async def test_follow_up_is_planned_after_a_crash(registry: Registry, turns: Sequence[str]) -> None:
    _, whole, _ = await planned(registry, turns, packing=False)
    for number in range(1, len(whole) + 1):
        _, again, reply = await planned(registry, turns, packing=False, dies_after=number)
        assert {str(operation["title"]) for operation in again} == {str(operation["title"]) for operation in whole}
        assert "could not plan" not in reply
