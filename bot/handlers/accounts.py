"""People's own accounts: the button that connects one, and `/greenlight accounts`, which disconnects them.

What is shown here only the person sees whose account it is. No button carries authority: who may is read again.
"""

import logging

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.ids import ApprovalId, ThreadId, UserId, thread_id
from bot import wording
from bot.blocks.accounts import accounts_message
from bot.cards.tool_questions import asks
from bot.decisions.approvals import ApprovalHandler
from bot.elements import Rendered, quoted, words_only
from bot.payloads import AccountClick, Command, ConnectClick, Payload
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
        provider, name = str(view.request.args.get("account", "")), await self._name(view.request.thread, click.user)
        url = await self._accounts.offer(tenant, click.user, provider, name, answer.approval)
        await self._clicks.whisper(answer, wording.connect_link(url, asks(view.request)))

    async def _name(self, thread: ThreadId, user: UserId) -> str:
        return (await self._names.names(thread, [user])).get(user, user)

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Return the caller's accounts."""
        if self._accounts is None:
            return words_only(wording.NO_PROVIDERS)
        person = await self._principals.person(identity.tenant, command.user)
        if not person.is_member:
            return words_only(wording.not_a_member(person.status, "connect accounts"))
        return accounts_message(await self._accounts.connected(identity.tenant, command.user), self._accounts.titles)

    async def on_link_click(self, ack: AsyncAck, body: Payload) -> None:
        """Give the clicker a link to connect an account of their own, with no step that waits for it."""
        await ack()
        if (click := AccountClick.read(body)) is None or self._accounts is None:
            return
        title = self._accounts.titles.get(click.provider)
        tenant = (await self._principals.identity()).tenant
        person = await self._principals.person(tenant, click.user)
        if title is None or not person.is_member:
            return
        name = await self._name(thread_id(tenant, click.channel, ""), click.user)
        url = await self._accounts.offer(tenant, click.user, click.provider, name, ApprovalId(""))
        words = wording.connect_link(url, quoted(title, 80))
        await self._api.respond(click.response_url, response_type="ephemeral", replace_original=True, text=words)

    async def on_disconnect_click(self, ack: AsyncAck, body: Payload) -> None:
        """Disconnect an account of the clicker's own, and say what became of it."""
        await ack()
        if (click := AccountClick.read(body)) is None or self._accounts is None:
            return
        tenant = (await self._principals.identity()).tenant
        how = await self._accounts.disconnect(tenant, click.user, click.provider)
        words = wording.disconnected(how, quoted(self._accounts.titles.get(click.provider, click.provider), 80))
        await self._api.respond(click.response_url, response_type="ephemeral", replace_original=True, text=words)
