"""Red nodes: asked alone, started hot or from rows, at most once, exactly as approved (laws 3 and 6)."""

import asyncio
import math
from collections.abc import Mapping

import pytest

from agent.approval import ApprovalKind, Decision
from agent.errors import RunnerLost, StoreUnavailable
from agent.events import NodeChanged
from agent.execution.graph import AdvanceResult
from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.operations import Node
from agent.plan.outcomes import Cancelled, Expired, Failed, NodeState, Outcome, Rejected, Skipped, Succeeded
from agent.ports import Bound, LedgerState, RunStatus
from agent.tool import Account, CallContext
from sandbox.script import Json
from tests.fakes.thread_world import World
from tests.fakes.work import Hold, node, on_finished


async def test_everything_not_behind_the_red_is_finished_when_the_run_parks():
    world = World()
    rest = await world.run(
        node("a"), node("r", "a", red=True), node("behind", "r"), node("b", "a"), node("c", "b"), node("d", "c")
    )
    assert rest is AdvanceResult.PARKED
    assert sorted(world.work.ended) == ["a", "b", "c", "d"]
    assert world.rows.runs.statuses == [RunStatus.RUNNING, RunStatus.WAITING]


async def test_approved_red_starts_while_others_are_still_at_work():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("r", red=True), node("slow", tool="hold"))
    async with world.advancing():
        await hold.begun.wait()
        await world.until(lambda: world.rows.approvals.pending(world.thread))
        world.click("r")
        await world.until(lambda: "r" in world.work.ended)
        assert "slow" not in world.work.ended
        hold.release.set()


async def test_run_stays_hot_between_a_nodes_end_and_its_dependents_start():
    world = World()
    chain = [node("n0"), *(node(f"n{number}", f"n{number - 1}") for number in range(1, 20))]
    world.say(node("r", red=True), *chain)
    assert await world.advance() is AdvanceResult.PARKED
    assert len(world.work.ended) == 20
    assert world.rows.runs.statuses.count(RunStatus.WAITING) == 1


async def test_interrupts_are_exactly_the_undecided_reds():
    world = World()
    await world.run(*(node(f"r{number}", red=True) for number in range(4)), node("x", "r0", red=True))
    assert await world.interrupted() == {"r0", "r1", "r2", "r3"}
    world.click("r1")
    world.click("r0")
    world.click("r2", Decision.REJECTED)
    assert await world.advance() is AdvanceResult.PARKED
    assert await world.interrupted() == {"r3", "x"}


async def test_approved_red_runs_once_when_its_sibling_is_rejected():
    world = World()
    await world.run(node("yes", red=True), node("no", red=True), node("after_yes", "yes"), node("after_no", "no"))
    world.click("yes")
    world.click("no", Decision.REJECTED, reason="not today")
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["yes", "after_yes"]
    assert world.outcomes["no"] == Rejected(by=UserId("U2"), reason="not today")
    assert world.outcomes["after_no"] == Skipped(because=node("no").id)


async def test_green_nodes_do_not_wait_for_the_one_that_is_asked_about():
    world = World()
    await world.run(node("r", red=True), *(node(f"g{number}") for number in range(5)))
    assert sorted(world.work.ended) == [f"g{number}" for number in range(5)]


async def test_question_shows_the_bound_arguments_and_what_waits_behind():
    world = World()
    await world.run(node("a"), node("r", "a", red=True, args={"text": "hi"}), node("b", "r"), node("c", "b"))
    asked = world.question("r")
    assert asked.args == {"text": "hi", "inputs": {"a": {"state": "succeeded", "value": "a"}}}
    assert asked.blocks == ("title of b", "title of c")
    assert (asked.kind, asked.author, asked.turn, asked.attempt) == (ApprovalKind.APPROVE, "U1", 1, 1)


async def test_interrupt_keeps_its_id_however_often_the_run_is_entered():
    world = World()
    await world.run(node("r", red=True))
    first = {interrupt.id for interrupt in (await world.snapshot()).interrupts}
    await world.advance()
    await world.advance()
    assert {interrupt.id for interrupt in (await world.snapshot()).interrupts} == first == {world.question("r").id}


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        pytest.param(Decision.EXPIRED, Expired(), id="expired is not a no"),
        pytest.param(Decision.WITHDRAWN, Cancelled(why="because"), id="withdrawn"),
    ],
)
async def test_approval_that_nobody_gave_has_an_outcome_of_its_own(decision: Decision, expected: Outcome):
    world = World()
    await world.run(node("r", red=True), node("after", "r"), node("anyway", on_finished("r")))
    world.click("r", decision, reason="because")
    await world.advance()
    assert world.outcomes["r"] == expected
    assert world.work.started == ["anyway"]


