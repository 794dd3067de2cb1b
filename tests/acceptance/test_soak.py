"""The soak: random requests, follow-ups, clicks and faults for a while; all are answered and nothing leaks.

`make test` runs it short, `make chaos` for 30 minutes (`SOAK_SECONDS` says otherwise); `SEED` repeats a run."""

import asyncio
import faulthandler
import gc
import json
import os
import random
import re
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL, text

from infra.db.database import Database
from infra.dev.demo.thread_observer import ExpectationTimeout, ThreadObserver
from infra.dev.scripted_model.script import CONTEXT_TOO_LONG, Cut, Failure, ModelRequest, Reply, Rubbish, Script
from infra.wiring import LISTENER_CONNECTIONS
from sandbox.hardening import OWNER_LABEL
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Json
from sandbox.warm_container import this_process
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import leaks
from tests.acceptance.plans import ENDS, concludes, fetch, lines, package, post
from tests.fakes.late_clicks import is_late

SHORT_SECONDS = 12.0


LONG_SECONDS = 30 * 60.0


PATIENCE_SECONDS = 240.0


PEOPLE = 5


SLACK = 20
"""Connections kept alive for a while, between app, workspace and model, and their handlers' tasks."""


POOLED_CONNECTIONS = 15 + LISTENER_CONNECTIONS + 8 + 4 + 2
"""The most the app may hold: the worker's pool, the bot's, the checkpoints', the queue's, one that listens and
one that writes progress."""


