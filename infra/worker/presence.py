"""Presence: a process that died is missed within two seconds.

Each worker holds an advisory lock in a session of its own, and the server lets the lock go when the process ends,
however it ends. A free lock alone proves nothing. A worker counts as vanished only when

- its lock stayed free, and it neither sent a heartbeat nor took the lock anew, for `suspicion_seconds`;
- none of its other connections is left, but for those in the middle of a statement, which notice nothing;
- the lock was let go by the server that runs now: after a crash `worker_sessions` is empty, and after a restart its
  rows are older than the server.

So a restart of the database and a cut connection cost no worker, and one that was stopped, hangs or lost its network
still holds its lock: only its silence tells (`recovery.py`). Behind a pooler in transaction mode a session is nobody's
own, and workers make no use of the lock.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import text

from agent.errors import RunnerLost
from agent.tool import uptime_seconds
from infra.db.database import Database, WorkerId

_log = logging.getLogger(__name__)

_KEY = "hashtextextended('greenlight worker ' || {worker}, 0)"

_TAKE = f"SELECT pg_backend_pid() FROM pg_advisory_lock({_KEY.format(worker='%(worker)s::text')})"  # noqa: S608 - as below

_NOTE = """
    INSERT INTO worker_sessions (worker) SELECT id FROM workers WHERE id = %(worker)s
    ON CONFLICT (worker) DO UPDATE SET since = clock_timestamp()
"""

_FORGET = "DELETE FROM worker_sessions WHERE worker = %(worker)s"

_MISSED = f"""
    SELECT
        pg_backend_pid() AS session,
        EXISTS (SELECT 1 FROM workers WHERE id <> %(worker)s AND buried_at IS NULL) AS has_others,
        missed.*
    FROM (VALUES (1)) AS here LEFT JOIN (
        SELECT worker.id, worker.heartbeat_at, held.since, worker.dead_at IS NOT NULL AS dead
        FROM workers AS worker JOIN worker_sessions AS held ON held.worker = worker.id
        WHERE worker.id <> %(worker)s AND worker.buried_at IS NULL AND held.since > pg_postmaster_start_time()
            AND pg_try_advisory_xact_lock_shared({_KEY.format(worker="worker.id")})
    ) AS missed ON true
"""  # noqa: S608 - nothing in it comes from outside

# The lock is held until the commit: a worker that would take it right now waits, and finds itself dead.
DECLARE_DEAD = text(f"""
    UPDATE workers SET dead_at = now() FROM worker_sessions AS held
    WHERE held.worker = workers.id AND workers.id = :worker AND workers.dead_at IS NULL
        AND workers.heartbeat_at = :heartbeat_at AND held.since = :since
        AND pg_try_advisory_xact_lock_shared({_KEY.format(worker="workers.id")})
        AND NOT EXISTS (
            SELECT 1 FROM pg_stat_activity AS connection
            WHERE connection.application_name = 'w:' || workers.id AND connection.state IS DISTINCT FROM 'active'
        )
    RETURNING workers.id
