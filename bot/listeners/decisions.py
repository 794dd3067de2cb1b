"""Clicks on the buttons of approval cards."""

from slack_bolt.context.ack.async_ack import AsyncAck

from bot import wording
from bot.approvals import Approvals
from bot.identity import Identities
from bot.listeners.binding import Listener
from bot.payload_fields import Payload
from bot.payloads import read_click
from bot.web_api import WebApi


def on_click(approvals: Approvals, identities: Identities, api: WebApi) -> Listener:
    """Return the listener: it acks at once, and every click is answered."""

    async def decide(ack: AsyncAck, body: Payload) -> None:
        await ack()
        click = read_click(body)
        if click is not None:
            await approvals.clicked(click, (await identities.current()).tenant)
        elif isinstance(url := body.get("response_url"), str) and url:
            await api.respond(url, response_type="ephemeral", replace_original=False, text=wording.NOT_A_DECISION)

    return decide
