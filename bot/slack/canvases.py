"""The canvases pinned in a conversation, as runbooks of that conversation: read through the Web API, kept for a while.

Pinned is a canvas in a pinned message, and one that is a tab of the channel. Whoever may edit it is not known, so its
text counts as outside text, and a channel that other organisations share has none.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.ids import ChannelId, ThreadId, thread_parts
from agent.plan.json_values import sanitized_text
from agent.redaction import SECRETS
from agent.runbooks import LONGEST, NotARunbook, Runbook, read_canvas
from bot.errors import BotError, SlackRefused
from bot.payloads import mapping
from bot.slack.client import WebApi, listed, objects_in

_log = logging.getLogger(__name__)

MOST_CANVASES = 10
"""Of one conversation; each takes a call or two to read."""

_MOST_BYTES = 16 * LONGEST
"""Of a canvas as Slack counts it, with its formatting."""

_SECONDS = 5.0
"""In which all of a conversation are read."""

_AGAIN_SECONDS = 900.0
"""After which a canvas is read again, whatever Slack says of its last edit."""

_SETTLED_SECONDS = 5.0
"""Slack gives the time of an edit in whole seconds, and its clock may be a little off ours."""

_MOST_CONVERSATIONS = 1_000
_BUSY = "ratelimited"
"""Slack's code for a refusal that says nothing about what was asked for."""

_MEDIA_TYPE = "application/vnd.slack-docs"
"""Of a canvas, as a file: docs.slack.dev/reference/objects/file-object."""


@dataclass(frozen=True, kw_only=True)
class _Canvas:
    #: When Slack says it was changed last.
    updated: object
    #: Whether that was long enough before it was read that an edit since then has another time.
    settled: bool
    read_at: float
    #: None: it cannot be a runbook.
    book: Runbook | None
    #: Why not, for the operator.
    why: str = ""


@dataclass(kw_only=True)
class _Conversation:
    """The canvases of one conversation as they were read last."""

    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    read_at: float | None = None
    #: By file id, in the order in which they count.
    canvases: Mapping[str, _Canvas] = field(default_factory=dict[str, _Canvas])
    #: What the operator was told and still holds.
    told: set[str] = field(default_factory=set[str])


