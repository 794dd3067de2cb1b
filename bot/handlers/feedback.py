"""Thumbs on an answer: up counts at once, down once the form for its reason is sent. The newest of a person counts."""

import asyncio
import logging

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.errors import AgentError
from agent.ids import ChannelId, UserId, thread_id
from bot import wording
from bot.blocks.feedback import loading, reason_form, said
from bot.elements import Block
from bot.errors import BotError
from bot.payloads import FeedbackClick, FeedbackForm, Payload
from bot.ports import Feedback
from bot.slack.client import WebApi
from bot.slack.membership import Principals

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 2.0
"""To store what a form says before it is acknowledged; Slack waits three seconds."""


class FeedbackHandler:
    """Takes in clicks and forms of full members of the channel. Keeps no state."""

    def __init__(self, feedback: Feedback, principals: Principals, api: WebApi) -> None:
        self._feedback = feedback
        self._principals = principals
        self._api = api

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Count a thumbs-up and answer the person alone; open the form for a thumbs-down."""
        await ack()
        if (click := FeedbackClick.read(body)) is None:
            return
        if click.good:
            words = await self._given(click.user, click.channel, click.root_ts, click.turn, good=True)
            if click.response_url:
                await self._api.respond(
                    click.response_url, response_type="ephemeral", replace_original=False, text=words
                )
            return
        opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading())
        page = await self._page(click)
        await self._api.write("views.update", view_id=str(opened["view"]["id"]), view=page)

    async def on_form(self, ack: AsyncAck, body: Payload) -> None:
        """Count a thumbs-down with its reason, and say so in the form's place."""
        if (form := FeedbackForm.read(body)) is None:
            await ack()
            return
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                words = await self._given(
                    form.user, form.channel, form.root_ts, form.turn, good=False, reason=form.reason.strip()
                )
        except (BotError, AgentError, TimeoutError) as error:
            _log.warning("a thumbs-down was not stored: %s", type(error).__name__)
            words = wording.FEEDBACK_FAILED
        await ack(response_action="update", view=dict(said(words)))

    async def _page(self, click: FeedbackClick) -> Block:
        try:
            refusal = await self._refusal(click.user, click.channel)
        except (BotError, AgentError):
            refusal = wording.FEEDBACK_FAILED
        return said(refusal) if refusal else reason_form(click.place)

    async def _given(
        self, user: UserId, channel: ChannelId, root_ts: str, turn: int, *, good: bool, reason: str = ""
    ) -> str:
        """Store what a person thinks; return what they read then."""
        if refusal := await self._refusal(user, channel):
            return refusal
        thread = thread_id((await self._principals.identity()).tenant, channel, root_ts)
        if not await self._feedback.give(thread, turn, by=user, good=good, reason=reason):
            return wording.FEEDBACK_UNKNOWN
        return wording.THANKED_UP if good else wording.THANKED_DOWN

    async def _refusal(self, user: UserId, channel: ChannelId) -> str:
        """Return why a person's opinion does not count; empty when it does."""
        person = await self._principals.person((await self._principals.identity()).tenant, user)
        if not person.is_member:
            return wording.not_a_member(person.status, "rate answers")
        return "" if await self._principals.in_channel(channel, user) else wording.FEEDBACK_NEEDS_MEMBERS
