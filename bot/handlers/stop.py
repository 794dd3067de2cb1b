"""Stopping a thread's work: `!stop` in it, Slack's Stop button, the shortcut on a message, `/greenlight stop`.

A stop is a row in the inbox, behind the messages it stops; the thread's runner acts on it.
"""

from collections.abc import Awaitable, Callable

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.ids import ChannelId, Tenant, ThreadId, UserId, thread_id, thread_parts
from bot import wording
from bot.blocks.help import stoppable
from bot.blocks.message import Rendered, words_only
from bot.handlers.listener import Listener
from bot.payloads import (
    Command,
    Payload,
    SessionStop,
    StopClick,
    StopShortcut,
    read_session_stop,
    read_stop_click,
    read_stop_shortcut,
)
from bot.ports import Inbox, Incoming, Kind, Receipt, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Identities, Identity, MembershipStatus, Principals

STOP_WORDS = frozenset({"!stop", "!cancel"})
"""What a message in a thread says to stop it."""


def stop_row(
    *, tenant: Tenant, app: str, event_id: str, channel: ChannelId, thread: ThreadId, by: UserId, ts: str = ""
) -> Incoming:
    """Return the inbox row of a stop; `ts` is that of the message that said it, if it was one."""
    return Incoming(
        tenant=tenant,
        app=app,
        event_id=event_id,
        channel=channel,
        ts=ts or f"stop:{event_id}",
        thread=thread,
        author=by,
        text="!stop",
        kind=Kind.STOP,
    )


class StopHandler:
    """Takes in stops that are no messages. Raises `BotError` or `AgentError` when it could not."""

    def __init__(self, inbox: Inbox, views: RunViews, principals: Principals) -> None:
        self._inbox = inbox
        self._views = views
        self._principals = principals

    async def pressed(self, stop: SessionStop, identity: Identity) -> None:
        """Store the stop when a member of the workspace pressed the thread's Stop button."""
        person = await self._principals.person(identity.tenant, stop.user)
        if person.standing is not MembershipStatus.MEMBER:
            return
        thread = thread_id(identity.tenant, stop.channel, stop.thread_ts)
        row = stop_row(
            tenant=identity.tenant,
            app=stop.app,
            event_id=stop.event_id,
            channel=stop.channel,
            thread=thread,
            by=stop.user,
        )
        await self._inbox.accept(row)

    async def offer(self, command: Command, identity: Identity) -> Rendered:
        """Return the caller's open runs, each with a button that stops it."""
        return stoppable(await self._views.open_of(identity.tenant, command.user))

    async def clicked(self, click: StopClick, identity: Identity) -> Rendered:
        """Store the stop of one of the caller's own runs; return what the caller is told.

        The button carries no authority: only what this person has running here can be stopped by it.
        """
        mine = await self._views.open_of(identity.tenant, click.user)
        run = next((each for each in mine if each.thread == click.thread), None)
        if run is None:
            return words_only(wording.NOTHING_TO_STOP)
        row = stop_row(
            tenant=identity.tenant,
            app=click.app,
            event_id=f"stop:{click.trigger_id}",
            channel=thread_parts(run.thread).channel,
            thread=run.thread,
            by=click.user,
        )
        stored = await self._inbox.accept(row) is not Receipt.IDLE
        return words_only(wording.STOPPING if stored else wording.NOTHING_TO_STOP)

    async def chosen(self, shortcut: StopShortcut, identity: Identity) -> str:
        """Store the stop of the thread the message is in; return what the caller is told.

        Any member may, as with `!stop`: Slack offers the shortcut only to who can read the message.
        """
        person = await self._principals.person(identity.tenant, shortcut.user)
        if person.standing is not MembershipStatus.MEMBER:
            return wording.not_a_member(person.standing, "stop work")
        row = stop_row(
            tenant=identity.tenant,
            app=shortcut.app,
            event_id=f"stop:{shortcut.trigger_id}",
            channel=shortcut.channel,
            thread=thread_id(identity.tenant, shortcut.channel, shortcut.root_ts),
            by=shortcut.user,
        )
        stored = await self._inbox.accept(row) is not Receipt.IDLE
        return wording.STOPPING if stored else wording.NOTHING_RUNS_HERE


def store_stop_first(handler: StopHandler, identities: Identities) -> Listener:
    """Return the middleware that stores a pressed Stop button before bolt acks its event."""

    async def receive(body: Payload, next: Callable[[], Awaitable[None]]) -> None:
        if (stop := read_session_stop(body)) is not None:
            await handler.pressed(stop, await identities.current())
        await next()

    return receive


def on_stop_click(handler: StopHandler, identities: Identities, api: WebApi) -> Listener:
    """Return the listener of a Stop button: it acks at once, and the offer becomes the answer."""

    async def stop(ack: AsyncAck, body: Payload) -> None:
        await ack()
        click = read_stop_click(body)
        if click is None:
            return
        said = await handler.clicked(click, await identities.current())
        if click.response_url:
            await api.respond(click.response_url, replace_original=True, text=said.text, blocks=said.blocks)

    return stop


def on_stop_shortcut(handler: StopHandler, identities: Identities, api: WebApi) -> Listener:
    """Return the listener of the shortcut on a message: it acks at once and answers the caller alone."""

    async def stop(ack: AsyncAck, body: Payload) -> None:
        await ack()
        shortcut = read_stop_shortcut(body)
        if shortcut is None:
            return
        said = await handler.chosen(shortcut, await identities.current())
        if shortcut.response_url:
            where = {"thread_ts": shortcut.thread_ts} if shortcut.thread_ts else {}
            await api.respond(
                shortcut.response_url, response_type="ephemeral", replace_original=False, text=said, **where
            )

    return stop
