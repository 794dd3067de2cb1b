"""The bot in a local workspace over its real wire, with its rows in memory; people act through the control API."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

from agent.approval import ApprovalPolicy, Policies
from bot.app import SlackApp
from bot.publishing.publisher import ThreadPublisher
from bot.publishing.sender import MessageSender
from bot.slack.client import WebApi, open_client
from bot.slack.rate_limits import RateLimiter
from bot.slack.socket_mode import Socket
from infra.dev.local_slack.server import Workspace
from tests.fakes.bot_ports import BotRows

Json = Any
PATIENCE_SECONDS = 30.0


class People:
    """Acts as people of the workspace and sees what they see."""

    def __init__(self, workspace: Workspace, session: aiohttp.ClientSession) -> None:
        self.workspace = workspace
        self._session = session

    async def act(self, path: str, **body: Json) -> Mapping[str, Json]:
        """POST /control/PATH."""
        async with self._session.post(f"{self.workspace.base_url}/control/{path}", json=body) as response:
            return cast("Mapping[str, Json]", await response.json())

    async def write(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Write a message; return its ts."""
        told = await self.act("messages", user=user, channel=channel, text=text, thread_ts=thread_ts)
        assert told["ok"], told
        return str(told["ts"])

    async def dump(self) -> Mapping[str, Json]:
        """Return everything there is."""
        async with self._session.get(f"{self.workspace.base_url}/control/dump") as response:
            return cast("Mapping[str, Json]", await response.json())

    async def messages(self, channel: str = "ops") -> list[dict[str, Json]]:
        """Return a channel's messages, oldest first."""
        return list((await self.dump())["channels"][channel]["messages"])

    async def thread(self, root_ts: str, channel: str = "ops") -> list[dict[str, Json]]:
        """Return the replies in a thread, oldest first."""
        return [
            message
            for message in await self.messages(channel)
            if message.get("thread_ts") == root_ts and message["ts"] != root_ts
        ]

    async def whispers(self, user: str) -> list[str]:
        """Return the texts only this person sees."""
        return [
            str(ephemeral["message"]["text"])
            for ephemeral in (await self.dump())["ephemerals"]
            if ephemeral["user"] == user
        ]

    async def calls(self) -> Mapping[str, int]:
        """Return method -> how often it was called."""
        return cast("Mapping[str, int]", (await self.dump())["calls"])

    async def until(self, holds: Callable[[Mapping[str, Json]], bool]) -> Mapping[str, Json]:
        """Wait until the workspace is as wanted, and return it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds(dump := await self.dump()):  # noqa: ASYNC110 -- another program, over HTTP
                await asyncio.sleep(0.02)
        return dump


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A workspace, the app in it, and its people."""

    workspace: Workspace
    rows: BotRows
    app: SlackApp
    api: WebApi
    publisher: ThreadPublisher
    people: People
    socket: Socket

    async def settled(self) -> None:
        """Return when everything Slack has told the app so far is dealt with."""
        await asyncio.sleep(0)
        await self.app.drain()


@contextlib.asynccontextmanager
async def scene(
    policies: Policies | None = None, *, rate_limits: bool = False, workspace: Workspace | None = None
) -> AsyncGenerator[Scene]:
    """Open a workspace with the app connected over Socket Mode."""
    rules = policies or Policies(default=ApprovalPolicy())
    rows = BotRows()
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        workspace or Workspace(rate_limits=rate_limits, retry_delays=(0.2, 0.4, 0.8)) as place,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        client = open_client(place.bot_token, base_url=place.api_url, session=session)
        app = SlackApp(client, rows.ports, rules.of)
        sender = MessageSender(app.api, rows, RateLimiter(), app.principals.identity)
        socket = Socket(app.bolt, place.app_token, client)
        async with socket.open():
            yield Scene(
                workspace=place,
                rows=rows,
                app=app,
                api=app.api,
                publisher=ThreadPublisher(rows, rows, sender, rules.of, names=app.names, approvers=app.approvers),
                people=People(place, session),
                socket=socket,
            )
            await app.drain()
