"""Socket Mode: one connection kept open and watched; a stuck one is replaced.

The SDK reconnects by itself, but can get stuck (slackapi/python-slack-sdk#1110), and a failed reconnect tries the
same used-up address again. So the connection is watched from outside.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import Any, cast

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError, SlackRefused, SlackUnreachable

_log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
PATIENCE_LOOKS = 3
"""After this many looks in a row without a connection it is replaced."""

PING_SECONDS = 10.0
CONNECT_SECONDS = 30.0


class Socket:
    """A Socket Mode connection of a bolt app."""

    def __init__(self, app: AsyncApp, app_token: str, client: AsyncWebClient) -> None:
        """`client` says where the Web API is (`base_url`); its token is not used."""
        self._app = app
        self._app_token = app_token
        self._client = client
        self._handler: AsyncSocketModeHandler | None = None

    async def is_connected(self) -> bool:
        """Return whether envelopes can arrive now."""
        return self._handler is not None and await self._handler.client.is_connected()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Connect, and stay connected until the context is left.

        Raises:
            SlackRefused: Slack does not accept the app token.
            SlackUnreachable: Slack cannot be reached at the start; later it is only waited for.
        """
        await self._connect()
        watch = asyncio.create_task(self._watch(), name="watch the socket")
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.wait([watch])
            await self._close()

    async def _connect(self) -> None:
        handler = AsyncSocketModeHandler(
            self._app, self._app_token, web_client=self._client, ping_interval=PING_SECONDS
        )
        self._handler = handler
        try:
            # asked for here and not inside connect(), which would try a refused token for ever
            handler.client.wss_uri = await handler.client.issue_new_wss_url()
            async with asyncio.timeout(CONNECT_SECONDS):  # connect() tries a used-up address for ever
                await handler.connect_async()
        except SlackApiError as error:
            await self._close()
            response = cast("Any", error).response
            raise SlackRefused("apps.connections.open", str(response.get("error", "unknown"))) from error
        except (SlackClientError, aiohttp.ClientError, OSError) as error:
            await self._close()
            raise SlackUnreachable("apps.connections.open") from error

    async def _close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        client = cast("Any", handler.client)  # its tasks are bare Futures
        await handler.close_async()
        tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    async def _watch(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            missed = 0 if await self.is_connected() else missed + 1
            if missed < PATIENCE_LOOKS:
                continue
            _log.warning("no socket for %.0f s; opening a new one", missed * LOOK_SECONDS)
            await self._close()
            try:
                await self._connect()
                missed = 0
            except BotError as error:
                _log.warning("no new socket yet: %s", error)
