"""Group commit: items that arrive during a write are written together, in one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.errors import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pending(Generic[Item, Result]):
    item: Item
    written: "asyncio.Future[Result]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommit(Generic[Item, Result]):
    """Writes each item at once while few arrive, and in groups while many do.

    `write` takes up to `most` items of different keys and returns their results in the same order; it writes all of
    them or none. At most `at_once` groups are written at the same time, and never two items of one key.
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
        self._pending: list[_Pending[Item, Result]] = []
        self._keys_in_flight: set[Hashable] = set()
        self._writers: set[asyncio.Task[None]] = set()
        self._active_writers = 0

    async def put(self, item: Item) -> Result:
        """Return the item's result once it is written. Raises what `write` raises for it."""
        pending: _Pending[Item, Result] = _Pending(item=item)
        self._pending.append(pending)
        if self._active_writers < self._at_once:
            self._active_writers += 1
            writer = asyncio.create_task(self._write_all(), name="group commit")
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await pending.written

    async def _write_all(self) -> None:
        try:
            while group := self._next_group():
                keys = {self._key(pending.item) for pending in group}
                self._keys_in_flight |= keys
                try:
                    await self._write_group(group)
                finally:
                    self._keys_in_flight -= keys
        finally:  # in the step that found no group: the next item starts another writer
            self._active_writers -= 1

    def _next_group(self) -> Sequence[_Pending[Item, Result]]:
        """Take the first pending item of each key that is not being written. Drops items nobody waits for any more."""
        group: dict[Hashable, _Pending[Item, Result]] = {}
        left: list[_Pending[Item, Result]] = []
        for pending in self._pending:
            key = self._key(pending.item)
            if pending.written.done():
                continue
            if len(group) < self._most and key not in group and key not in self._keys_in_flight:
                group[key] = pending
            else:
                left.append(pending)
        self._pending = left
        return list(group.values())

    async def _write_group(self, group: Sequence[_Pending[Item, Result]]) -> None:
        try:
            results = await self._write([pending.item for pending in group])
        except asyncio.CancelledError:
            for pending in group:
                pending.written.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the items were put
            await self._fail(group, error)
            return
        for pending, result in zip(group, results, strict=True):
            if not pending.written.done():
                pending.written.set_result(result)

    async def _fail(self, group: Sequence[_Pending[Item, Result]], error: Exception) -> None:
        """Raise the error for its item. One item's error is not another's, so each item of a group is tried alone."""
        if len(group) > 1 and not isinstance(error, StoreUnavailable):
            for pending in group:
                await self._write_group([pending])
            return
        for pending in group:
            if not pending.written.done():
                pending.written.set_exception(StoreUnavailable() if isinstance(error, StoreUnavailable) else error)
