"""Events of runs as people see them: queued at once, written behind in batches, and read back."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from sqlalchemy import ARRAY, BigInteger, DateTime, Row, Text, bindparam, cast, func, literal, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import AgentError
from agent.events import AttemptEnded, FoldedChange, NodeChanged, NodePlanned, PlanPacked, RunEvent, folded
from agent.ids import NodeId, ThreadId
from agent.packing.packing import packing_from_json, packing_json
from agent.plan.outcomes import NodeState, NodeStatus, Outcome, outcome_from_json, outcome_json
from agent.plan.templates import shown_title
from infra.db.database import Database
from infra.db.tables import NodeRow, RunRow, SafeText, json_text, thread_key
from infra.stores.attempts import write_attempts
from infra.stores.thread_cache import ThreadCache
from infra.worker.notifications import Notifier

_log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.025
"""How long events gather before they are written. Nobody sees it, and without it a chain of quick nodes would spend as
much on being shown as on running (1.9 ms of CPU a node instead of 1.3)."""

_CLOSE_SECONDS = 5.0

_UNHURRIED = text("SET LOCAL synchronous_commit = off")
"""Derived rows do not wait for the disk, which the writes of tasks and the ledger need. A server that crashes loses at
most the last of them, in order; the next execution notes them again."""


class PostgresProgress:
    """Progress. One writer at a time takes all gathered events, and notifies the views after each commit.

    Events that could not be written stay queued, in order, until the next `note` or `flush`.
    """

    def __init__(self, database: Database, views: Notifier) -> None:
        self._database = database
        self._views = views
        self._queued: deque[tuple[ThreadId, RunEvent]] = deque()
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Queue an event, and start a writer unless one is at work."""
        self._queued.append((thread, event))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_behind(), name="progress")

    async def flush(self) -> None:
        """Return when everything noted so far is committed.

        Raises:
            StoreUnavailable: it could not be written, and is still queued.
        """
        await self._write_queued()

    async def close(self) -> None:
        """Let the writer come to its end: one that is cancelled while it connects leaves an unauthenticated
        connection open. Events it cannot write soon are lost; the next
        execution notes them again.
        """
        if self._writer is not None and (await asyncio.wait([self._writer], timeout=_CLOSE_SECONDS))[1]:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def _write_behind(self) -> None:
        try:
            while self._queued:
                await asyncio.sleep(_GATHER_SECONDS)
                await self._write_queued()
        except AgentError as error:
            _log.warning("progress is not written yet: %s", type(error).__name__)

    async def _write_queued(self) -> None:
        async with self._writing:
            if batch := list(self._queued):
                await self._commit(batch)
                for _ in batch:
                    self._queued.popleft()
                for thread in {thread for thread, _ in batch}:
                    self._views.notify(thread)

    async def _commit(self, batch: Sequence[tuple[ThreadId, RunEvent]]) -> None:
        """Write the events. One that no row takes is left out, so that it holds up none of the others."""
        try:
            await self._write(_sorted(batch))
        except AgentError:
            raise
        except Exception as error:  # noqa: BLE001 -- the writer's boundary: one event's fault must not end it
            if len(batch) > 1:
                half = len(batch) // 2
                await self._commit(batch[:half])
                await self._commit(batch[half:])
                return
            [(thread, event)] = batch
            kind, fault = type(event).__name__, type(error).__name__
            _log.error("%s of %s cannot be written and is left out: %s", kind, thread, fault)

    async def _write(self, batch: "_Batch") -> None:
        noted = _values(batch) if batch.planned or batch.changed else None
        if not batch.packed and not batch.attempts:
            if noted is not None:
                await self._database.execute(_NOTE, noted)
            return
        async with self._database.begin() as connection:
            await connection.execute(_UNHURRIED)
            if noted is not None:
                await connection.execute(_NOTE, noted)
            for thread, event in batch.packed:
                await _write_packing(connection, thread, event)
            if batch.attempts:
                await write_attempts(connection, batch.attempts)


_KEPT_BYTES = 16 * 1024 * 1024
"""The most JSON of outcomes whose nodes' statuses a process keeps."""


@dataclass(frozen=True, kw_only=True)
class _Closed:
    """The statuses of a thread's turns that are over."""

    #: The last of these turns.
    turn: int = 0
    statuses: Mapping[NodeId, NodeStatus] = field(default_factory=dict[NodeId, NodeStatus])


