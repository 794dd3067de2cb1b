"""The slash command: opens a thread with a request, shows what is running, offers to stop it."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.errors import AgentError
from agent.ids import ThreadId, thread_id, thread_parts
from bot import wording
from bot.blocks.help import MOST_REQUEST_CHARACTERS, MOST_RUNS, help_message, opening, status, stoppable
from bot.decisions.freezes import FreezeHandler, is_about_freezes
from bot.decisions.pending import PendingHandler
from bot.decisions.rules import RulesHandler, is_about_rules
from bot.elements import Rendered, words_only
from bot.errors import BotError, SlackRefused
from bot.handlers.accounts import AccountsHandler
from bot.handlers.guidance import GuidanceHandler, is_about_guidance
from bot.handlers.memory import MemoryHandler, is_about_memory
from bot.handlers.messages import RECEIPT_REACTION
from bot.handlers.person_limits import PersonLimiter
from bot.handlers.tools import ToolsHandler
from bot.payloads import Command, Payload, request_text
from bot.ports import Inbox, Incoming, Kind, OpenRun, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals
from bot.slack.names import StableNames

COMMAND = "/greenlight"

_NOT_INVITED = frozenset({"not_in_channel", "channel_not_found"})
_NO_PLACE = frozenset({"is_archived", "restricted_action", "cannot_dm_bot", "no_permission"})


class CommandHandler:
    """Serves `/greenlight`. Raises `BotError` or `AgentError` when it could not do what was asked."""

    def __init__(
        self,
        inbox: Inbox,
        views: RunViews,
        principals: Principals,
        api: WebApi,
        limiter: PersonLimiter,
        names: StableNames,
        freezes: FreezeHandler,
        rules: RulesHandler,
        pending: PendingHandler,
        tools: ToolsHandler,
        memory: MemoryHandler,
        guidance: GuidanceHandler,
        accounts: AccountsHandler,
    ) -> None:
        self._inbox = inbox
        self._limiter = limiter
        self._views = views
        self._principals = principals
        self._api = api
        self._names = names
        self._freezes = freezes
        self._rules = rules
        self._pending = pending
        self._tools = tools
        self._memory = memory
        self._guidance = guidance
        self._accounts = accounts

    async def on_command(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once and answer the caller alone, except for the thread a request opens."""
        await ack()
        identity, command = await self._principals.identity(), Command.read(body)
        if command is None:
            answer = words_only(wording.COMMAND_NOT_HERE)
        else:
            answer = await self._answer(command, identity)
        url = body.get("response_url")
        if answer is not None and isinstance(url, str) and url:
            await self._api.respond(url, response_type="ephemeral", **answer.content)

    async def _answer(self, command: Command, identity: Identity) -> Rendered | None:
        """Do what the command says; return what the caller reads, None when the thread says it all."""
        if is_about_freezes(command.raw):
            return words_only(await self._freezes.answer(command, identity))
        if is_about_rules(command.raw):
            return await self._rules.answer(command, identity)
        if is_about_memory(command.raw):
            return await self._memory.answer(command, identity)
        if is_about_guidance(command.raw):
            return await self._guidance.answer(command, identity)
        request = request_text(command.raw, identity.user)
        match request.casefold():
            case "" | "help":
                return help_message(identity.user)
            case "status":
                return await self._status(command, identity)
            case "pending":
                return await self._pending.answer(command, identity)
            case "tools":
                return await self._tools.answer(command, identity)
            case "patterns":
                return await self._tools.patterns(command, identity)
            case "accounts":
                return await self._accounts.answer(command, identity)
            case "stop":
                return stoppable(await self._named(await self._views.open_of(identity.tenant, command.user)))
            case _:
                refusal = await self._request(command, request, identity)
                return words_only(refusal) if refusal else None

    async def _request(self, command: Command, request: str, identity: Identity) -> str:
        """Post the request as the root of a new thread and store it there; return why not, empty when done.

        A command carries no thread of its own, so the opening message is the thread's root.
        """
        person = await self._principals.person(identity.tenant, command.user)
        if not person.is_member:
            return wording.not_a_member(person.status, "start work")
        if len(request) > MOST_REQUEST_CHARACTERS:
            return wording.COMMAND_TOO_LONG
        async with self._limiter.admitting(identity.tenant, command.user) as refusal:
            return refusal or await self._open_thread(command, request, identity)

    async def _open_thread(self, command: Command, request: str, identity: Identity) -> str:
        """Post the opening message and store the request; return why not, empty when done."""
        shown = await self._names.in_text(thread_id(identity.tenant, command.channel, ""), request)
        message = opening(command.user, shown)
        try:
            posted = await self._api.write(
                "chat.postMessage",
                channel=command.channel,
                unfurl_links=False,
                unfurl_media=False,
                **message.content,
            )
        except SlackRefused as error:
            if error.code in _NOT_INVITED:
                return wording.COMMAND_NEEDS_ROOM
            if error.code in _NO_PLACE:
                return wording.COMMAND_NOT_HERE
            raise
        await self._store(command, request, identity, str(posted.get("ts", "")))
        return ""

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

    async def _status(self, command: Command, identity: Identity) -> Rendered:
        """Return the caller's open runs and the channel's; a channel's runs only to who is in it."""
        mine = await self._views.open_of(identity.tenant, command.user)
        there = await self._principals.in_channel(command.channel, command.user)
        here = await self._views.open_in(identity.tenant, command.channel) if there else ()
        links = await self._links([*mine[:MOST_RUNS], *here[:MOST_RUNS]])
        frozen = await self._freezes.standing(identity.tenant)
        return status(await self._named(mine), await self._named(here), links, frozen)

    async def _named(self, runs: Sequence[OpenRun]) -> Sequence[OpenRun]:
        """Return the runs with names in place of the mentions in their requests; only some are shown."""
        shown = [replace(run, request=await self._names.in_text(run.thread, run.request)) for run in runs[:MOST_RUNS]]
        return [*shown, *runs[MOST_RUNS:]]

    async def _links(self, runs: Iterable[OpenRun]) -> dict[ThreadId, str]:
        links: dict[ThreadId, str] = {}
        for thread in {run.thread for run in runs}:
            parts = thread_parts(thread)
            with contextlib.suppress(BotError):
                found = await self._api.read("chat.getPermalink", channel=parts.channel, message_ts=parts.root_ts)
                links[thread] = str(found.get("permalink", ""))
        return links
