"""Stopping a thread's work: `!stop` in it, Slack's Stop button, the shortcut on a message, `/greenlight stop`.

A stop is a row in the inbox, behind the messages it stops; the thread's runner acts on it.
"""

from agent.ids import ChannelId, Tenant, ThreadId, UserId, thread_id, thread_parts
from bot import wording
from bot.blocks.help import stoppable
from bot.blocks.message import Rendered, words_only
from bot.identity import Identity
from bot.payloads import Command
from bot.ports import Inbox, Incoming, Kind, Receipt, RunViews
from bot.principals import Principals, Standing
from bot.stop_payloads import SessionStop, StopClick, StopShortcut

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


class StopDesk:
    """Takes in stops that are no messages. Raises `BotError` or `AgentError` when it could not."""

    def __init__(self, inbox: Inbox, views: RunViews, principals: Principals) -> None:
        self._inbox = inbox
        self._views = views
        self._principals = principals

    async def pressed(self, stop: SessionStop, identity: Identity) -> None:
        """Store the stop when a member of the workspace pressed the thread's Stop button."""
        person = await self._principals.person(identity.tenant, stop.user)
        if person.standing is not Standing.MEMBER:
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
        if person.standing is not Standing.MEMBER:
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
