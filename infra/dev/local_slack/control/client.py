"""Acts as people in a running workspace over its control API: for `greenlight demo --check` and the tests."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from infra.dev.local_slack.state.errors import ControlError
from infra.dev.local_slack.state.payload import JsonObject, object_in, objects_in


class WorkspaceClient:
    """A client of one workspace; every method that acts names the person by id or name."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def act(self, path: str, **body: Any) -> JsonObject:
        """Post a request to /control/PATH and return the answer.

        Raises:
            ControlError: The workspace refused, as a Slack client would.
        """
        async with self._opened().post(f"{self.base_url}/control/{path}", json=body) as response:
            answer: JsonObject = await response.json()
        if not answer.get("ok"):
            raise ControlError(str(answer.get("error")), str(answer.get("explanation")))
        return answer

    async def read(self, path: str, **query: str) -> JsonObject:
        """Return the answer to GET /control/PATH."""
        async with self._opened().get(f"{self.base_url}/control/{path}", params=query) as response:
            return await response.json()

    async def post(self, user: str, channel: str, text: str, *, thread_ts: str | None = None) -> str:
        """Write a message and return its ts."""
        return str((await self.act("messages", user=user, channel=channel, text=text, thread_ts=thread_ts))["ts"])

    async def click(self, user: str, channel: str, ts: str, action_id: str, **which: Any) -> bool:
        """Use a button of a message; return whether the app acknowledged within 3 seconds."""
        answer = await self.act("click", user=user, channel=channel, ts=ts, action_id=action_id, **which)
        return bool(answer["acknowledged"])

    async def command(self, user: str, channel: str, command: str, text: str = "", **where: Any) -> bool:
        """Invoke a slash command; return whether the app acknowledged within 3 seconds."""
        answer = await self.act("commands", user=user, channel=channel, command=command, text=text, **where)
        return bool(answer["acknowledged"])

    async def pinned_canvas(self, user: str, channel: str, title: str, text: str) -> str:
        """Write a canvas in Markdown, share it in a message and pin that; return the canvas's file id."""
        written = await self.act("canvases", user=user, channel=channel, title=title, text=text)
        await self.act("pins", user=user, channel=channel, ts=written["ts"])
        return str(written["file"])

    async def dump(self) -> JsonObject:
        """Return everything in the workspace."""
        return await self.read("dump")

    async def messages(self, channel: str, *, thread_ts: str | None = None) -> list[JsonObject]:
        """Return the messages of a channel (by name, without #), or of one thread with its root first."""
        everything = await self.dump()
        found = objects_in(object_in(object_in(everything, "channels"), channel.removeprefix("#")), "messages")
        if thread_ts is None:
            return found
        return [message for message in found if thread_ts in (message.get("thread_ts"), message["ts"])]

    @asynccontextmanager
    async def happenings(self, *, user: str | None = None, since: int | None = None) -> AsyncGenerator["Happenings"]:
        """Yield the stream of happenings from now on, or from after number `since`."""
        query: dict[str, str] = {"user": user} if user else {}
        if since is not None:
            query["since"] = str(since)
        timeout = aiohttp.ClientTimeout(total=None)
        address = f"{self.base_url}/control/stream"
        async with self._opened().get(address, params=query, timeout=timeout) as response:
            yield Happenings(response)

    async def wait_for(self, condition: Callable[[JsonObject], bool], *, timeout_seconds: float = 60.0) -> JsonObject:
        """Return the dump as soon as `condition` holds for it; read again after every happening.

        Raises:
            TimeoutError: It did not hold in time.
        """
        async with asyncio.timeout(timeout_seconds), self.happenings() as happenings:
            await happenings.next()  # The greeting: from here on nothing is missed.
            while True:
                dump = await self.dump()
                if condition(dump):
                    return dump
                await happenings.next()

    def _opened(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use `async with WorkspaceClient(...)`"  # noqa: S101 - a caller's mistake
        return self._session


class Happenings:
    """The stream of happenings; the first `next` is a greeting of type hello."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> JsonObject:
        """Return the next happening.

        Raises:
            ConnectionError: The workspace is gone.
        """
        greeting = False
        async for line in self._response.content:
            if line.startswith(b"event: hello"):
                greeting = True
            elif line.startswith(b"data: "):
                value: Any = json.loads(line[6:])
                return {"type": "hello", "number": value} if greeting else value
        raise ConnectionError("the workspace closed the stream")
