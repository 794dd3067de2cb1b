"""Clicks that ask for what a script left: on the board, and in the modal that shows it."""

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.details import DetailsDesk
from bot.identity import Identities
from bot.listeners.binding import Listener
from bot.payload_fields import Payload
from bot.payloads import read_attempt_click, read_details_click


def on_details_click(desk: DetailsDesk, identities: Identities) -> Listener:
    """Return the listener of a board's button or menu for a script: it acks at once and opens the modal."""

    async def show(ack: AsyncAck, body: Payload) -> None:
        await ack()
        if (click := read_details_click(body)) is not None:
            await desk.asked(click, await identities.current())

    return show


def on_attempt_click(desk: DetailsDesk, identities: Identities) -> Listener:
    """Return the listener of a modal's button for an attempt: it acks at once and turns the modal."""

    async def turn(ack: AsyncAck, body: Payload) -> None:
        await ack()
        if (click := read_attempt_click(body)) is not None:
            await desk.turned(click, await identities.current())

    return turn