class PostgresNodeStatuses:
    """NodeStatuses. Those of turns that are over are not read again: a node that has ended stays as it is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed: ThreadCache[_Closed] = ThreadCache(_KEPT_BYTES)

    async def of(self, thread: ThreadId) -> Mapping[NodeId, NodeStatus]:
        """Return every node's status, in plan order."""
        closed = self._closed.get(thread) or _Closed()
        columns = (NodeRow.turn, NodeRow.node, NodeRow.state, NodeRow.outcome)
        rows = (
            select(*columns, func.octet_length(cast(NodeRow.outcome, Text)).label("size"))
            .where(NodeRow.of_thread(thread), NodeRow.turn > closed.turn)
            .order_by(NodeRow.noted)
        )
        found = (await self._database.execute(rows)).all()
        statuses = {NodeId(row.node): _status(row) for row in found}
        # The turn before the last one has ended, and its events were written before those of the last.
        over = max((row.turn for row in found), default=0) - 1
        if over > closed.turn and all(row.outcome is not None for row in found if row.turn <= over):
            ended = {NodeId(row.node): statuses[NodeId(row.node)] for row in found if row.turn <= over}
            size = sum(row.size for row in found if row.turn <= over)
            kept = _Closed(turn=over, statuses={**closed.statuses, **ended})
            self._closed.keep(thread, kept, self._closed.size_of(thread) + size)
        return {**closed.statuses, **statuses}

    async def ended(self, thread: ThreadId, nodes: Collection[NodeId], before_turn: int) -> Mapping[NodeId, Outcome]:
        """Return the outcomes of those that ended in earlier turns."""
        rows = select(NodeRow.node, NodeRow.outcome).where(
            NodeRow.of_thread(thread),
            NodeRow.turn < before_turn,
            NodeRow.node == func.any(literal(list(nodes), ARRAY(Text))),
            NodeRow.outcome.is_not(None),
        )
        return {NodeId(row.node): outcome_from_json(row.outcome) for row in await self._database.execute(rows)}


