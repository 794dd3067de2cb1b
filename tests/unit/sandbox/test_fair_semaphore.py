"""Turns: how many at once, in whose order, and what a cancellation leaves behind."""

import asyncio
from collections.abc import Sequence

from sandbox.fair_semaphore import FairSemaphore


class Crowd:
    """Those who want in, each named by its queue and a number; `inside` is the order they came in."""

    def __init__(self, most: int) -> None:
        self.turns = FairSemaphore(most)
        self.inside: list[str] = []
        self.doors: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            self.doors[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._visit(name), name=name)
        await settle()

    async def leave(self, *names: str) -> None:
        for name in names:
            self.doors[name].set()
            await settle()

    async def leave_all(self) -> Sequence[str]:
        """Have everybody leave in the order they came in; return that order."""
        for door in self.doors.values():
            door.set()
        await asyncio.wait(self.tasks.values(), timeout=30)
        return self.inside

    async def _visit(self, name: str) -> None:
        async with self.turns.taken(name[0]):
            self.inside.append(name)
            await self.doors[name].wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_are_inside_than_may_be() -> None:
    crowd = Crowd(2)
    await crowd.come("a1", "a2", "a3")
    assert crowd.inside == ["a1", "a2"]
    await crowd.leave("a1")
    assert await crowd.leave_all() == ["a1", "a2", "a3"]


async def test_queues_take_turns_and_each_keeps_its_order() -> None:
    crowd = Crowd(1)
    await crowd.come("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    assert await crowd.leave_all() == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_newcomer_waits_for_one_of_each_queue_at_most() -> None:
    crowd = Crowd(1)
    await crowd.come("a1", "a2", "a3", "b1", "b2")
    await crowd.leave("a1")
    await crowd.come("c1")
    assert (await crowd.leave_all())[:5] == ["a1", "a2", "b1", "a3", "c1"]


async def test_cancelled_waiter_takes_no_turn_along() -> None:
    crowd = Crowd(1)
    await crowd.come("a1", "b1", "c1")
    crowd.tasks["b1"].cancel()
    assert await crowd.leave_all() == ["a1", "c1"]
    await crowd.come("d1")
    assert crowd.inside[-1] == "d1"
    await crowd.leave("d1")


async def test_waiter_cancelled_just_as_its_turn_comes_passes_it_on() -> None:
    crowd = Crowd(1)
    async with crowd.turns.taken("a"):
        await crowd.come("b1", "c1")
    crowd.tasks["b1"].cancel()  # its turn has come, and it has not run since
    await settle()
    assert await crowd.leave_all() == ["c1"]
