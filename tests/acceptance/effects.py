"""A loopback HTTP server whose calls are counted and can be held open: what the tools of a test act on."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class Write:
    """A write to an entry that took effect."""

    name: str
    #: The version that the writer went by.
    expected: Json
    #: The version that stood there.
    found: int
    #: In `time.monotonic`.
    at: float


async def _does_nothing(_method: str, _name: str) -> None:
    pass


class EffectServer:
    """`GET /name` answers {"name", "calls"}; a held name answers only once it is let go.

    A name in `versions` is an entry: HEAD answers with its version as ETag and is not counted; a write is refused with
    412 when its If-Match is another one, and else makes the next version. `change` does what somebody else would.

    `calls` counts by name; `running` are the names being answered now; `most_at_once` is the highest
    number of requests that were open together.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.methods: list[str] = []
        self.running: list[str] = []
        self.most_at_once = 0
        self.url = ""
        self.versions: dict[str, int] = {}
        #: Name -> the version of each read, and when it was answered, in `time.monotonic`.
        self.reads: dict[str, list[tuple[int, float]]] = {}
        self.writes: list[Write] = []
        self.refused = 0
        #: Awaited with the method and the name of a request about an entry, before it is answered.
        self.interferes: Callable[[str, str], Awaitable[None]] = _does_nothing
        self._held: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    def hold(self, name: str) -> None:
        """Let requests for this name wait until `let_go`."""
        self._held[name] = asyncio.Event()

    def let_go(self, name: str) -> None:
        """Answer those that wait, and all to come."""
        self._held.pop(name).set()

    def change(self, name: str) -> None:
        """Change an entry as somebody else would."""
        self.versions[name] += 1

    def read(self, name: str) -> int:
        """Return an entry's version, as a reader is answered."""
        self.reads.setdefault(name, []).append((self.versions[name], time.monotonic()))
        return self.versions[name]

    def write(self, name: str, expected: Json) -> None:
        """Make an entry's next version, whatever the last one was; `expected` is which the writer goes by."""
        self.writes.append(Write(name=name, expected=expected, found=self.versions[name], at=time.monotonic()))
        self.versions[name] += 1

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

    async def _entry(self, request: web.Request, name: str) -> web.Response:
        await self.interferes(request.method, name)
        if request.method == "HEAD":
            return web.Response(headers={"ETag": f'"{self.read(name)}"'})
        expected = request.headers.get("If-Match", "").strip('"')
        if expected and expected != str(self.versions[name]):
            self.refused += 1
            return web.Response(status=412)
        self.calls[name] += 1
        self.write(name, int(expected) if expected else None)
        return web.json_response({"name": name, "version": self.versions[name]})

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.versions and request.method not in ("GET", "POST"):
            return await self._entry(request, name)
        self.running.append(name)
        self.most_at_once = max(self.most_at_once, len(self.running))
        async with self._changed:
            self.calls[name] += 1
            self.methods.append(request.method)
            self._changed.notify_all()
        try:
            if (held := self._held.get(name)) is not None:
                await held.wait()
        finally:
            self.running.remove(name)
        return web.json_response({"name": name, "calls": self.calls[name]})
