"""Stops that are no messages: Slack's own Stop button, the buttons of `/greenlight stop`, the shortcut on a message."""

from collections.abc import Awaitable, Callable

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.identity import Identities
from bot.listeners.binding import Listener
from bot.payload_fields import Payload
from bot.stop_payloads import read_session_stop, read_stop_click, read_stop_shortcut
from bot.stopping import StopDesk
from bot.web_api import WebApi


def store_stop_first(desk: StopDesk, identities: Identities) -> Listener:
    """Return the middleware that stores a pressed Stop button before bolt acks its event."""

    async def receive(body: Payload, next: Callable[[], Awaitable[None]]) -> None:
        if (stop := read_session_stop(body)) is not None:
            await desk.pressed(stop, await identities.current())
        await next()

    return receive


def on_stop_click(desk: StopDesk, identities: Identities, api: WebApi) -> Listener:
    """Return the listener of a Stop button: it acks at once, and the offer becomes the answer."""

    async def stop(ack: AsyncAck, body: Payload) -> None:
        await ack()
        click = read_stop_click(body)
        if click is None:
            return
        said = await desk.clicked(click, await identities.current())
        if click.response_url:
            await api.respond(click.response_url, replace_original=True, text=said.text, blocks=said.blocks)

    return stop


def on_stop_shortcut(desk: StopDesk, identities: Identities, api: WebApi) -> Listener:
    """Return the listener of the shortcut on a message: it acks at once and answers the caller alone."""

    async def stop(ack: AsyncAck, body: Payload) -> None:
        await ack()
        shortcut = read_stop_shortcut(body)
        if shortcut is None:
            return
        said = await desk.chosen(shortcut, await identities.current())
        if shortcut.response_url:
            where = {"thread_ts": shortcut.thread_ts} if shortcut.thread_ts else {}
            await api.respond(
                shortcut.response_url, response_type="ephemeral", replace_original=False, text=said, **where
            )

    return stop
