"""People's own accounts: the button that connects one, and `/greenlight accounts`, which disconnects them.

What is shown here only the person sees whose account it is. No button carries authority: who may is read again.
"""

import logging

from slack_bolt.context.ack.async_ack import AsyncAck

from bot import wording
from bot.blocks.accounts import accounts_message
from bot.blocks.elements import Rendered, quoted, words_only
from bot.blocks.tool_questions import asks
from bot.handlers.approvals import ApprovalHandler
from bot.payloads import Command, ConnectClick, DisconnectClick, Payload
from bot.ports import PersonalAccounts, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals
from bot.slack.names import SlackDirectory

_log = logging.getLogger(__name__)


class AccountsHandler:
    """Gives out links, lists accounts, and disconnects them. `accounts` is None where there are none."""

    def __init__(
        self,
        accounts: PersonalAccounts | None,
        views: RunViews,
        clicks: ApprovalHandler,
        principals: Principals,
        names: SlackDirectory,
        api: WebApi,
    ) -> None:
        self._accounts = accounts
        self._views = views
        self._clicks = clicks
        self._principals = principals
        self._names = names
        self._api = api

    async def on_connect_click(self, ack: AsyncAck, body: Payload) -> None:
        """Show a link to the author of the request, and to nobody else."""
        await ack()
        if (click := ConnectClick.read(body)) is None:
            return
        answer, tenant = click.answer, (await self._principals.identity()).tenant
        view = await self._views.approval(tenant, answer.approval)
        if view is None or self._accounts is None:
            await self._clicks.whisper(answer, wording.QUESTION_UNKNOWN)
            return
        if (objection := await self._clicks.objection(answer, tenant, view)) is not None:
            await self._clicks.refuse(answer, view, objection)
            await self._clicks.whisper(answer, objection.words)
            return
        names = await self._names.names(view.request.thread, [click.user])
        url = await self._accounts.offer(view.request, names.get(click.user, click.user))
        await self._clicks.whisper(answer, wording.connect_link(url, asks(view.request)))

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Return the caller's accounts."""
        if self._accounts is None:
            return words_only(wording.NO_PROVIDERS)
        return accounts_message(await self._accounts.connected(identity.tenant, command.user))

    async def on_disconnect_click(self, ack: AsyncAck, body: Payload) -> None:
        """Disconnect an account of the clicker's own, and say what became of it."""
        await ack()
        if (click := DisconnectClick.read(body)) is None or self._accounts is None:
            return
        tenant = (await self._principals.identity()).tenant
        titles = {one.provider: one.title for one in await self._accounts.connected(tenant, click.user)}
        how = await self._accounts.disconnect(tenant, click.user, click.provider)
        words = wording.disconnected(how, quoted(titles.get(click.provider, click.provider), 80))
        await self._api.respond(click.response_url, response_type="ephemeral", replace_original=True, text=words)