TROUBLES = (
    "couldn't reach the language model",
    "didn't write an answer",
    "couldn't turn this into a plan",
    "more than the language model can read",
)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Figures that must not grow."""

    tasks: int
    threads: int
    descriptors: int
    connections: int
    containers: int


@dataclass(kw_only=True)
class Soak:
    """One run's dice and tally."""

    scene: AppScene
    dice: random.Random
    observers: dict[str, ThreadObserver] = field(default_factory=dict[str, ThreadObserver])
    tally: Counter[str] = field(default_factory=Counter[str])
    number: int = 0

    # The world

    def plans(self, request: ModelRequest) -> Reply | str:
        """Plan what the request's words say: each `job N kind` becomes a few steps of its own ids."""
        if (fault := self._fault_of_model()) is not None:
            return fault
        asked = request.last.partition("## Request\n")[2].partition("\n## ")[0]
        so_far = request.last.partition("## Plan so far\n")[2]
        jobs = [part.split() for part in asked.split("job ")[1:]]
        operations = [op for job in jobs for op in self._steps(job[0], job[1]) if f'"id": "{op["id"]}"' not in so_far]
        if not operations:
            return json.dumps({"op": "reply", "text": f"ANSWER {asked}"})
        return lines(operations)

    def answers(self, request: ModelRequest) -> Reply | str:
        """Answer with the request's own words."""
        return self._fault_of_model() or "ANSWER " + request.last.partition("## Results")[0]

    def mends(self, request: ModelRequest) -> Reply | str:
        """Repair a script, most of the time."""
        return self._fault_of_model() or "```python\ndef main(inputs):\n    return 'mended'\n```"

    def _fault_of_model(self) -> Reply | None:
        if self.dice.random() > 0.08:
            return None
        self.tally["model faults"] += 1
        faults: list[Reply] = [
            Failure(status=500, message="x"),
            Failure(status=429, message="x", retry_after_seconds=0.1),
            Cut(after='{"op":'),
            Rubbish(),
            CONTEXT_TOO_LONG,
        ]
        return self.dice.choice(faults)

    def _steps(self, number: str, kind: str) -> list[dict[str, Json]]:
        url, a = self.scene.effects.url, f"a{number}"
        match kind:
            case "fetch":
                return [fetch(a, f"{url}/{a}"), fetch(f"b{number}", f"{url}/${{{a}#/status}}")]
            case "script":
                return [package(a, "def main(inputs):\n    return {'n': sum(range(1000))}\n")]
            case "crash":
                return [package(a, "def main(inputs):\n    return 1 / 0\n"), fetch(f"b{number}", f"{url}/b{number}")]
            case "big":
                return [package(a, "def main(inputs):\n    return 'x' * 50_000\n")]
            case "post":
                return [fetch(a, f"{url}/{a}"), post(f"p{number}", f"post {number}"), fetch(f"c{number}", f"{url}/c")]
            case _:
                return []

    # People

    async def person(self, until: float) -> None:
        """Ask, follow up and have things approved, one thread after the other, until the time is over."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            await self.ask()

    async def ask(self) -> None:
        """Open a thread, perhaps follow up, and see it answered."""
        who, channel = self.dice.choice(("Ada", "Linus")), self.dice.choice(("ops", "general"))
        job = self._job()
        ts = await self.scene.people.post(who, channel, f"@Greenlight {job}")
        observer = self.observers[ts] = ThreadObserver(channel=channel, thread_ts=ts)
        jobs = [job]
        if self.dice.random() < 0.4:
            await asyncio.sleep(self.dice.random() * 2)
            jobs.append(self._job())
            await self.scene.people.post(who, channel, jobs[-1], thread_ts=ts)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._until_answered(observer, jobs)
        except TimeoutError:
            raise ExpectationTimeout(f"an answer to {jobs} in {channel} {ts}", observer.words()) from None
        assert leaks(observer) == [], leaks(observer)
        del self.observers[ts]

    def _job(self) -> str:
        self.number += 1
        self.tally["requests"] += 1
        return f"job {self.number} {self.dice.choice(('fetch', 'script', 'crash', 'big', 'post', 'post', 'talk'))} ok"

    async def _until_answered(self, observer: ThreadObserver, jobs: list[str]) -> None:
        while True:
            if cards := observer.cards():
                await self._click(observer, cards[0].message)
                continue
            if all(self._is_answered(observer, job) for job in jobs):
                return
            with suppress(ExpectationTimeout):
                await observer.until(self._moved(observer), "something new", timeout_seconds=5)

    def _moved(self, observer: ThreadObserver) -> Callable[[ThreadObserver], bool]:
        seen = len(observer.sightings)
        return lambda now: len(now.sightings) > seen

    def _is_answered(self, observer: ThreadObserver, job: str) -> bool:
        if observer.says("ANSWER", job):
            return True
        return any(observer.says(words) for words in TROUBLES)

    async def _click(self, observer: ThreadObserver, message: Mapping[str, Any]) -> None:
        """Click, perhaps twice, perhaps by someone who may not; try again while the card stays.

        Of a shared card any of its calls is decided.
        """
        card, action = str(message["ts"]), f"decide_{await self._decision(json.dumps(message['blocks']))}"
        rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
        which = self.dice.choice([button["value"] for row in rows for button in row if button["action_id"] == action])
        who = self.dice.choice(("Grace", "Grace", "Grace", "Gus"))
        self.tally["clicks"] += 1
        clicks = [
            self.scene.people.click(who, observer.channel, card, action, value=which)
            for _ in range(self.dice.choice((1, 2)))
        ]
        for result in await asyncio.gather(*clicks, return_exceptions=True):
            if isinstance(result, BaseException) and not is_late(result):
                raise result
        try:
            await observer.until(lambda seen: not self._offers(seen, which), "the call decided", timeout_seconds=3)
        except ExpectationTimeout:
            self.tally["clicks that had to be repeated"] += 1

    @staticmethod
    def _offers(observer: ThreadObserver, value: str) -> bool:
        return f'"{value}"' in json.dumps([card.message["blocks"] for card in observer.cards()])

    async def _decision(self, card: str) -> str:
        """Decide; of a post whose answer was lost, look whether it stands."""
        if "decide_again" not in card:
            return self.dice.choice(("approved", "approved", "rejected"))
        self.tally["lost answers"] += 1
        posted = {str(message["text"]) for message in await self.scene.people.messages("incidents")}
        (text,) = set(re.findall(r"\bpost \d+\b", card))
        return "happened" if text in posted else "again"

    # Trouble

    async def trouble(self, until: float) -> None:
        """Inject faults of Slack at random moments."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            await asyncio.sleep(self.dice.uniform(0.3, 2.0))
            await self._one_fault()

    async def _one_fault(self) -> None:
        act, dice = self.scene.people.act, self.dice
        kind = dice.choice(("status", "status", "status", "error", "delay", "delivery", "delivery", "socket"))
        self.tally[f"{kind} faults"] += 1
        method = dice.choice(("chat.postMessage", "chat.update", "reactions.add", "users.info", "response_url"))
        match kind:
            case "status":
                status = dice.choice((0, 429, 500))
                # 429 means that nothing was done: that is why even a red call may be sent again after it.
                await act("faults", method=method, status=status, after=status != 429 and dice.random() < 0.3)
            case "error":
                await act("faults", method=method, error=dice.choice(("internal_error", "invalid_blocks")))
            case "delay":
                await act("faults", method=method, delay_seconds=dice.random())
            case "delivery":
                how = dice.choice(({"repeat": 2}, {"repeat": 1, "fresh_id": True}, {"ignore_ack": True}))
                await act("deliveries", match=dice.choice(("app_mention", "message")), **how)
            case _:
                await act("sockets/disconnect", abrupt=dice.random() < 0.5)

    async def time_goes_on(self) -> None:
        """Let Slack's retries come soon, whenever the app is there to take them."""
        while True:
            await asyncio.sleep(2)
            if (await self.scene.people.read("calls"))["connections"]:
                await self.scene.people.act("clock", seconds=60)

    async def sees(self) -> None:
        """Note every change in the observer of its thread."""
        async with self.scene.people.happenings(since=0) as happenings:
            while True:
                happening: Any = await happenings.next()
                if happening["type"] not in ("message", "message_changed"):
                    continue
                message = happening["message"]
                for ts in {message.get("thread_ts"), message.get("ts")} & self.observers.keys():
                    self.observers[ts].note(message)


