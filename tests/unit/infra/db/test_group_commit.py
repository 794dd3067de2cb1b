"""Group commit: what is put meanwhile is written together, each item once, and one item's fault is its own."""

import asyncio
from collections.abc import Sequence

import pytest

from agent.errors import StoreUnavailable
from infra.db.group_commit import GroupCommit


class Slow:
    """Writes "key:number" items when told to; refuses those called "bad"."""

    def __init__(self) -> None:
        self.groups: list[Sequence[str]] = []
        self.under_way = 0
        self.go = asyncio.Event()
        self.broken: Exception | None = None

    async def write(self, items: Sequence[str]) -> Sequence[str]:
        """Return each in capitals."""
        self.groups.append(list(items))
        self.under_way += 1
        await self.go.wait()
        self.under_way -= 1
        if self.broken is not None:
            raise self.broken
        if any(item.endswith("bad") for item in items):
            raise ValueError(items)
        return [item.upper() for item in items]


def _key(item: str) -> str:
    return item.partition(":")[0]


def _put(commit: GroupCommit[str, str], *items: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(commit.put(item)) for item in items]


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_alone_is_written_at_once() -> None:
    slow = Slow()
    slow.go.set()
    commit = GroupCommit(slow.write, _key)
    assert [await commit.put("a:1"), await commit.put("b:1")] == ["A:1", "B:1"]
    assert slow.groups == [["a:1"], ["b:1"]]


async def test_what_comes_meanwhile_is_written_together_and_no_group_is_larger_than_allowed() -> None:
    slow = Slow()
    commit = GroupCommit(slow.write, _key, at_once=1, most=3)
    first = _put(commit, "a:1")
    await _settled()
    rest = _put(commit, *(f"{key}:1" for key in "bcdef"))
    await _settled()
    slow.go.set()
    assert await asyncio.gather(*first, *rest) == ["A:1", "B:1", "C:1", "D:1", "E:1", "F:1"]
    assert slow.groups == [["a:1"], ["b:1", "c:1", "d:1"], ["e:1", "f:1"]]


async def test_no_more_groups_than_allowed_are_written_at_the_same_time() -> None:
    slow = Slow()
    commit = GroupCommit(slow.write, _key, at_once=2, most=1)
    put = _put(commit, *(f"{key}:1" for key in "abcde"))
    await _settled()
    assert slow.under_way == 2
    slow.go.set()
    await asyncio.gather(*put)
    assert len(slow.groups) == 5


async def test_two_items_of_one_key_are_never_written_at_the_same_time_and_keep_their_order() -> None:
    slow = Slow()
    commit = GroupCommit(slow.write, _key, at_once=2)
    put = _put(commit, "a:1", "a:2", "b:1", "a:3")
    await _settled()
    assert slow.groups == [["a:1", "b:1"]]
    slow.go.set()
    await asyncio.gather(*put)
    assert slow.groups == [["a:1", "b:1"], ["a:2"], ["a:3"]]


async def test_one_items_fault_is_not_anothers() -> None:
    slow = Slow()
    slow.go.set()
    commit = GroupCommit(slow.write, _key)
    told = await asyncio.gather(*_put(commit, "a:1", "b:bad", "c:1"), return_exceptions=True)
    assert told[0] == "A:1"
    assert isinstance(told[1], ValueError)
    assert told[2] == "C:1"


async def test_a_store_out_of_reach_is_everybodys_and_the_next_one_is_tried_again() -> None:
    slow = Slow()
    slow.go.set()
    slow.broken = StoreUnavailable()
    commit = GroupCommit(slow.write, _key)
    told = await asyncio.gather(*_put(commit, "a:1", "b:1"), return_exceptions=True)
    assert [type(error) for error in told] == [StoreUnavailable, StoreUnavailable]
    assert told[0] is not told[1]
    assert slow.groups == [["a:1", "b:1"]]
    slow.broken = None
    assert await commit.put("a:1") == "A:1"


async def test_who_goes_away_before_it_is_written_is_not_written_and_stops_nobody() -> None:
    slow = Slow()
    commit = GroupCommit(slow.write, _key, at_once=1)
    first, gone, last = _put(commit, "a:1", "b:1", "c:1")
    await _settled()
    late_gone, late = _put(commit, "d:1", "e:1")
    await _settled()
    for task in (gone, late_gone):  # one that is being written, one that is not
        task.cancel()
    slow.go.set()
    assert await asyncio.gather(first, last, late) == ["A:1", "C:1", "E:1"]
    assert slow.groups == [["a:1", "b:1", "c:1"], ["e:1"]]


@pytest.mark.parametrize("at_once", [1, 2, 3])
async def test_request_that_comes_when_the_last_group_has_just_ended_is_written_too(at_once: int) -> None:
    """In every step of the loop in which it could come."""

    async def write(items: Sequence[str]) -> Sequence[str]:
        await asyncio.sleep(0)
        return items

    commit = GroupCommit(write, _key, at_once=at_once)

    async def one(number: int) -> str:
        for _ in range(number % 11):
            await asyncio.sleep(0)
        return await commit.put(f"{number % 7}:{number}")

    async with asyncio.timeout(30):
        assert await asyncio.gather(*(one(number) for number in range(300))) == [
            f"{number % 7}:{number}" for number in range(300)
        ]