def _status(row: Row[Any]) -> NodeStatus:
    outcome = None if row.outcome is None else outcome_from_json(row.outcome)
    return NodeStatus(state=NodeState(row.state), outcome=outcome)


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Events by what they change. Of an attempt the last event counts."""

    planned: Sequence[tuple[ThreadId, NodePlanned]]
    changed: Mapping[tuple[ThreadId, NodeId], FoldedChange]
    packed: Sequence[tuple[ThreadId, PlanPacked]]
    attempts: Sequence[tuple[ThreadId, AttemptEnded]]


def _sorted(batch: Sequence[tuple[ThreadId, RunEvent]]) -> _Batch:
    planned: list[tuple[ThreadId, NodePlanned]] = []
    changed: dict[ThreadId, list[NodeChanged]] = {}
    packed: list[tuple[ThreadId, PlanPacked]] = []
    ended: dict[tuple[ThreadId, NodeId, int], AttemptEnded] = {}
    for thread, event in batch:
        match event:
            case NodePlanned():
                planned.append((thread, event))
            case PlanPacked():
                packed.append((thread, event))
            case NodeChanged():
                changed.setdefault(thread, []).append(event)
            case AttemptEnded():
                ended[thread, event.node, event.attempt] = event
            case _:
                assert_never(event)
    return _Batch(
        planned=planned,
        changed={(thread, node): change for thread in changed for node, change in folded(changed[thread]).items()},
        packed=sorted(packed, key=lambda of: (of[0], of[1].turn)),
        attempts=[(thread, event) for (thread, _, _), event in ended.items()],
    )


_PLANNED = {
    **dict.fromkeys(("tenant", "thread", "node", "title", "kind", "tool", "colour", "author", "depends_on"), "text"),
    "turn": "bigint",
    "planned_at": "timestamptz",
}
_CHANGED = {
    **dict.fromkeys(("tenant", "thread", "node", "state", "detail", "outcome"), "text"),
    **dict.fromkeys(("at", "ran_at", "ended_at"), "timestamptz"),
}
_TYPES = {"text": SafeText(), "bigint": BigInteger(), "timestamptz": DateTime(timezone=True)}


def _given(name: str, columns: Mapping[str, str]) -> str:
    arrays = ", ".join(f"CAST(:{name}_{column} AS {of}[])" for column, of in columns.items())
    return f"unnest({arrays}) WITH ORDINALITY AS {name} ({', '.join(columns)}, number)"


# One statement, so that people see a run for one round trip at a time. The update sees the rows as they were before the
# statement: a node that enters the plan with its state is only inserted. The same state again keeps its time and its
# outcome; `started_at` is when the node first ran. See `_UNHURRIED` for the last line.
_NOTE = text(f"""
    WITH planned AS (SELECT * FROM {_given("planned", _PLANNED)}),
    changed AS (SELECT * FROM {_given("changed", _CHANGED)}),
    noted AS (
        INSERT INTO nodes (
            tenant, thread, node, turn, title, kind, tool, colour, author, depends_on, planned_at,
            state, detail, outcome, changed_at, started_at, ended_at
        )
        SELECT tenant, thread, node, turn, title, kind, tool, colour, author,
            CAST(depends_on AS {NodeRow.depends_on.type.compile(postgresql.dialect())}), planned_at,
            coalesce(state, '{NodeState.PLANNED.value}'), coalesce(detail, ''), CAST(outcome AS json),
            CASE WHEN state <> '{NodeState.PLANNED.value}' THEN at ELSE planned_at END, ran_at, ended_at
        FROM planned LEFT JOIN changed USING (tenant, thread, node) ORDER BY planned.number
        ON CONFLICT DO NOTHING
    ),
    moved AS (
        UPDATE nodes SET state = changed.state, detail = changed.detail,
            outcome = CASE WHEN nodes.state = changed.state THEN nodes.outcome ELSE CAST(changed.outcome AS json) END,
            changed_at = CASE WHEN nodes.state = changed.state THEN nodes.changed_at ELSE changed.at END,
            started_at = coalesce(nodes.started_at, changed.ran_at),
            ended_at = CASE WHEN nodes.state = changed.state THEN nodes.ended_at ELSE changed.ended_at END
        FROM changed
        WHERE nodes.tenant = changed.tenant AND nodes.thread = changed.thread AND nodes.node = changed.node
            AND (nodes.state <> changed.state OR nodes.detail <> changed.detail)
    )
    SELECT set_config('synchronous_commit', 'off', true)
""").bindparams(  # noqa: S608 - names of our own
    *(
        bindparam(f"{name}_{column}", type_=ARRAY(_TYPES[of]))
        for name, columns in (("planned", _PLANNED), ("changed", _CHANGED))
        for column, of in columns.items()
    )
)


def _values(batch: _Batch) -> Mapping[str, Sequence[object]]:
    planned = [_planned(thread, event) for thread, event in batch.planned]
    changed = [_changed(thread, change) for (thread, _), change in sorted(batch.changed.items())]
    return {f"planned_{column}": [row[column] for row in planned] for column in _PLANNED} | {
        f"changed_{column}": [row[column] for row in changed] for column in _CHANGED
    }


def _planned(thread: ThreadId, event: NodePlanned) -> Mapping[str, object]:
    node = event.node
    return {
        **thread_key(thread),
        "node": node.id,
        "turn": event.turn,
        "title": shown_title(node),
        "kind": node.kind.value,
        "tool": node.tool or node.role or None,
        "colour": event.colour.value,
        "author": event.author,
        "depends_on": json_text([dependency.node for dependency in node.depends_on]),
        "planned_at": event.at,
    }


def _changed(thread: ThreadId, change: FoldedChange) -> Mapping[str, object]:
    last = change.last
    return {
        **thread_key(thread),
        "node": last.node,
        "state": last.state.value,
        "detail": last.detail,
        "outcome": None if last.outcome is None else json_text(outcome_json(last.outcome)),
        "at": last.at,
        "ran_at": change.ran_at,
        "ended_at": None if last.outcome is None else last.at,
    }


async def _write_packing(connection: AsyncConnection, thread: ThreadId, event: PlanPacked) -> None:
    """Add what was decided to the turn's row."""
    row = RunRow.of_turn(thread, event.turn)
    found = (await connection.execute(select(RunRow.packing).where(row).with_for_update())).scalar_one_or_none()
    packing = packing_from_json(found or {}).merged(event.fusions, event.splits)
    await connection.execute(update(RunRow).where(row).values(packing=packing_json(packing)))
