"""A tool that asks a person in the middle of its call: asked once a round, answered once, at most one effect."""

from dataclasses import dataclass, field

import pytest

from agent.approval import ApprovalKind, Decision
from agent.execution.graph import AdvanceResult
from agent.execution.tool_input import MOST_ROUNDS
from agent.plan.operations import Cancel, Node
from agent.plan.outcomes import INPUT_REQUIRED, OUTCOME_UNKNOWN, Cancelled, Failed, Outcome, Succeeded
from agent.ports import Bound, LedgerState
from agent.tool import CallContext, InputAsked, InputRequired
from sandbox.script import Json
from tests.fakes.crash_injection import CrashInjector, Dead
from tests.fakes.thread_world import World
from tests.fakes.work import node

PIN = {"message": "Which one?", "schema": {"type": "object", "properties": {"pin": {"type": "string"}}}}
ANSWER: Json = {"which": {"action": "accept", "content": {"pin": "blue"}}}


@dataclass
class Asking:
    """A tool that asks so many times, and then has its effect."""

    rounds: int
    effects: int = 0
    #: What it was told, by the state that came back with it.
    told: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])

    async def __call__(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        """Ask, or do it."""
        given = context.given
        if given is not None:
            self.told.setdefault(given.state, []).append(dict(given.answers))
        done = 0 if given is None else int(given.state)
        if done < self.rounds:
            raise InputRequired(InputAsked(by="pets", questions={"which": PIN}, state=str(done + 1)))
        self.effects += 1
        return Succeeded(value=node.id)


def world_of(asking: Asking, injector: CrashInjector | None = None) -> World:
    return World(performs={"ask": asking}, injector=injector)


def answer(world: World, decision: Decision = Decision.ANSWERED) -> bool:
    result = ANSWER if decision is Decision.ANSWERED else None
    return world.rows.approvals.click(world.question("pet").id, decision, result=result)


@pytest.mark.parametrize("red", [False, True], ids=["green", "red"])
async def test_a_call_that_asks_waits_for_its_answer_while_the_rest_goes_on_and_is_made_again_with_it(
    red: bool,
) -> None:
    asking = Asking(rounds=2)
    world = world_of(asking)
    rest = await world.run(node("pet", tool="ask", red=red), node("aside"), node("behind", "pet"))
    if red:
        assert world.click("pet")
        rest = await world.advance()
    for number in (1, 2):
        assert rest is AdvanceResult.PARKED
        request = world.question("pet")
        assert request.kind is ApprovalKind.INPUT
        assert request.args == {"by": "pets", "questions": {"which": PIN}, "state": str(number)}
        assert await world.interrupted() == {"pet"}
        assert (asking.effects, "aside" in world.work.ended, "behind" in world.work.ended) == (0, True, False)
        assert answer(world)
        rest = await world.advance()
    assert rest is AdvanceResult.FINISHED
    assert asking.effects == 1
    assert asking.told == {"1": [ANSWER], "2": [ANSWER]}
    assert "behind" in world.work.ended


@pytest.mark.parametrize(
    ("decision", "action"), [(Decision.DECLINED, "decline"), (Decision.EXPIRED, "cancel")], ids=["no", "no answer"]
)
@pytest.mark.parametrize("red", [False, True], ids=["green", "red"])
async def test_a_tool_is_told_that_nobody_said_it(red: bool, decision: Decision, action: str) -> None:
    asking = Asking(rounds=1)
    world = world_of(asking)
    await world.run(node("pet", tool="ask", red=red))
    if red:
        world.click("pet")
        await world.advance()
    assert answer(world, decision)
    assert await world.advance() is AdvanceResult.FINISHED
    assert asking.told == {"1": [{"which": {"action": action}}]}


@pytest.mark.parametrize("red", [False, True], ids=["green", "red"])
async def test_a_step_that_is_cancelled_while_it_asks_takes_its_question_back(red: bool) -> None:
    asking = Asking(rounds=1)
    world = world_of(asking)
    await world.run(node("pet", tool="ask", red=red))
    if red:
        world.click("pet")
        await world.advance()
    question = world.question("pet").id
    await world.append(Cancel(id=node("pet").id, why="not needed"))
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.rows.approvals.rows[question].decision is Decision.WITHDRAWN
    assert world.outcomes["pet"] == Cancelled(why="not needed")
    assert asking.effects == 0


async def test_a_tool_that_never_stops_asking_fails() -> None:
    asking = Asking(rounds=1_000)
    world = world_of(asking)
    rest = await world.run(node("pet", tool="ask"))
    asked = 0
    while rest is AdvanceResult.PARKED:
        assert answer(world)
        asked += 1
        rest = await world.advance()
    assert asked == MOST_ROUNDS
    failed = world.outcomes["pet"]
    assert isinstance(failed, Failed)
    assert failed.error == INPUT_REQUIRED


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_wherever_a_process_dies_a_red_call_that_asks_has_at_most_one_effect(after_effect: bool) -> None:
    at = unknown = 0
    while True:
        at += 1
        injector = CrashInjector()
        injector.at, injector.after_effect = at, after_effect
        asking = Asking(rounds=2)
        world = world_of(asking, injector)
        world.say(node("pet", tool="ask", red=True))
        died = await _lived(world, injector)
        outcome = world.outcomes["pet"]
        in_doubt = isinstance(outcome, Failed) and outcome.error == OUTCOME_UNKNOWN
        assert asking.effects <= 1
        assert in_doubt or (outcome == Succeeded(value="pet") and asking.effects == 1)
        assert all(len(answers) == 1 for answers in asking.told.values()) or in_doubt
        entry = await world.rows.ledger.read(world.thread, node("pet").id)
        assert entry is not None
        assert entry.state is LedgerState.DONE
        unknown += in_doubt
        if not died:
            break
    assert at > 10
    assert unknown <= 6  # in each of three calls, between its two rows


async def _lived(world: World, injector: CrashInjector) -> bool:
    """Run to the end, with an answer to every question; return whether the process died on the way."""
    died = False
    while True:
        try:
            rest = await world.advance()
        except Dead:
            died = True
            injector.revive()
            continue
        if rest is AdvanceResult.FINISHED:
            return died
        kind = world.question("pet").kind
        if kind is ApprovalKind.INPUT:
            assert answer(world)
        else:
            assert world.click("pet", Decision.APPROVED if kind is ApprovalKind.APPROVE else Decision.GIVE_UP)