async def test_changed_binding_voids_the_approval_and_asks_anew():
    world = World()
    await world.run(node("r", red=True))
    world.click("r")
    world.work.salt = "the inputs are others now"
    assert await world.advance() is AdvanceResult.PARKED
    assert world.work.started == []
    assert len(world.rows.approvals.asked) == 2
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["r"]


async def test_open_card_is_taken_back_when_the_call_became_another_one():
    world = World()
    await world.run(node("r", red=True), node("s", red=True))
    void = world.question("r")
    world.work.salt = "the inputs are others now"
    await world.advance()
    assert world.rows.approvals.rows[void.id].decision is Decision.WITHDRAWN
    assert world.question("r").digest != void.digest


async def test_binding_that_changes_between_click_and_call_voids_the_approval():
    hold = Hold()
    world = World(performs={"hold": hold})
    world.say(node("r", red=True), node("slow", tool="hold"))
    async with world.advancing():
        await world.until(lambda: world.rows.approvals.pending(world.thread))
        first = world.question("r")
        world.work.salt = "other"
        world.click("r")
        await world.until(lambda: world.rows.approvals.pending(world.thread))
        assert world.question("r").digest != first.digest
        assert "r" not in world.work.started
        world.click("r", Decision.REJECTED)
        hold.release.set()


async def test_ledger_is_started_before_the_call_and_done_after_it():
    states: list[LedgerState] = []

    async def look(node: Node, bound: Bound, context: CallContext) -> Outcome:
        states.extend(entry.state for entry in world.rows.ledger.rows.values())
        return Succeeded(value="sent")

    world = World(performs={"look": look})
    await world.run(node("r", red=True, tool="look"))
    world.click("r")
    await world.advance()
    (entry,) = world.rows.ledger.rows.values()
    assert states == [LedgerState.STARTED]
    assert (entry.state, entry.result) == (LedgerState.DONE, {"state": "succeeded", "value": "sent"})


async def test_call_found_done_in_the_ledger_is_not_made_again():
    world = World()
    await world.run(node("r", red=True))
    asked = world.question("r")
    world.click("r")
    await world.rows.ledger.start(world.thread, asked.node, asked.digest, 1)
    await world.rows.ledger.finish(world.thread, asked.node, 1, {"state": "succeeded", "value": "sent"})
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == []
    assert world.outcomes["r"] == Succeeded(value="sent")


async def parked_on_unknown(world: World, attempt: int = 1) -> None:
    """Bring `r` to the question what became of a call that was started and never finished."""
    await world.run(node("r", red=True), node("after", "r"))
    asked = world.question("r")
    world.click("r")
    await world.rows.ledger.start(world.thread, asked.node, asked.digest, attempt)
    assert await world.advance() is AdvanceResult.PARKED
    assert world.question("r").kind is ApprovalKind.UNKNOWN
    assert world.work.started == []


async def test_call_of_unknown_outcome_that_happened_is_a_success():
    world = World()
    await parked_on_unknown(world)
    world.click("r", Decision.HAPPENED)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["r"] == Succeeded(value={"confirmed_by": "U2"})
    assert world.work.started == ["after"]


async def test_call_of_unknown_outcome_runs_again_only_when_a_person_says_so():
    world = World()
    await parked_on_unknown(world)
    await world.advance()
    assert world.work.started == []
    world.click("r", Decision.AGAIN)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["r", "after"]
    assert {attempt for _, _, attempt in world.rows.ledger.rows} == {1, 2}


async def test_second_try_of_unknown_outcome_is_a_question_of_its_own():
    world = World()
    await parked_on_unknown(world)
    asked = world.question("r")
    world.click("r", Decision.AGAIN)
    await world.rows.ledger.start(world.thread, asked.node, asked.digest, 2)
    assert await world.advance() is AdvanceResult.PARKED
    assert world.question("r").attempt == 2
    assert world.work.started == []


async def test_call_of_unknown_outcome_that_is_given_up_is_a_failure():
    world = World()
    await parked_on_unknown(world)
    world.click("r", Decision.GIVE_UP)
    assert await world.advance() is AdvanceResult.FINISHED
    assert isinstance(world.outcomes["r"], Failed)
    assert world.outcomes["r"].error == "outcome_unknown"
    assert world.outcomes["after"] == Skipped(because=node("r").id)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        pytest.param(Decision.HAPPENED, Succeeded(value={"confirmed_by": "U2"}), id="it happened"),
        pytest.param(
            Decision.GIVE_UP,
            Failed(error="outcome_unknown", message="the call was started and nobody knows whether it took effect"),
            id="given up",
        ),
    ],
)
async def test_word_on_a_call_of_unknown_outcome_counts_though_the_call_would_be_another_one_by_now(
    decision: Decision, expected: Outcome
):
    world = World()
    await parked_on_unknown(world)
    world.click("r", decision)
    world.work.salt = "the inputs are others now"
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["r"] == expected


