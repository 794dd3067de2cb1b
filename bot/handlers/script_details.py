"""What scripts left, for whoever asks for it at the board: a modal that is filled from the rows."""

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.errors import AgentError
from agent.ids import NodeId, ThreadId, UserId, thread_id, thread_parts
from bot import wording
from bot.blocks.details import details, loading, shown_by, unreadable
from bot.blocks.elements import Block
from bot.errors import BotError
from bot.handlers.listener import Listener
from bot.payloads import AttemptClick, DetailsClick, Payload, read_attempt_click, read_details_click
from bot.ports import Packages
from bot.slack.client import WebApi
from bot.slack.membership import Identities, Identity, MembershipStatus, Principals


class ScriptDetailsHandler:
    """Opens and turns the modal. Nothing is kept here: it works the same in every process."""

    def __init__(self, packages: Packages, principals: Principals, api: WebApi) -> None:
        self._packages = packages
        self._principals = principals
        self._api = api

    async def asked(self, click: DetailsClick, identity: Identity) -> None:
        """Open the modal at once, then fill it: a trigger lives three seconds, a database may take longer."""
        opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading())
        view_id = str(opened["view"]["id"])
        thread = thread_id(identity.tenant, click.channel, click.root_ts)
        content = await self._content(click.user, identity, thread, NodeId(click.node))
        await self._api.write("views.update", view_id=view_id, view=content)

    async def turned(self, click: AttemptClick, identity: Identity) -> None:
        """Show another attempt in the modal."""
        thread, node = shown_by(click.shown)
        content = await self._content(click.user, identity, thread, node, click.attempt)
        await self._api.write("views.update", view_id=click.view_id, view=content)

    async def _content(
        self, user: UserId, identity: Identity, thread: ThreadId, node: NodeId, attempt: int | None = None
    ) -> Block:
        try:
            person = await self._principals.person(identity.tenant, user)
            if person.standing is not MembershipStatus.MEMBER:
                return unreadable(wording.not_a_member(person.standing, "read this"))
            if thread_parts(thread).tenant != identity.tenant:
                return unreadable(wording.DETAILS_GONE)
            package = await self._packages.package(thread, node)
        except (BotError, AgentError):
            return unreadable(wording.DETAILS_FAILED)
        return unreadable(wording.DETAILS_GONE) if package is None else details(package, attempt)


def on_details_click(handler: ScriptDetailsHandler, identities: Identities) -> Listener:
    """Return the listener of a board's button or menu for a script: it acks at once and opens the modal."""

    async def show(ack: AsyncAck, body: Payload) -> None:
        await ack()
        if (click := read_details_click(body)) is not None:
            await handler.asked(click, await identities.current())

    return show


def on_attempt_click(handler: ScriptDetailsHandler, identities: Identities) -> Listener:
    """Return the listener of a modal's button for an attempt: it acks at once and turns the modal."""

    async def turn(ack: AsyncAck, body: Payload) -> None:
        await ack()
        if (click := read_attempt_click(body)) is not None:
            await handler.turned(click, await identities.current())

    return turn
