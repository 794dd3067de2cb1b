"""What the slash command does: open a thread with a request, tell what is running."""

import contextlib
from collections.abc import Iterable

from agent.errors import AgentError
from agent.ids import ThreadId, thread_id, thread_parts
from bot import wording
from bot.blocks.help import MOST_REQUEST_CHARACTERS, MOST_RUNS, opening, status
from bot.blocks.message import Rendered
from bot.errors import BotError, SlackRefused
from bot.identity import Identity
from bot.payloads import Command
from bot.ports import Inbox, Incoming, Kind, OpenRun, RunViews
from bot.principals import Principals, Standing
from bot.reception import RECEIPT_REACTION
from bot.web_api import WebApi

_NOT_INVITED = frozenset({"not_in_channel", "channel_not_found"})
_NO_PLACE = frozenset({"is_archived", "restricted_action", "cannot_dm_bot", "no_permission"})


class CommandDesk:
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
        if person.standing is not Standing.MEMBER:
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
