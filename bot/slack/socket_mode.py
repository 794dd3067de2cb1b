"""Socket Mode: one connection kept open and watched; a stuck one is replaced.

The SDK reconnects by itself, but can get stuck (slackapi/python-slack-sdk#1110), and a failed reconnect tries the
same used-up address again. So the connection is watched from outside.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError, SlackUnreachable
from bot.slack.client import WebApi, open_client
from sandbox.background_task import BackgroundTask

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
        self._api = WebApi(open_client(app_token, base_url=client.base_url, session=client.session))
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
        watch = BackgroundTask("the connection to Slack", self._watch, expected=(BotError,))
        watch.start()
        try:
            yield
        finally:
            await watch.stop()
            await self._close()

    async def _connect(self) -> None:
        # asked for here and not inside connect(), which would try a refused token for ever
        address = await self._new_address()
        handler = AsyncSocketModeHandler(
            self._app, self._app_token, web_client=self._client, ping_interval=PING_SECONDS
        )
        self._handler = handler
        try:
            handler.client.wss_uri = address
            async with asyncio.timeout(CONNECT_SECONDS):  # connect() tries a used-up address for ever
                await handler.connect_async()
        except TimeoutError as error:
            await self._close()
            raise SlackUnreachable("apps.connections.open") from error
        except BaseException:
            await self._close()
            raise

    async def _new_address(self) -> str:
        """Return an address for one connection; raises `BotError` when Slack gives none."""
        address = (await self._api.write("apps.connections.open")).get("url")
        if not isinstance(address, str) or not address.startswith(("wss://", "ws://")):
            raise SlackUnreachable("apps.connections.open")
        return address

    async def _close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        client = cast("Any", handler.client)  # its tasks are bare Futures
        try:
            await handler.close_async()
        except Exception as error:  # noqa: BLE001 -- the SDK's boundary: whatever a broken connection raises
            _log.warning("a broken connection did not close: %s", type(error).__name__)
            await client.aiohttp_client_session.close()
        tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
        tasks = [task for task in tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, well: Callable[[], None]) -> None:
        """Replace the connection whenever it is gone; raises when there is no other yet."""
        while True:
            if self._handler is None:
                await self._connect()
            missed = 0
            while missed < PATIENCE_LOOKS:
                await asyncio.sleep(LOOK_SECONDS)
                if await self.is_connected():
                    missed = 0
                    well()
                else:
                    missed += 1
            _log.warning("no connection to Slack for %.0f s; opening a new one", missed * LOOK_SECONDS)
            await self._close()
