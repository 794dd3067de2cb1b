"""A loopback HTTP server of entries with versions: what a test changes, takes back and compares."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What stands at a name."""

    body: bytes
    kind: str
    #: Of all writes to all entries, counted; no value has the version of another one.
    version: int


async def _answers(_method: str, _name: str) -> None:
    """Let a request be answered as it should be."""


class HangUp(Exception):
    """The connection breaks. Before the write when it is raised by `before`, after it by `after`."""


class EntryStore:
    """`/name` is an entry: GET, HEAD, PUT, PATCH (appends), DELETE; `POST /` makes one and says where.

    Answers have a strong ETag, and If-Match and If-None-Match are obeyed.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.url = ""
        #: Method and name of each write that took effect.
        self.writes: list[tuple[str, str]] = []
        #: Name and body after each of them; None: it is gone.
        self.history: list[tuple[str, bytes | None]] = []
        #: Whether answers to writes have an ETag.
        self.says_version = True
        #: Whether any answer has one.
        self.has_versions = True
        #: Awaited with method and name before a request is looked at, and after its effect.
        self.before: Callable[[str, str], Awaitable[None]] = _answers
        self.after: Callable[[str, str], Awaitable[None]] = _answers
        #: Name -> the status that every write to it gets instead.
        self.refuses: dict[str, int] = {}
        self._versions = itertools.count(1)
        self._names = itertools.count(1)
        self._runner: web.AppRunner | None = None

    def set(self, name: str, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        """Put an entry there as somebody else would."""
        self.entries[name] = Entry(body=text.encode(), kind=kind, version=next(self._versions))

    def world(self) -> Mapping[str, tuple[bytes, str]]:
        """Return what stands at each name, whatever its version."""
        return {name: (entry.body, entry.kind) for name, entry in self.entries.items()}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{name:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name, method, body = request.match_info["name"], request.method, await request.read()
        try:
            await self.before(method, name)
            response = self._respond(request, method, name, body)
            await self.after(method, name)
        except HangUp:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return response

    def _respond(self, request: web.Request, method: str, name: str, body: bytes) -> web.Response:
        found = self.entries.get(name)
        if method in WRITES and name in self.refuses:
            return web.Response(status=self.refuses[name])
        if method in WRITES and not self._is_met(request, found):
            return web.Response(status=412)
        if method == "POST":
            name = f"made{next(self._names)}"
            self._write(method, name, body, request)
            return web.Response(status=201, headers={"Location": f"/{name}", **self._version(name, wrote=True)})
        if found is None and method != "PUT":
            return web.Response(status=404)
        if method == "DELETE":
            self.writes.append((method, name))
            self.history.append((name, None))
            del self.entries[name]
            return web.Response(status=204)
        if method in ("PUT", "PATCH"):
            before = found.body if found is not None and method == "PATCH" else b""
            self._write(method, name, before + body, request)
            return web.json_response({"ok": True}, headers=self._version(name, wrote=True))
        assert found is not None
        headers = {"Content-Type": found.kind, **self._version(name, wrote=False)}
        return web.Response(body=found.body, headers=headers)

    def _write(self, method: str, name: str, body: bytes, request: web.Request) -> None:
        kind = request.headers.get("Content-Type", "application/octet-stream")
        if method == "PATCH":
            kind = self.entries[name].kind
        self.writes.append((method, name))
        self.history.append((name, body))
        self.entries[name] = Entry(body=body, kind=kind, version=next(self._versions))

    def _version(self, name: str, *, wrote: bool) -> dict[str, str]:
        shown = self.has_versions and (self.says_version or not wrote)
        return {"ETag": f'"{self.entries[name].version}"'} if shown else {}

    def _is_met(self, request: web.Request, found: Entry | None) -> bool:
        match, none = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        if match is not None and (found is None or match != f'"{found.version}"'):
            return False
        return none != "*" or found is None
