"""One process of the app as chaos runs it: `greenlight bot` or `worker`, which may die at a named point.

The product has no switch for this: `main` wraps classes of the app before it builds the app, and the process then kills
itself as `kill -9` would.
"""

import asyncio
import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from typing import Any, NamedTuple

import typer

from agent.events import SubagentStep
from agent.execution.graph import AdvanceResult, ThreadRunner
from infra.cli.run import bot, worker
from infra.stores.approvals import PostgresApprovals
from infra.stores.inbox import PostgresInbox
from infra.stores.ledger import PostgresLedger
from infra.stores.posted import PostgresPosted
from infra.stores.subagent_steps import PostgresSubagentSteps
from infra.worker.checkpoints import GroupCommitSaver
from infra.worker.lease import Leases, ThreadLease

_PARKED: set[str] = set()
"""The threads whose newest run in this process parked."""


def _has_parked(lease: ThreadLease) -> bool:
    return lease.thread in _PARKED


class Place(NamedTuple):
    """A call of one of our methods at which a process dies."""

    owner: type
    method: str
    #: Whether to die after the call instead of before it.
    after: bool
    #: Whether a call counts, by its arguments.
    where: Callable[..., bool] = lambda *_: True


POINTS: Mapping[str, Place] = {
    "after the row, before the ack": Place(PostgresInbox, "accept", after=True),
    "after the decision, before its answer": Place(PostgresApprovals, "decide", after=True),
    "before a post is noted": Place(PostgresPosted, "post", after=False),
    "after the ledger's started": Place(PostgresLedger, "start", after=True),
    "after the effect": Place(PostgresLedger, "finish", after=False),
    "after the ledger's done": Place(PostgresLedger, "finish", after=True),
    "after the task write": Place(GroupCommitSaver, "aput_writes", after=True),
    "after the step's checkpoint": Place(GroupCommitSaver, "aput", after=True),
    "between park and release": Place(Leases, "release", after=False, where=_has_parked),
}
"""Name -> where a process dies."""


def _is_answer(_thread: object, step: SubagentStep) -> bool:
    return step.call == 0


def _is_told(_thread: object, step: SubagentStep) -> bool:
    return step.call > 0


SUBAGENT_POINTS: Mapping[str, Place] = {
    "before an answer's row": Place(PostgresSubagentSteps, "keep", after=False, where=_is_answer),
    "after an answer's row": Place(PostgresSubagentSteps, "keep", after=True, where=_is_answer),
    "before the row of what a call was told": Place(PostgresSubagentSteps, "keep", after=False, where=_is_told),
    "after the row of what a call was told": Place(PostgresSubagentSteps, "keep", after=True, where=_is_told),
}
"""Those of a subagent's steps, for runs that have one."""

_BOT_POINTS = ("after the row, before the ack", "after the decision, before its answer")

PART_POINTS: Mapping[str, Sequence[str]] = {
    "bot": _BOT_POINTS,
    "worker": [point for point in POINTS if point not in _BOT_POINTS],
}


_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.process", "infra.wiring"])


def start(name: str, environment: Mapping[str, str], point: str | None = None, passes: int = 0) -> ForkServerProcess:
    """Start a part, which the first word of its name says, as `main` runs it."""
    process = _CONTEXT.Process(target=main, args=(name.split()[0], dict(environment), point, passes), name=name)
    process.start()
    return process


def main(part: str, environment: Mapping[str, str], point: str | None, passes: int) -> None:
    """Run a part. With a point, die there once it was passed `passes` times."""
    os.environ.update(environment)
    with open(environment["CHAOS_LOG"], "a", buffering=1) as log:  # noqa: PTH123 - a descriptor for dup2
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    signal.signal(signal.SIGUSR1, _tell_tasks)
    if point is not None:
        _note_parking()
        _die_at(point, passes, environment["CHAOS_DEATHS"])
    try:
        (bot if part == "bot" else worker)()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


def _tell_tasks(*_: object) -> None:
    """Print where each task of the process stands."""
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        task.print_stack(file=sys.stderr)


def _die_at(point: str, passes: int, deaths: str) -> None:
    place = {**POINTS, **SUBAGENT_POINTS}[point]
    method: Callable[..., Awaitable[Any]] = getattr(place.owner, place.method)
    left = passes

    def die() -> None:
        with open(deaths, "a") as file:  # noqa: PTH123 - appended to by many processes
            file.write(f"{point}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(method)
    async def deadly(self: object, *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= place.where(*args)
        if left < 0 and not place.after:
            die()
        result = await method(self, *args, **kwargs)
        if left < 0:
            die()
        return result

    setattr(place.owner, place.method, deadly)


def _note_parking() -> None:
    advance = ThreadRunner.advance

    @functools.wraps(advance)
    async def noting(self: ThreadRunner, thread: Any, lease: Any) -> AdvanceResult:
        _PARKED.discard(thread)
        result = await advance(self, thread, lease)
        if result is AdvanceResult.PARKED:
            _PARKED.add(thread)
        return result

    ThreadRunner.advance = noting
