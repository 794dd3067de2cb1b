"""Rounds: how often a turn is planned anew by itself, and a person's word on how it goes on."""

import pytest

from agent.approval import ApprovalKind, Decision
from agent.execution.graph import AdvanceResult
from agent.execution.turn_flow import ANSWERED
from agent.ids import NodeId
from agent.limits import Limits
from agent.plan.operations import Add
from agent.plan.outcomes import Failed
from agent.ports import ReplanReport, ReplanResult, RunStatus
from tests.fakes.thread_world import World
from tests.fakes.work import fail, node

TURN = ""
"""The node of a question about a turn."""


def insatiable(*, turns: int = 1) -> World:
    """Return a world whose conclusion always wants more."""
    world = World()
    for turn in range(1, turns + 1):
        for number in range(1, 20):
            world.rounds[turn, number] = [Add(node=node(f"t{turn}n{number}"))]
    return world


async def test_a_person_is_asked_once_the_rounds_are_used_up():
    world = insatiable()
    assert await world.run(node("a")) is AdvanceResult.PARKED
    assert world.work.started == ["a", "t1n1", "t1n2", "t1n3"]
    question = world.question(TURN)
    assert (question.kind, question.author, question.blocks) == (ApprovalKind.ROUNDS, "U1", ("more",))
    assert await world.interrupted() == {NodeId(TURN)}
    assert world.answerer.given == []


async def test_an_open_question_is_asked_once_however_often_the_thread_is_advanced():
    world = insatiable()
    await world.run(node("a"))
    asked = len(world.replanner.asked)
    for _ in range(3):
        assert await world.advance() is AdvanceResult.PARKED
    assert len(world.rows.approvals.rows) == 1
    assert len(world.replanner.asked) == asked


async def test_more_allows_as_many_rounds_again():
    world = insatiable()
    await world.run(node("a"))
    world.click(TURN, Decision.MORE)
    assert await world.advance() is AdvanceResult.PARKED
    assert len(world.work.started) == 1 + 2 * Limits.rounds_per_turn
    assert len(set(world.work.started)) == len(world.work.started)
    assert len(world.rows.approvals.rows) == 2


@pytest.mark.parametrize("decision", [Decision.ACCEPT, Decision.EXPIRED])
async def test_accepting_and_nobody_answering_end_the_turn_with_what_there_is(decision: Decision):
    world = insatiable()
    await world.run(node("a"))
    world.click(TURN, decision)
    assert await world.advance() is AdvanceResult.FINISHED
    assert [turn for turn, _ in world.answerer.given] == [1]
    assert len(world.outcomes) == 1 + Limits.rounds_per_turn


async def test_the_next_turn_has_its_own_rounds():
    world = insatiable(turns=2)
    await world.run(node("a"))
    world.click(TURN, Decision.ACCEPT)
    await world.advance()
    assert await world.run(node("b")) is AdvanceResult.PARKED
    assert len(world.work.started) == 2 + 2 * Limits.rounds_per_turn


async def test_a_message_answers_the_question_and_joins_the_turn():
    world = insatiable()
    await world.run(node("a"))
    asked = world.question(TURN).id
    world.say(node("said"))
    assert await world.advance() is AdvanceResult.PARKED
    assert world.rows.approvals.rows[asked].decision is Decision.WITHDRAWN
    assert world.rows.approvals.rows[asked].reason == ANSWERED
    assert world.work.started[-1] == "said"
    assert len(world.rows.approvals.pending(world.thread)) == 1


async def test_a_stop_takes_the_question_back():
    world = insatiable()
    await world.run(node("a"))
    asked = world.question(TURN).id
    world.rows.mailbox.stop(world.thread)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.rows.approvals.rows[asked].decision is Decision.WITHDRAWN
    assert [turn for turn, _ in world.answerer.given] == [1]


async def test_what_a_conclusion_wants_to_know_is_asked_before_anything_is_answered():
    world = World()

    async def ask(*_args: object, bound: int) -> ReplanReport:
        return ReplanReport(next=ReplanResult.ASK, author=World.AUTHOR, question="Which one?")

    world.replanner.conclude = ask  # pyright: ignore[reportAttributeAccessIssue]  # the same signature
    assert await world.run(node("a")) is AdvanceResult.PARKED
    assert (world.question(TURN).kind, world.question(TURN).title) == (ApprovalKind.ASK, "Which one?")
    world.click(TURN, Decision.ACCEPT)
    assert await world.advance() is AdvanceResult.FINISHED


async def test_a_message_during_the_last_conclusion_joins_the_turn():
    world = World()
    conclude = world.replanner.conclude

    async def hear(*args: object, bound: int) -> ReplanReport:
        if len(world.replanner.asked) == 0:
            world.say(node("late"))
        return await conclude(*args, bound=bound)  # pyright: ignore[reportArgumentType]  # passed on as they came

    world.replanner.conclude = hear  # pyright: ignore[reportAttributeAccessIssue]  # the same signature
    assert await world.run(node("a")) is AdvanceResult.FINISHED
    assert (world.work.started, [turn for turn, _ in world.answerer.given]) == (["a", "late"], [1])


async def test_a_plan_that_grows_while_people_are_waited_for_runs_at_once():
    world = World(performs={"fail": fail})
    grown: list[int] = []

    async def reconsider(thread: object, turn: int, round_number: int, *, bound: int) -> bool:
        grown.append(round_number)
        if len(grown) > 1:
            return False
        await world.append(node("around"))
        return True

    world.replanner.reconsider = reconsider  # pyright: ignore[reportAttributeAccessIssue]  # the same signature
    parked = await world.run(node("bad", tool="fail"), node("lost", "bad"), node("red", red=True))
    assert (parked, grown) == (AdvanceResult.PARKED, [1, 1])
    assert world.work.started == ["bad", "around"]
    assert len(world.rows.approvals.rows) == 1
    assert world.rows.runs.statuses[-1] is RunStatus.WAITING
    world.click("red")
    assert await world.advance() is AdvanceResult.FINISHED
    assert isinstance(world.outcomes["bad"], Failed)
    assert sorted(world.work.started) == ["around", "bad", "red"]
