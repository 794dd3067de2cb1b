"""The plan as an append-only log: follow-ups, cancels, rounds, turns (law 4)."""

import asyncio

from agent.approval import ApprovalKind, Decision
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId
from agent.plan.operations import Add, Cancel
from agent.plan.outcomes import Cancelled, Succeeded
from agent.ports import ReplanReport, RunStatus
from tests.fakes.thread_world import World
from tests.fakes.work import Hold, node


def cancel(id: str) -> Cancel:
    """Return the operation that withdraws a node."""
    return Cancel(id=NodeId(id), why="changed my mind")


CANCELLED = Cancelled(why="changed my mind")


async def test_cancel_ends_a_green_node_at_work():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("slow", tool="hold"), node("after", "slow"))
    async with world.advancing():
        await hold.begun.wait()
        await world.append(cancel("slow"))
    assert world.outcomes["slow"] == CANCELLED
    assert world.work.started == ["slow"]


async def test_cancel_ends_a_node_that_waits_for_a_slot():
    hold = Hold()
    world = World(performs={"hold": hold}, nodes_at_once=1)
    world.say(node("slow", tool="hold"), node("queued"))
    async with world.advancing():
        await hold.begun.wait()
        await world.append(cancel("queued"))
        await world.until(lambda: "queued" in {change.node for change in world.changes if change.outcome})
        hold.release.set()
    assert world.outcomes["queued"] == CANCELLED
    assert world.work.started == ["slow"]


async def test_cancel_ends_a_node_that_waits_for_inputs():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("slow", tool="hold"), node("waiting", "slow"))
    async with world.advancing():
        await hold.begun.wait()
        await world.append(cancel("waiting"))
        await world.until(lambda: "waiting" in {change.node for change in world.changes if change.outcome})
        hold.release.set()
    assert (world.outcomes["slow"], world.outcomes["waiting"]) == (Succeeded(value="slow"), CANCELLED)


async def test_cancel_withdraws_an_open_card_while_the_run_is_hot():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("r", red=True), node("slow", tool="hold"))
    async with world.advancing():
        await world.until(lambda: world.rows.approvals.pending(world.thread))
        await world.append(cancel("r"))
        await world.until(lambda: not world.rows.approvals.pending(world.thread))
        hold.release.set()
    assert world.outcomes["r"] == CANCELLED
    assert [record.decision for record in world.rows.approvals.rows.values()] == [Decision.WITHDRAWN]


async def test_cancel_withdraws_the_card_of_a_parked_run():
    world = World()
    await world.run(node("a"), node("r", "a", red=True), node("s", red=True))
    await world.append(cancel("r"))
    assert await world.advance() is AdvanceResult.PARKED
    assert set(world.rows.approvals.pending(world.thread)) == {"s"}
    assert await world.interrupted() == {"s"}
    world.click("s")
    await world.advance()
    assert world.outcomes["r"] == CANCELLED
    assert world.work.started == ["a", "s"]


async def test_cancel_asks_nothing_about_a_red_that_has_not_asked_yet():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("slow", tool="hold"), node("r", "slow", red=True), cancel("r"))
    async with world.advancing():
        await hold.begun.wait()
        hold.release.set()
    assert world.outcomes["r"] == CANCELLED
    assert world.rows.approvals.asked == {}


async def test_cancel_leaves_a_red_call_at_work_alone():
    hold = Hold()
    world = World(performs={"hold": hold})
    await world.run(node("r", red=True, tool="hold"))
    world.click("r")
    async with world.advancing():
        await hold.begun.wait()
        await world.append(cancel("r"))
        for _ in range(20):
            await asyncio.sleep(0)
        hold.release.set()
    assert world.outcomes["r"] == Succeeded(value="r")


async def test_cancel_beats_an_approval_whose_call_has_not_started():
    world = World()
    await world.run(node("r", red=True))
    world.click("r")
    await world.append(cancel("r"))
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["r"] == CANCELLED
    assert (world.work.started, world.rows.ledger.rows) == ([], {})


async def test_cancel_does_not_take_back_a_question_about_an_unknown_outcome():
    world = World()
    await world.run(node("r", red=True))
    asked = world.question("r")
    world.click("r")
    await world.rows.ledger.start(world.thread, asked.node, asked.digest, 1)
    await world.append(cancel("r"))
    assert await world.advance() is AdvanceResult.PARKED
    assert world.question("r").kind is ApprovalKind.UNKNOWN
    world.click("r", Decision.HAPPENED)
    assert await world.advance() is AdvanceResult.FINISHED
    assert isinstance(world.outcomes["r"], Succeeded)


