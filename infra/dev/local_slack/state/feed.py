"""Passes happenings in the workspace on at once: to the browser page and to tests, over server-sent events."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from infra.dev.local_slack.state.payload import JsonObject


class Feed:
    """Numbered happenings, each sent to every listener; the last 5000 can be read again after a reconnect."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[JsonObject | None]] = set()
        self._kept: deque[JsonObject] = deque(maxlen=5000)
        self.number = 0

    def tell(self, type: str, **facts: object) -> None:
        """Add what happened and send it to every listener: `type` is what, `facts` who and where."""
        self.number += 1
        happening: JsonObject = {"number": self.number, "type": type, **facts}
        self._kept.append(happening)
        for listener in self._listeners:
            listener.put_nowait(happening)

    @asynccontextmanager
    async def listening(self, since: int | None = None) -> AsyncGenerator[asyncio.Queue[JsonObject | None]]:
        """Yield a queue of happenings from now on, or from after `since`; None in it means the workspace closes."""
        queue: asyncio.Queue[JsonObject | None] = asyncio.Queue()
        if since is not None:
            for happening in (kept for kept in self._kept if kept["number"] > since):
                queue.put_nowait(happening)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Let every listener go."""
        for listener in self._listeners:
            listener.put_nowait(None)
