"""LangGraph's checkpoints in Postgres: one saver per job, writes committed in groups and reported."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, LiteralString, NamedTuple, TypeAlias, cast

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    copy_checkpoint,
    get_checkpoint_id,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import AsyncConnection, AsyncCursor
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from agent.errors import AgentError, RunnerLost, StoreUnavailable
from agent.execution.graph import Checkpoints
from agent.ids import ThreadId

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]

_PRUNE_TRIES = 5


@asynccontextmanager
async def open_pool(
    conninfo: str,
    *,
    configure: Callable[[AsyncConnection[DictRow]], Awaitable[None]] | None = None,
    max_size: int = 8,
    timeout: float = 30.0,  # noqa: ASYNC109  # how long the pool tries to connect, not a bound on this call
) -> AsyncGenerator[Pool]:
    """Yield the pool that all savers share, with the connection options the saver asks for.

    `configure` is called with every new connection: it is the fence that refuses a dead worker.
    `timeout` is how many seconds a caller waits for a connection before the database counts as unreachable.
    """
    async with AsyncConnectionPool[AsyncConnection[DictRow]](
        conninfo,
        connection_class=AsyncConnection[DictRow],
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        min_size=1,
        max_size=max_size,
        timeout=timeout,
        configure=configure,
        open=False,
    ) as pool:
        yield pool


def open_checkpoints(pool: Pool) -> Checkpoints:
    """Return one job's access to the checkpoints: a shared saver would serialise the jobs."""
    saver = GroupCommitSaver(pool)
    return Checkpoints(saver=saver, committed=saver.committed, prune=saver.prune_thread, end=saver.end)


# As LangGraph inserts them one by one (`INSERT_CHECKPOINT_WRITES_SQL`, `UPSERT_CHECKPOINT_WRITES_SQL`).
_GIVEN: LiteralString = """
    INSERT INTO checkpoint_writes (
        thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    )
    SELECT * FROM unnest(
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::bytea[]
    )
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO """
_INSERT: LiteralString = _GIVEN + "NOTHING"
_REPLACE: LiteralString = _GIVEN + "UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob"

# What `aprune` does in a transaction of a dozen statements, for a graph without subgraphs and delta channels. Of the
# writes, those before the newest checkpoint go. A step's writes can be committed before its checkpoint is: they stay
# while it is to come, and go, once a newer one is there, if a worker that died never stored it.
_PRUNE: LiteralString = """
    WITH head AS (
        SELECT checkpoint_id, checkpoint -> 'channel_versions' AS versions FROM checkpoints
        WHERE thread_id = %(thread)s AND checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1
    ),
    older AS (
        DELETE FROM checkpoints AS older USING head
        WHERE older.thread_id = %(thread)s AND older.checkpoint_ns = '' AND older.checkpoint_id < head.checkpoint_id
    ),
    writes AS (
        DELETE FROM checkpoint_writes AS write USING head
        WHERE write.thread_id = %(thread)s AND write.checkpoint_ns = '' AND write.checkpoint_id < head.checkpoint_id
    ),
    blobs AS (
        DELETE FROM checkpoint_blobs AS blob USING head
        WHERE blob.thread_id = %(thread)s AND blob.checkpoint_ns = ''
            AND blob.version IS DISTINCT FROM head.versions ->> blob.channel
    )
    UPDATE checkpoints AS newest SET parent_checkpoint_id = NULL FROM head
    WHERE newest.thread_id = %(thread)s AND newest.checkpoint_ns = ''
        AND newest.checkpoint_id = head.checkpoint_id AND newest.parent_checkpoint_id IS NOT NULL
"""

_Row: TypeAlias = tuple[str, str, str, str, str, int, str, str, bytes]


@dataclass(frozen=True, kw_only=True)
class _Writes:
    """The writes of one task, waiting for the next commit."""

    task_id: str
    replace: bool
    rows: Sequence[_Row]
    #: Once committed: the error that prevented it, if any.
    done: asyncio.Future[Exception | None] = field(repr=False)


class _Head(NamedTuple):
    """The thread's newest checkpoint, as it was read."""

    #: None: it has none.
    found: CheckpointTuple | None


