"""Budgets in the executor: once a limit is exceeded nothing starts and one request is asked; a person decides."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from agent.approval import ApprovalKind, Decision
from agent.budget.budget import Budget, Budgets
from agent.budget.usage import Scope, Spent
from agent.execution.graph import AdvanceResult
from agent.ids import NodeId, ThreadId
from agent.plan.operations import Node
from agent.plan.outcomes import Cancelled, Outcome, Succeeded
from agent.ports import Bound, News, NewsReader, RunStatus
from agent.tool import CallContext
from tests.fakes.ports_in_memory import AccountInMemory
from tests.fakes.thread_world import World
from tests.fakes.work import Hold, node

TURN = ""
"""The node of a request about a turn."""


def nodes(most: int) -> Budgets:
    """Return a budget of nodes for a run."""
    return Budgets(run=Budget(nodes=most))


async def test_budget_that_fits_asks_nobody() -> None:
    world = World(budgets=nodes(2))
    assert await world.run(node("a"), node("b", "a")) is AdvanceResult.FINISHED
    assert not world.rows.approvals.rows


async def test_budget_that_is_exceeded_lets_running_nodes_end_and_parks_the_run_with_one_request() -> None:
    hold = Hold()
    world = World(performs={"hold": hold}, budgets=nodes(2))
    world.say(node("long", tool="hold"), node("short"), node("next", "short"), node("more"), node("last", "long"))
    async with world.advancing() as running:
        await world.until(lambda: NodeId(TURN) in world.rows.approvals.pending(world.thread))
        assert world.work.started == ["long", "short"]
        assert not running.done()
        hold.release.set()
    assert running.result() is AdvanceResult.PARKED
    assert world.work.started == ["long", "short"]
    assert [request.kind for request in world.rows.approvals.asked.values()] == [ApprovalKind.BUDGET]
    assert await world.interrupted() == {NodeId(TURN)}
    assert world.rows.runs.statuses[-1] is RunStatus.WAITING
    for _ in range(3):
        assert await world.advance() is AdvanceResult.PARKED
    assert len(world.rows.approvals.rows) == 1


async def test_go_on_counts_the_budget_once_more_and_then_asks_again() -> None:
    world = World(budgets=nodes(2))
    assert await world.run(*(node(f"n{number}") for number in range(5))) is AdvanceResult.PARKED
    for started in (4, 5):
        world.click(TURN, Decision.GO_ON)
        await world.advance()
        assert len(world.work.started) == started
    assert sorted(world.work.started) == sorted(world.outcomes)
    assert len(world.rows.approvals.rows) == 2


async def test_item_of_a_list_counts_towards_the_budget() -> None:
    async def hosts(node: Node, bound: Bound, context: CallContext) -> Outcome:
        return Succeeded(value=["a", "b", "c"])

    world = World(performs={"hosts": hosts}, budgets=nodes(3))
    template = replace(node("each", "hosts"), for_each="${hosts}")
    assert await world.run(node("hosts", tool="hosts"), template) is AdvanceResult.PARKED
    assert len(world.work.started) == 3
    world.click(TURN, Decision.GO_ON)
    assert await world.advance() is AdvanceResult.FINISHED
    assert sorted(world.work.started) == ["each-0", "each-1", "each-2", "hosts"]


async def test_hot_run_starts_what_it_held_back_after_go_on() -> None:
    hold = Hold()
    world = World(performs={"hold": hold}, budgets=nodes(1))
    world.say(node("long", tool="hold"), node("other"))
    async with world.advancing() as running:
        await world.until(lambda: NodeId(TURN) in world.rows.approvals.pending(world.thread))
        world.click(TURN, Decision.GO_ON)
        await world.until(lambda: "other" in world.work.ended)
        hold.release.set()
    assert running.result() is AdvanceResult.FINISHED


async def test_approved_red_waits_for_the_budget_and_keeps_its_approval() -> None:
    world = World(budgets=nodes(1))
    assert await world.run(node("red", red=True), node("green")) is AdvanceResult.PARKED
    world.click("red")
    assert await world.advance() is AdvanceResult.PARKED
    assert world.work.started == ["green"]
    assert set(world.rows.approvals.pending(world.thread)) == {TURN}
    world.click(TURN, Decision.GO_ON)
    assert await world.advance() is AdvanceResult.FINISHED
    assert world.work.started == ["green", "red"]
    assert (
        len([request for request in world.rows.approvals.asked.values() if request.kind is ApprovalKind.APPROVE]) == 1
    )


async def test_card_is_not_posted_while_the_budget_is_asked_about() -> None:
    world = World(budgets=nodes(1))
    assert await world.run(node("a"), node("b"), node("red", "a", red=True)) is AdvanceResult.PARKED
    assert set(world.rows.approvals.pending(world.thread)) == {TURN}
    world.click(TURN, Decision.GO_ON)
    assert await world.advance() is AdvanceResult.PARKED
    assert set(world.rows.approvals.pending(world.thread)) == {"red"}


async def test_stop_withdraws_the_request_and_cancels_what_never_started() -> None:
    world = World(budgets=nodes(1))
    assert await world.run(node("a"), node("b")) is AdvanceResult.PARKED
    world.rows.mailbox.stop(world.thread)
    assert await world.advance() is AdvanceResult.FINISHED
    (row,) = world.rows.approvals.rows.values()
    assert row.decision is Decision.WITHDRAWN
    assert [type(world.outcomes[name]) for name in ("a", "b")] == [Succeeded, Cancelled]


@pytest.mark.parametrize("decision", [Decision.STOP, Decision.EXPIRED])
@pytest.mark.parametrize("hot", [False, True], ids=["parked", "hot"])
async def test_stop_at_the_request_starts_nothing_more_and_asks_nobody_again(hot: bool, decision: Decision) -> None:
    hold = Hold()
    world = World(performs={"hold": hold}, budgets=nodes(1))
    world.say(node("long", tool="hold" if hot else "echo"), node("other"), node("red", red=True))
    async with world.advancing() as running:
        await world.until(lambda: NodeId(TURN) in world.rows.approvals.pending(world.thread))
        if not hot:
            await running
        world.click(TURN, decision)
        world.rows.mailbox.stop(world.thread)
        hold.release.set()
    if not hot:
        await world.advance()
    assert world.work.started == ["long"]
    assert isinstance(world.outcomes["other"], Cancelled)
    assert isinstance(world.outcomes["red"], Cancelled)
    assert [request.kind for request in world.rows.approvals.asked.values()] == [ApprovalKind.BUDGET]


class SlowNews:
    """A NewsReader whose answers are on their way for a while."""

    def __init__(self, news: NewsReader, rng: random.Random) -> None:
        self.reads = 0
        self._news = news
        self._rng = rng

    async def read(self, thread: ThreadId, turn: int, seq: int) -> News:
        """Read, then let others go on."""
        self.reads += 1
        news = await self._news.read(thread, turn, seq)
        for _ in range(self._rng.choice((0, 1, 2, 5, 20))):
            await asyncio.sleep(0)
        return news


@pytest.mark.parametrize("seed", range(40))
async def test_stop_ends_the_run_however_it_meets_the_request(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # reproducible, not secret
    slow: list[SlowNews] = []

    def slowed(news: NewsReader) -> NewsReader:
        slow.append(SlowNews(news, rng))
        return slow[-1]

    hold = Hold()
    world = World(performs={"hold": hold}, budgets=nodes(1), news=slowed)
    world.say(node("long", tool="hold"), node("other"), node("red", red=True))
    async with world.advancing() as running:
        await world.until(lambda: NodeId(TURN) in world.rows.approvals.pending(world.thread))
        world.rows.mailbox.stop(world.thread)
        before = sum(news.reads for news in slow)
        for step in range(10_000):
            if running.done():
                break
            if step < 100 and rng.random() < 0.3:
                world.rows.notifier.notify(world.thread)
            if rng.random() < 0.02:
                hold.release.set()
            await asyncio.sleep(0)
        assert sum(news.reads for news in slow) - before < 200, "the executor looks again and again"
    assert [request.kind for request in world.rows.approvals.asked.values()] == [ApprovalKind.BUDGET]
    assert not world.rows.approvals.pending(world.thread)


async def test_budget_of_a_thread_holds_across_turns_and_so_does_go_on() -> None:
    world = World(budgets=Budgets(thread=Budget(nodes=3)))
    assert await world.run(node("a"), node("b")) is AdvanceResult.FINISHED
    assert await world.run(node("c"), node("d")) is AdvanceResult.PARKED
    assert world.work.started == ["a", "b", "c"]
    world.click(TURN, Decision.GO_ON)
    assert await world.advance() is AdvanceResult.FINISHED
    assert await world.run(node("e"), node("f")) is AdvanceResult.FINISHED
    assert await world.run(node("g")) is AdvanceResult.PARKED
    assert len(world.work.started) == 6


async def test_time_at_work_is_budgeted() -> None:
    async def slow(node: Node, bound: Bound, context: CallContext) -> Outcome:
        world.rows.spending.charge(world.thread, 1, Spent(work_milliseconds=1500))
        return Succeeded(value=1)

    world = World(performs={"slow": slow}, budgets=Budgets(run=Budget(milliseconds=1000)))
    assert await world.run(node("a", tool="slow"), node("b", "a", tool="slow"), node("c", "b")) is AdvanceResult.PARKED
    assert world.work.started == ["a"]
    world.click(TURN, Decision.GO_ON)
    assert await world.advance() is AdvanceResult.PARKED
    assert world.work.started == ["a", "b"]


async def test_go_on_starts_something_however_little_time_there_is() -> None:
    world = World(budgets=Budgets(run=Budget(milliseconds=1)))

    class Hurried(AccountInMemory):
        def spent(self) -> Mapping[Scope, Spent]:
            world.rows.spending.charge(world.thread, 1, Spent(work_milliseconds=100))
            return super().spent()

    async def hurried(thread: ThreadId, turn: int) -> AccountInMemory:
        return Hurried(world.rows.spending, thread, turn)

    world.rows.spending.account = hurried
    rest = await world.run(node("a"), node("b", "a"))
    for _ in range(2):
        assert rest is AdvanceResult.PARKED
        world.click(TURN, Decision.GO_ON)
        rest = await world.advance()
    assert (rest, world.work.started) == (AdvanceResult.FINISHED, ["a", "b"])


async def test_go_on_does_not_count_what_was_spent_before_the_answer() -> None:
    world = World(budgets=Budgets(run=Budget(tokens=10, nodes=1)))
    assert await world.run(node("a"), node("b")) is AdvanceResult.PARKED
    world.rows.spending.charge(world.thread, 1, Spent(input_tokens=100))
    world.click(TURN, Decision.GO_ON)
    assert await world.advance() is AdvanceResult.FINISHED


@pytest.mark.parametrize("seed", range(12))
async def test_plan_ends_as_it_would_without_a_budget_each_node_started_once(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- no secret
    most = chance.randint(1, 4)
    plan: list[Node] = []
    for number in range(chance.randint(3, 14)):
        after = chance.sample([step.id for step in plan], min(len(plan), chance.randint(0, 2)))
        plan.append(node(f"n{number}", *after, red=chance.random() < 0.3))
    world = World(budgets=nodes(most), nodes_at_once=chance.randint(1, 4), seed=seed)
    rest = await world.run(*plan)
    while rest is AdvanceResult.PARKED:
        before = len(world.work.started)
        pending = sorted(world.rows.approvals.pending(world.thread))
        clicked = chance.choice(pending)
        world.click(clicked, Decision.GO_ON if clicked == TURN else Decision.APPROVED)
        rest = await world.advance()
        assert len(world.work.started) - before <= most
    assert sorted(world.work.started) == sorted(step.id for step in plan)
    assert all(isinstance(outcome, Succeeded) for outcome in world.outcomes.values())
