"""Bounds of the same size for any number of resources, each fair between the threads that want it."""

from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.ids import ThreadId
from sandbox.fair_semaphore import FairSemaphore

Resource = TypeVar("Resource", bound=Hashable)


@dataclass(kw_only=True)
class _Bound:
    all: FairSemaphore
    #: Of the threads that use or want it.
    shares: dict[ThreadId, FairSemaphore] = field(default_factory=dict[ThreadId, FairSemaphore])
    users: dict[ThreadId, int] = field(default_factory=dict[ThreadId, int])


class SharedBounds(Generic[Resource]):
    """A bound of the same size for each of any number of resources; those that nobody uses take no memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = max(1, most // 2)
        self._bounds: dict[Resource, _Bound] = {}

    def __len__(self) -> int:
        return len(self._bounds)

    @asynccontextmanager
    async def taken(self, resource: Resource, thread: ThreadId) -> AsyncGenerator[None]:
        """Wait for a place at the resource, and hold it until the context is left."""
        bound = self._bounds.setdefault(resource, _Bound(all=FairSemaphore(self._most)))
        share = bound.shares.setdefault(thread, FairSemaphore(self._share))
        bound.users[thread] = bound.users.get(thread, 0) + 1
        try:
            async with share.taken(thread), bound.all.taken(thread):
                yield
        finally:
            bound.users[thread] -= 1
            if not bound.users[thread]:
                del bound.users[thread], bound.shares[thread]
            if not bound.users and self._bounds.get(resource) is bound:
                del self._bounds[resource]
