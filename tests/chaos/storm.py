"""The storm: bots and workers as real processes, killed, stopped and cut off while threads run."""

import asyncio
import contextlib
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psycopg

from infra.db.embedded_postgres import HeldPostgres
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.scripted_model.script import ModelRequest, Script
from sandbox.script import Json
from tests.acceptance.plans import ENDS, concludes, fetch, lines, package, tool
from tests.chaos.containers import Containers
from tests.chaos.process import PART_POINTS, POINTS, start

CONFIGURATION = """
sandbox = "{sandbox}"
[plan]
pack = false
[limits]
# One person asks for all the jobs.
runs_per_person = 1000
cards_per_person = 1000
[containers]
ready = 1
[tools.http_get]
hosts = ["127.0.0.1"]
allow_private = true
timeout_seconds = 5
[tools.http_request]
hosts = ["127.0.0.1"]
allow_private = true
timeout_seconds = 5
[worker]
heartbeat = 0.5
stall = 6
sweep = 0.5
grace = 2
"""
STALL_SECONDS = 6.0

SCRIPT = """
def main(inputs):
    return {"status": tools.http_get(url=inputs["url"])["status"]}
"""

FINAL_ROUND_SECONDS = 1.0
"""Seconds between two jobs more that are asked for after the blows, until every point was reached."""


def scripts(effects_url: str) -> list[Script]:
    """Return the model's scripts."""

    def plan(request: ModelRequest) -> str:
        return lines(operations(_job(request), effects_url))

    def answer(request: ModelRequest) -> str:
        return f"ANSWER to job {_job(request)}."

    return [Script(role="planner", answer=plan), ENDS, concludes(answer)]


def operations(job: int, effects_url: str) -> list[dict[str, Json]]:
    """Return a job's plan: two green nodes, two red ones, and a green one behind a red one.

    Every third job also has a script that calls a tool.
    """
    get, send = f"{effects_url}/green-{job}", f"{effects_url}/red-{job}"
    red = {"method": "POST"}
    planned = [
        fetch(f"a{job}", f"{get}-a"),
        fetch(f"b{job}", f"{get}-b", depends_on=[f"a{job}"]),
        tool(f"r{job}", "http_request", {**red, "url": f"{send}-1", "json": {"from": f"${{a{job}#/status}}"}}),
        tool(f"s{job}", "http_request", {**red, "url": f"{send}-2"}, depends_on=[f"b{job}"]),
        fetch(f"c{job}", f"{get}-c", depends_on=[f"r{job}"]),
    ]
    if job % 3 == 0:
        script = package(f"p{job}", SCRIPT, tools=["http_get"], inputs={"url": f"{get}-p"})
        planned.append({**script, "depends_on": [f"a{job}"]})
    return planned


def _job(request: ModelRequest) -> int:
    found = re.search(r"job (\d+)\.", request.last)
    assert found is not None, request.last
    return int(found[1])


