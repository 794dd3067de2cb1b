"""Bounds on tool calls where the resource is: how many at once in this process, how often, and whether it answers."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeAlias

from agent.ids import ThreadId, ToolName
from agent.limits import Limits
from agent.plan.outcomes import NOT_TRIED, Failed, Succeeded
from agent.tool import CallContext, Colour, Tool
from agent.tools.call import call_once, call_tool
from agent.tools.circuit_breakers import CircuitBreakers, resource_of
from agent.tools.rate_limits import RateLimits, about
from agent.tools.shared_bounds import SharedBounds
from sandbox.script import Json

Learn: TypeAlias = Callable[[ThreadId, ToolName, Succeeded | Failed], Awaitable[None]]
"""Takes in what a tool's call gave, before it goes anywhere."""

RED_WAIT_SECONDS = 300.0
"""How long an approved call waits for what it needs to answer again; then it fails, and nothing was sent."""


class CallBounds:
    """Admits calls. Who waits holds nothing of a tool, and a thread holds half of a bound at most.

    So a thread with a wide plan leaves room for the others even while none of its calls ends.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        rates: RateLimits | None = None,
        breakers: CircuitBreakers | None = None,
        learn: Learn | None = None,
    ) -> None:
        self._tools = SharedBounds[str](limits.calls_per_tool)
        self._hosts = SharedBounds[str](limits.calls_per_host)
        self._rates = rates or RateLimits({}, None)
        self._breakers = breakers or CircuitBreakers()
        self._learn = learn

    async def call(
        self,
        tool: Tool,
        context: CallContext,
        args: Mapping[str, Json],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> Succeeded | Failed:
        """Call the tool as `call_tool` does, each time once there is room.

        A red call waits for none here: a person approved it, and it was `admitted` before its ledger row.
        """
        once = partial(self._green if tool.colour is Colour.GREEN else self._call, tool, context, args)
        return await call_tool(tool, context, args, pause=pause, once=once)

    async def learn(self, thread: ThreadId, tool: Tool, outcome: Succeeded | Failed) -> None:
        """Have the personal data of a result masked for models, before anybody gets to read it."""
        if self._learn is not None:
            await self._learn(thread, tool.name, outcome)

    async def reachable(self, tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Failed | None:
        """Wait while nothing is called where this call goes; return how it ends when that lasts too long."""
        return await self._passable(tool, context, args, asyncio.get_running_loop().time() + RED_WAIT_SECONDS)

    async def admitted(self, tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Failed | None:
        """Wait until a red call may be sent; return how it ends when that is not so in time. Nothing is sent here."""
        until = asyncio.get_running_loop().time() + RED_WAIT_SECONDS
        while True:
            if (failed := await self._passable(tool, context, args, until)) is not None:
                return failed
            async with AsyncExitStack() as room:
                if (failed := await self._rates.admit(tool.name, context, room, _enter_nothing)) is not None:
                    return failed
            if self._breakers.claim(resource_of(tool, args)):
                return None

    async def _passable(
        self, tool: Tool, context: CallContext, args: Mapping[str, Json], until: float
    ) -> Failed | None:
        resource = resource_of(tool, args)

        def note(seconds: float) -> None:
            when = "until another step has tried it" if math.isinf(seconds) else f"about {about(seconds)}"
            context.note_detail(f"waits {when}: {resource} keeps failing")

        try:
            async with asyncio.timeout_at(until):
                await self._breakers.passable(resource, note)
        except TimeoutError:
            return self._not_tried(tool, args)
        return None

    async def _green(self, tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Succeeded | Failed:
        async def enter(room: AsyncExitStack) -> None:
            if (host := tool.host(args)) is not None:
                await room.enter_async_context(self._hosts.taken(host, context.thread))
            await room.enter_async_context(self._tools.taken(tool.name, context.thread))

        if self._breakers.seconds_until_try(resource_of(tool, args)):  # before: it would wait for nothing
            return self._not_tried(tool, args)
        async with AsyncExitStack() as room:
            if (failed := await self._rates.admit(tool.name, context, room, enter)) is not None:
                return failed
            if self._breakers.seconds_until_try(resource_of(tool, args)):
                return self._not_tried(tool, args)
            return await self._call(tool, context, args)

    async def _call(self, tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Succeeded | Failed:
        with self._breakers.counted(tool, args) as note:
            outcome = await call_once(tool, context, args)
            note(outcome)
        return outcome

    def _not_tried(self, tool: Tool, args: Mapping[str, Json]) -> Failed:
        resource = resource_of(tool, args)
        seconds = self._breakers.seconds_until_try(resource)
        if math.isinf(seconds):
            when = "another step is trying it now"
        else:
            when = f"it is tried again from {datetime.now(UTC) + timedelta(seconds=seconds):%H:%M:%S} UTC"
        return Failed(error=NOT_TRIED, message=f"{resource} failed several times in a row, so nothing was sent; {when}")


async def _enter_nothing(_room: AsyncExitStack) -> None:
    pass