async def counted(database: Database) -> Counts:
    """Count what this process and its database hold now."""
    gc.collect()
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with database.begin() as connection:
        connections = (await connection.execute(others)).scalar_one()
    return Counts(
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        descriptors=psutil.Process().num_fds(),
        connections=connections,
        containers=await asyncio.to_thread(containers),
    )


def containers() -> int:
    """Count this process's containers; none without a Docker client."""
    if shutil.which("docker") is None:
        return 0
    command = ["docker", "ps", "-a", "--format", f'{{{{.Label "{OWNER_LABEL}"}}}}']
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout.split("\n").count(str(this_process()))


async def settled(database: Database, bound: Counts) -> Counts:
    """Return the counts once none is above its bound, or after a minute: connections close in their own time."""
    now = await counted(database)
    for _ in range(60):
        if within(now, bound):
            break
        await asyncio.sleep(1)
        now = await counted(database)
    return now


def within(now: Counts, bound: Counts) -> bool:
    """Return whether no figure is above its bound."""
    return all(value <= asdict(bound)[name] for name, value in asdict(now).items())


async def start_what_stays() -> None:
    """Have the process start what it keeps until it ends: the event loop's threads, and the interpreter's runtime."""
    await MontySandbox(monty_binary()).close()
    barrier = threading.Barrier(min(32, (os.cpu_count() or 1) + 4))
    await asyncio.gather(*(asyncio.to_thread(barrier.wait) for _ in range(barrier.parties)))


@asynccontextmanager
async def beside(*works: Any) -> AsyncGenerator[None]:
    """Keep these running while the body does."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def soak(url: URL, data: Path, seconds: float) -> None:
    seed = int(os.environ.get("SEED") or random.randrange(2**32))  # noqa: S311 -- dice of a test
    print(f"\nSEED={seed}")
    database = Database(url, pool_size=1)
    await start_what_stays()
    async with app_scene(url, data, [ENDS], started=False) as scene:
        run = Soak(scene=scene, dice=random.Random(seed))  # noqa: S311
        scene.model.add(Script(role="planner", answer=run.plans))
        scene.model.add(concludes(run.answers))
        scene.model.add(Script(role="repair", answer=run.mends))
        await scene.people.dump()
        before = await counted(database)
        await scene.start_app()
        async with beside(run.sees(), run.time_goes_on()):
            await asyncio.gather(*(run.ask() for _ in range(PEOPLE)))
            await at_rest(database)
            warm = await counted(database)
        until = asyncio.get_running_loop().time() + seconds
        async with beside(run.sees(), run.time_goes_on()):
            async with asyncio.TaskGroup() as people:
                people.create_task(run.trouble(until))
                for _ in range(PEOPLE):
                    people.create_task(run.person(until))
            await scene.people.act("faults", clear=True)
            await at_rest(database)
            most = Counts(**{name: value + SLACK for name, value in asdict(warm).items()})
            most = replace(most, connections=POOLED_CONNECTIONS)
            live = await settled(database, most)
        told = await scene.people.read("calls")
        await scene.stop_app()
        await scene.people.act("clock", seconds=3600)
        after = await settled(database, before)
        posts = Counter(str(message["text"]) for message in await scene.people.messages("incidents"))
    await database.close()
    print(f"tally   {dict(run.tally)}\nbefore  {before}\nwarm    {warm}\nrunning {live}\nafter   {after}")
    assert run.observers == {}
    assert told["given_up"] == []
    assert set(posts.values()) <= {1}, posts
    assert within(live, most), (most, live)
    assert within(after, before), (before, after)


async def at_rest(database: Database) -> None:
    """Return once no thread is run or waits to be run."""
    busy = text("SELECT (SELECT count(*) FROM leases) + (SELECT count(*) FROM procrastinate_jobs)")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with database.begin() as connection:
                if (await connection.execute(busy)).scalar_one() == 0:
                    return
            await asyncio.sleep(0.5)


async def test_soak_answers_everything_and_leaks_nothing(database_url: URL, tmp_path: Path) -> None:
    await soak(database_url, tmp_path, SHORT_SECONDS)


@pytest.mark.chaos
async def test_long_soak_answers_everything_and_leaks_nothing(database_url: URL, tmp_path: Path) -> None:
    faulthandler.cancel_dump_traceback_later()  # pytest's watch over tests that hang: this one takes its time
    await soak(database_url, tmp_path, float(os.environ.get("SOAK_SECONDS") or LONG_SECONDS))
