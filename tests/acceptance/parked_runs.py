"""Makes a dump of parked runs of every kind: `.venv/bin/python -m tests.acceptance.parked_runs NAME`.

Runs the real app over the wire: a local workspace, a scripted model, and workers in processes of their own, two of
which are killed. Run it once per version, at the commit that the dump shall represent; it takes about a minute.
`stored_runs.py` describes the two files.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from infra.wiring import Part
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.plans import lines, package, tool
from tests.acceptance.processes import greenlight_worker
from tests.acceptance.stored_runs import DATA, PAGES, PLACE, RED, calls_made, write_database
from tests.acceptance.test_approvals_groups import elements, press
from tests.databases import cloned, held_test_server, migrated_template

_PAGES = (
    *("first", "second", "third", "after", "before-unknown", "after-unknown"),
    *(f"round-{number}" for number in range(5)),
    *("asked", "answered", "budget-1", "budget-2", "behind", "counted"),
)

_WORKER = """
sandbox = "monty"
[approvals.slack_post_message]
self_approval = false
[worker]
heartbeat = 0.5
stall = 6
sweep = 0.5
grace = 3
"""
_BOUNDED = "[budgets.run]\nnodes = 1\n[plan]\npack = false\n"

FINDS = (
    "def main(inputs):\n"
    "    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\n"
    "    return {'hosts': hosts}\n"
)

CRASHES = """\
def main(inputs):
    page = tools.slack_read_channel(channel=inputs["channel"], thread_ts=inputs["ts"])
    return {"counted": len(page["messages"]), "of": page["kinds"]}
"""
MENDED = CRASHES.replace('page["kinds"]', 'page["channel"]["name"]')


class Maker:
    """Makes the runs in one scene, one after the other."""

    def __init__(self, scene: AppScene, database: Database, pages: Mapping[str, str], folder: Path) -> None:
        self.scene = scene
        self.database = database
        self.pages = pages
        self.folder = folder
        #: Kind -> the run, as `Parked` reads it.
        self.runs: dict[str, dict[str, Any]] = {}
        #: Calls that were started and never ended.
        self.lost: list[str] = []

    def read(self, id: str, page: str, **more: Json) -> dict[str, Json]:
        """Return a green call: it reads a thread of the pages channel."""
        return tool(id, "slack_read_channel", {"channel": f"#{PAGES}", "thread_ts": self.pages[page]}, **more)

    def post(self, id: str, words: str, **more: Json) -> dict[str, Json]:
        """Return a red call: it posts to the red channel."""
        return tool(id, "slack_post_message", {"channel": f"#{RED}", "text": words}, **more)

    def plans(self, request: str, *operations: Mapping[str, Json]) -> None:
        """Script the plan of a request."""
        self.scene.model.add(Script(role="planner", contains=request, answer=lines(operations), times=1))

    def concludes(self, request: str, said: str) -> None:
        """Script the next conclusion of a request."""

        def about(asked: ModelRequest) -> bool:
            return any(request in message.text for message in asked.messages)

        self.scene.model.add(Script(role="conclude", when=about, answer=said, times=1))

    @asynccontextmanager
    async def worker(self, more: str = "") -> AsyncGenerator[asyncio.subprocess.Process]:
        """Run a worker process; terminate it at the end, unless it was killed."""
        file = self.folder / "greenlight.toml"
        file.write_text(_WORKER + more)
        async with greenlight_worker(self.scene, file) as process:
            yield process
            if process.returncode is None:
                process.terminate()
                await process.wait()

    @asynccontextmanager
    async def parking(
        self, kind: str, request: str, *, left: Sequence[str], says: Mapping[str, str] | None = None
    ) -> AsyncGenerator[ThreadObserver]:
        """Have Ada ask; after the block wait until the run is parked, and record it."""
        async with self.scene.asked(request) as observer:
            yield observer
            await self.until_parked(observer)
            self.note(kind, request, observer, left=left, says=says or {})

    def note(
        self, kind: str, request: str, observer: ThreadObserver, *, left: Sequence[str], says: Mapping[str, str]
    ) -> None:
        """Record the run for the dump."""
        cards = [card.message for card in observer.cards()]
        self.runs[kind] = {
            "request": request,
            "thread_ts": observer.thread_ts,
            "cards": cards,
            "says": dict(says),
            "left": sorted(left),
        }

    async def until_parked(self, observer: ThreadObserver) -> None:
        """Return once the newest turn of the thread waits and no job or lease is left."""
        parked = (
            "SELECT (SELECT status FROM runs WHERE thread = :thread ORDER BY turn DESC LIMIT 1) = 'waiting'"
            " AND NOT EXISTS (SELECT 1 FROM leases WHERE thread = :thread)"
            " AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = :thread)"
        )
        await self.until(parked, thread=thread_of(observer))

    async def until(self, query: str, **values: object) -> None:
        """Return once the query gives true."""

        async def holds() -> bool:
            async with self.database.begin() as connection:
                return bool((await connection.execute(text(query), values)).scalar())

        await until(holds)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once the condition holds; it depends on other processes."""
    async with asyncio.timeout(300):
        while not await condition():  # noqa: ASYNC110 - rows change in another process
            await asyncio.sleep(0.1)