async def test_call_of_unknown_outcome_that_became_another_one_is_asked_about_once_and_not_run_again():
    world = World()
    await parked_on_unknown(world)
    world.work.salt = "the inputs are others now"
    assert await world.advance() is AdvanceResult.PARKED
    assert [request.kind for request in world.rows.approvals.asked.values()].count(ApprovalKind.UNKNOWN) == 1
    world.click("r", Decision.AGAIN)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == []
    assert isinstance(world.outcomes["r"], Failed)
    assert world.outcomes["r"].error == "approval_invalid"


async def test_red_is_not_called_when_the_lease_was_lost_while_its_start_was_committed():
    """A process that is stopped just there, and goes on when its successor already asks what became of the call."""
    world = World()
    start = world.rows.ledger.start

    async def stopped_meanwhile(
        thread: ThreadId, node: NodeId, digest: Digest, attempt: int, *, tool: str = "", account: Account | None = None
    ) -> bool:
        started = await start(thread, node, digest, attempt, tool=tool, account=account)
        await asyncio.sleep(1.1)
        world.lease.lost = RunnerLost()
        return started

    world.rows.ledger.start = stopped_meanwhile
    await world.run(node("r", red=True))
    world.click("r")
    with pytest.raises(RunnerLost):
        await world.advance()
    assert world.work.started == []


async def test_a_call_that_was_too_late_is_made_once_its_process_is_known_to_live():
    async def late_once(node: Node, bound: Bound, context: CallContext) -> Outcome:
        if world.work.started == ["r"]:
            world.lease.lasts_until = -math.inf
            try:
                context.check_not_late()
            finally:
                world.lease.lasts_until = math.inf
        return Succeeded(value=node.id)

    world = World(performs={"late": late_once})
    await world.run(node("r", red=True, tool="late"))
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["r"] == Succeeded(value="r")
    assert world.work.started == ["r", "r"]
    assert [attempt for _, _, attempt in world.rows.ledger.rows] == [1]


async def test_a_call_that_was_too_late_is_not_made_when_another_process_has_the_thread():
    async def stopped_before_it_sends(node: Node, bound: Bound, context: CallContext) -> Outcome:
        world.lease.lasts_until = -math.inf
        world.lease.lost = RunnerLost()
        context.check_not_late()
        sent.append(node.id)
        return Succeeded(value=node.id)

    sent: list[NodeId] = []
    world = World(performs={"stopped": stopped_before_it_sends})
    await world.run(node("r", red=True, tool="stopped"))
    world.click("r")
    with pytest.raises(RunnerLost):
        await world.advance()
    assert sent == []
    assert [entry.state for entry in world.rows.ledger.rows.values()] == [LedgerState.STARTED]


async def test_what_came_of_a_call_is_stored_though_the_database_was_away_for_a_moment():
    world = World()
    finish = world.rows.ledger.finish
    tries = 0

    async def away_once(
        thread: ThreadId,
        node: NodeId,
        attempt: int,
        result: Mapping[str, Json],
        inverse: Mapping[str, Json] | None = None,
    ) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StoreUnavailable
        await finish(thread, node, attempt, result, inverse)

    world.rows.ledger.finish = away_once
    await world.run(node("r", red=True))
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["r"] == Succeeded(value="r")
    assert world.work.started == ["r"]


async def test_red_is_not_called_when_the_lease_is_lost():
    world = World()
    await world.run(node("r", red=True))
    world.click("r")
    world.lease.lost = RunnerLost()
    with pytest.raises(RunnerLost):
        await world.advance()
    assert (world.work.started, world.rows.ledger.rows) == ([], {})
    world.lease.lost = None
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["r"]


async def test_red_call_in_flight_is_finished_before_a_cancelled_entry_ends():
    hold = Hold()
    world = World(performs={"hold": hold})
    await world.run(node("r", red=True, tool="hold"))
    world.click("r")
    running = asyncio.create_task(world.advance())
    await hold.begun.wait()
    running.cancel()
    for _ in range(500):
        await asyncio.sleep(0)
    assert not running.done()
    hold.release.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["r"]
    assert world.outcomes["r"] == Succeeded(value="r")


async def test_board_sees_a_red_asking_then_running_then_done():
    world = World()
    await world.run(node("r", red=True))
    world.click("r")
    await world.advance()
    states = [event.state for event in world.rows.progress.events if isinstance(event, NodeChanged)]
    assert list(dict.fromkeys(states)) == [NodeState.ASKING, NodeState.RUNNING, NodeState.SUCCEEDED]


async def test_red_takes_no_slot_from_the_green_ones():
    hold = Hold()
    world = World(performs={"hold": hold}, nodes_at_once=1)
    world.say(node("r", red=True), node("slow", tool="hold"))
    async with world.advancing():
        await hold.begun.wait()
        await world.until(lambda: world.rows.approvals.pending(world.thread))
        world.click("r")
        await world.until(lambda: "r" in world.work.ended)
        hold.release.set()