""")  # noqa: S608 - nothing in it comes from outside
"""Declares a missed worker dead if it is still missed exactly as it was; binds the fields of `Missed`."""


class Missed(NamedTuple):
    """A worker whose lock is free, as one look finds it. Any sign of life makes it another one."""

    worker: WorkerId
    heartbeat_at: datetime
    #: When it took its lock.
    since: datetime
    #: Whether it was declared dead already, and its threads wait to be handed over.
    dead: bool


@dataclass(kw_only=True)
class Suspicions:
    """The workers that were missed without a break, and since when."""

    suspicion_seconds: float
    _first_seen: Mapping[Missed, float] = field(default_factory=dict[Missed, float])

    def after_look(self, missed: Sequence[Missed], now: float) -> Sequence[Missed]:
        """Return those to take over from: missed for long enough, or dead already. `now` is in monotonic seconds."""
        self._first_seen = {worker: self._first_seen.get(worker, now) for worker in missed}
        return [
            worker for worker, seen in self._first_seen.items() if worker.dead or now - seen >= self.suspicion_seconds
        ]


class Vitals:
    """Until when no other worker can have taken over from this one."""

    def __init__(self, margin_seconds: float) -> None:
        self._margin_seconds = margin_seconds
        self._beat_at = uptime_seconds()
        self._lock_is_lost = False

    def beat(self, asked_at: float) -> None:
        """Note a heartbeat that was stored; `asked_at` is the `uptime_seconds` when it was sent."""
        self._beat_at = asked_at

    def note_lock(self, *, lost: bool) -> None:
        """Note that the lock was lost, or is held. One that was lost is soon taken for a sign of death."""
        self._lock_is_lost = lost

    def not_after(self) -> float:
        """Return the last moment, in `uptime_seconds`."""
        return -math.inf if self._lock_is_lost else self._beat_at + self._margin_seconds


class _NoSessionOfOurOwn(Exception):
    """The lock's session is another one at each statement: a pooler is in between."""


class Presence:
    """Holds this worker's lock, and looks for workers that let theirs go."""

    def __init__(
        self,
        database: Database,
        worker: WorkerId,
        take_over: Callable[[Sequence[Missed]], Awaitable[object]],
        *,
        vitals: Vitals,
        look_seconds: float,
        look_alone_seconds: float,
        suspicion_seconds: float,
        retry_seconds: float,
    ) -> None:
        """It looks every `look_seconds`, every `retry_seconds` while a worker is missed, and every `look_alone_seconds`
        while there is no other worker."""
        self._database = database
        self._worker = {"worker": worker}
        self._take_over = take_over
        self._vitals = vitals
        self._look_seconds = look_seconds
        self._look_alone_seconds = max(look_alone_seconds, look_seconds)
        self._retry_seconds = min(retry_seconds, look_seconds)
        self._suspicion_seconds = suspicion_seconds
        self._has_held = False

    async def keep(self) -> None:
        """Hold the lock, and have vanished workers taken over from. Runs until cancelled.

        Ends when this worker is dead itself, or when no session is its own.
        """
        while True:
            try:
                async with await AsyncConnection[Any].connect(self._database.conninfo, autocommit=True) as connection:
                    await self._watch(connection)
            except RunnerLost:
                self._vitals.note_lock(lost=True)
                return
            except _NoSessionOfOurOwn:
                self._vitals.note_lock(lost=False)
                _log.warning("a pooler shares sessions: a worker that dies is missed by its silence only")
                return
            except (psycopg.Error, OSError) as error:
                self._vitals.note_lock(lost=self._has_held)
                _log.info("the session of the worker's lock broke off: %s", type(error).__name__)
            await asyncio.sleep(self._retry_seconds)

    async def _watch(self, connection: AsyncConnection[Any]) -> NoReturn:
        await self._database.configure(connection)
        session = await self._hold(connection)
        suspicions = Suspicions(suspicion_seconds=self._suspicion_seconds)
        while True:
            rows = await (await connection.execute(_MISSED, self._worker)).fetchall()
            if any(row[0] != session for row in rows):
                await connection.execute(_FORGET, self._worker)
                raise _NoSessionOfOurOwn
            missed = [Missed(*row[2:]) for row in rows if row[2] is not None]
            if found := suspicions.after_look(missed, time.monotonic()):
                await self._take_over(found)
            quiet = self._look_seconds if any(row[1] for row in rows) else self._look_alone_seconds
            await asyncio.sleep(self._retry_seconds if missed else quiet)

    async def _hold(self, connection: AsyncConnection[Any]) -> int:
        """Take the lock and let the others know; return the session."""
        row = await (await connection.execute(_TAKE, self._worker)).fetchone()
        await connection.execute(_NOTE, self._worker)
        self._has_held = True
        self._vitals.note_lock(lost=False)
        return row[0] if row is not None else 0
