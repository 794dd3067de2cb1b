"""What the slash command does: open a thread with a request, tell what is running."""

import contextlib
from collections.abc import Iterable

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.errors import AgentError
from agent.ids import ThreadId, thread_id, thread_parts
from bot import wording
from bot.blocks.help import MOST_REQUEST_CHARACTERS, MOST_RUNS, help_message, opening, status
from bot.blocks.message import Rendered
from bot.errors import BotError, SlackRefused
from bot.handlers.listener import Listener
from bot.handlers.messages import RECEIPT_REACTION
from bot.handlers.stop import StopHandler
from bot.payloads import Command, Payload, read_command, request_text
from bot.ports import Inbox, Incoming, Kind, OpenRun, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Identities, Identity, MembershipStatus, Principals

_NOT_INVITED = frozenset({"not_in_channel", "channel_not_found"})


_NO_PLACE = frozenset({"is_archived", "restricted_action", "cannot_dm_bot", "no_permission"})


class CommandHandler:
    """Serves `/greenlight`. Raises `BotError` or `AgentError` when it could not do what was asked."""

    def __init__(self, inbox: Inbox, views: RunViews, principals: Principals, api: WebApi) -> None:
        self._inbox = inbox
        self._views = views
        self._principals = principals
        self._api = api

    async def request(self, command: Command, request: str, identity: Identity) -> str:
        """Post the request as the root of a new thread and store it there; return what the caller is told.

        A command carries no thread of its own, so the opening message is the thread's root.
        """
        person = await self._principals.person(identity.tenant, command.user)
        if person.standing is not MembershipStatus.MEMBER:
            return wording.not_a_member(person.standing, "start work")
        if len(request) > MOST_REQUEST_CHARACTERS:
            return wording.COMMAND_TOO_LONG
        message = opening(command.user, request)
        try:
            posted = await self._api.write(
                "chat.postMessage",
                channel=command.channel,
                text=message.text,
                blocks=message.blocks,
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackRefused as error:
            if error.code in _NOT_INVITED:
                return wording.COMMAND_NEEDS_ROOM
            if error.code in _NO_PLACE:
                return wording.COMMAND_NOT_HERE
            raise
        await self._store(command, request, identity, str(posted.get("ts", "")))
        return ""

    async def status(self, command: Command, identity: Identity) -> Rendered:
        """Return the caller's open runs and the channel's; a channel's runs only to who is in it."""
        mine = await self._views.open_of(identity.tenant, command.user)
        there = await self._principals.in_channel(command.channel, command.user)
        here = await self._views.open_in(identity.tenant, command.channel) if there else ()
        return status(mine, here, await self._links([*mine[:MOST_RUNS], *here[:MOST_RUNS]]))

    async def _store(self, command: Command, request: str, identity: Identity, ts: str) -> None:
        incoming = Incoming(
            tenant=identity.tenant,
            app=command.app,
            event_id=f"command:{command.trigger_id}",
            channel=command.channel,
            ts=ts,
            thread=thread_id(identity.tenant, command.channel, ts),
            author=command.user,
            text=request,
            kind=Kind.COMMAND,
        )
        try:
            await self._inbox.accept(incoming)
        except AgentError:
            with contextlib.suppress(BotError):
                await self._api.write("chat.delete", channel=command.channel, ts=ts)
            raise
        with contextlib.suppress(BotError):
            await self._api.write("reactions.add", channel=command.channel, timestamp=ts, name=RECEIPT_REACTION)

    async def _links(self, runs: Iterable[OpenRun]) -> dict[ThreadId, str]:
        links: dict[ThreadId, str] = {}
        for thread in {run.thread for run in runs}:
            parts = thread_parts(thread)
            with contextlib.suppress(BotError):
                found = await self._api.read("chat.getPermalink", channel=parts.channel, message_ts=parts.root_ts)
                links[thread] = str(found.get("permalink", ""))
        return links


COMMAND = "/greenlight"


def on_command(handler: CommandHandler, stops: StopHandler, identities: Identities, api: WebApi) -> Listener:
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
                    said = await handler.status(command, identity)
                case "stop":
                    said = await stops.offer(command, identity)
                case _:
                    said = await handler.request(command, request, identity)
        url = body.get("response_url")
        if said and isinstance(url, str) and url:
            blocks = None if isinstance(said, str) else said.blocks
            text = said if isinstance(said, str) else said.text
            await api.respond(url, response_type="ephemeral", text=text, blocks=blocks)

    return answer
