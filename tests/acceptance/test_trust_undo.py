"""Undo, over the wire: what was changed is taken back step by step, each on a card, or it is said what is left."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.clicks import open_calls
from tests.acceptance.entry_store import EntryStore
from tests.acceptance.plans import ANSWERS, ENDS, planned, post, tool


@asynccontextmanager
async def store_scene(url: URL, data: Path, **more: Any) -> AsyncGenerator[tuple[AppScene, EntryStore]]:
    """Open a scene whose `http_request` may reach a store of entries."""

    def here(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"known": {"store": store.url}, "allow_private": True}
        table |= more.pop("table", {})

    async with (
        EntryStore() as store,
        app_scene(url, data, [ENDS, ANSWERS], approvals={}, configuration=here, **more) as scene,
    ):
        yield scene, store


def call(id: str, store: EntryStore, method: str, name: str, text: str | None = None, **more: Json) -> dict[str, Json]:
    args: dict[str, Json] = {"method": method, "url": f"{store.url}/{name}"}
    return tool(id, "http_request", args if text is None else {**args, "text": text}, **more)


async def say(scene: AppScene, observer: ThreadObserver, text: str, who: str = "Ada") -> None:
    await scene.people.post(who, observer.channel, text, thread_ts=observer.thread_ts)


def reports(observer: ThreadObserver) -> Sequence[str]:
    """Return what the thread says was undone and was not, each report once."""
    titles = (wording.UNDONE_TITLE, wording.UNDONE_NOTHING)
    return [words for words in observer.words() if words.startswith(titles) or any(f"\n{t}" in words for t in titles)]


def lines(report: str) -> dict[str, str]:
    """Return title -> why it was not undone, "" for what was."""
    found = re.findall(r"^- \*\*(.+?)\*\*(?:: (.*))?$", report, re.MULTILINE)
    return dict(found)


async def approve_all(scene: AppScene, observer: ThreadObserver, done: Any, who: str = "Ada") -> None:
    """Approve each card as it comes until `done`."""
    clicked: set[str] = set()
    while True:
        await observer.until(
            lambda seen: done(seen) or any(one.value not in clicked for one in open_calls(seen)), "a card or the end"
        )
        if done(observer):
            return
        for one in [one for one in open_calls(observer) if one.value not in clicked]:
            clicked.add(one.value)
            await scene.people.click(
                who, observer.channel, one.card, "decide_approved", block_id=one.block_id, value=one.value
            )


async def test_a_post_is_deleted_and_posted_again_and_deleted_again(database_url: URL, tmp_path: Path) -> None:
    text = "A & B <https://example.com|page> ${x} $${y}"
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(post("tell", text.replace("${", "$${"))))

        async def said() -> list[str]:
            return [str(message["text"]) for message in await scene.people.messages("incidents")]

        async with scene.asked("tell them") as observer:
            await approve_all(scene, observer, answered)
            posted = await said()
            assert len(posted) == 1
            for number, expected in enumerate([[], posted, []], start=1):
                await say(scene, observer, "!undo")
                await observer.until(lambda seen: bool(seen.cards()), "the card")
                assert observer.says("Undoes: Title of tell", "<@U0ADA>")
                await scene.click(observer, "Ada", "approved")
                await observer.until(lambda seen, at=number: len(reports(seen)) == at, "the report")
                assert await said() == expected
            assert lines(reports(observer)[0]) == {"Title of tell": ""}
        assert scene.workspace.backend.complaints == []
