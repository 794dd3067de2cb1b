"""Messages: mentions, replies in threads we are engaged in, direct messages."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TypeAlias

from bot.identity import Identities
from bot.listeners.binding import Listener
from bot.payload_fields import Payload
from bot.payloads import read_message
from bot.reception import FrontDesk, Reception

Context: TypeAlias = MutableMapping[str, object]
"""bolt's context: a dict that lives as long as the request."""

_RECEPTION = "greenlight_reception"


def store_first(desk: FrontDesk, identities: Identities) -> Listener:
    """Return the middleware that stores a message before bolt acks it.

    Bolt acks an event before its listener runs. What this raises leaves the event without an ack,
    and Slack delivers it again.
    """

    async def receive(body: Payload, context: Context, next: Callable[[], Awaitable[None]]) -> None:
        if (event := read_message(body)) is not None:
            context[_RECEPTION] = await desk.receive(event, await identities.current())
        await next()

    return receive


def on_message(desk: FrontDesk) -> Listener:
    """Return the listener for `message` and `app_mention`: the sender hears what became of it."""

    async def acknowledge(body: Payload, context: Context) -> None:
        event, reception = read_message(body), context.get(_RECEPTION)
        if event is not None and isinstance(reception, Reception):
            await desk.acknowledge(event, reception)

    return acknowledge
