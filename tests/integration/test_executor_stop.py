"""A stop ends a turn: what is green is cancelled, cards are withdrawn, a red call at work ends first."""

from collections.abc import Mapping

import pytest

from agent.approval import Decision
from agent.errors import StoreUnavailable
from agent.execution.executor import STOPPED
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId, ThreadId
from agent.plan.outcomes import Cancelled, Outcome, Succeeded
from agent.ports import WrittenAnswer
from tests.fakes.thread_world import World
from tests.fakes.work import Hold, node

CANCELLED = Cancelled(why=STOPPED)


async def test_stop_cancels_what_is_at_work_and_what_waits():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("quick"), node("slow", tool="hold"), node("behind", "slow"))
    async with world.advancing():
        await hold.begun.wait()
        world.rows.mailbox.stop(world.thread)
    assert world.outcomes["quick"] == Succeeded(value="quick")
    assert (world.outcomes["slow"], world.outcomes["behind"]) == (CANCELLED, CANCELLED)


async def test_stop_withdraws_the_cards_of_a_parked_run():
    world = World()
    world.say(node("post", red=True), node("behind", "post"))
    assert await world.advance() is AdvanceResult.PARKED
    world.rows.mailbox.stop(world.thread)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["post"] == CANCELLED
    assert [record.decision for record in world.rows.approvals.rows.values()] == [Decision.WITHDRAWN]
    assert world.work.started == []


async def test_stop_lets_a_red_call_at_work_end():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("post", red=True, tool="hold"), node("behind", "post"))
    await world.advance()
    world.click("post")
    async with world.advancing():
        await hold.begun.wait()
        world.rows.mailbox.stop(world.thread)
        await world.until(lambda: "behind" in {change.node for change in world.changes if change.outcome})
        hold.release.set()
    assert world.outcomes["post"] == Succeeded(value="post")
    assert world.outcomes["behind"] == CANCELLED


async def test_operations_that_come_after_the_stop_never_start():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("post", red=True, tool="hold"))
    await world.advance()
    world.click("post")
    async with world.advancing():
        await hold.begun.wait()
        world.rows.mailbox.stop(world.thread)
        await world.append(node("late"))
        hold.release.set()
    assert world.outcomes["late"] == CANCELLED
    assert "late" not in world.work.started


async def test_a_stop_ends_planning_and_what_is_written_after_it_is_planned():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("slow", tool="hold"))
    async with world.advancing():
        await hold.begun.wait()
        world.rows.mailbox.stop(world.thread)
        world.say(node("next"))
    assert world.outcomes["slow"] == CANCELLED
    assert world.outcomes["next"] == Succeeded(value="next")


async def test_a_stop_that_comes_too_late_stops_nothing_later():
    world = World()
    world.say(node("quick"))
    assert await world.advance() is AdvanceResult.FINISHED
    world.rows.mailbox.stop(world.thread)
    world.say(node("next"))
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["next"] == Succeeded(value="next")


async def test_a_stop_that_waits_is_read_before_an_answer_that_broke_is_begun_again():
    world = World()
    stops: list[list[int | None]] = []

    async def breaks(
        thread: ThreadId, turn: int, outcomes: Mapping[NodeId, Outcome], written: WrittenAnswer | None = None
    ) -> None:
        stops.append([stop.turn for stop in world.rows.mailbox.stops.get(thread, [])])
        if not stops[-1]:
            raise StoreUnavailable
        await answer(thread, turn, outcomes, written)

    answer, world.answerer.answer = world.answerer.answer, breaks
    world.say(node("quick"))
    with pytest.raises(StoreUnavailable):
        await world.advance()
    world.rows.mailbox.stop(world.thread)
    assert await world.advance() is AdvanceResult.FINISHED
    assert stops == [[], [1]], "the turn has the stop when its answer is begun"
