"""Calls and outcomes (laws 1 and 2): the log's order, results as values, nothing runs twice."""

import asyncio

import pytest

from agent.execution.executor import ExecutionBroken
from agent.execution.graph import AdvanceResult
from agent.execution.step import Step
from agent.plan.operations import Node
from agent.plan.outcomes import Failed, Outcome, Skipped, Succeeded
from agent.ports import Bound
from agent.tool import CallContext
from tests.fakes.thread_world import World
from tests.fakes.work import Hold, echo, fail, node, on_failed, on_finished


async def test_results_stay_with_their_nodes_when_they_end_in_another_order_than_they_were_called():
    holds = {f"hold{number}": Hold() for number in range(4)}
    world = World(performs=holds)
    world.say(*(node(f"n{number}", tool=f"hold{number}") for number in range(4)), node("ask", red=True))
    async with world.advancing():
        for number in (2, 0, 3, 1):
            await holds[f"hold{number}"].begun.wait()
            holds[f"hold{number}"].release.set()
            await world.until(lambda number=number: f"n{number}" in world.work.ended)
    world.click("ask")
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes == {name: Succeeded(value=name) for name in ("n0", "n1", "n2", "n3", "ask")}


async def test_finished_nodes_do_not_run_again_when_a_parked_run_goes_on():
    world = World()
    await world.run(node("a"), node("r", "a", red=True), node("b", "r"))
    world.click("r")
    await world.advance()
    assert world.work.started == ["a", "r", "b"]


async def test_operation_appended_while_running_starts_at_once():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("slow", tool="hold"))
    async with world.advancing():
        await hold.begun.wait()
        await world.append(node("late"))
        await world.until(lambda: "late" in world.work.ended)
        assert "slow" not in world.work.ended
        hold.release.set()
    assert world.outcomes["late"] == Succeeded(value="late")


async def test_operations_start_while_the_feeder_still_plans():
    world = World()
    planned_more = asyncio.Event()

    async def wait_for_first() -> None:
        await world.until(lambda: "first" in world.work.ended)
        planned_more.set()

    world.feeder.between = wait_for_first
    await world.run(node("first"), node("second", "first"))
    assert planned_more.is_set()
    assert world.work.started == ["first", "second"]


async def test_message_during_a_run_is_planned_in_the_same_turn():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("slow", tool="hold"))
    async with world.advancing():
        await hold.begun.wait()
        world.say(node("more"))
        await world.until(lambda: "more" in world.work.ended)
        hold.release.set()
    assert [turn for turn, _ in world.answerer.given] == [1]


async def test_node_of_a_later_turn_sees_the_outcome_of_an_earlier_one():
    seen: list[object] = []

    async def look(node: Node, bound: Bound, context: CallContext) -> Outcome:
        seen.append(bound.args["inputs"])
        return Succeeded()

    world = World(performs={"look": look})
    await world.run(node("a"))
    await world.run(node("b", "a", tool="look"))
    assert seen == [{"a": {"state": "succeeded", "value": "a"}}]
    assert world.work.started == ["a", "b"]
    assert [turn for turn, _ in world.answerer.given] == [1, 2]


async def test_failure_is_an_outcome_that_a_fallback_can_follow():
    world = World(performs={"fail": fail})
    await world.run(
        node("a", tool="fail"), node("then", "a"), node("else", on_failed("a")), node("finally", on_finished("a"))
    )
    assert world.outcomes["a"] == Failed(error="tool_error", message="a failed")
    assert world.outcomes["then"] == Skipped(because=node("a").id)
    assert world.work.started == ["a", "else", "finally"]


async def test_work_that_is_cancelled_from_within_fails_instead_of_hanging():
    async def give_up(node: Node, bound: Bound, context: CallContext) -> Outcome:
        raise asyncio.CancelledError

    world = World(performs={"give_up": give_up})
    await world.run(node("a", tool="give_up"), node("b"))
    assert world.outcomes["a"] == Failed(error="cancelled")


