"""Undoing what a run changed: `!undo` in its thread, or the button on its board. Both store the same message.

The thread's runner plans the steps (`agent/planning/undoing.py`); each of them asks on a card of its own.
"""

from dataclasses import dataclass

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.ids import ThreadId, thread_id
from agent.plan.effects import newest_turn, standing
from agent.planning.undoing import undo_request
from agent.ports import Effects
from bot import wording
from bot.handlers.person_limits import PersonLimiter
from bot.payloads import Payload, UndoClick
from bot.ports import Inbox
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals

UNDO_WORD = "!undo"


@dataclass(frozen=True, kw_only=True)
class UndoRefused:
    """Why nothing is undone, for people to read."""

    words: str


class UndoHandler:
    """Says what a wish to undo is about, and takes in clicks. Raises `BotError` or `AgentError` when it could not."""

    def __init__(
        self, effects: Effects, inbox: Inbox, principals: Principals, api: WebApi, limiter: PersonLimiter
    ) -> None:
        self._effects = effects
        self._inbox = inbox
        self._principals = principals
        self._api = api
        self._limiter = limiter

    async def request(self, thread: ThreadId, identity: Identity, turn: int | None = None) -> str | UndoRefused:
        """Return the text to store; without `turn` it is about the newest run of which anything stands.

        Nothing is undone while anything else is under way: its end decides what there is to undo.
        """
        if (await self._inbox.load(identity.tenant, identity.user, thread)).under_way:
            return UndoRefused(words=wording.UNDO_FIRST_STOP)
        effects = await self._effects.of(thread)
        if turn is not None and all(effect.turn != turn for effect in standing(effects)):
            return UndoRefused(words=wording.UNDONE_BEFORE)
        newest = newest_turn(effects) if turn is None else turn
        return UndoRefused(words=wording.NOTHING_TO_UNDO) if newest is None else undo_request(newest)

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once, and answer the person alone."""
        await ack()
        if (click := UndoClick.read(body)) is not None:
            words = await self._clicked(click, await self._principals.identity())
            if click.response_url:
                await self._api.respond(
                    click.response_url, response_type="ephemeral", replace_original=False, text=words
                )

    async def _clicked(self, click: UndoClick, identity: Identity) -> str:
        person = await self._principals.person(identity.tenant, click.user)
        if not person.is_member:
            return wording.not_a_member(person.status, "undo anything")
        thread = thread_id(identity.tenant, click.channel, click.root_ts)
        request = await self.request(thread, identity, click.turn)
        if isinstance(request, UndoRefused):
            return request.words
        event = f"undo:{click.trigger_id}"
        return await self._limiter.take(thread, click.user, event, request, app=click.app) or wording.UNDOING_NOW
