"""Runs parked by an earlier version resume with this one: old cards and buttons work, and no call is repeated.

Every test runs once per dump in `data`. `stored_runs.py` describes the dumps, `parked_runs.py` makes them.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script
from infra.worker.queue import Queue
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ANSWERS, ENDS, lines, results_told
from tests.acceptance.stored_runs import (
    BOUNDED,
    PLACE,
    RED,
    REWORDED,
    TABLE,
    Dump,
    Parked,
    calls_made,
    dumps,
    ended_work,
    read_dump,
    rendered_cards,
    restore_database,
    restore_messages,
    told_blocks,
    watched,
)

ASKING = ("approve", "unknown", "rounds", "ask", "budget", "item")
"""The runs with an open question."""

ABOUT_CALLS = ("approve", "unknown", "item")
"""Those about a call."""

SAYING_LESS = ("0.1-before-mending", "0.1-before-rooms")
"""Dumps from before a card about a call said more: each such card is edited once after an upgrade."""

LATER = [name for name in dumps() if name not in SAYING_LESS]
"""Dumps whose cards still look as they were posted, but for the words of `REWORDED`."""


@pytest.fixture(params=dumps())
def dump(request: pytest.FixtureRequest, empty_database_url: URL) -> Dump:
    """A dump, restored into the database of the test."""
    found = read_dump(request.param)
    restore_database(empty_database_url, found)
    return found


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The app of this version on a dump, and one of its runs."""

    scene: AppScene
    dump: Dump
    run: Parked
    observer: ThreadObserver
    #: Nodes and attempts that ended before the dump, with their times.
    ended: frozenset[tuple[object, ...]]

    async def click(self, action: str) -> None:
        """Have Grace click a button of the one open card."""
        [card] = self.run.cards
        assert await self.scene.people.click("Grace", PLACE, str(card["ts"]), action)

    async def ends(self, *left: str) -> None:
        """Wait for the answer. Check that exactly these calls were made, that no ended node ran again, and that no
        message was posted twice."""
        await self.observer.until(answered, "the answer")
        assert calls_made(self.scene, self.dump.channels[RED]) == sorted(left)
        assert await ended_work(self.scene.url) >= self.ended
        standing = await self.scene.people.messages(PLACE, thread_ts=self.run.thread_ts)
        assert twice(str(message["metadata"]) for message in standing if message.get("metadata")) == []


@asynccontextmanager
async def resumed(url: URL, folder: Path, dump: Dump, kind: str) -> AsyncGenerator[Resumed]:
    """Start the app of this version on the dump, and watch one run."""
    run = dump.runs[kind]

    def configure(table: dict[str, Any]) -> None:
        table |= {**TABLE, "worker": {"sweep": 0.2}}
        if kind == "budget":
            table |= BOUNDED

    async with app_scene(url, folder, scripts(dump, run), configuration=configure, started=False) as scene:
        restore_messages(scene, dump)
        before = await ended_work(url)
        await scene.start_app()
        async with watched(scene, dump, run) as observer:
            yield Resumed(scene=scene, dump=dump, run=run, observer=observer, ended=before)


def scripts(dump: Dump, run: Parked) -> list[Script]:
    """Return the scripts of the model: the answers of the dump to this run, then the end of every run."""

    def about(request: ModelRequest) -> bool:
        return any(run.request in message.text for message in request.messages)

    own = [Script(role=role, when=about, answer=said, times=1) for role, said in map(said_now, run.says.items())]
    # The run of the dead worker resumes in every test.
    mends = Script(role="repair", answer=dump.runs["package"].says["repair"])
    return [*own, mends, ENDS, ANSWERS]


def said_now(says: tuple[str, str]) -> tuple[str, str]:
    """Return a role and what it says; dumps from before conclusions have a reflection, in its JSON."""
    role, said = says
    return ("conclude", lines(json.loads(said)["operations"])) if role == "replan" else (role, said)


def twice(values: Iterable[str]) -> list[str]:
    """Return the values that occur more than once."""
    return [value for value, times in Counter(values).items() if times > 1]


def test_the_data_folder_holds_a_dump() -> None:
    assert dumps()


@pytest.mark.parametrize("kind", [kind for kind in ASKING if kind not in ABOUT_CALLS])
async def test_open_cards_render_as_they_were_posted(dump: Dump, empty_database_url: URL, kind: str) -> None:
    run = dump.runs[kind]
    rendered = await rendered_cards(empty_database_url, run, REWORDED.get(dump.name, {}))
    open_ones = {str(card["ts"]): told_blocks(card) for card in run.cards}
    assert {ts: blocks for ts, blocks in rendered.items() if ts in open_ones} == open_ones


@pytest.mark.parametrize("dump", SAYING_LESS, indirect=True)
@pytest.mark.parametrize("kind", ABOUT_CALLS)
async def test_open_cards_about_calls_keep_their_buttons_and_show_all_that_they_showed(
    dump: Dump, empty_database_url: URL, kind: str
) -> None:
    run = dump.runs[kind]
    rendered = await rendered_cards(empty_database_url, run, {}, edited_once=True)
    for card in run.cards:
        now = json.dumps(rendered[str(card["ts"])])
        assert buttons_in(card["blocks"])
        assert buttons_in(card["blocks"]) <= buttons_in(rendered[str(card["ts"])])
        assert literals_in(card["blocks"])
        for shown in literals_in(card["blocks"]):
            assert json.dumps(shown)[1:-1] in now


