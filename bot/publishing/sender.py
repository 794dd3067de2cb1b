"""Puts a turn's messages into its thread: each posted once, edited when it differs, under the rate limits."""

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from agent.ids import ChannelId, Digest, ThreadId, UserId, thread_parts
from bot.blocks.message import Rendered, plainly
from bot.errors import SlackRefused, SlackUnreachable, ThreadClosed
from bot.ports import Posted, PostedMessage, RunView, Slot
from bot.slack.client import WebApi, listed
from bot.slack.rate_limits import POSTS, UPDATES, RateLimiter
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


class MessageSender:
    """The one place that posts and edits messages of runs. All methods raise `BotError`."""

    def __init__(self, api: WebApi, posted: Posted, rate_limiter: RateLimiter) -> None:
        self._api = api
        self._posted = posted
        self._rate_limiter = rate_limiter

    async def turn(self, thread: ThreadId, *, standing: bool) -> bool:
        """Wait for the next turn to edit (a message that is `standing`) or to post. True: it waited."""
        tenant, channel, _ = thread_parts(thread)
        return await (
            self._rate_limiter.turn(("update", tenant), UPDATES)
            if standing
            else self._rate_limiter.turn(("post", tenant, channel), POSTS)
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

    async def share(self, run: RunView, slot: Slot, *, name: str, title: str, content: bytes) -> str:
        """Share a file in the thread; return its address, empty when Slack does not tell it.

        What a crash kept us from noting is found again by its name, which must be the file's alone.
        """
        begun_before = run.posts.get(slot) is None and not await self._posted.begin(run.thread, run.turn, slot)
        if begun_before and (found := await self._find_file(run.thread, name)):
            return found
        await self.turn(run.thread, standing=False)
        _, channel, root_ts = thread_parts(run.thread)
        place = await self._api.read("files.getUploadURLExternal", filename=name, length=len(content))
        await self._api.upload(str(place.get("upload_url", "")), content)
        entry: Mapping[str, Json] = {"id": str(place.get("file_id", "")), "title": title}
        try:
            done = await self._api.write_once(
                "files.completeUploadExternal", files=[entry], channel_id=channel, thread_ts=root_ts
            )
        except SlackRefused as error:
            if error.code in _CLOSED:
                raise ThreadClosed(error.method, error.code) from error
            raise
        except SlackUnreachable:  # it may stand all the same
            return await self._find_file(run.thread, name)
        return next(map(_address, _files(done)), "")

    async def note(self, run: RunView, slot: Slot, message: PostedMessage) -> None:
        """Note what stands in a slot that `share` filled, or could not."""
        await self._posted.post(run.thread, run.turn, slot, message)

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
        async for message in self._replies(thread):
            if message.get("metadata") == metadata:
                return str(message.get("ts", ""))
        return ""

    async def _find_file(self, thread: ThreadId, name: str) -> str:
        async for message in self._replies(thread):
            for file in _files(message):
                if file.get("name") == name:
                    return _address(file)
        return ""

    async def _replies(self, thread: ThreadId) -> AsyncIterator[Mapping[str, Any]]:
        _, channel, root_ts = thread_parts(thread)
        pages = self._api.pages(
            "conversations.replies", "messages", channel=channel, ts=root_ts, include_all_metadata=True
        )
        async for reply in pages:
            if isinstance(reply, Mapping):
                yield cast("Mapping[str, Any]", reply)

    async def _put(self, run: RunView, slot: Slot, standing: PostedMessage | None, message: Rendered) -> str:
        """Post the message, or edit the one that stands; return its ts."""
        if standing is None:
            return await self._post(run.thread, slot, run.turn, message)
        await self._edit(run.thread, standing.ts, message)
        return standing.ts

    async def _post(self, thread: ThreadId, slot: Slot, turn: int, message: Rendered) -> str:
        _, channel, root_ts = thread_parts(thread)
        try:
            answer = await self._api.write_once(
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


def _files(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cast("Mapping[str, Any]", each) for each in listed(told, "files") if isinstance(each, Mapping)]


def _address(file: Mapping[str, Any]) -> str:
    """Return where people see a file that Slack tells of."""
    address = file.get("permalink")
    return address if isinstance(address, str) and address.startswith(("https://", "http://")) else ""


def _metadata(slot: Slot, turn: int) -> dict[str, Json]:
    payload: dict[str, Json] = {"turn": turn, "post": slot.post.value, "key": slot.key}
    return {"event_type": METADATA_TYPE, "event_payload": payload}
