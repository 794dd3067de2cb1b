"""Bounds on green calls where the resource is: so many of one tool, and so many to one host, in this process."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.ids import ThreadId
from agent.limits import Limits
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext, Colour, Tool
from agent.tools.call import call_tool
from sandbox.fair_semaphore import FairSemaphore
from sandbox.script import Json

Resource = TypeVar("Resource", bound=Hashable)


class CallBounds:
    """Admits calls. Who waits holds nothing of a tool, and a thread holds half of a bound at most.

    So a thread with a wide plan leaves room for the others even while none of its calls ends.
    """

    def __init__(self, limits: Limits) -> None:
        self._tools = SharedBounds[str](limits.calls_per_tool)
        self._hosts = SharedBounds[str](limits.calls_per_host)

    async def call(
        self,
        tool: Tool,
        context: CallContext,
        args: Mapping[str, Json],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> Succeeded | Failed:
        """Call the tool as `call_tool` does once there is room. A red call waits for none: a person approved it."""
        async with AsyncExitStack() as stack:
            if tool.colour is Colour.GREEN:
                if (host := tool.host(args)) is not None:
                    await stack.enter_async_context(self._hosts.taken(host, context.thread))
                await stack.enter_async_context(self._tools.taken(tool.name, context.thread))
            return await call_tool(tool, context, args, pause=pause)


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
