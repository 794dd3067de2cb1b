"""A loopback HTTP server whose calls are counted and can be held open: what the tools of a test act on."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self

from aiohttp import web


class EffectServer:
    """`GET /name` answers {"name", "calls"}; a held name answers only once it is let go.

    `calls` counts by name; `running` are the names being answered now; `most_at_once` is the highest
    number of requests that were open together.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.running: list[str] = []
        self.most_at_once = 0
        self.url = ""
        self._held: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    def hold(self, name: str) -> None:
        """Let requests for this name wait until `let_go`."""
        self._held[name] = asyncio.Event()

    def let_go(self, name: str) -> None:
        """Answer those that wait, and all to come."""
        self._held.pop(name).set()

    async def reached(self, name: str, times: int = 1) -> None:
        """Return once the name was called that often."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: self.calls[name] >= times)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{name}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.running.append(name)
        self.most_at_once = max(self.most_at_once, len(self.running))
        async with self._changed:
            self.calls[name] += 1
            self._changed.notify_all()
        try:
            if (held := self._held.get(name)) is not None:
                await held.wait()
        finally:
            self.running.remove(name)
        return web.json_response({"name": name, "calls": self.calls[name]})
