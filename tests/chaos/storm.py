"""The storm: bots and workers as real processes, killed, stopped and cut off while threads run."""

import asyncio
import contextlib
import multiprocessing
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psycopg

from infra.embedded_postgres import HeldPostgres
from infra.scripted_model.script import ModelRequest, Script
from infra.workspace.client import WorkspaceClient
from tests.acceptance.plans import ENDS, fetch, lines, tool
from tests.chaos.process import BOT_POINTS, WORKER_POINTS, main

CONFIGURATION = """
sandbox = "none"
[tools.http_get]
allow_private = true
timeout_seconds = 5
[tools.http_request]
allow_private = true
timeout_seconds = 5
[worker]
heartbeat = 0.5
stall = 3
sweep = 0.5
grace = 2
"""
STALL_SECONDS = 3.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.process", "infra.wiring"])


def scripts(effects_url: str) -> list[Script]:
    """Return the model: job n is two green nodes, two red ones, and a green one behind a red one."""

    def plan(request: ModelRequest) -> str:
        job = _job(request)
        get, send = f"{effects_url}/green-{job}", f"{effects_url}/red-{job}"
        red = {"method": "POST"}
        return lines(
            [
                fetch(f"a{job}", f"{get}-a"),
                fetch(f"b{job}", f"{get}-b", depends_on=[f"a{job}"]),
                tool(f"r{job}", "http_request", {**red, "url": f"{send}-1", "json": {"from": f"${{a{job}#/status}}"}}),
                tool(f"s{job}", "http_request", {**red, "url": f"{send}-2"}, depends_on=[f"b{job}"]),
                fetch(f"c{job}", f"{get}-c", depends_on=[f"r{job}"]),
            ]
        )

    def answer(request: ModelRequest) -> str:
        return f"ANSWER to job {_job(request)}."

    return [Script(role="planner", answer=plan), ENDS, Script(role="answer", answer=answer)]


def _job(request: ModelRequest) -> int:
    found = re.search(r"job (\d+)\.", request.last)
    assert found is not None, request.last
    return int(found[1])


@dataclass(kw_only=True)
class Storm:
    """Two bots and two workers, and what is done to them. Every choice comes from `rng`."""

    environment: Mapping[str, str]
    postgres: HeldPostgres
    people: WorkspaceClient
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter[str])
    processes: dict[str, ForkServerProcess] = field(default_factory=dict[str, ForkServerProcess])
    _stopped: set[str] = field(default_factory=set[str])
    _waking: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _calm: bool = False

    def start(self) -> None:
        """Start every process that is not running; in a storm some of them will die at a named point."""
        for name in ("bot 1", "bot 2", "worker 1", "worker 2"):
            running = self.processes.get(name)
            if running is not None and running.is_alive():
                continue
            if running is not None:
                self.done[f"ended: {_ending(running.exitcode)}"] += 1
            part = name.split()[0]
            point = None if self._calm or self.rng.random() < 0.4 else self._point(part)
            if point is not None:
                self.done[f"armed: {point}"] += 1
            process = _CONTEXT.Process(
                target=main, args=(part, dict(self.environment), point, self.rng.randrange(4)), name=name
            )
            process.start()
            self.processes[name] = process

    def _point(self, part: str) -> str:
        return self.rng.choice(BOT_POINTS if part == "bot" else WORKER_POINTS)

    async def keep_running(self) -> None:
        """Start again whatever ended. Runs until cancelled."""
        while True:
            self.start()
            await asyncio.sleep(0.1)

    async def rage(self, blows: int) -> None:
        """Deal that many blows, one after another."""
        restart_at = {blows // 2}
        for number in range(blows):
            await asyncio.sleep(self.rng.uniform(0.3, 1.5))
            if number in restart_at:
                self._kill_postgres()
                continue
            blow = self.rng.choice(
                (self._kill, self._kill, self._kill, self._stop, self._cut, self._slack, self._events)
            )
            await blow()
        if self._waking:
            await asyncio.wait(self._waking)

    def calm_down(self) -> None:
        """Arm no process started from now on."""
        self._calm = True

    async def _kill(self) -> None:
        name = self.rng.choice(sorted(self.processes))
        if name not in self._stopped and self.processes[name].is_alive():
            self._signal(name, signal.SIGKILL)
            self.done["kill -9"] += 1

    async def _stop(self) -> None:
        running = sorted(set(self.processes) - self._stopped)
        name = self.rng.choice(running)
        process = self.processes[name]
        if not process.is_alive() or len(running) < 3:
            return
        self._signal(name, signal.SIGSTOP)
        self._stopped.add(name)
        self.done["SIGSTOP"] += 1
        seconds = self.rng.choice((0.5, 1.5, STALL_SECONDS * 2))
        waking = asyncio.create_task(self._wake(name, process, seconds))
        self._waking.add(waking)
        waking.add_done_callback(self._waking.discard)

    async def _wake(self, name: str, process: ForkServerProcess, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGCONT)
        self._stopped.discard(name)

    async def _cut(self) -> None:
        """Cut the connections that LISTEN."""
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        with contextlib.suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(_libpq(self.postgres), autocommit=True) as connection:
                self.done["LISTEN connections cut"] += (await connection.execute(cut)).rowcount

    async def _slack(self) -> None:
        method = self.rng.choice(("chat.postMessage", "chat.update", "*"))
        status = self.rng.choice((429, 500, 503))
        after = status == 500 and self.rng.random() < 0.5
        await self.people.act("faults", method=method, status=status, times=self.rng.randint(1, 4), after=after)
        self.done[f"Slack answers {status}"] += 1

    async def _events(self) -> None:
        kind = self.rng.choice(("app_mention", "message", "interactive"))
        await self.people.act("deliveries", match=kind, times=2, repeat=self.rng.randint(1, 2))
        self.done["deliveries repeated"] += 1

    def _kill_postgres(self) -> None:
        pid = int((self.postgres.layout.data / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        self.done["PostgreSQL killed"] += 1

    def _signal(self, name: str, what: signal.Signals) -> None:
        pid = self.processes[name].pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    async def end(self) -> list[int | None]:
        """Ask every process to stop, as a service manager does; return their exit codes."""
        for name in self.processes:
            self._signal(name, signal.SIGTERM)
        for process in self.processes.values():
            await asyncio.to_thread(process.join, 30)
        codes = [process.exitcode for process in self.processes.values()]
        for name, process in self.processes.items():
            if process.is_alive():
                self._signal(name, signal.SIGKILL)
                await asyncio.to_thread(process.join)
        return codes


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"


def _libpq(postgres: HeldPostgres) -> str:
    # The app's own role may end its own connections.
    return postgres.url().set(drivername="postgresql").render_as_string(hide_password=False)


def write_configuration(folder: Path) -> Path:
    """Write the app's configuration file."""
    file = folder / "greenlight.toml"
    file.write_text(CONFIGURATION)
    return file