@pytest.mark.parametrize("dump", LATER, indirect=True)
@pytest.mark.parametrize("kind", ABOUT_CALLS)
async def test_open_cards_about_calls_stay_as_they_were_posted_when_their_thread_is_published_again(
    dump: Dump, empty_database_url: URL, tmp_path: Path, kind: str
) -> None:
    async with resumed(empty_database_url, tmp_path, dump, kind) as now:
        await published_again(empty_database_url, now.run)
        standing = await now.scene.people.messages(PLACE, thread_ts=now.run.thread_ts)
        assert now.run.cards
        told = {str(message["ts"]): told_blocks(message) for message in standing if message.get("blocks")}
        assert [told[str(card["ts"])] for card in now.run.cards] == [
            reworded(told_blocks(card), dump) for card in now.run.cards
        ]


def reworded(blocks: Sequence[Mapping[str, Any]], dump: Dump) -> Sequence[Mapping[str, Any]]:
    """Return the blocks in today's words."""
    content = json.dumps(blocks)
    for today, then in REWORDED.get(dump.name, {}).items():
        content = content.replace(json.dumps(then)[1:-1], json.dumps(today)[1:-1])
    return json.loads(content)


async def published_again(url: URL, run: Parked) -> None:
    """Wake the thread of a run, and return once a worker has advanced it, and so compared all that stands in Slack."""
    database = Database(url)
    ended = text("SELECT NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = :thread)")
    try:
        async with database.begin() as connection:
            await Queue(database).wake(connection, run.thread)
        async with asyncio.timeout(300):
            while not (await database.execute(ended.bindparams(thread=run.thread))).scalar():  # noqa: ASYNC110 - rows
                await asyncio.sleep(0.1)
    finally:
        await database.close()


def buttons_in(blocks: Any) -> set[tuple[str, str]]:
    """Return action id and value of each button of a message."""
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    return {(str(button["action_id"]), str(button["value"])) for row in rows for button in row if "value" in button}


def literals_in(blocks: Any) -> set[str]:
    """Return the values that a message shows as they are."""
    parts = [part for block in blocks if block["type"] == "rich_text" for part in block["elements"]]
    shown = [piece["text"] for part in parts if part["type"] == "rich_text_preformatted" for piece in part["elements"]]
    return set(map(str, shown))


async def test_old_approve_button_runs_the_call_once(dump: Dump, empty_database_url: URL, tmp_path: Path) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "approve") as now:
        await now.click("decide_approved")
        await now.ends(*now.run.left)


async def test_old_it_happened_button_makes_no_call(dump: Dump, empty_database_url: URL, tmp_path: Path) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "unknown") as now:
        await now.click("decide_happened")
        await now.ends(*now.run.left)


async def test_old_run_again_button_makes_the_call_once(dump: Dump, empty_database_url: URL, tmp_path: Path) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "unknown") as now:
        await now.click("decide_again")
        await now.ends(*now.run.left, "post what is unknown")


@pytest.mark.parametrize("name", dumps())
def test_remaining_calls_differ_from_those_made_before_the_dump(name: str) -> None:
    dump = read_dump(name)
    assert [call for run in dump.runs.values() for call in run.left if call in dump.calls] == []


async def test_old_more_rounds_button_lets_the_run_replan(dump: Dump, empty_database_url: URL, tmp_path: Path) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "rounds") as now:
        await now.click("decide_more")
        await now.ends(*now.run.left)


async def test_old_go_on_button_starts_the_next_step(dump: Dump, empty_database_url: URL, tmp_path: Path) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "budget") as now:
        await now.click("decide_go_on")
        await now.ends(*now.run.left)


async def test_message_in_the_thread_answers_an_old_question(
    dump: Dump, empty_database_url: URL, tmp_path: Path
) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "ask") as now:
        await now.scene.people.post("Ada", PLACE, "the north", thread_ts=now.run.thread_ts)
        await now.ends(*now.run.left)


async def test_old_approve_button_runs_one_item_and_repeats_no_other(
    dump: Dump, empty_database_url: URL, tmp_path: Path
) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "item") as now:
        await now.click("decide_approved")
        await now.ends(*now.run.left)


async def test_second_attempt_of_an_old_package_replays_recorded_tool_answers(
    dump: Dump, empty_database_url: URL, tmp_path: Path
) -> None:
    async with resumed(empty_database_url, tmp_path, dump, "package") as now:
        await now.ends()
        [asked] = now.scene.model.requests_of("conclude")
        assert results_told(asked)["count"] == {"counted": 1, "of": "general"}
        assert len(now.scene.model.requests_of("repair")) == 1


@pytest.mark.parametrize(
    ("kind", "action", "words"),
    [
        ("approve", "decide_rejected", "rejected"),
        ("rounds", "decide_accept", "answering with what there is"),
        ("ask", "decide_accept", "answering with what there is"),
        ("budget", "decide_stop", "stopped"),
    ],
)
async def test_old_refusing_buttons_start_nothing(
    dump: Dump, empty_database_url: URL, tmp_path: Path, kind: str, action: str, words: str
) -> None:
    async with resumed(empty_database_url, tmp_path, dump, kind) as now:
        await now.click(action)
        await now.observer.until(lambda seen: seen.says(words) and not seen.cards(), "the end of the card")
        assert calls_made(now.scene, now.dump.channels[RED]) == []


@pytest.mark.parametrize("dump", SAYING_LESS, indirect=True)
async def test_threads_of_an_earlier_version_count_no_takeover(dump: Dump, empty_database_url: URL) -> None:
    assert dump.runs
    database = Database(empty_database_url)
    async with database.begin() as connection:
        counted = await connection.execute(text("SELECT DISTINCT takeovers, set_aside_at FROM threads"))
    await database.close()
    assert [tuple(row) for row in counted] == [(0, None)]
