"""A result counts when its write is committed; a crash in between loses and repeats nothing (law 5)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata

from agent.approval import ApprovalKind, Decision
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId, ThreadId
from agent.plan.operations import Node
from agent.plan.outcomes import Outcome, Succeeded
from agent.ports import Bound
from agent.tool import CallContext
from tests.fakes.checkpoints_in_memory import ObservedMemorySaver
from tests.fakes.crash_injection import CrashInjector, Dead
from tests.fakes.thread_world import World
from tests.fakes.work import Hold, echo, fail, node, on_failed

RETURN = "__return__"


class HeldUpSaver(ObservedMemorySaver):
    """Stores the result of node `a` only when `release` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.release = asyncio.Event()

    async def store_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        if (RETURN, {"state": "succeeded", "value": "a"}) in writes:
            self.asked.set()
            await self.release.wait()
        await super().store_writes(config, writes, task_id, task_path)


async def test_dependent_does_not_start_before_its_inputs_are_committed():
    saver = HeldUpSaver()
    world = World(checkpoints=saver.open)
    world.say(node("a"), node("green", "a"), node("red", "a", red=True), node("other"))
    async with world.advancing():
        await saver.asked.wait()
        await world.until(lambda: "other" in {change.node for change in world.changes if change.outcome})
        assert sorted(world.work.started) == ["a", "other"]
        assert world.rows.approvals.asked == {}
        assert "a" not in {change.node for change in world.changes if change.outcome}
        saver.release.set()


class FailingSaver(ObservedMemorySaver):
    """Cannot store the result of node `a` while `broken`."""

    broken = True

    async def store_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        if self.broken and (RETURN, {"state": "succeeded", "value": "a"}) in writes:
            raise ConnectionError
        await super().store_writes(config, writes, task_id, task_path)


async def test_result_that_cannot_be_committed_ends_the_entry_unpublished():
    saver = FailingSaver()
    world = World(checkpoints=saver.open)
    with pytest.raises(ConnectionError):
        await world.run(node("a"), node("b", "a"))
    assert "b" not in world.work.started
    assert saver.open_jobs == 0
    saver.broken = False
    assert await world.advance() is AdvanceResult.FINISHED
    assert saver.open_jobs == 0
    assert set(world.outcomes) == {"a", "b"}


class UnfinishedStepSaver(ObservedMemorySaver):
    """Dies when it should store the checkpoint after `execute`, whose writes it has stored."""

    broken = True

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if self.broken and "results" in new_versions:
            raise ConnectionError
        return await super().aput(config, checkpoint, metadata, new_versions)


async def test_message_after_a_death_between_the_steps_writes_and_its_checkpoint_loses_no_result():
    saver = UnfinishedStepSaver()
    world = World(checkpoints=saver.open)
    with pytest.raises(ConnectionError):
        await world.run(node("a"), node("b", "a"))
    assert (await world.snapshot()).next == ()
    saver.broken = False
    await world.run(node("c"))
    assert world.work.started == ["a", "b", "c"]
    assert set(world.outcomes) == {"a", "b", "c"}


async def test_cancelled_entry_can_be_entered_again():
    hold = Hold()
    saver = ObservedMemorySaver()
    world = World(performs={"hold": hold}, checkpoints=saver.open)
    world.say(node("a"), node("slow", "a", tool="hold"), node("r", "a", red=True), node("waiting", "slow"))
    running = asyncio.create_task(world.advance())
    await hold.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert saver.open_jobs == 0
    hold.release.set()
    assert await world.advance() is AdvanceResult.PARKED
    world.click("r")
    assert await world.advance() is AdvanceResult.FINISHED
    assert sorted(world.work.started) == ["a", "r", "slow", "slow", "waiting"]


async def test_cancelling_an_entry_before_its_calls_took_their_first_step_does_not_hang():
    for turns in range(30):
        world = World()
        world.say(*(node(f"n{number}") for number in range(5)), node("r", "n0", red=True))
        running = asyncio.create_task(world.advance())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert await world.advance() is AdvanceResult.PARKED


PLAN = (
    node("a"),
    node("b", "a"),
    node("bad", tool="fail"),
    node("rescue", on_failed("bad")),
    node("r", "b", red=True, tool="effect"),
    node("no", red=True, tool="effect"),
    node("after", "r"),
    node("never", "no"),
)


class DyingRun:
    """The plan run to its end by people who know what happened, through one death of the runner."""

    def __init__(self, at: int | None, *, after_effect: bool) -> None:
        self.injector = CrashInjector()
        self.injector.at, self.injector.after_effect = at, after_effect
        self.world = World(performs={"effect": self._effect, "fail": fail}, injector=self.injector)
        self.world.rounds[1, 1] = []
        self.effects: list[NodeId] = []
        self.ran_after_end: list[NodeId] = []
        self.work = self.world.work.perform
        self.world.work.perform = self._perform  # pyright: ignore[reportAttributeAccessIssue]  # the same signature

    async def _perform(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        if node.id in {change.node for change in self.world.changes if change.outcome}:
            self.ran_after_end.append(node.id)
        return await self.work(node, bound, context)

    async def _effect(self, node: Node, bound: Bound, context: CallContext) -> Outcome:
        step = self.injector.before()
        self.effects.append(node.id)
        self.injector.after(step)
        return await echo(node, bound, context)

    async def run(self) -> None:
        """Advance until finished, deciding every question and reviving the runner when it died."""
        self.world.say(*PLAN)
        while True:
            try:
                if await self.world.advance() is AdvanceResult.FINISHED:
                    return
            except Dead:
                self.injector.revive()
                continue
            self._decide()

    def _decide(self) -> None:
        for asked in self.world.rows.approvals.pending(self.world.thread).values():
            if asked.kind is ApprovalKind.UNKNOWN:
                decision = Decision.HAPPENED if asked.node in self.effects else Decision.AGAIN
            else:
                decision = Decision.REJECTED if asked.node == "no" else Decision.APPROVED
            self.world.rows.approvals.click(asked.id, decision)


@pytest.mark.parametrize("after_effect", [False, True], ids=["before the step", "after the step"])
async def test_death_at_any_persisted_step_loses_and_repeats_nothing(after_effect: bool):
    undisturbed = DyingRun(None, after_effect=after_effect)
    await undisturbed.run()
    assert undisturbed.injector.steps > 50
    for at in range(1, undisturbed.injector.steps + 1):
        dying = DyingRun(at, after_effect=after_effect)
        await dying.run()
        assert dying.effects == ["r"], f"death at step {at}"
        assert dying.ran_after_end == [], f"death at step {at}"
        confirmed = {**dying.world.outcomes, "r": Succeeded(value="r")}
        assert confirmed == undisturbed.world.outcomes, f"death at step {at}"


class DyingOnce(ObservedMemorySaver):
    """Dies instead of its first pruning; counts the others."""

    died = False
    pruned = 0

    async def prune_thread(self, thread: ThreadId) -> None:
        if not self.died:
            self.died = True
            raise Dead
        self.pruned += 1


async def test_checkpoints_that_a_run_died_before_pruning_are_pruned_at_the_next_wake() -> None:
    saver = DyingOnce()
    world = World(checkpoints=saver.open)
    with pytest.raises(Dead):
        await world.run(node("a"))
    assert await world.advance() is AdvanceResult.FINISHED
    assert saver.pruned == 1
