"""Mentions of the app in channels."""

from slack_bolt.async_app import AsyncApp

from bot.listeners.messages import acknowledge
from bot.payloads import Payload
from bot.reception import FrontDesk


def register(app: AsyncApp, desk: FrontDesk) -> None:
    """Answer every mention; storing it was the middleware's work, before the ack."""

    async def on_mention(body: Payload, context: dict[str, object]) -> None:
        await acknowledge(desk, body, context)

    app.event("app_mention")(on_mention)
