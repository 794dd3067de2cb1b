"""Group commit: what comes while something is being written is written together, in one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.errors import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    written: "asyncio.Future[Result]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommit(Generic[Item, Result]):
    """Writes what is put, alone while little comes and in groups while much does.

    `write` takes up to `most` items of different keys and returns their results in the same order; it writes all of
    them or none. At most `at_once` groups are written at the same time, and two items of one key never are.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        key: Callable[[Item], Hashable],
        *,
        at_once: int = 2,
        most: int = 500,
    ) -> None:
        self._write = write
        self._key = key
        self._at_once = at_once
        self._most = most
        self._waiting: list[_Waiting[Item, Result]] = []
        self._under_way: set[Hashable] = set()
        self._writing = 0
        self._writers: set[asyncio.Task[None]] = set()

    async def put(self, item: Item) -> Result:
        """Return the item's result once it is written. Raises what `write` raises for it."""
        waiting: _Waiting[Item, Result] = _Waiting(item=item)
        self._waiting.append(waiting)
        if self._writing < self._at_once:
            self._writing += 1
            writer = asyncio.create_task(self._write_all(), name="group commit")
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await waiting.written

    async def _write_all(self) -> None:
        try:
            while group := self._next():
                keys = {self._key(each.item) for each in group}
                self._under_way |= keys
                try:
                    await self._write_group(group)
                finally:
                    self._under_way -= keys
        finally:  # in the step that found nothing more: whoever comes next starts another
            self._writing -= 1

    def _next(self) -> Sequence[_Waiting[Item, Result]]:
        """Take who is written next: the first of each key that is not under way. Nobody waits who has gone away."""
        group: dict[Hashable, _Waiting[Item, Result]] = {}
        left: list[_Waiting[Item, Result]] = []
        for each in self._waiting:
            key = self._key(each.item)
            if each.written.done():
                continue
            if len(group) < self._most and key not in group and key not in self._under_way:
                group[key] = each
            else:
                left.append(each)
        self._waiting = left
        return list(group.values())

    async def _write_group(self, group: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._write([each.item for each in group])
        except asyncio.CancelledError:
            for each in group:
                each.written.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for it are told
            await self._tell(group, error)
            return
        for each, result in zip(group, results, strict=True):
            if not each.written.done():
                each.written.set_result(result)

    async def _tell(self, group: Sequence[_Waiting[Item, Result]], error: Exception) -> None:
        """Tell who waits what went wrong; one item's fault is not another's, so each is tried alone."""
        if len(group) > 1 and not isinstance(error, StoreUnavailable):
            for each in group:
                await self._write_group([each])
            return
        for each in group:
            if not each.written.done():
                each.written.set_exception(StoreUnavailable() if isinstance(error, StoreUnavailable) else error)