def thread_of(observer: ThreadObserver) -> str:
    """Return the thread id."""
    return f"T0LOCAL:C0OPS:{observer.thread_ts}"


async def approval(make: Maker) -> None:
    """Park a red step behind three finished green steps, two of them packed into a script."""
    request = "tell them that all is well"
    make.plans(
        request,
        make.read("first", "first"),
        make.read("second", "second", depends_on=["first"]),
        make.read("third", "third", depends_on=["second"]),
        make.post("tell", "all is well on ${third#/messages/0/text}", depends_on=["third"]),
        make.read("after", "after", depends_on=["tell"]),
    )
    async with make.parking("approve", request, left=["post all is well on third", "read after"]) as observer:
        await observer.until(lambda seen: len(seen.cards()) == 1, "the card")


async def out_of_rounds(make: Maker) -> None:
    """Park a run whose fourth conclusion wants another round."""
    request = "keep looking around"
    again = [lines([make.read(f"look{number}", f"round-{number}")]) for number in range(1, 5)]
    make.plans(request, make.read("look0", "round-0"))
    for written in again:
        make.concludes(request, written)
    says = {"conclude": again[-1]}
    async with make.parking("rounds", request, left=["read round-4"], says=says) as observer:
        await observer.until(lambda seen: len(seen.cards()) == 1, "the question")


async def asking(make: Maker) -> None:
    """Park a run whose conclusion asks a question."""
    request = "look at my region"
    make.plans(request, make.read("look", "asked"))
    make.concludes(request, lines([{"op": "ask", "question": "Which region do you mean?"}]))
    says = {"planner": lines([make.read("there", "answered")])}
    async with make.parking("ask", request, left=["read answered"], says=says) as observer:
        await observer.until(lambda seen: seen.says("Which region do you mean?"), "the question")


async def templates(make: Maker) -> None:
    """Park a red template: of its items one is done, one is skipped by its condition, one waits for approval."""
    request = "tell about every host that is down"
    tell = make.post("tell", "host ${item#/name} is down", for_each="${find#/hosts}", when="${item#/down}")
    make.plans(request, package("find", FINDS), tell, make.read("behind", "behind", depends_on=["tell"]))
    async with make.parking("item", request, left=["post host c is down", "read behind"]) as observer:
        await observer.until(lambda seen: seen.says("Approval needed: 2 calls"), "a card for the hosts that are down")
        await press(make.scene, observer, "Grace", "decide_approved")
        await observer.until(lambda seen: len(elements(seen, "decide_approved")) == 1, "the first decision")
        await make.until("SELECT state = 'done' FROM ledger WHERE node = 'tell-0'")


