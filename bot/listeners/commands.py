"""`/greenlight <request>`, `/greenlight help`, `/greenlight status` and `/greenlight stop`."""

from slack_bolt.context.ack.async_ack import AsyncAck

from bot import wording
from bot.blocks.help import help_message
from bot.blocks.message import Rendered
from bot.command_desk import CommandDesk
from bot.identity import Identities
from bot.listeners.binding import Listener
from bot.payload_fields import Payload
from bot.payloads import read_command, request_text
from bot.stopping import StopDesk
from bot.web_api import WebApi

COMMAND = "/greenlight"


def on_command(desk: CommandDesk, stops: StopDesk, identities: Identities, api: WebApi) -> Listener:
    """Return the listener: it acks at once and answers the caller alone, except for the thread it opens."""

    async def answer(ack: AsyncAck, body: Payload) -> None:
        await ack()
        identity, command = await identities.current(), read_command(body)
        if command is None:
            said: Rendered | str = wording.COMMAND_NOT_HERE
        else:
            request = request_text(command.raw, identity.user)
            match request.casefold():
                case "" | "help":
                    said = help_message(identity.user)
                case "status":
                    said = await desk.status(command, identity)
                case "stop":
                    said = await stops.offer(command, identity)
                case _:
                    said = await desk.request(command, request, identity)
        url = body.get("response_url")
        if said and isinstance(url, str) and url:
            blocks = None if isinstance(said, str) else said.blocks
            text = said if isinstance(said, str) else said.text
            await api.respond(url, response_type="ephemeral", text=text, blocks=blocks)

    return answer
