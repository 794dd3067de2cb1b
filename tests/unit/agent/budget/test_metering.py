"""Model calls wait for the budget, then for room in the process; a limit's clock stops meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import partial

from agent.budget.metering import (
    CallMeter,
    MeteredAgentModel,
    MeteredModel,
    Room,
    metered,
    stopping_while_held_back,
)
from agent.budget.usage import charged_to
from agent.ids import ThreadId
from agent.limits import Role
from agent.ports import ChatMessage, OfferedTool
from agent.roles import SubagentRole
from agent.tools.shared_bounds import SharedBounds

WIDE, OTHER = ThreadId("T1:C1:1.0"), ThreadId("T1:C1:2.0")
ROLE = SubagentRole(name="researcher", purpose="Reads.", prompt="Read.")


@dataclass(kw_only=True)
class HeldModel:
    """A model whose calls last until they are let go."""

    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    at_work: int = 0
    most: int = 0

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        await self._work()
        return "done"

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        yield "do"
        await self._work()
        yield "ne"

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        await self._work()
        return ChatMessage(by="ai", text="done")

    async def _work(self) -> None:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await self.let_go.wait()
        finally:
            self.at_work -= 1


def room(most: int) -> Room:
    return partial(SharedBounds[str](most).taken, "model")


async def said(model: MeteredModel, thread: ThreadId) -> str:
    with charged_to(thread):
        return "".join([piece async for piece in model.stream(Role.PLANNER, [])])


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_calls_of_subagents_and_of_other_roles_share_one_bound_half_of_it_a_thread() -> None:
    held = HeldModel()
    space = room(4)
    model, agents = MeteredModel(held, space), MeteredAgentModel(held, space)

    async def subagent() -> str:
        with charged_to(WIDE):
            return (await agents.respond(ROLE, [], [])).text

    async with asyncio.TaskGroup() as group:
        wide = [group.create_task(subagent()) for _ in range(20)]
        await settled()
        assert held.at_work == 2, "a thread has half of the bound"
        other = group.create_task(said(model, OTHER))
        await settled()
        assert held.at_work == 3, "and leaves room for others"
        held.let_go.set()
    assert {task.result() for task in wide} == {other.result()} == {"done"}
    assert held.most <= 4


async def test_stream_that_is_left_early_gives_its_room_back() -> None:
    held = HeldModel()
    held.let_go.set()
    model = MeteredModel(held, room(1))
    with charged_to(WIDE):
        stream = model.stream(Role.PLANNER, [])
        assert await anext(stream) == "do"
        await stream.aclose()
    assert await said(model, WIDE) == "done"


async def test_call_that_waits_for_people_about_the_budget_holds_no_room() -> None:
    held, decided = HeldModel(), asyncio.Event()
    held.let_go.set()
    model = MeteredModel(held, room(1))

    async def acquire() -> None:
        await decided.wait()

    async def waiting() -> str:
        with metered(CallMeter(acquire=acquire, ended=lambda: None)):
            return await said(model, WIDE)

    async with asyncio.TaskGroup() as group:
        waits = group.create_task(waiting())
        await settled()
        assert await said(model, WIDE) == "done"
        decided.set()
    assert waits.result() == "done"


async def test_time_that_a_call_waits_for_room_does_not_count_for_its_limit() -> None:
    held = HeldModel()
    model = MeteredModel(held, room(1))

    async def limited() -> float:
        limit = asyncio.timeout(30)
        async with limit:
            with stopping_while_held_back(limit):
                answering = asyncio.create_task(said(model, WIDE))
                await settled()
                stopped = limit.when()
                held.let_go.set()
                await answering
                assert stopped is None, "no clock runs while it waits"
                when = limit.when()
                assert when is not None
                return when - asyncio.get_running_loop().time()

    async with asyncio.TaskGroup() as group:
        group.create_task(said(model, OTHER))
        await settled()
        left = group.create_task(limited())
    assert 0 < left.result() <= 30