async def test_cancel_leaves_a_hot_question_about_an_unknown_outcome_open():
    hold = Hold()
    world = World(performs={"hold": hold})
    await world.run(node("r", red=True))
    asked = world.question("r")
    world.click("r")
    await world.rows.ledger.start(world.thread, asked.node, asked.digest, 1)
    world.say(node("slow", tool="hold"), cancel("r"))
    async with world.advancing():
        await hold.begun.wait()
        await world.append(cancel("r"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert world.question("r").kind is ApprovalKind.UNKNOWN
        world.click("r", Decision.AGAIN)
        await world.until(lambda: "r" in world.work.ended)
        hold.release.set()
    assert world.outcomes["r"] == Succeeded(value="r")


async def test_cancel_of_a_finished_node_changes_nothing():
    world = World()
    await world.run(node("a"), node("r", red=True))
    await world.append(cancel("a"), cancel("nobody"))
    assert await world.advance() is AdvanceResult.PARKED
    world.click("r")
    await world.advance()
    assert world.outcomes["a"] == Succeeded(value="a")


async def test_late_cancel_starts_no_turn():
    world = World()
    await world.run(node("a"))
    await world.append(cancel("a"))
    assert await world.advance() is AdvanceResult.FINISHED
    assert len(world.answerer.given) == 1


async def test_operations_appended_to_a_parked_run_are_run_in_the_same_turn():
    world = World()
    await world.run(node("r", red=True))
    await world.append(node("more"))
    assert await world.advance() is AdvanceResult.PARKED
    assert world.work.started == ["more"]
    assert await world.interrupted() == {"r"}


async def test_message_to_a_parked_run_is_planned_in_the_same_turn():
    world = World()
    await world.run(node("r", red=True))
    assert await world.run(node("more"), cancel("r")) is AdvanceResult.FINISHED
    assert world.work.started == ["more"]
    assert [turn for turn, _ in world.answerer.given] == [1]


async def test_message_after_the_answer_is_a_new_turn():
    world = World()
    await world.run(node("a"))
    await world.run(node("b"))
    assert [(turn, list(outcomes)) for turn, outcomes in world.answerer.given] == [(1, ["a"]), (2, ["b"])]
    assert {turn for _, turn in world.rows.runs.rows} == {1, 2}


async def test_message_during_the_answer_is_a_turn_of_the_same_advance():
    world = World()
    given = world.answerer.answer

    async def answer_and_hear(*args: object) -> None:
        if not world.answerer.given:
            world.say(node("b"))
        await given(*args)  # pyright: ignore[reportArgumentType]  # passed on as they came

    world.answerer.answer = answer_and_hear  # pyright: ignore[reportAttributeAccessIssue]  # the same signature
    await world.run(node("a"))
    assert [turn for turn, _ in world.answerer.given] == [1, 2]


async def test_a_conclusion_adds_to_the_same_turn():
    world = World()
    world.rounds[1, 1] = [Add(node=node("again", "a"))]
    await world.run(node("a"))
    assert world.work.started == ["a", "again"]
    assert world.replanner.asked == [(1, 1), (1, 2)]
    assert [turn for turn, _ in world.answerer.given] == [1]


async def test_operations_stored_by_a_conclusion_that_crashed_are_run_before_concluding_again():
    world = World()
    crashed = False
    conclude = world.replanner.conclude

    async def crash_after_append(*args: object, bound: int) -> ReplanReport:
        nonlocal crashed
        again = await conclude(*args, bound=bound)  # pyright: ignore[reportArgumentType]  # passed on as they came
        if not crashed:
            crashed = True
            raise ConnectionError
        return again

    world.rounds[1, 1] = [Add(node=node("again"))]
    world.replanner.conclude = crash_after_append  # pyright: ignore[reportAttributeAccessIssue]  # the same signature
    try:
        await world.run(node("a"))
    except ConnectionError:
        await world.advance()
    assert crashed
    assert world.work.started == ["a", "again"]
    assert world.replanner.asked == [(1, 1), (1, 2)]


async def test_operations_without_a_message_start_a_turn():
    world = World()
    await world.append(node("a"))
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["a"]


async def test_plan_without_operations_is_answered():
    world = World()
    assert await world.run() is AdvanceResult.FINISHED
    assert world.answerer.given == [(1, {})]
    assert world.rows.runs.rows[world.thread, 1].status is RunStatus.DONE


async def test_red_asked_in_a_later_turn_leaves_the_earlier_results_in_place():
    world = World()
    await world.run(node("a"))
    assert await world.run(node("r", "a", red=True)) is AdvanceResult.PARKED
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["a", "r"]
    assert set(world.outcomes) == {"a", "r"}
