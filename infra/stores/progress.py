"""Events of runs as people see them: queued at once, written behind in batches, and read back."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from sqlalchemy import ARRAY, Row, Text, bindparam, case, cast, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import AgentError
from agent.events import AttemptEnded, FoldedChange, NodeChanged, NodePlanned, PlanPacked, RunEvent, folded
from agent.ids import NodeId, ThreadId, thread_parts
from agent.packing.packing import packing_from_json, packing_json
from agent.plan.outcomes import NodeState, NodeStatus, Outcome, outcome_from_json, outcome_json
from agent.plan.templates import shown_title
from infra.db.database import Database
from infra.db.tables import NodeRow, RunRow, SafeText, thread_key
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
            async with self._database.begin() as connection:
                await connection.execute(_UNHURRIED)
                await _write(connection, batch)
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


async def _write(connection: AsyncConnection, batch: Sequence[tuple[ThreadId, RunEvent]]) -> None:
    planned: list[Mapping[str, object]] = []
    changed: dict[ThreadId, list[NodeChanged]] = {}
    packed: list[tuple[ThreadId, PlanPacked]] = []
    ended: dict[tuple[ThreadId, NodeId, int], AttemptEnded] = {}
    for thread, event in batch:
        match event:
            case NodePlanned():
                planned.append(_planned(thread, event))
            case PlanPacked():
                packed.append((thread, event))
            case NodeChanged():
                changed.setdefault(thread, []).append(event)
            case AttemptEnded():
                ended[thread, event.node, event.attempt] = event
            case _:
                assert_never(event)
    if planned:
        await connection.execute(insert(NodeRow).on_conflict_do_nothing(), planned)
    # In one order everywhere: two writers never wait for each other.
    changes = [
        _changed(thread, change)
        for thread, events in sorted(changed.items())
        for _, change in sorted(folded(events).items())
    ]
    if changes:
        await connection.execute(_CHANGE, changes)
    for thread, event in sorted(packed, key=lambda of: (of[0], of[1].turn)):
        await _write_packing(connection, thread, event)
    if ended:
        await write_attempts(connection, [(thread, event) for (thread, _, _), event in ended.items()])


_NEW_STATE = bindparam("new_state", type_=SafeText())

# The same state again keeps its time and its outcome; `started_at` is when the node first ran.
_CHANGE = (
    update(NodeRow)
    .where(NodeRow.tenant == bindparam("team"), NodeRow.thread == bindparam("of"), NodeRow.node == bindparam("id"))
    .where(or_(NodeRow.state != _NEW_STATE, NodeRow.detail != bindparam("new_detail")))
    .values(
        state=_NEW_STATE,
        detail=bindparam("new_detail"),
        outcome=case(
            (NodeRow.state == _NEW_STATE, NodeRow.outcome), else_=bindparam("new_outcome", type_=NodeRow.outcome.type)
        ),
        changed_at=case(
            (NodeRow.state == _NEW_STATE, NodeRow.changed_at), else_=bindparam("new_at", type_=NodeRow.changed_at.type)
        ),
        started_at=func.coalesce(NodeRow.started_at, bindparam("new_ran_at", type_=NodeRow.started_at.type)),
        ended_at=case(
            (NodeRow.state == _NEW_STATE, NodeRow.ended_at),
            else_=bindparam("new_ended_at", type_=NodeRow.ended_at.type),
        ),
    )
)


def _planned(thread: ThreadId, event: NodePlanned) -> Mapping[str, object]:
    node = event.node
    return {
        **thread_key(thread),
        "node": node.id,
        "turn": event.turn,
        "title": shown_title(node),
        "kind": node.kind.value,
        "tool": node.tool,
        "colour": event.colour.value,
        "author": event.author,
        "state": NodeState.PLANNED.value,
        "depends_on": [dependency.node for dependency in node.depends_on],
        "planned_at": event.at,
        "changed_at": event.at,
    }


def _changed(thread: ThreadId, change: FoldedChange) -> Mapping[str, object]:
    last = change.last
    return {
        "team": thread_parts(thread).tenant,
        "of": thread,
        "id": last.node,
        "new_state": last.state.value,
        "new_detail": last.detail,
        "new_outcome": None if last.outcome is None else outcome_json(last.outcome),
        "new_at": last.at,
        "new_ran_at": change.ran_at,
        "new_ended_at": None if last.outcome is None else last.at,
    }


async def _write_packing(connection: AsyncConnection, thread: ThreadId, event: PlanPacked) -> None:
    """Add what was decided to the turn's row."""
    row = RunRow.of_turn(thread, event.turn)
    found = (await connection.execute(select(RunRow.packing).where(row).with_for_update())).scalar_one_or_none()
    packing = packing_from_json(found or {}).merged(event.fusions, event.splits)
    await connection.execute(update(RunRow).where(row).values(packing=packing_json(packing)))