@dataclass(kw_only=True)
class Storm:
    """Runs two bots and two workers, and strikes them."""

    environment: Mapping[str, str]
    postgres: HeldPostgres
    people: WorkspaceClient
    containers: Containers
    #: Makes every choice, so that a seed repeats a storm.
    rng: random.Random
    #: How often each kind of blow was dealt; a process that dies at a point counts that itself.
    done: Counter[str] = field(default_factory=Counter[str])
    processes: dict[str, ForkServerProcess] = field(default_factory=dict[str, ForkServerProcess])
    #: Process -> the point at which it is to die.
    _armed: dict[str, str | None] = field(default_factory=dict[str, str | None])
    _stopped: set[str] = field(default_factory=set[str])
    _waking: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _calm: bool = False

    def start(self) -> None:
        """Start every process that is not running, some of them armed to die at a named point."""
        for name in ("bot 1", "bot 2", "worker 1", "worker 2"):
            running = self.processes.get(name)
            if running is not None and running.is_alive():
                continue
            if running is not None:
                self.done[f"ended: {_ending(running.exitcode)}"] += 1
            self._armed[name] = point = self._point(name)
            passes = self.rng.randrange(3) if point is not None and self.deaths()[point] else 0
            process = start(name, self.environment, point, passes)
            if process.pid is not None:
                self.containers.belong_to(process.pid)
            self.processes[name] = process

    def _point(self, name: str) -> str | None:
        """Return the point at which a new process is to die: one where none has died yet, later any or none."""
        if self._calm:
            return None
        left = self._left(_part(name))
        if left:
            return self.rng.choice(left)
        return None if self.rng.random() < 0.4 else self.rng.choice(PART_POINTS[_part(name)])

    def _left(self, part: str) -> Sequence[str]:
        """Return the part's points at which no process has died, nor is armed to."""
        armed = {
            self._armed[name] for name, process in self.processes.items() if process.is_alive() and name in self._armed
        }
        died = self.deaths()
        return [point for point in PART_POINTS[part] if not died[point] and point not in armed]

    def deaths(self) -> Counter[str]:
        """Return how many processes have died at which point."""
        file = Path(self.environment["CHAOS_DEATHS"])
        died = Counter(file.read_text().splitlines() if file.exists() else ())
        return Counter({point: died[point] for point in POINTS})

    def armed(self) -> Mapping[str, str | None]:
        """Return the point of each process that lives."""
        return {name: self._armed.get(name) for name, process in self.processes.items() if process.is_alive()}

    async def keep_running(self) -> None:
        """Start each process again that has ended. Runs until cancelled."""
        while True:
            self.start()
            await asyncio.sleep(0.1)

    async def rage(self, blows: int) -> None:
        """Deal so many blows, one after another."""
        kinds = (self._kill, self._stop, self._cut, self._slack, self._events)
        hand = list(kinds)
        self.rng.shuffle(hand)
        for number in range(blows):
            await asyncio.sleep(self.rng.uniform(0.3, 1.5))
            if number == blows // 2:
                self._kill_postgres()
            elif hand:  # each kind once for certain
                if await hand[-1]():
                    hand.pop()
            else:
                await self.rng.choice((self._kill, self._kill, *kinds))()
        if self._waking:
            await asyncio.wait(self._waking)

    async def kill_every(self, seconds: float, for_seconds: float) -> None:
        """Kill a process every so often, for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_seconds):
                while True:
                    await asyncio.sleep(seconds)
                    await self._kill()

    async def bring_to_every_point(self, keep_busy: Callable[[], Awaitable[None]]) -> None:
        """Return once a process has died at every point; `keep_busy` asks for the jobs that bring them there."""
        while not all(self.deaths().values()):
            await keep_busy()
            await asyncio.sleep(FINAL_ROUND_SECONDS)
            for part in PART_POINTS:
                idle = [name for name in self.processes if _part(name) == part and self._is_done_with(name)]
                if idle and self._left(part):
                    self._signal(idle[0], signal.SIGKILL)

    def _is_done_with(self, name: str) -> bool:
        """Return whether the process lives and has no point, or one at which another process has died."""
        point = self._armed.get(name)
        return self.processes[name].is_alive() and (point is None or self.deaths()[point] > 0)

    def calm_down(self) -> None:
        """Arm no process started from now on."""
        self._calm = True

    # Each blow returns whether it was dealt.

    async def _kill(self) -> bool:
        name = self.rng.choice(sorted(self.processes))
        if name in self._stopped or not self.processes[name].is_alive():
            return False
        self._signal(name, signal.SIGKILL)
        self.done["kill -9"] += 1
        return True

    async def _stop(self) -> bool:
        running = sorted(set(self.processes) - self._stopped)
        name = self.rng.choice(running)
        process = self.processes[name]
        if not process.is_alive() or len(running) < 3:
            return False
        self._signal(name, signal.SIGSTOP)
        self._stopped.add(name)
        self.done["SIGSTOP"] += 1
        seconds = self.rng.choice((0.5, 1.5, STALL_SECONDS * 2))
        waking = asyncio.create_task(self._wake(name, process, seconds))
        self._waking.add(waking)
        waking.add_done_callback(self._waking.discard)
        return True

    async def _wake(self, name: str, process: ForkServerProcess, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGCONT)
            self.done["SIGCONT"] += 1
        self._stopped.discard(name)

    async def _cut(self) -> bool:
        """Terminate the connections that LISTEN."""
        ended = 0
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        with contextlib.suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(_libpq(self.postgres), autocommit=True) as connection:
                ended = (await connection.execute(cut)).rowcount
        self.done["LISTEN connections cut"] += ended
        return ended > 0

    async def _slack(self) -> bool:
        method = self.rng.choice(("chat.postMessage", "chat.update", "*"))
        status = self.rng.choice((429, 500, 503))
        after = status == 500 and self.rng.random() < 0.5
        await self.people.act("faults", method=method, status=status, times=self.rng.randint(1, 4), after=after)
        self.done[f"Slack answers {status}"] += 1
        return True

    async def _events(self) -> bool:
        kind = self.rng.choice(("app_mention", "message", "interactive"))
        await self.people.act("deliveries", match=kind, times=2, repeat=self.rng.randint(1, 2))
        self.done["deliveries repeated"] += 1
        return True

    def _kill_postgres(self) -> None:
        pid = int((self.postgres.layout.data / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        self.done["PostgreSQL killed"] += 1

    def _signal(self, name: str, what: signal.Signals) -> None:
        pid = self.processes[name].pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    async def whereabouts(self) -> str:
        """Return where each task of the workers stands."""
        log = Path(self.environment["CHAOS_LOG"])
        before = len(await asyncio.to_thread(log.read_bytes))
        for name in self.processes:
            if _part(name) == "worker":
                self._signal(name, signal.SIGUSR1)
        await asyncio.sleep(2.0)
        return (await asyncio.to_thread(log.read_bytes))[before:].decode(errors="replace")

    async def orphaned_containers(self) -> int:
        """Return how many containers belong to none of the processes that live."""
        alive = {process.pid for process in self.processes.values() if process.is_alive()}
        return sum(1 for pid in (await self.containers.left()).values() if pid not in alive)

    async def end(self) -> list[int | None]:
        """Ask every process to stop, as a service manager does; return their exit codes."""
        for name in self.processes:
            self._signal(name, signal.SIGTERM)
        for process in self.processes.values():
            await asyncio.to_thread(process.join, 60)
        codes = [process.exitcode for process in self.processes.values()]
        for name, process in self.processes.items():
            if process.is_alive():
                self._signal(name, signal.SIGKILL)
                await asyncio.to_thread(process.join)
        return codes


def _part(name: str) -> str:
    return name.split()[0]


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"


def _libpq(postgres: HeldPostgres) -> str:
    # The app's own role may end its own connections.
    return postgres.url().set(drivername="postgresql").render_as_string(hide_password=False)


def write_configuration(folder: Path, sandbox: str) -> Path:
    """Write the app's configuration file."""
    file = folder / "greenlight.toml"
    file.write_text(CONFIGURATION.format(sandbox=sandbox))
    return file
