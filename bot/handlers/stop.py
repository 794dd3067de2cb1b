"""Stopping a thread's work: `!stop` in it, Slack's Stop button, the shortcut on a message, `/greenlight stop`.

A stop is a row in the inbox, behind the messages it stops; the thread's runner acts on it.
"""

from collections.abc import Awaitable, Callable

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.ids import ThreadId, UserId, thread_id, thread_parts
from bot import wording
from bot.elements import words_only
from bot.payloads import Payload, SessionStop, StopClick, StopShortcut
from bot.ports import Inbox, Incoming, Kind, Receipt, RunViews
from bot.slack.client import WebApi
from bot.slack.membership import Identity, Principals

STOP_WORDS = frozenset({"!stop", "!cancel"})
"""Messages that stop their thread."""


def stop_row(*, app: str, event_id: str, thread: ThreadId, by: UserId, ts: str = "") -> Incoming:
    """Return the inbox row of a stop; `ts` is that of the message that said it, if it was one."""
    tenant, channel, _ = thread_parts(thread)
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

    def __init__(self, inbox: Inbox, views: RunViews, principals: Principals, api: WebApi) -> None:
        self._inbox = inbox
        self._views = views
        self._principals = principals
        self._api = api

    async def store(self, body: Payload, next: Callable[[], Awaitable[None]]) -> None:
        """Store a press of Slack's Stop button by a member of the workspace, before bolt acks its event."""
        if (stop := SessionStop.read(body)) is not None:
            identity = await self._principals.identity()
            if (await self._principals.person(identity.tenant, stop.user)).is_member:
                thread = thread_id(identity.tenant, stop.channel, stop.thread_ts)
                await self._inbox.accept(stop_row(app=stop.app, event_id=stop.event_id, thread=thread, by=stop.user))
        await next()

    async def on_click(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once and replace the offer by the answer."""
        await ack()
        if (click := StopClick.read(body)) is not None:
            answer = words_only(await self._stop_own(click, await self._principals.identity()))
            if click.response_url:
                await self._api.respond(click.response_url, replace_original=True, **answer.content)

    async def on_shortcut(self, ack: AsyncAck, body: Payload) -> None:
        """Ack at once and answer the caller alone."""
        await ack()
        if (shortcut := StopShortcut.read(body)) is not None:
            answer = await self._stop_thread(shortcut, await self._principals.identity())
            if shortcut.response_url:
                where = {"thread_ts": shortcut.thread_ts} if shortcut.thread_ts else {}
                await self._api.respond(
                    shortcut.response_url, response_type="ephemeral", replace_original=False, text=answer, **where
                )

    async def _stop_own(self, click: StopClick, identity: Identity) -> str:
        """Store the stop of one of the caller's own runs; return what the caller reads.

        The button carries no authority: only what this person has running here can be stopped by it.
        """
        runs = await self._views.open_of(identity.tenant, click.user)
        thread = next((run.thread for run in runs if run.thread == click.thread), None)
        if thread is None:
            return wording.NOTHING_TO_STOP
        row = stop_row(app=click.app, event_id=f"stop:{click.trigger_id}", thread=thread, by=click.user)
        idle = await self._inbox.accept(row) is Receipt.IDLE
        return wording.NOTHING_TO_STOP if idle else wording.STOPPING

    async def _stop_thread(self, shortcut: StopShortcut, identity: Identity) -> str:
        """Store the stop of the thread the message is in; return what the caller reads.

        Any member may, as with `!stop`: Slack offers the shortcut only to who can read the message.
        """
        person = await self._principals.person(identity.tenant, shortcut.user)
        if not person.is_member:
            return wording.not_a_member(person.status, "stop work")
        thread = thread_id(identity.tenant, shortcut.channel, shortcut.root_ts)
        row = stop_row(app=shortcut.app, event_id=f"stop:{shortcut.trigger_id}", thread=thread, by=shortcut.user)
        idle = await self._inbox.accept(row) is Receipt.IDLE
        return wording.NOTHING_RUNS_HERE if idle else wording.STOPPING
