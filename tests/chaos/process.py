"""One process of the app as chaos runs it: `greenlight bot` or `worker`, which may die at a named point.

The product has no switch for this: the classes of this process are wrapped from outside, before
the app is built, and the process kills itself as `kill -9` would.
"""

import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import typer

from infra.checkpoints import GroupCommitSaver
from infra.cli.run import bot, worker
from infra.lease import Leases
from infra.stores.decisions import PostgresDecisions
from infra.stores.inbox import PostgresInbox
from infra.stores.ledger import PostgresLedger
from infra.stores.posted import PostgresPosted


class Place(NamedTuple):
    """A method, and whether to die before it or after it."""

    owner: type
    method: str
    after: bool


POINTS: Mapping[str, Place] = {
    "after the row, before the ack": Place(PostgresInbox, "accept", after=True),
    "after the decision, before its answer": Place(PostgresDecisions, "decide", after=True),
    "before a post is noted": Place(PostgresPosted, "post", after=False),
    "after the ledger's started": Place(PostgresLedger, "start", after=True),
    "after the effect": Place(PostgresLedger, "finish", after=False),
    "after the ledger's done": Place(PostgresLedger, "finish", after=True),
    "after the task write": Place(GroupCommitSaver, "aput_writes", after=True),
    "after the step's checkpoint": Place(GroupCommitSaver, "aput", after=True),
    "between park and release": Place(Leases, "release", after=False),
}
"""Name -> where a process dies. The first three happen in bots, or in the narrator beside a worker's run."""

BOT_POINTS = ("after the row, before the ack", "after the decision, before its answer")
WORKER_POINTS = tuple(point for point in POINTS if point not in BOT_POINTS)


def main(part: str, environment: Mapping[str, str], point: str | None, passes: int) -> None:
    """Run a part; with a point, die there when it is reached for the time after `passes`."""
    os.environ.update(environment)
    with open(environment["CHAOS_LOG"], "a", buffering=1) as log:  # noqa: PTH123 - a descriptor for dup2
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    if point is not None:
        _die_at(POINTS[point], passes)
    try:
        (bot if part == "bot" else worker)()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


def _die_at(place: Place, passes: int) -> None:
    method: Callable[..., Awaitable[Any]] = getattr(place.owner, place.method)
    left = passes

    @functools.wraps(method)
    async def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 and not place.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await method(*args, **kwargs)
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place.owner, place.method, deadly)
