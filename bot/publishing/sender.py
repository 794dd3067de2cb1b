"""Puts a turn's messages into its thread: each posted once, edited when it differs, under the rate limits."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from agent.ids import Digest, ThreadId, UserId, thread_parts
from bot.elements import Rendered, plainly
from bot.errors import SlackRefused, SlackUnreachable, ThreadClosed
from bot.payloads import mapping
from bot.ports import Posted, PostedMessage, RunView, Slot, cut
from bot.slack.client import WebApi, objects_in
from bot.slack.membership import Identity, is_person
from bot.slack.rate_limits import POSTS, UPDATES, RateLimiter
from sandbox.script import Json

_log = logging.getLogger(__name__)

METADATA_TYPE = "greenlight_message"
_UNKNOWN_CONTENT = Digest("")

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
"""Slack's codes for a message it would take as plain words."""


_LOOKED_AT = 100
"""Messages of a channel among which one is looked for whose record a crash prevented."""


class _Place(NamedTuple):
    """A conversation, and the root of a thread in it."""

    channel: str
    root_ts: str | None


class MessageSender:
    """The one place that posts and edits messages of runs. All methods raise `BotError`."""

    def __init__(
        self,
        api: WebApi,
        posted: Posted,
        rate_limiter: RateLimiter,
        identity: Callable[[], Awaitable[Identity]],
    ) -> None:
        """`identity` says who the app is: a message of anybody else is never taken for its own."""
        self._api = api
        self._identity = identity
        self._posted = posted
        self._rate_limiter = rate_limiter

    async def wait(self, thread: ThreadId, *, edit: bool) -> bool:
        """Wait until the rate limits allow an edit, or a post; return whether that took time."""
        tenant, channel, _ = thread_parts(thread)
        if edit:
            return await self._rate_limiter.wait(("update", tenant), UPDATES)
        return await self._rate_limiter.wait(("post", tenant, channel), POSTS)

    async def put(self, run: RunView, slot: Slot, message: Rendered) -> bool:
        """Make the slot's message stand and show this; nothing is sent when it already does.

        Return whether it stands whole; False: Slack refused its blocks, and it stands as words that may be cut.
        """
        existing = run.posts.get(slot)
        if existing is not None and existing.shows(message.digest):
            return not existing.is_cut
        await self.wait(run.thread, edit=existing is not None)
        return await self.send(run, slot, message)

    async def send(self, run: RunView, slot: Slot, message: Rendered) -> bool:
        """Like `put`, for a caller that already waited for the rate limits."""
        posted = run.posts.get(slot)
        existing = posted if posted is not None and posted.ts else await self._unrecorded(run, slot)
        shown = message.digest
        try:
            ts = await self._put(run, slot, existing, message)
        except SlackRefused as error:
            if error.code not in _NOT_AS_BLOCKS:
                raise
            _log.warning("%s of %s goes out in plain words: %s", slot, run.thread, error)
            ts = await self._put(run, slot, existing, plainly(message))
            shown = cut(shown)
        await self._posted.post(run.thread, run.turn, slot, PostedMessage(ts, shown))
        return shown == message.digest

    async def share(self, run: RunView, slot: Slot, *, name: str, title: str, content: bytes) -> str:
        """Share a file in the thread; return its address, empty when Slack does not tell it.

        `name` must be the file's alone: by it a file is found again whose record a crash prevented.
        """
        begun_before = run.posts.get(slot) is None and not await self._posted.begin(run.thread, run.turn, slot)
        if begun_before and (found := await self._find_file(run.thread, name)):
            return found
        await self.wait(run.thread, edit=False)
        _, channel, root_ts = thread_parts(run.thread)
        place = await self._api.read("files.getUploadURLExternal", filename=name, length=len(content))
        await self._api.upload(str(place.get("upload_url", "")), content)
        entry: Mapping[str, Json] = {"id": str(place.get("file_id", "")), "title": title}
        try:
            with _closed_threads():
                done = await self._api.write_once(
                    "files.completeUploadExternal", files=[entry], channel_id=channel, thread_ts=root_ts
                )
        except SlackUnreachable:  # it may stand all the same
            return await self._find_file(run.thread, name)
        return next(map(_address, objects_in(done, "files")), "")

    async def record(self, run: RunView, slot: Slot, message: PostedMessage) -> None:
        """Record the content of a slot that `share` filled, or could not."""
        await self._posted.post(run.thread, run.turn, slot, message)

    async def send_direct(self, run: RunView, user: UserId, slot: Slot, message: Rendered) -> None:
        """Send a person the message directly and only once, because the thread cannot be written to."""
        if not await self._posted.begin(run.thread, run.turn, slot):
            return
        try:
            opened = await self._api.write("conversations.open", users=user)
            channel = str(mapping(opened.get("channel")).get("id", ""))
            posted = await self._api.write(
                "chat.postMessage", channel=channel, unfurl_links=False, unfurl_media=False, **message.content
            )
        except SlackRefused as error:
            _log.warning("cannot write to %s about %s either: %s", user, run.thread, error)
            return
        await self._posted.post(run.thread, run.turn, slot, PostedMessage(str(posted.get("ts", "")), message.digest))

    async def _unrecorded(self, run: RunView, slot: Slot) -> PostedMessage | None:
        """Begin the slot; when it was begun before, look in the thread for a message whose record a crash prevented."""
        if await self._posted.begin(run.thread, run.turn, slot):
            return None
        try:
            ts = await self._find_message(run.thread, slot, _metadata(slot, run.turn))
        except SlackRefused as error:
            _log.warning("cannot look for %s of %s: %s", slot, run.thread, error)
            return None
        return PostedMessage(ts, _UNKNOWN_CONTENT) if ts else None

    async def _find_message(self, thread: ThreadId, slot: Slot, metadata: Mapping[str, Json]) -> str:
        messages = self._newest(await self._where(thread, slot)) if slot.place else self._replies(thread)
        async for message in self._own(messages):
            if message.get("metadata") == metadata:
                return str(message.get("ts", ""))
        return ""

    async def _find_file(self, thread: ThreadId, name: str) -> str:
        async for message in self._own(self._replies(thread)):
            for file in objects_in(message, "files"):
                if file.get("name") == name:
                    return _address(file)
        return ""

    def _replies(self, thread: ThreadId) -> AsyncIterator[Mapping[str, Any]]:
        _, channel, root_ts = thread_parts(thread)
        return self._api.objects(
            "conversations.replies", "messages", channel=channel, ts=root_ts, include_all_metadata=True
        )

    async def _own(self, messages: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the app's messages: anybody can give a file, and any app its metadata, our names."""
        identity = await self._identity()
        async for message in messages:
            if message.get("bot_id") == identity.bot or message.get("user") == identity.user:
                yield message

    async def _newest(self, place: _Place) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the newest messages of a channel: a lost record is looked for soon after the post."""
        page = await self._api.read(
            "conversations.history", channel=place.channel, limit=_LOOKED_AT, include_all_metadata=True
        )
        for message in objects_in(page, "messages"):
            yield message

    async def _where(self, thread: ThreadId, slot: Slot) -> _Place:
        """Return the conversation in which a slot's message stands."""
        if not slot.place:
            _, channel, root_ts = thread_parts(thread)
            return _Place(channel, root_ts)
        if not is_person(slot.place):
            return _Place(slot.place, None)
        opened = await self._api.write("conversations.open", users=slot.place)
        return _Place(str(mapping(opened.get("channel")).get("id", "")), None)

    async def _put(self, run: RunView, slot: Slot, existing: PostedMessage | None, message: Rendered) -> str:
        """Post the message, or edit the one that stands; return its ts."""
        place = await self._where(run.thread, slot)
        # what is wrong with another place does not close the thread
        with nullcontext() if slot.place else _closed_threads():
            if existing is None:
                return await self._post(place, _metadata(slot, run.turn), message)
            await self._edit(place, existing.ts, message)
            return existing.ts

    async def _post(self, place: _Place, metadata: Mapping[str, Json], message: Rendered) -> str:
        answer = await self._api.write_once(
            "chat.postMessage",
            channel=place.channel,
            thread_ts=place.root_ts,
            metadata=metadata,
            unfurl_links=False,
            unfurl_media=False,
            text=message.text,
            blocks=message.blocks,
        )
        return str(answer.get("ts", ""))

    async def _edit(self, place: _Place, ts: str, message: Rendered) -> None:
        try:
            await self._api.write("chat.update", channel=place.channel, ts=ts, **message.content)
        except SlackRefused as error:
            if error.code not in _GONE:
                raise
            _log.info("a message in %s was deleted in Slack; it stays deleted", place.channel)


@contextmanager
def _closed_threads() -> Generator[None]:
    """Raise `ThreadClosed` for the refusals that mean it."""
    try:
        yield
    except SlackRefused as error:
        if error.code in _CLOSED:
            raise ThreadClosed(error.method, error.code) from error
        raise


def _address(file: Mapping[str, Any]) -> str:
    """Return the address where people see a file."""
    address = file.get("permalink")
    return address if isinstance(address, str) and address.startswith(("https://", "http://")) else ""


def _metadata(slot: Slot, turn: int) -> dict[str, Json]:
    payload: dict[str, Json] = {"turn": turn, "post": slot.post.value, "key": slot.key}
    return {"event_type": METADATA_TYPE, "event_payload": payload}
