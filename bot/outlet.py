"""Puts a turn's messages into its thread: each posted once, edited when it differs, under the rate limits."""

import logging
from collections.abc import Mapping
from typing import Any, cast

from agent.ids import ChannelId, Digest, ThreadId, UserId, thread_parts
from bot.blocks.message import Rendered
from bot.blocks.plainly import plainly
from bot.errors import SlackRefused, ThreadClosed
from bot.pacing import POSTS, UPDATES, Pacer
from bot.ports import Posted, PostedMessage, RunView, Slot
from bot.web_api import WebApi
from sandbox.script import Json

_log = logging.getLogger(__name__)

METADATA_TYPE = "greenlight_message"
_UNKNOWN_LOOK = Digest("")

ROOT_GONE = frozenset({"thread_not_found", "invalid_thread_ts"})
"""The thread has no root (any more)."""

_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_CLOSED = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_thread_locked",
        "cannot_reply_to_message",
        *ROOT_GONE,
    }
)
_NOT_AS_BLOCKS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "block_mismatch"}
)
"""What Slack says to a message that it would take in plain words."""


class Outlet:
    """The one place that posts and edits messages of runs. All methods raise `BotError`."""

    def __init__(self, api: WebApi, posted: Posted, pacer: Pacer) -> None:
        self._api = api
        self._posted = posted
        self._pacer = pacer

    async def turn(self, thread: ThreadId, *, standing: bool) -> bool:
        """Wait for the next turn to edit (a message that is `standing`) or to post. True: it waited."""
        tenant, channel, _ = thread_parts(thread)
        return await (
            self._pacer.turn(("update", tenant), UPDATES)
            if standing
            else self._pacer.turn(("post", tenant, channel), POSTS)
        )

    async def put(self, run: RunView, slot: Slot, message: Rendered) -> None:
        """Make the slot's message stand and show this; nothing is sent when it already does."""
        standing = run.posts.get(slot)
        if standing is not None and standing.shown == message.digest:
            return
        await self.turn(run.thread, standing=standing is not None)
        await self.send(run, slot, message)

    async def send(self, run: RunView, slot: Slot, message: Rendered) -> None:
        """Like `put`, for a caller that already waited for its turn."""
        standing = run.posts.get(slot) or await self._lost(run, slot)
        try:
            ts = await self._put(run, slot, standing, message)
        except SlackRefused as error:
            if error.code not in _NOT_AS_BLOCKS:
                raise
            _log.warning("%s of %s goes out in plain words: %s", slot, run.thread, error)
            ts = await self._put(run, slot, standing, plainly(message))
        await self._posted.post(run.thread, run.turn, slot, PostedMessage(ts, message.digest))

    async def tell_apart(self, run: RunView, user: UserId, slot: Slot, message: Rendered) -> None:
        """Tell a person, once and in a direct message, what the thread itself cannot be told."""
        if not await self._posted.begin(run.thread, run.turn, slot):
            return
        try:
            opened = await self._api.write("conversations.open", users=user)
            channel = str(cast("Mapping[str, Any]", opened.get("channel") or {}).get("id", ""))
            told = await self._api.write("chat.postMessage", channel=channel, **_content(message))
        except SlackRefused as error:
            _log.warning("cannot tell %s about %s either: %s", user, run.thread, error)
            return
        await self._posted.post(run.thread, run.turn, slot, PostedMessage(str(told.get("ts", "")), message.digest))

    async def _lost(self, run: RunView, slot: Slot) -> PostedMessage | None:
        """Begin the slot; when it was begun before, look in the thread for what a crash kept us from noting."""
        if await self._posted.begin(run.thread, run.turn, slot):
            return None
        try:
            ts = await self._find(run.thread, _metadata(slot, run.turn))
        except SlackRefused as error:
            _log.warning("cannot look for %s of %s: %s", slot, run.thread, error)
            return None
        return PostedMessage(ts, _UNKNOWN_LOOK) if ts else None

    async def _find(self, thread: ThreadId, metadata: Mapping[str, Json]) -> str:
        _, channel, root_ts = thread_parts(thread)
        pages = self._api.pages(
            "conversations.replies", "messages", channel=channel, ts=root_ts, include_all_metadata=True
        )
        async for reply in pages:
            message = cast("Mapping[str, Any]", reply)
            if isinstance(reply, Mapping) and message.get("metadata") == metadata:
                return str(message.get("ts", ""))
        return ""

    async def _put(self, run: RunView, slot: Slot, standing: PostedMessage | None, message: Rendered) -> str:
        """Post the message, or edit the one that stands; return its ts."""
        if standing is None:
            return await self._post(run.thread, slot, run.turn, message)
        await self._edit(run.thread, standing.ts, message)
        return standing.ts

    async def _post(self, thread: ThreadId, slot: Slot, turn: int, message: Rendered) -> str:
        _, channel, root_ts = thread_parts(thread)
        try:
            answer = await self._api.write(
                "chat.postMessage",
                channel=channel,
                thread_ts=root_ts,
                metadata=_metadata(slot, turn),
                unfurl_links=False,
                unfurl_media=False,
                **_content(message),
            )
        except SlackRefused as error:
            if error.code in _CLOSED:
                raise ThreadClosed(error.method, error.code) from error
            raise
        return str(answer.get("ts", ""))

    async def _edit(self, thread: ThreadId, ts: str, message: Rendered) -> None:
        channel: ChannelId = thread_parts(thread).channel
        try:
            await self._api.write("chat.update", channel=channel, ts=ts, **_content(message))
        except SlackRefused as error:
            if error.code in _CLOSED:
                raise ThreadClosed(error.method, error.code) from error
            if error.code not in _GONE:
                raise
            _log.info("a message of %s was deleted in Slack; it stays deleted", thread)


def _content(message: Rendered) -> dict[str, Json]:
    return {"text": message.text, "blocks": message.blocks}


def _metadata(slot: Slot, turn: int) -> dict[str, Json]:
    payload: dict[str, Json] = {"turn": turn, "post": slot.post.value, "key": slot.key}
    return {"event_type": METADATA_TYPE, "event_payload": payload}
