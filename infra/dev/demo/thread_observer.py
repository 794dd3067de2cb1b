"""Sees what people see of one thread in the local workspace: board versions, cards, answers, with times.

For `greenlight demo --check` and the acceptance tests. It reads the page's own stream of happenings, so it knows
nothing that people cannot see.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bot.payloads import ACTION_PREFIX
from infra.dev.local_slack.control.client import Happenings, WorkspaceClient

Message = Mapping[str, Any]


class Sighting(NamedTuple):
    """One version of a message."""

    #: Seconds since the observer began.
    at: float
    message: Message


class TaskSeen(NamedTuple):
    """A task of the board as it looked at a moment."""

    status: str
    #: Its title, details and output in one string.
    text: str
    #: Seconds since the observer began.
    at: float


@dataclass(kw_only=True)
class ThreadObserver:
    """Everything that people saw of a thread so far; `until` waits for more."""

    channel: str
    thread_ts: str
    #: In the order they were seen.
    sightings: list[Sighting] = field(default_factory=list[Sighting])
    _began: float = field(default_factory=time.monotonic)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, message: Message) -> None:
        """Take in one version of a message; those of other threads are left out."""
        if self.thread_ts in (message.get("thread_ts"), message.get("ts")):
            self.sightings.append(Sighting(time.monotonic() - self._began, message))
            self._more.set()

    @property
    def latest(self) -> dict[str, Sighting]:
        """Message ts -> its newest version, in order of posting."""
        return {str(sighting.message["ts"]): sighting for sighting in self.sightings}

    def boards(self) -> list[Sighting]:
        """Return every version of every board, in order of sight."""
        return [sighting for sighting in self.sightings if _block(sighting.message, "plan") is not None]

    def tasks(self) -> dict[str, list[TaskSeen]]:
        """Return task id -> the looks it had, oldest first, equal neighbours left out."""
        looks: dict[str, list[TaskSeen]] = {}
        for sighting in self.boards():
            for task in (_block(sighting.message, "plan") or {}).get("tasks", []):
                text = " ".join([str(task["title"]), *texts(task.get("details")), *texts(task.get("output"))])
                seen = looks.setdefault(str(task["task_id"]), [])
                if not seen or (seen[-1].status, seen[-1].text) != (task["status"], text):
                    seen.append(TaskSeen(str(task["status"]), text, sighting.at))
        return looks

    def cards(self) -> list[Sighting]:
        """Return the newest version of every message that has buttons to decide by."""
        return [sighting for sighting in self.latest.values() if any(_buttons(sighting.message))]

    def cards_with_one(self, action: str) -> list[Sighting]:
        """Return the newest version of every message that has exactly one button of that action."""
        return [sighting for sighting in self.latest.values() if list(_buttons(sighting.message)).count(action) == 1]

    def words(self) -> list[str]:
        """Return the app's newest messages of the thread as plain text, in order of posting."""
        return [
            " ".join([str(message.get("text", "")), *texts(message.get("blocks"))])
            for _, message in self.latest.values()
            if message.get("bot_id")
        ]

    def says(self, *parts: str) -> bool:
        """Return whether one message of the app contains all these words, in any case of letters."""
        return any(all(part.lower() in text.lower() for part in parts) for text in self.words())

    async def until(
        self, condition: Callable[["ThreadObserver"], bool], what: str, *, timeout_seconds: float = 60.0
    ) -> float:
        """Wait until the condition holds; return when it did, in seconds since the observer began.

        Raises:
            ExpectationTimeout: it did not in time.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not condition(self):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise ExpectationTimeout(what, self.words()) from None
        return time.monotonic() - self._began


class ExpectationTimeout(Exception):
    """People did not see something in time; the text names it, and gives the thread as they saw it."""

    def __init__(self, what: str, seen: list[str]) -> None:
        super().__init__(f"not seen: {what}\nthe thread reads:\n" + "\n".join(f"  - {text[:600]}" for text in seen))


@asynccontextmanager
async def watching(client: WorkspaceClient, channel: str, thread_ts: str) -> AsyncGenerator[ThreadObserver]:
    """Watch a thread, from its first message on, until the context is left."""
    observer = ThreadObserver(channel=channel, thread_ts=thread_ts)
    async with client.happenings(since=0) as happenings:
        following = asyncio.create_task(_follow(happenings, observer), name=f"watch {thread_ts}")
        try:
            yield observer
        finally:
            following.cancel()
            await asyncio.wait([following])


async def _follow(happenings: Happenings, observer: ThreadObserver) -> None:
    while True:
        happening = await happenings.next()
        message = happening.get("message")
        if happening["type"] in ("message", "message_changed") and isinstance(message, Mapping):
            observer.note(message)  # pyright: ignore[reportUnknownArgumentType]  # JSON


def texts(value: object) -> list[str]:
    """Return every piece of text inside Block Kit JSON, in order."""
    match value:
        case {"text": str(text)}:
            return [text]
        case Mapping():
            return [piece for member in value.values() for piece in texts(member)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case list():
            return [piece for member in value for piece in texts(member)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case _:
            return []


def _block(message: Message, kind: str) -> Mapping[str, Any] | None:
    blocks: list[Mapping[str, Any]] = message.get("blocks") or []
    return next((block for block in blocks if block.get("type") == kind), None)


def _buttons(message: Message) -> Iterator[str]:
    """Yield the action of each button to decide by."""
    blocks: list[Mapping[str, Any]] = message.get("blocks") or []
    for block in blocks:
        elements: list[Mapping[str, Any]] = block.get("elements") or [] if block.get("type") == "actions" else []
        actions = (str(element.get("action_id")) for element in elements)
        yield from (action for action in actions if action.startswith(ACTION_PREFIX))
