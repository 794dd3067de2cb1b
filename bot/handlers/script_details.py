"""The details of scripts: a modal, opened at the board and filled from the rows."""

from collections.abc import Set as AbstractSet

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.errors import AgentError
from agent.ids import NodeId, Tenant, ThreadId, UserId, thread_id, thread_parts
from bot import wording
from bot.blocks.details import details, loading, shown_by, unreadable
from bot.elements import Block
from bot.errors import BotError
from bot.payloads import AttemptClick, DetailsClick, Payload
from bot.ports import Packages
from bot.slack.client import WebApi
from bot.slack.membership import Principals


class ScriptDetailsHandler:
    """Opens the modal and turns it to another attempt. Keeps no state: it works the same in every process."""

    def __init__(
        self, packages: Packages, principals: Principals, api: WebApi, personal_tools: AbstractSet[str]
    ) -> None:
        """`personal_tools` give what only the person may see whose rights their calls took."""
        self._packages = packages
        self._personal_tools = personal_tools
        self._principals = principals
        self._api = api

    async def on_details_click(self, ack: AsyncAck, body: Payload) -> None:
        """Open the modal at once, then fill it: a trigger lives three seconds, a database may take longer."""
        await ack()
        if (click := DetailsClick.read(body)) is not None:
            tenant = (await self._principals.identity()).tenant
            opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading())
            thread = thread_id(tenant, click.channel, click.root_ts)
            content = await self._content(click.user, tenant, thread, NodeId(click.node))
            await self._api.write("views.update", view_id=str(opened["view"]["id"]), view=content)

    async def on_attempt_click(self, ack: AsyncAck, body: Payload) -> None:
        """Show another attempt in the modal."""
        await ack()
        if (click := AttemptClick.read(body)) is not None:
            tenant = (await self._principals.identity()).tenant
            content = await self._content(click.user, tenant, *shown_by(click.shown), click.attempt)
            await self._api.write("views.update", view_id=click.view_id, view=content)

    async def _content(
        self, user: UserId, tenant: Tenant, thread: ThreadId, node: NodeId, attempt: int | None = None
    ) -> Block:
        try:
            person = await self._principals.person(tenant, user)
            if not person.is_member:
                return unreadable(wording.not_a_member(person.status, "read this"))
            if thread_parts(thread).tenant != tenant:
                return unreadable(wording.DETAILS_GONE)
            package = await self._packages.package(thread, node)
        except (BotError, AgentError):
            return unreadable(wording.DETAILS_FAILED)
        if package is None:
            return unreadable(wording.DETAILS_GONE)
        if any(source.author != user and source.tool in self._personal_tools for source in package.sources):
            return unreadable(wording.DETAILS_NOT_YOURS)
        return details(package, attempt)