async def dying_in_a_red_call(make: Maker, process: asyncio.subprocess.Process, observer: ThreadObserver) -> None:
    """Approve a call that does not return, and kill the worker during the call."""
    await observer.until(lambda seen: len(seen.cards()) == 1, "the card")
    calls = make.scene.workspace.backend.calls
    before = calls["chat.postMessage"]
    await make.scene.people.act("faults", method="chat.postMessage", delay_seconds=100_000.0)
    [asked] = observer.cards()
    await make.scene.people.click("Grace", PLACE, str(asked.message["ts"]), "decide_approved")
    await make.until("SELECT state = 'started' FROM ledger WHERE thread = :thread", thread=thread_of(observer))

    async def called() -> bool:
        return calls["chat.postMessage"] > before

    await until(called)
    process.kill()
    await process.wait()
    make.lost.append("post what is unknown")


async def budget(make: Maker) -> None:
    """Park a run that is out of budget after its first step."""
    request = "look twice"
    later = make.read("two", "budget-2", depends_on=["one"])
    make.plans(request, make.read("one", "budget-1"), later)
    async with make.parking("budget", request, left=["read budget-2"]) as observer:
        await observer.until(lambda seen: len(seen.cards()) == 1, "the question")


async def dying_between_attempts(make: Maker, process: asyncio.subprocess.Process) -> None:
    """Kill the worker after the first attempt of a package, while the model is asked for a repair."""
    request = "count what is there"
    inputs: Mapping[str, Json] = {"channel": f"#{PAGES}", "ts": make.pages["counted"]}
    make.plans(request, package("count", CRASHES, tools=["slack_read_channel"], inputs=inputs))
    asked = asyncio.Event()

    def unheard(_request: ModelRequest) -> Stall:
        asked.set()
        return Stall()

    make.scene.model.add(Script(role="repair", answer=unheard))
    async with make.scene.asked(request) as observer:
        await asked.wait()
        await make.until("SELECT count(*) = 1 FROM attempts WHERE thread = :thread", thread=thread_of(observer))
        await observer.until(lambda seen: seen.says("attempt 2 running"), "the first attempt on the board")
        process.kill()
        await process.wait()
        make.note("package", request, observer, left=[], says={"repair": f"```python\n{MENDED}```"})


async def make_runs(make: Maker) -> None:
    """Make the runs of every kind."""
    async with AsyncExitStack() as stack, make.worker() as process:
        for park in (approval, out_of_rounds, asking, templates):
            await park(make)
        request = "tell them what is unknown"
        make.plans(
            request,
            make.read("before", "before-unknown"),
            make.post("tell", "what is unknown", depends_on=["before"]),
            make.read("after", "after-unknown", depends_on=["tell"]),
        )
        unknown = await stack.enter_async_context(make.parking("unknown", request, left=["read after-unknown"]))
        await dying_in_a_red_call(make, process, unknown)
        async with make.worker():
            await unknown.until(lambda seen: seen.says("Outcome unknown"), "the question", timeout_seconds=120)
            await make.until_parked(unknown)
    async with make.worker(_BOUNDED):
        await budget(make)
    async with make.worker() as process:
        await dying_between_attempts(make, process)


async def make_told(url: URL, folder: Path) -> Mapping[str, Any]:
    """Make the runs on a migrated database; return the content of the JSON file."""
    async with app_scene(url, folder, [], started=False) as scene:
        pages = {page: await scene.people.post("Ada", PAGES, page) for page in _PAGES}
        database = Database(url)
        make = Maker(scene, database, pages, folder)
        await scene.start_app(frozenset({Part.BOT}))
        await make_runs(make)
        await scene.stop_app()
        await database.close()
        channels = {channel: await scene.people.messages(channel) for channel in (PLACE, PAGES, RED)}
        calls = sorted([*calls_made(scene), *make.lost])
        return {"calls": calls, "runs": make.runs, "channels": channels}


def main(name: str) -> None:
    """Make the dump of this name."""
    with (
        held_test_server() as server,
        cloned(server, migrated_template(server)) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        told = asyncio.run(make_told(url, Path(folder)))
        DATA.mkdir(exist_ok=True)
        write_database(url, DATA / f"parked_runs-{name}.sql")
        (DATA / f"parked_runs-{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