async def test_broken_machinery_ends_the_entry_and_repeats_nothing_that_was_finished():
    broken = True

    async def sometimes(node: Node, bound: Bound, context: CallContext) -> Outcome:
        if broken:
            raise ConnectionError
        return Succeeded()

    hold = Hold()
    world = World(performs={"sometimes": sometimes, "hold": hold})
    world.say(node("a"), node("b", "a", tool="sometimes"), node("slow", tool="hold"))
    with pytest.raises(ConnectionError):
        await world.advance()
    broken = False
    hold.release.set()
    assert await world.advance() is AdvanceResult.FINISHED
    assert sorted(world.work.started) == ["a", "b", "b", "slow", "slow"]


async def test_feeder_that_leaves_its_messages_untaken_does_not_spin():
    world = World()
    world.say(node("a"))

    async def idle(*_: object) -> None: ...

    world.feeder.feed = idle  # pyright: ignore[reportAttributeAccessIssue]  # a feeder that breaks its contract
    with pytest.raises(ExecutionBroken):
        await world.advance()


async def test_limit_counts_nodes_at_work_and_not_those_waiting_for_inputs():
    at_work = 0
    most = 0

    async def count(node: Node, bound: Bound, context: CallContext) -> Outcome:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        for _ in range(5):
            await asyncio.sleep(0)
        at_work -= 1
        return Succeeded()

    world = World(performs={"count": count}, nodes_at_once=2)
    waiting = [node(f"w{number}", "a0", tool="count") for number in range(6)]
    await world.run(*waiting, *(node(f"a{number}", tool="count") for number in range(6)))
    assert most == 2
    assert len(world.work.ended) == 12


async def test_node_whose_dependency_never_comes_is_skipped_instead_of_hanging():
    world = World()
    await world.run(node("a"), node("orphan", "a", "ghost"), node("child", "orphan"))
    assert world.outcomes["orphan"] == Skipped(because=node("ghost").id)
    assert world.outcomes["child"] == Skipped(because=node("orphan").id)


async def test_node_that_only_wants_a_lost_one_finished_still_runs():
    world = World()
    await world.run(node("orphan", "ghost"), node("anyway", on_finished("orphan")))
    assert world.outcomes["anyway"] == Succeeded(value="anyway")


async def test_nodes_that_wait_for_each_other_are_skipped_instead_of_hanging():
    world = World()
    assert await world.run(node("a", "b"), node("b", "a"), node("c")) is AdvanceResult.FINISHED
    assert world.outcomes["c"] == Succeeded(value="c")
    assert {type(world.outcomes[name]) for name in ("a", "b")} == {Skipped}


async def test_advance_with_nothing_new_does_nothing():
    world = World()
    await world.run(node("a"))
    events = list(world.rows.progress.events)
    assert await world.advance() is AdvanceResult.FINISHED
    assert (world.work.started, world.rows.progress.events) == (["a"], events)


async def test_results_over_the_runs_inline_room_become_artifacts():
    async def large(node: Node, bound: Bound, context: CallContext) -> Outcome:
        return Succeeded(value="x" * 4000)

    world = World(performs={"large": large})
    await world.run(*(node(f"n{number}", tool="large") for number in range(50)))
    inline = [
        outcome for outcome in world.outcomes.values() if isinstance(outcome, Succeeded) and outcome.artifact is None
    ]
    moved = [
        outcome.artifact for outcome in world.outcomes.values() if isinstance(outcome, Succeeded) and outcome.artifact
    ]
    assert len(inline) == 32
    assert await world.rows.artifacts.get(world.thread, moved[0].digest) == b"x" * 4000


def test_task_name_differs_for_every_change_of_the_node():
    def name(changed: Node) -> str:
        return Step(thread=World.THREAD, turn=1, author=World.AUTHOR, node=changed).task_name

    names = {
        name(node("a")),
        name(node("b")),
        name(node("a", "c")),
        name(node("a", args={"x": 1})),
        name(node("a", red=True)),
    }
    assert len(names) == 5


async def test_call_carries_the_author_of_the_operation():
    authors: dict[str, str] = {}

    async def note(node: Node, bound: Bound, context: CallContext) -> Outcome:
        authors[node.id] = context.author
        return await echo(node, bound, context)

    world = World(performs={"note": note})
    world.say(node("a", tool="note"), author="U1")
    world.say(node("b", tool="note"), author="U7")
    await world.advance()
    assert authors == {"a": "U1", "b": "U7"}
