"""Messages and mentions: which are for us, who may start work, and what the sender hears at once.

The middleware `store` runs before Slack gets its ack, so a crash costs a retry and never a request;
the listener `on_message` answers after it.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never
from weakref import WeakValueDictionary

from agent.approval import ApprovalPolicy, ApprovalRequest
from agent.ids import ThreadId, thread_id
from agent.wishes import Wish, read_wish
from bot import wording
from bot.blocks.help import help_message, thread_status
from bot.decisions.elsewhere import ElsewhereHandler
from bot.elements import Rendered, words_only
from bot.errors import SlackRefused
from bot.handlers.corrections import ASKS_TO_SET, CorrectionHandler, SetRefused
from bot.handlers.guidance import EXPLAIN_WORD, GuidanceHandler
from bot.handlers.memory import MemoryHandler
from bot.handlers.person_limits import PersonLimiter
from bot.handlers.stop import STOP_WORDS, stop_row
from bot.handlers.undo import UNDO_WORD, UndoHandler, UndoRefused
from bot.payloads import MessageEvent, Payload, mentions, request_text
from bot.ports import Inbox, Incoming, Kind, Receipt, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Identity, MembershipStatus, Principals

_log = logging.getLogger(__name__)

RECEIPT_REACTION = "eyes"

ASIDE = re.compile(r"!aside\b", re.IGNORECASE)
"""Begins a message that people write to each other; it is neither stored nor planned."""

_ASKS_TO_UNDO = re.compile(rf"{re.escape(UNDO_WORD)}\b")

Context: TypeAlias = MutableMapping[str, object]
"""bolt's context: a dict that lives as long as the request."""

