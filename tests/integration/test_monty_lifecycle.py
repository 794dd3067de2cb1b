"""Monty's worker processes: used once, gone afterwards, and a clean end of ours."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Job, Json, Limits, OutcomeKind, ToolCallRefused

ROOT = Path(__file__).resolve().parents[2]
BUSY = "def main(inputs):\\n    while True:\\n        pass"
HOST = f"""
import asyncio
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Job, Limits

async def main():
    sandbox = MontySandbox(monty_binary())
    job = Job(code="{BUSY}", limits=Limits(wall_seconds=3.0))
    task = asyncio.create_task(sandbox.run(job, None))
    await asyncio.sleep(0.5)
    print("running", flush=True)
    await task

asyncio.run(main())
"""
PAGES = """
import asyncio
from sandbox.monty import MontySandbox, monty_binary
from sandbox.script import Job

async def page(tool, args):
    return "x" * 400_000

async def main():
    sandbox = MontySandbox(monty_binary())
    code = "def main(inputs):\\n    return sum(len(tools.page()) for _ in range(20))"
    for _ in range(3):
        outcome = await sandbox.run(Job(code=code, tools=frozenset({"page"})), page)
        assert outcome.result == 8_000_000, outcome
    await sandbox.close()

asyncio.run(main())
"""


async def no_tools(tool: str, args: object) -> Json:
    raise ToolCallRefused(tool)


def workers(parent: int) -> set[int]:
    """Return the worker processes of a process."""
    listing = subprocess.run(
        ["ps", "--ppid", str(parent), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    return {int(row.split()[0]) for row in listing.stdout.splitlines() if "monty" in row.split()[1]}


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def eventually_dead(pids: set[int], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, pids
        await asyncio.sleep(0.1)


async def test_close_ends_every_worker() -> None:
    other = await asyncio.create_subprocess_exec("true")  # whoever waits for it takes no signal from Monty
    await other.wait()
    sandbox = MontySandbox(monty_binary())
    job = Job(code="def main(inputs):\n    return 1")
    outcomes = await asyncio.gather(*(sandbox.run(job, no_tools) for _ in range(5)))
    assert [outcome.result for outcome in outcomes] == [1] * 5
    mine = workers(os.getpid())
    await sandbox.close()
    await eventually_dead(mine)


async def test_timed_out_script_leaves_no_worker() -> None:
    sandbox = MontySandbox(monty_binary())
    before = workers(os.getpid())
    job = Job(code=BUSY.replace("\\n", "\n"), limits=Limits(wall_seconds=0.3))
    assert (await sandbox.run(job, no_tools)).kind is OutcomeKind.TIMEOUT
    await eventually_dead(workers(os.getpid()) - before)
    await sandbox.close()


async def test_a_thread_with_many_scripts_lets_anothers_in_between() -> None:
    sandbox = MontySandbox(monty_binary(), concurrency=1)
    came: list[Json] = []

    async def note(tool: str, args: Mapping[str, Json]) -> Json:
        came.append(args["who"])
        return None

    job = Job(code="def main(inputs):\n    tools.note(who=inputs['who'])", tools=frozenset({"note"}))
    jobs = [replace(job, inputs={"who": who}, queue=who[0]) for who in ("a1", "a2", "a3", "b1")]
    await asyncio.gather(*(sandbox.run(job, note) for job in jobs))
    assert came == ["a1", "a2", "b1", "a3"]
    await sandbox.close()


async def test_busy_worker_ends_by_itself_after_sigkill_of_its_host() -> None:
    host = await asyncio.create_subprocess_exec(sys.executable, "-c", HOST, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert host.stdout is not None
    assert (await host.stdout.readline()).strip() == b"running"
    orphans = workers(host.pid)
    assert orphans
    host.send_signal(signal.SIGKILL)
    await host.wait()
    await eventually_dead(orphans)


async def test_short_process_that_ran_scripts_ends_cleanly() -> None:
    for _ in range(6):
        ended = await asyncio.create_subprocess_exec(sys.executable, "-c", PAGES, cwd=ROOT)
        assert await ended.wait() == 0
