"""Reads a thread, direct messages and private replies as people see them, and rows, for acceptance tests."""

import json
from typing import Any

from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene


def answered(observer: ThreadObserver) -> bool:
    """Return whether the answer of `plans.ANSWERS` stands in the thread, and the board shows how the turn ended."""
    return observer.says("ANSWER") and done(observer)


def answered_and_done(observer: ThreadObserver) -> bool:
    """Return whether the answer of `plans.ANSWERS` stands in the thread, and the board says "Done"."""
    return observer.says("ANSWER") and any(words.lower().startswith("done: ") for words in observer.words())


def done(observer: ThreadObserver) -> bool:
    """Return whether the board shows that the turn ended."""
    return any(words.lower().startswith(("done: ", "ended in trouble: ", "stopped: ")) for words in observer.words())


def states(observer: ThreadObserver) -> dict[str, str]:
    """Return node id -> the board's newest status word and text."""
    return {task: f"{looks[-1].status} {looks[-1].text}".lower() for task, looks in observer.tasks().items()}


def leaks(observer: ThreadObserver) -> list[str]:
    """Return the messages that show what only machines should read: tracebacks, types, addresses, codes."""
    telltales = ("Traceback", "Error(", "Exception", "psycopg", "openai.", "sqlalchemy", "asyncio.", "status 5")
    return [words for words in observer.words() if any(telltale in words for telltale in telltales)]


async def whispers(scene: AppScene, user: str, count: int = 1) -> list[str]:
    """Return what only this person (by id) was told in the channel, once there is so much of it."""

    def told(dump: JsonObject) -> bool:
        return len(whispered(dump, user)) >= count

    return whispered(await scene.people.wait_for(told), user)


async def direct_messages(scene: AppScene, user: str) -> list[str]:
    """Return what the app wrote to this person (by id) in their direct message, once there is anything."""

    def told(dump: JsonObject) -> bool:
        return bool(_direct(dump, user))

    return _direct(await scene.people.wait_for(told), user)


def whispered(dump: JsonObject, user: str) -> list[str]:
    """Return what only this person (by id) was told so far, of all that the workspace holds."""
    everything: Any = dump["ephemerals"]
    return [json.dumps(entry["message"], ensure_ascii=False) for entry in everything if entry["user"] == user]


def _direct(dump: JsonObject, user: str) -> list[str]:
    channels: Any = dump["channels"]
    return [
        str(message["text"])
        for channel in channels.values()
        if channel.get("is_im") and user in channel["members"]
        for message in channel["messages"]
        if message.get("bot_id")
    ]


async def rows(url: URL, query: str) -> list[tuple[Any, ...]]:
    """Return the rows that a query finds."""
    database = Database(url)
    try:
        return [tuple(row) for row in await database.execute(text(query))]
    finally:
        await database.close()