class PinnedCanvases:
    """A `Runbooks` of `agent/ports.py`."""

    def __init__(
        self,
        api: WebApi,
        *,
        max_age_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._now = now
        self._conversations: dict[ChannelId, _Conversation] = {}

    async def of(self, thread: ThreadId) -> Sequence[Runbook]:
        """Return those of the thread's conversation; none while Slack refuses, those read last while it is silent."""
        channel = thread_parts(thread).channel
        if channel not in self._conversations and len(self._conversations) >= _MOST_CONVERSATIONS:
            self._conversations.clear()
        conversation = self._conversations.setdefault(channel, _Conversation())
        async with conversation.reading:
            if conversation.read_at is None or self._clock() - conversation.read_at >= self._max_age_seconds:
                await self._read(channel, conversation)
                conversation.read_at = self._clock()
        found: dict[str, Runbook] = {}
        for canvas in conversation.canvases.values():
            if canvas.book is not None:
                found.setdefault(canvas.book.name, canvas.book)
        return tuple(found.values())

    async def _read(self, channel: ChannelId, conversation: _Conversation) -> None:
        before, told = conversation.canvases, set[str]()
        try:
            async with asyncio.timeout(_SECONDS):
                files = await self._pinned(channel)
                async with asyncio.TaskGroup() as group:
                    reads = {
                        file: group.create_task(self._canvas(channel, file, before.get(file), told))
                        for file in files[:MOST_CANVASES]
                    }
            if len(files) > MOST_CANVASES:
                told.add(f"more than {MOST_CANVASES} canvases are pinned: the others are left out")
            conversation.canvases = {file: canvas for file, read in reads.items() if (canvas := read.result())}
        except SlackRefused as error:
            conversation.canvases = before if error.code == _BUSY else {}
            told.add(str(error))
        except (BotError, TimeoutError):
            told.add("Slack gives no usable answer")
        for words in sorted(told - conversation.told):
            _log.warning("canvases of %s: %s", channel, words)
        conversation.told = told

    async def _pinned(self, channel: ChannelId) -> Sequence[str]:
        """Return the files that may be canvases pinned there: the tabs, then those of pinned messages."""
        info = mapping((await self._api.read("conversations.info", channel=channel)).get("channel"))
        if info.get("is_ext_shared") is True or info.get("is_pending_ext_shared") is True:
            return ()
        pins = objects_in(await self._api.read("pins.list", channel=channel), "items")
        found = (*_tabs(mapping(info.get("properties"))), *(file for pin in pins for file in _files(pin)))
        return list(dict.fromkeys(filter(None, found)))

    async def _canvas(self, channel: ChannelId, id: str, before: _Canvas | None, told: set[str]) -> _Canvas | None:
        """Return the canvas, read anew if it was edited; None when it is none, or is not shared with that channel."""
        try:
            file = mapping((await self._api.read("files.info", file=id)).get("file"))
            shared = (*listed(file, "channels"), *listed(file, "groups"), *listed(file, "ims"))
            if not _is_canvas(file) or channel not in shared:
                told.add(f"{id} is no canvas that is shared there")
                return None
            read = before if before is not None and self._is_as_it_was(file, before) else await self._anew(id, file)
        except SlackRefused as error:
            told.add(f"the canvas {id}: {error}")
            return before if error.code == _BUSY else None
        except BotError:
            told.add(f"the canvas {id}: Slack gives no usable answer")
            return before
        if read.why:
            told.add(read.why)
        return read

    def _is_as_it_was(self, file: Mapping[str, Any], before: _Canvas) -> bool:
        fresh = self._clock() - before.read_at < _AGAIN_SECONDS
        return fresh and before.settled and file.get("updated") == before.updated

    async def _anew(self, id: str, file: Mapping[str, Any]) -> _Canvas:
        book, why, updated = None, "", file.get("updated")
        settled = isinstance(updated, int | float) and updated + _SETTLED_SECONDS <= self._now()
        try:
            book = await self._book(id, file)
        except NotARunbook as error:
            why = str(error)
        return _Canvas(updated=updated, settled=settled, read_at=self._clock(), book=book, why=why)

    async def _book(self, id: str, file: Mapping[str, Any]) -> Runbook:
        size = file.get("size")
        if isinstance(size, int) and size > _MOST_BYTES:
            raise NotARunbook(f"the canvas {id}: longer than {LONGEST} characters")
        answer = await self._api.write("canvases.getContent", canvas_id=id, content_type="markdown")
        content, title, link = answer.get("content"), file.get("title"), file.get("permalink")
        if not isinstance(content, str) or len(content) > LONGEST:
            raise NotARunbook(f"the canvas {id}: longer than {LONGEST} characters, or no text")
        return read_canvas(
            SECRETS.hide(sanitized_text(content)),
            title=SECRETS.hide(sanitized_text(str(title or ""))),
            id=id,
            link=str(link or ""),
        )


def _tabs(properties: Mapping[str, Any]) -> Iterator[str]:
    """Yield the canvases that are tabs of a channel; the older form of the answer names one."""
    yield str(mapping(properties.get("canvas")).get("file_id") or "")
    for tab in objects_in(properties, "tabs"):
        if tab.get("type") == "canvas":
            yield str(mapping(tab.get("data")).get("file_id") or "")


def _files(pin: Mapping[str, Any]) -> Iterator[str]:
    """Yield the canvases of a pinned message, or that a pin is itself."""
    for file in (mapping(pin.get("file")), *objects_in(mapping(pin.get("message")), "files")):
        if _is_canvas(file):
            yield str(file.get("id") or "")


def _is_canvas(file: Mapping[str, Any]) -> bool:
    return file.get("mimetype") == _MEDIA_TYPE
