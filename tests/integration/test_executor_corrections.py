"""A person sets a step's result in a thread of the real executor, killed at every persisted step."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.approval import Decision
from agent.card_facts import Corrected, card_facts_of
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId, ThreadId
from agent.limits import Limits
from agent.plan.corrections import Wish, stored_wish
from agent.plan.effects import Effect, RecordedCall, effects_of
from agent.plan.operations import Add, Node, nodes_added
from agent.plan.outcomes import Cancelled, Outcome, Succeeded, outcome_from_json, outcome_json
from agent.planning.correcting import Correcting
from agent.ports import Bound
from agent.tool import CallContext
from bot import wording
from bot.blocks.corrections import CorrectionInWords
from sandbox.script import Json
from tests.fakes.crash_injection import CrashInjector, Dead
from tests.fakes.ports_in_memory import Rows
from tests.fakes.thread_world import World
from tests.fakes.work import node


async def _inputs(node: object, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value=bound.args["inputs"])


async def _given(node: Node, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value=None if node.given is None else node.given["value"])


class _EffectsInMemory:
    """The Effects, of the ledger's rows; no call has an inverse."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def of(self, thread: ThreadId) -> Sequence[Effect]:
        logged = await self._rows.log.after(thread, 0)
        calls = [
            RecordedCall(node=called, outcome=outcome_from_json(row.result) if row.result else None, inverse=None)
            for (_, called, _), row in self._rows.ledger.rows.items()
        ]
        return effects_of(logged, calls)


def corrected_world(injector: CrashInjector | None = None) -> World:
    """Return a world in which a message may set a result; what it says and does is persisted through `injector`."""
    crashes = injector or CrashInjector()
    world = World(performs={"inputs": _inputs, "tool": _given}, injector=crashes)
    world.feeder = Correcting(  # pyright: ignore[reportAttributeAccessIssue]  # in front of the world's own
        planner=world.feeder,
        effects=_EffectsInMemory(world.rows),
        log=crashes.crashing(world.rows.log),
        mailbox=crashes.crashing(world.rows.mailbox),
        statuses=world.rows.statuses,
        words=CorrectionInWords(),
        flush=lambda: asyncio.sleep(0),
    )
    world.restart(Limits(poll_seconds=3600.0))
    return world


def set_result(world: World, name: str, value: Json) -> None:
    """Put a person's `!set` into the mailbox."""
    world.rows.mailbox.drop(world.thread, stored_wish(Wish(node=NodeId(name), value=value)))


def added(world: World) -> list[str]:
    """Return the nodes of the log, in its order."""
    return [row.operation.node.id for row in world.rows.log.rows[world.thread] if isinstance(row.operation, Add)]


def given_to(world: World, name: str) -> Json:
    """Return the values that a node's dependencies gave it."""
    outcome = world.outcomes[name]
    assert isinstance(outcome, Succeeded)
    return outcome.value


async def test_only_what_came_from_the_set_result_runs_again() -> None:
    world = corrected_world()
    await world.run(node("a"), node("b", "a", tool="inputs"), node("other"), node("both", "b", "other", tool="inputs"))
    set_result(world, "a", 17)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.outcomes["a-set"] == Succeeded(value=17)
    assert given_to(world, "b-again") == {"a-set": outcome_json(Succeeded(value=17))}
    assert sorted(world.work.started) == ["a", "a-set", "b", "b-again", "both", "both-again", "other"]
    assert world.rows.mailbox.replies == []


async def test_open_card_is_withdrawn_and_what_it_asked_is_asked_with_the_set_result() -> None:
    world = corrected_world()
    assert await world.run(node("a"), node("r", "a", red=True, tool="inputs")) is AdvanceResult.PARKED
    old = world.question("r")
    set_result(world, "a", 17)
    assert await world.advance() is AdvanceResult.PARKED
    assert set(world.rows.approvals.pending(world.thread)) == {"r-again"}
    assert not world.rows.approvals.click(old.id, decision=Decision.APPROVED)
    world.click("r-again")
    assert await world.advance() is AdvanceResult.FINISHED
    assert isinstance(world.outcomes["r"], Cancelled)
    assert given_to(world, "r-again") == {"a-set": outcome_json(Succeeded(value=17))}
    assert world.work.started.count(NodeId("r")) == 0


async def test_a_call_that_began_while_the_correction_was_planned_is_asked_about_as_done_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The effects were read before it began, the correction stored afterwards."""
    world = corrected_world()
    assert await world.run(node("a"), node("r", "a", red=True, tool="inputs")) is AdvanceResult.PARKED
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED

    async def before(effects: _EffectsInMemory, thread: ThreadId) -> Sequence[Effect]:
        return ()

    monkeypatch.setattr(_EffectsInMemory, "of", before)
    set_result(world, "a", 17)
    assert await world.advance() is AdvanceResult.PARKED
    assert card_facts_of(world.question("r-again")).corrected is Corrected.AGAIN


async def test_value_that_stopped_fitting_its_schema_on_the_way_is_not_set() -> None:
    """The bot had let it in; the runner looks once more."""
    world = corrected_world()
    counts = replace(node("a"), result_schema={"type": "integer"})
    await world.run(counts, node("b", "a", tool="inputs"))
    set_result(world, "a", "many")
    assert await world.advance() is AdvanceResult.FINISHED
    assert added(world) == ["a", "b"]
    [reply] = world.rows.mailbox.replies
    assert reply.startswith("Nothing was set")
    assert await world.rows.mailbox.untaken(world.thread) == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_death_anywhere_in_a_correction_sets_once_and_repeats_no_red_call_unasked(after: bool) -> None:
    between = False
    for step in range(1, 200):
        injector = CrashInjector()
        world = corrected_world(injector)
        await world.run(node("a"), node("b", "a", tool="inputs"), node("r", "b", red=True, tool="inputs"))
        world.click("r")
        await world.advance()
        assert world.work.started.count(NodeId("r")) == 1
        set_result(world, "a", 17)
        injector.at, injector.after_effect = injector.steps + step, after
        lived = True
        try:
            ended = await world.advance()
        except Dead:
            lived = False
            between |= "a-set" in added(world) and bool(await world.rows.mailbox.untaken(world.thread))
            injector.revive()
            ended = await world.advance()
        injector.at = None
        assert ended is AdvanceResult.PARKED
        assert added(world) == ["a", "b", "r", "a-set", "b-again", "r-again"]
        assert nodes_added([row.operation for row in world.rows.log.rows[world.thread]])[NodeId("r-again")].done_before
        assert set(world.rows.approvals.pending(world.thread)) == {"r-again"}
        assert world.rows.mailbox.replies == [wording.done_with_old_result("Again: title of r")]
        world.click("r-again")
        assert await world.advance() is AdvanceResult.FINISHED
        assert [world.work.started.count(NodeId(name)) for name in ("a", "r", "r-again")] == [1, 1, 1]
        assert not world.rows.approvals.pending(world.thread)
        if lived:
            assert step > 10, "a correction has fewer steps than it should"
            assert between, "no death fell between the append and the taking of the message"
            return
