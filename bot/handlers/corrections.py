"""Setting a step's result: `!set STEP VALUE` in its thread, or the form behind its board. Both store the same message.

The thread's runner plans what comes of it (`agent/planning/correcting.py`), where everything is looked at once more.
"""

import re
from dataclasses import dataclass

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.ids import NodeId, ThreadId, thread_id, thread_parts
from agent.plan.corrections import Standing, Unsettable, Wish, stored_wish, value_in
from agent.planning.correcting import misfit, standing_of
from agent.ports import NodeStatuses, OperationLog
from bot import wording
from bot.blocks import corrections
from bot.handlers.person_limits import PersonLimiter
from bot.payloads import Payload, SetClick, SetForm
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals

ASKS_TO_SET = re.compile(r"!set\b", re.IGNORECASE)
"""Begins a message that sets a result."""


@dataclass(frozen=True, kw_only=True)
class SetRefused:
    """Why nothing is set, for people to read."""

    words: str


class CorrectionHandler:
    """Says what a wish to set a result is about, and takes in the form. Raises `BotError` or `AgentError`."""

    def __init__(
        self,
        log: OperationLog,
        statuses: NodeStatuses,
        principals: Principals,
        api: WebApi,
        limiter: PersonLimiter,
    ) -> None:
        self._log = log
        self._statuses = statuses
        self._principals = principals
        self._api = api
        self._limiter = limiter

    async def request(self, thread: ThreadId, words: str) -> str | SetRefused:
        """Return the text to store for `STEP VALUE`."""
        standing = await self._standing(thread)
        return await self._checked(standing, standing.settable(words))

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Open the form at once, then fill it."""
        await ack()
        if (click := SetClick.read(body)) is not None:
            opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=corrections.loading())
            identity = await self._principals.identity()
            person = await self._principals.person(identity.tenant, click.user)
            thread = thread_id(identity.tenant, click.channel, click.root_ts)
            if not person.is_member:
                view = corrections.notice(wording.not_a_member(person.status, "set a result"))
            elif steps := (await self._standing(thread)).ended():
                view = corrections.set_form(thread, steps)
            else:
                view = corrections.notice(wording.SET_NOTHING)
            await self._api.write("views.update", view_id=str(opened["view"]["id"]), view=view)

    async def on_form(self, ack: AsyncAck, body: Payload) -> None:
        """Store what was entered; what is wrong with it stands under its field."""
        if (entered := SetForm.read(body)) is None:
            await ack()
            return
        identity = await self._principals.identity()
        words = await self._submitted(entered, identity)
        if words:
            await ack(response_action="errors", errors={corrections.VALUE: words})
        else:
            await ack()

    async def _submitted(self, entered: SetForm, identity: Identity) -> str:
        """Store the message; return what is wrong with it, if anything."""
        thread = ThreadId(entered.thread)
        person = await self._principals.person(identity.tenant, entered.user)
        if not person.is_member or thread_parts(thread).tenant != identity.tenant:
            return wording.not_a_member(person.status, "set a result")
        standing = await self._standing(thread)
        found, value = standing.node(NodeId(entered.step)), value_in(entered.value.strip())
        unsettable = next((one for one in (found, value) if isinstance(one, Unsettable)), None)
        wish = unsettable or Wish(node=NodeId(entered.step), value=value)
        request = await self._checked(standing, wish)
        if isinstance(request, SetRefused):
            return request.words
        return await self._limiter.take(thread, entered.user, f"set:{entered.view_id}", request, app=entered.app)

    async def _standing(self, thread: ThreadId) -> Standing:
        statuses = await self._statuses.of(thread)
        outcomes = {node: status.outcome for node, status in statuses.items() if status.outcome is not None}
        return standing_of(await self._log.after(thread, 0), outcomes)

    @staticmethod
    async def _checked(standing: Standing, wish: Wish | Unsettable) -> str | SetRefused:
        if isinstance(wish, Unsettable):
            return SetRefused(words=corrections.refusal(wish))
        found = standing.node(wish.node)
        issue = None if isinstance(found, Unsettable) else await misfit(standing.first(found), wish)
        return stored_wish(wish) if issue is None else SetRefused(words=corrections.misfit(issue))
