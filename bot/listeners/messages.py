"""Messages: in threads we are engaged in, in direct messages, and the twin of every mention."""

from slack_bolt.async_app import AsyncApp

from bot.payloads import Payload, read_message
from bot.reception import FrontDesk, NotForUs, Reception

RECEPTION = "greenlight_reception"
"""The context key under which the middleware leaves what became of the message before the ack."""


def register(app: AsyncApp, desk: FrontDesk) -> None:
    """Answer every message event; storing it was the middleware's work, before the ack."""

    async def on_message(body: Payload, context: dict[str, object]) -> None:
        await acknowledge(desk, body, context)

    app.event("message")(on_message)


async def acknowledge(desk: FrontDesk, body: Payload, context: dict[str, object]) -> None:
    """Let the sender know what became of the message."""
    event, reception = read_message(body), context.get(RECEPTION)
    if event is not None and isinstance(reception, Reception) and not isinstance(reception, NotForUs):
        await desk.acknowledge(event, reception)