_RESULT = "greenlight_message_result"


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """Nothing was stored and nobody is answered."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """The message is in the inbox; `receipt` says whether this was its first delivery."""

    receipt: Receipt


@dataclass(frozen=True, kw_only=True)
class PrivateReply:
    """Nothing was stored. The sender alone gets a refusal or help."""

    message: Rendered


@dataclass(frozen=True, kw_only=True)
class ThreadReply:
    """Nothing was stored. Everyone in the thread gets the answer."""

    message: Rendered


MessageResult: TypeAlias = Ignored | Received | PrivateReply | ThreadReply


def kind_of(event: MessageEvent, identity: Identity, *, engaged: bool) -> Kind | None:
    """Return why the message is for us, or None when it is not."""
    if event.direct:
        return Kind.DIRECT
    if event.mention or mentions(event.raw, identity.user):
        return Kind.MENTION
    return Kind.REPLY if engaged and event.thread_ts else None


class MessageHandler:
    """Takes messages in."""

    def __init__(
        self,
        inbox: Inbox,
        views: RunViews,
        principals: Principals,
        api: WebApi,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        elsewhere: ElsewhereHandler,
        limiter: PersonLimiter,
        undo: UndoHandler,
        memory: MemoryHandler,
        guidance: GuidanceHandler,
        corrections: CorrectionHandler,
    ) -> None:
        self._inbox = inbox
        self._memory = memory
        self._guidance = guidance
        self._corrections = corrections
        self._limiter = limiter
        self._undo = undo
        self._views = views
        self._principals = principals
        self._api = api
        self._policy_for = policy_for
        self._elsewhere = elsewhere
        self._locks: WeakValueDictionary[ThreadId, asyncio.Lock] = WeakValueDictionary()

    async def store(self, body: Payload, context: Context, next: Callable[[], Awaitable[None]]) -> None:
        """Store a message before bolt acks it, which it does before the listener runs.

        Raises:
            BotError: nothing is acked, and Slack delivers the event again; so also with `AgentError`.
        """
        if (event := MessageEvent.read(body)) is not None:
            context[_RESULT] = await self._receive(event, await self._principals.identity())
        await next()

    async def on_message(self, body: Payload, context: Context) -> None:
        """Let the sender know: a reaction when the message was taken in, words when it was not."""
        event, result = MessageEvent.read(body), context.get(_RESULT)
        if event is not None and isinstance(result, MessageResult):
            await self._acknowledge(event, result)

    async def _receive(self, event: MessageEvent, identity: Identity) -> MessageResult:
        """Store the message if it is a member's and for us.

        Messages of one thread are taken in one after the other, as they came: a reply written right
        after the request must find the thread engaged.
        """
        if event.user == identity.user:
            return Ignored()
        thread = thread_id(identity.tenant, event.channel, event.root_ts)
        async with self._locks.setdefault(thread, asyncio.Lock()):
            engaged = event.thread_ts is not None and not event.direct and await self._inbox.engaged(thread)
            kind = kind_of(event, identity, engaged=engaged)
            text = request_text(event.raw, identity.user)
            if kind is None or ASIDE.match(text):
                return Ignored()
            result = await self._take_in(event, identity, thread, kind, text)
        # A mention also arrives as a `message` event: only one of the two is answered in words.
        is_copy = kind is Kind.MENTION and not event.mention
        return Ignored() if is_copy and not isinstance(result, Received) else result

    async def _take_in(
        self, event: MessageEvent, identity: Identity, thread: ThreadId, kind: Kind, text: str
    ) -> MessageResult:
        try:
            person = await self._principals.person(identity.tenant, event.user)
        except SlackRefused as error:  # another delivery would be refused as well
            _log.error("nobody can start work: Slack refuses %s; `greenlight doctor` shows what is missing", error)
            return ThreadReply(message=words_only(wording.CANNOT_TELL_WHO))
        if person.status is MembershipStatus.BOT:
            return Ignored()
        if not person.is_member:
            return PrivateReply(message=words_only(wording.not_a_member(person.status, "start work")))
        if (answer := await self._elsewhere.answer(event, identity, thread)) is not None:
            return ThreadReply(message=answer)
        if isinstance(wish := read_wish(text), Wish):
            return ThreadReply(message=await self._memory.remember(event, thread, wish))
        match text.casefold():
            case "":
                return PrivateReply(message=words_only(wording.ASK_FOR_SOMETHING))
            case "help":
                return PrivateReply(message=help_message(identity.user))
            case "!status":
                return ThreadReply(message=await self._status(thread))
            case word if word == EXPLAIN_WORD:
                return ThreadReply(message=await self._guidance.explain(thread))
            case word if _ASKS_TO_UNDO.match(word):
                request = await self._undo.request(thread, identity)
                if word != UNDO_WORD:
                    request = UndoRefused(words=wording.UNDO_ALONE)
                if isinstance(request, UndoRefused):
                    return ThreadReply(message=words_only(request.words))
                incoming = self._message(event, identity, thread, kind, request)
            case _ if found := ASKS_TO_SET.match(text):
                correction = await self._corrections.request(thread, text[found.end() :])
                if isinstance(correction, SetRefused):
                    return ThreadReply(message=words_only(correction.words))
                incoming = self._message(event, identity, thread, kind, correction)
            case word if word in STOP_WORDS:
                incoming = stop_row(app=event.app, event_id=event.event_id, thread=thread, by=event.user, ts=event.ts)
            case _:
                incoming = self._message(event, identity, thread, kind, text)
        if incoming.kind is Kind.STOP:
            receipt = await self._inbox.accept(incoming)
        else:
            async with self._limiter.admitting(identity.tenant, event.user, thread) as refusal:
                if refusal:
                    return ThreadReply(message=words_only(refusal))
                receipt = await self._inbox.accept(incoming)
        if receipt is Receipt.IDLE:
            return PrivateReply(message=words_only(wording.NOTHING_RUNS_HERE))
        return Received(receipt=receipt)

    @staticmethod
    def _message(event: MessageEvent, identity: Identity, thread: ThreadId, kind: Kind, text: str) -> Incoming:
        return Incoming(
            tenant=identity.tenant,
            app=event.app,
            event_id=event.event_id,
            channel=event.channel,
            ts=event.ts,
            thread=thread,
            author=event.user,
            text=text,
            kind=kind,
            search_token=event.search_token,
        )

    async def _status(self, thread: ThreadId) -> Rendered:
        runs = [run for run in await self._views.unsettled(thread) if not run.ended]
        if runs:
            return thread_status(runs, self._policy_for)
        return words_only(wording.NOT_BEGUN if await self._inbox.waiting(thread) else wording.NOTHING_RUNS_HERE)

    async def _acknowledge(self, event: MessageEvent, result: MessageResult) -> None:
        match result:
            case Received(receipt=Receipt.ACCEPTED):
                await self._react(event)
            case PrivateReply(message=message):
                await self._api.write(
                    "chat.postEphemeral",
                    channel=event.channel,
                    user=event.user,
                    thread_ts=event.thread_ts,
                    **message.content,
                )
            case ThreadReply(message=message):
                await self._api.write(
                    "chat.postMessage",
                    channel=event.channel,
                    thread_ts=event.root_ts,
                    unfurl_links=False,
                    unfurl_media=False,
                    **message.content,
                )
            case Received() | Ignored():
                return
            case _:
                assert_never(result)

    async def _react(self, event: MessageEvent) -> None:
        try:
            await self._api.write("reactions.add", channel=event.channel, timestamp=event.ts, name=RECEIPT_REACTION)
        except SlackRefused as error:
            if error.code != "already_reacted":
                _log.info("no reaction on %s: %s", event.ts, error.code)
