"""The turns of a thread: the state holds one turn's results, and a later turn refers to those of any earlier one."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest

from agent.execution.execution_context import ExecutionContext
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId, ThreadId
from agent.limits import Limits
from agent.plan.files import FileOrigin
from agent.plan.operations import Add, LoggedOperation, Node
from agent.plan.outcomes import Failed, Outcome, Skipped, Succeeded, outcome_json
from agent.ports import Bound
from agent.tool import CallContext
from tests.fakes.crash_injection import CrashInjector, Dead
from tests.fakes.ports_in_memory import StatusesInMemory
from tests.fakes.thread_world import World
from tests.fakes.work import fail, node, on_failed


async def _inputs(node: object, bound: Bound, context: CallContext) -> Outcome:
    return Succeeded(value=bound.args["inputs"])


def _world(injector: CrashInjector | None = None) -> World:
    return World(performs={"inputs": _inputs, "fail": fail}, injector=injector)


async def _in_state(world: World) -> set[str]:
    return set((await world.snapshot()).values["results"])


async def test_the_state_holds_the_results_of_one_turn() -> None:
    world = _world()
    for turn in range(1, 5):
        await world.run(*(node(f"t{turn}-{number}") for number in range(3)))
        assert await _in_state(world) == {f"t{turn}-{number}" for number in range(3)}


async def test_a_later_turn_reads_results_of_every_earlier_one() -> None:
    world = _world()
    await world.run(node("a"), node("broken", tool="fail"))
    await world.run(node("b", "a"))
    await world.run(node("c"))
    await world.run(
        node("all", "a", "b", "c", tool="inputs"),
        node("instead", on_failed("broken"), tool="inputs"),
        node("never", "broken"),
    )
    assert world.outcomes["all"] == Succeeded(
        value={name: outcome_json(Succeeded(value=name)) for name in ("a", "b", "c")}
    )
    failed = Failed(error="tool_error", message="broken failed")
    assert world.outcomes["instead"] == Succeeded(value={"broken": outcome_json(failed)})
    assert world.outcomes["never"] == Skipped(because=NodeId("broken"))
    assert await _in_state(world) == {"all", "instead", "never"}
    assert sorted(world.work.started) == ["a", "all", "b", "broken", "c", "instead"], "nothing runs twice"


async def test_a_parked_turn_reads_earlier_results_again() -> None:
    world = _world()
    await world.run(node("a"))
    await world.run(node("b"))
    assert await world.run(node("r", "a", red=True), node("after", "r", "b", tool="inputs")) is AdvanceResult.PARKED
    world.restart(Limits(poll_seconds=3600.0))
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED
    value = {name: outcome_json(Succeeded(value=name)) for name in ("r", "b")}
    assert world.outcomes["after"] == Succeeded(value=value)


async def test_a_node_that_enters_a_running_turn_reads_earlier_results() -> None:
    world = _world()
    await world.run(node("a"))
    world.rounds[2, 1] = [Add(node=node("late", "a", "b", tool="inputs"))]
    await world.run(node("b"))
    value = {name: outcome_json(Succeeded(value=name)) for name in ("a", "b")}
    assert world.outcomes["late"] == Succeeded(value=value)


class _Forgetful(StatusesInMemory):
    """Rows that lack a node, as those of an earlier version might."""

    async def ended(self, thread: ThreadId, nodes: Collection[NodeId], before_turn: int) -> Mapping[NodeId, Outcome]:
        found = await super().ended(thread, nodes, before_turn)
        return {node: outcome for node, outcome in found.items() if node != "a"}


async def test_a_node_that_looks_for_an_earlier_result_makes_no_other_output_personal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking, seen = asyncio.Event(), asyncio.Event()
    origins: list[FileOrigin | None] = []

    async def look(node: Node, bound: Bound, context: CallContext) -> Outcome:
        await looking.wait()
        origins.append(context.origin())
        seen.set()
        return Succeeded(value=1)

    world = World(performs={"look": look})
    await world.run(node("a"))
    recall = ExecutionContext._recall  # pyright: ignore[reportPrivateUsage]  # no other moment is in between

    async def slowly(context: ExecutionContext) -> Sequence[LoggedOperation]:
        looking.set()
        await seen.wait()
        return await recall(context)

    monkeypatch.setattr(ExecutionContext, "_recall", slowly)
    world.say(node("own", tool="look"), node("refers", "a", args={"x": "${a}"}))
    assert await world.advance() is AdvanceResult.FINISHED
    [origin] = origins
    assert origin is not None
    assert (origin.personal, origin.outside) == (frozenset(), False)


async def test_a_result_that_is_no_row_stays_in_the_state() -> None:
    world = _world()
    world.rows = replace(world.rows, statuses=_Forgetful(world.rows.progress))
    world.restart(Limits(poll_seconds=3600.0))
    await world.run(node("a"), node("b"))
    await world.run(node("c"))
    await world.run(node("d", "a", "b", tool="inputs"))
    assert await _in_state(world) == {"a", "d"}
    value = {name: outcome_json(Succeeded(value=name)) for name in ("a", "b")}
    assert world.outcomes["d"] == Succeeded(value=value)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_death_anywhere_in_the_next_turn_loses_no_earlier_result(after: bool) -> None:
    for step in range(1, 200):
        injector = CrashInjector()
        world = _world(injector)
        await world.run(node("a"))
        world.say(node("b", "a", tool="inputs"))
        injector.at, injector.after_effect = injector.steps + step, after
        try:
            await world.advance()
        except Dead:
            injector.revive()
            assert await world.advance() is AdvanceResult.FINISHED
            assert world.outcomes["b"] == Succeeded(value={"a": outcome_json(Succeeded(value="a"))})
            assert await _in_state(world) == {"b"}
        else:
            assert step > 10, "the turn has fewer steps than it should"
            return
