"""The board's button that keeps a run as a draft of a runbook: it stores a message, which becomes a red step."""

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.ids import thread_id
from agent.planning.runbook_drafts import draft_request
from bot import wording
from bot.handlers.person_limits import PersonLimiter
from bot.payloads import Payload, SaveClick
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals


class RunbookHandler:
    """Takes in clicks. Raises `BotError` or `AgentError` when it could not."""

    def __init__(self, principals: Principals, api: WebApi, limiter: PersonLimiter) -> None:
        self._principals = principals
        self._api = api
        self._limiter = limiter

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once, and answer the person alone."""
        await ack()
        if (click := SaveClick.read(body)) is not None:
            words = await self._clicked(click, await self._principals.identity())
            if click.response_url:
                await self._api.respond(
                    click.response_url, response_type="ephemeral", replace_original=False, text=words
                )

    async def _clicked(self, click: SaveClick, identity: Identity) -> str:
        person = await self._principals.person(identity.tenant, click.user)
        if not person.is_member:
            return wording.not_a_member(person.status, "save runbooks")
        if not await self._principals.in_channel(click.channel, click.user):
            return wording.SAVING_NEEDS_MEMBERS
        thread = thread_id(identity.tenant, click.channel, click.root_ts)
        event, text = f"runbook:{click.trigger_id}", draft_request(click.turn)
        return await self._limiter.take(thread, click.user, event, text, app=click.app) or wording.SAVING_RUNBOOK