class GroupCommitSaver(AsyncPostgresSaver):
    """Commits the writes that arrive during a commit together, in their order.

    Single commits can overtake each other, and cost a round trip each. Values are plain types and LangGraph's own;
    anything else comes back as plain data (strict msgpack).
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(conn=pool, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._pending: list[_Writes] = []
        self._committing = False
        self._reports: dict[str, asyncio.Future[Exception | None]] = {}
        #: None: to be read.
        self._head: _Head | None = None
        self._changes = 0
        self._ended = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def end(self) -> None:
        """Refuse every later reading and writing with RunnerLost; return once none is under way."""
        self._ended = True
        await self._idle.wait()

    async def committed(self, task_id: str) -> None:
        """Return when the writes of a task are committed; raise the error that prevented it."""
        if (error := await asyncio.shield(self._report(task_id))) is not None:
            raise error

    async def prune_thread(self, thread: ThreadId) -> None:
        """Keep only the thread's newest checkpoint.

        Raises:
            SerializationFailure: other writers kept changing the thread's rows.
        """
        for tries_left in reversed(range(_PRUNE_TRIES)):
            try:
                async with self._cursor() as cursor:
                    await cursor.execute(_PRUNE, {"thread": thread})
            except (SerializationFailure, DeadlockDetected):
                if not tries_left:
                    raise
            else:
                self._note_change()
                return

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint. The thread's newest is read once until this job changes it: nobody else does."""
        if get_checkpoint_id(config):
            return await super().aget_tuple(config)
        if (head := self._head) is None:
            changes = self._changes
            head = _Head(found=await super().aget_tuple(config))
            if changes == self._changes and not self._committing:
                self._head = head
        if (found := head.found) is None:
            return None
        # A copy of what LangGraph changes in place.
        return found._replace(
            checkpoint=copy_checkpoint(found.checkpoint), pending_writes=[*(found.pending_writes or ())]
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint without the names of finished calls: LangGraph adds each for good, and looks none up."""
        seen = {name: versions for name, versions in checkpoint["versions_seen"].items() if versions}
        checkpoint = cast("Checkpoint", {**checkpoint, "versions_seen": seen})
        try:
            return await super().aput(config, checkpoint, metadata, new_versions)
        finally:
            self._note_change()

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store a task's writes together with others that are pending; return once they are committed."""
        place = config["configurable"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # LangGraph always gives it
        rows = self._dump_writes(
            place["thread_id"], place["checkpoint_ns"], place["checkpoint_id"], task_id, task_path, writes
        )
        done = asyncio.get_running_loop().create_future()
        replace = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        self._pending.append(_Writes(task_id=task_id, replace=replace, rows=rows, done=done))
        if not self._committing:
            await self._commit_pending()
        if (error := await done) is not None:
            raise error

    def _note_change(self) -> None:
        self._head = None
        self._changes += 1

    async def _commit_pending(self) -> None:
        self._committing = True
        batch: list[_Writes] = []
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                self._report_batch(batch, await self._commit(batch))
        finally:
            self._committing = False
            self._note_change()
            for writes in (*batch, *self._pending):
                writes.done.cancel()

    async def _commit(self, batch: Sequence[_Writes]) -> Exception | None:
        try:
            groups = [(replace, list(group)) for replace, group in groupby(batch, key=attrgetter("replace"))]
            async with self._cursor(pipeline=len(groups) > 1) as cursor:  # one statement is a transaction by itself
                for replace, group in groups:
                    rows = [row for writes in group for row in writes.rows]
                    if replace:  # a statement that replaces a row twice fails
                        rows = list({(row[2], row[3], row[5]): row for row in rows}.values())
                    columns = [list(column) for column in zip(*rows, strict=True)]
                    await cursor.execute(_REPLACE if replace else _INSERT, columns)
        except (AgentError, psycopg.Error) as error:
            return error
        return None

    def _report_batch(self, batch: Sequence[_Writes], error: Exception | None) -> None:
        for writes in batch:
            writes.done.set_result(error)
            report = self._report(writes.task_id)
            if not report.done():
                report.set_result(error)

    def _report(self, task_id: str) -> asyncio.Future[Exception | None]:
        report = self._reports.get(task_id)
        if report is None:
            self._reports[task_id] = report = asyncio.get_running_loop().create_future()
        return report

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncGenerator[AsyncCursor[DictRow]]:
        """Yield the saver's cursor; psycopg's errors of an unreachable database become StoreUnavailable."""
        if self._ended:
            raise RunnerLost
        self._under_way += 1
        self._idle.clear()
        try:
            async with super()._cursor(pipeline=pipeline) as cursor:
                yield cursor
        except (SerializationFailure, DeadlockDetected):
            raise
        except (psycopg.OperationalError, PoolClosed, PoolTimeout) as error:
            raise StoreUnavailable from error
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
