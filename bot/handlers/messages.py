"""The front desk: which messages are for us, who may start work, and what the sender hears at once.

`receive` runs before Slack gets its ack, so a crash costs a retry and never a request; `acknowledge`
runs after it.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never
from weakref import WeakValueDictionary

from agent.ids import ThreadId, thread_id
from bot import wording
from bot.blocks.help import help_message
from bot.blocks.message import Rendered, words_only
from bot.errors import SlackRefused
from bot.handlers.listener import Listener
from bot.handlers.status import StatusReport
from bot.handlers.stop import STOP_WORDS, stop_row
from bot.payloads import MessageEvent, Payload, mentions, read_message, request_text
from bot.ports import Inbox, Incoming, Kind, Receipt
from bot.slack.client import WebApi
from bot.slack.membership import Identities, Identity, MembershipStatus, Principals

_log = logging.getLogger(__name__)


RECEIPT_REACTION = "eyes"


@dataclass(frozen=True, kw_only=True)
class NotForUs:
    """Nobody spoke to the app."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """The message is in the inbox; `receipt` tells a first delivery from another one."""

    receipt: Receipt


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Nothing was stored. `message` is for the sender alone: a refusal or help; None when silence is better."""

    message: Rendered | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """Nothing was stored. Everyone in the thread is told how it stands."""

    message: Rendered


MessageResult: TypeAlias = NotForUs | Received | Answered | Told


ASIDE = re.compile(r"!aside\b", re.IGNORECASE)
"""What a message begins with that people write to each other; it is neither stored nor planned."""


STATUS_WORDS = frozenset({"!status"})


def kind_of(event: MessageEvent, identity: Identity, *, engaged: bool) -> Kind | None:
    """Return why the message is for us, or None when it is not."""
    if event.direct:
        return Kind.DIRECT
    if event.mention or mentions(event.raw, identity.user):
        return Kind.MENTION
    return Kind.REPLY if engaged and event.thread_ts else None


class MessageHandler:
    """Takes messages in. `receive` raises `BotError` or `AgentError` when it could not store: no ack then."""

    def __init__(self, inbox: Inbox, principals: Principals, api: WebApi, report: StatusReport) -> None:
        self._inbox = inbox
        self._report = report
        self._principals = principals
        self._api = api
        self._lines: WeakValueDictionary[ThreadId, asyncio.Lock] = WeakValueDictionary()

    async def receive(self, event: MessageEvent, identity: Identity) -> MessageResult:
        """Store the message if it is a member's and for us.

        One thread's messages are taken in one after the other, as they came: a reply written right
        after the request must find the thread engaged.
        """
        if event.user == identity.user:
            return NotForUs()
        thread = thread_id(identity.tenant, event.channel, event.root_ts)
        async with self._lines.setdefault(thread, asyncio.Lock()):
            return await self._receive(event, identity, thread)

    async def _receive(self, event: MessageEvent, identity: Identity, thread: ThreadId) -> MessageResult:
        asked = event.thread_ts is not None and not event.direct and await self._inbox.engaged(thread)
        kind = kind_of(event, identity, engaged=asked)
        if kind is None or ASIDE.match(request_text(event.raw, identity.user)):
            return NotForUs()
        person = await self._principals.person(identity.tenant, event.user)
        twin = kind is Kind.MENTION and not event.mention
        if person.standing is not MembershipStatus.MEMBER:
            silent = twin or person.standing is MembershipStatus.BOT
            return Answered(message=None if silent else words_only(wording.not_a_member(person.standing, "start work")))
        text = request_text(event.raw, identity.user)
        if not text:
            return Answered(message=None if twin else words_only(wording.ASK_FOR_SOMETHING))
        if text.casefold() == "help":
            return Answered(message=None if twin else help_message(identity.user))
        if text.casefold() in STATUS_WORDS:
            return Answered(message=None) if twin else Told(message=await self._report.of(thread))
        if text.casefold() in STOP_WORDS:
            stop = stop_row(
                tenant=identity.tenant,
                app=event.app,
                event_id=event.event_id,
                channel=event.channel,
                thread=thread,
                by=event.user,
                ts=event.ts,
            )
            receipt = await self._inbox.accept(stop)
            if receipt is Receipt.IDLE:
                return Answered(message=None if twin else words_only(wording.NOTHING_RUNS_HERE))
            return Received(receipt=receipt)
        incoming = Incoming(
            tenant=identity.tenant,
            app=event.app,
            event_id=event.event_id,
            channel=event.channel,
            ts=event.ts,
            thread=thread,
            author=event.user,
            text=text,
            kind=kind,
        )
        return Received(receipt=await self._inbox.accept(incoming))

    async def acknowledge(self, event: MessageEvent, reception: MessageResult) -> None:
        """Let the sender know: a reaction when it was taken in, words when it was not."""
        match reception:
            case Received(receipt=Receipt.ACCEPTED):
                await self._react(event)
            case Answered(message=Rendered() as message):
                await self._api.write(
                    "chat.postEphemeral",
                    channel=event.channel,
                    user=event.user,
                    thread_ts=event.thread_ts,
                    text=message.text,
                    blocks=message.blocks,
                )
            case Told(message=message):
                await self._api.write(
                    "chat.postMessage",
                    channel=event.channel,
                    thread_ts=event.root_ts,
                    text=message.text,
                    blocks=message.blocks,
                    unfurl_links=False,
                    unfurl_media=False,
                )
            case Received() | Answered() | NotForUs():
                return
            case _:
                assert_never(reception)

    async def _react(self, event: MessageEvent) -> None:
        try:
            await self._api.write("reactions.add", channel=event.channel, timestamp=event.ts, name=RECEIPT_REACTION)
        except SlackRefused as error:
            if error.code != "already_reacted":
                _log.info("no reaction on %s: %s", event.ts, error.code)


Context: TypeAlias = MutableMapping[str, object]
"""bolt's context: a dict that lives as long as the request."""


_RECEPTION = "greenlight_reception"


def store_first(handler: MessageHandler, identities: Identities) -> Listener:
    """Return the middleware that stores a message before bolt acks it.

    Bolt acks an event before its listener runs. What this raises leaves the event without an ack,
    and Slack delivers it again.
    """

    async def receive(body: Payload, context: Context, next: Callable[[], Awaitable[None]]) -> None:
        if (event := read_message(body)) is not None:
            context[_RECEPTION] = await handler.receive(event, await identities.current())
        await next()

    return receive


def on_message(handler: MessageHandler) -> Listener:
    """Return the listener for `message` and `app_mention`: the sender hears what became of it."""

    async def acknowledge(body: Payload, context: Context) -> None:
        event, reception = read_message(body), context.get(_RECEPTION)
        if event is not None and isinstance(reception, MessageResult):
            await handler.acknowledge(event, reception)

    return acknowledge
