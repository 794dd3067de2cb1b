"""The files of threads: listed and found for tools and people, and evicted before each planning round.

`agent/plan/eviction.py` decides. Here its decision is made again under the thread's row lock, on what is committed by
then, so that a reference that comes at the same time either keeps the file or finds its tombstone.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, and_, case, exists, func, literal, or_, select, text, tuple_, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import Decision
from agent.ids import Digest, NodeId, Tenant, ThreadId, ToolName, UserId, thread_parts
from agent.plan.eviction import (
    FileLimits,
    FileReferences,
    KeptFile,
    PromptFiles,
    evictions,
    referred_nodes,
    steps_after,
)
from agent.plan.file_names import prefix_searched_by
from agent.plan.files import Evicted, Eviction, FileOrigin, FileRecord
from agent.plan.operations import Add, LoggedOperation, Node, canonical_json, node_json, nodes_added
from agent.plan.sources import Source
from infra.db.database import Database
from infra.db.tables import AuditRow, FileRow, InboxRow, NodeRow, RunRow, thread_key
from infra.stores.artifacts import lock_thread, release
from infra.stores.audit import AuditEvent
from infra.stores.operation_log import PostgresOperationLog

_THREADS_PER_PASS = 50
"""Threads that one pass of the chore looks at: the others are the next one's."""

_SPARED_FOR = timedelta(hours=12)
"""A thread whose files could not go is looked at again after this time."""

_MANY = 1_000_000

_AGED_FILES = 50
"""So many files that left the prompts are read, the newest: those of steps that ended together."""

_NO_LIMITS = FileLimits()

_CALL_EVENTS = (AuditEvent.ASKED.value, AuditEvent.DENIED.value, AuditEvent.STARTED.value)
"""The rows of the audit with which a red call begins: the digest of each covers what its arguments came from."""

_log = logging.getLogger(__name__)

# One statement a round; a thread without files costs no write. Files that no round has found yet are this one's. Only
# those that may still stand in prompts are read, and the last that left them, so that a round costs the same in a
# thread with thousands.
_BEGIN = text("""
    WITH live AS (
        SELECT sum(bytes) AS bytes, max(bytes) AS run_bytes, min(oldest) AS oldest FROM (
            SELECT turn, sum(size) AS bytes, min(made_at) AS oldest FROM files
            WHERE tenant = :tenant AND thread = :thread AND evicted_at IS NULL GROUP BY turn
        ) AS runs
    ),
    round AS (
        UPDATE threads SET file_rounds = file_rounds + :step FROM live
        WHERE tenant = :tenant AND thread = :thread AND live.bytes IS NOT NULL
        RETURNING file_rounds, live.*
    ),
    found AS (
        UPDATE files SET found_in = round.file_rounds FROM round
        WHERE tenant = :tenant AND thread = :thread AND evicted_at IS NULL AND found_in IS NULL
    ),
    aged AS MATERIALIZED (
        SELECT ARRAY(
            SELECT node FROM files
            WHERE tenant = :tenant AND thread = :thread AND found_in < round.file_rounds - :rounds
            ORDER BY made_at DESC LIMIT :aged
        ) AS aged FROM round
    )
    SELECT round.file_rounds, round.bytes, round.run_bytes, round.oldest, aged.aged, files.*
    FROM round CROSS JOIN aged
    LEFT JOIN files ON files.tenant = :tenant AND files.thread = :thread AND files.evicted_at IS NULL
        AND (files.found_in IS NULL OR files.found_in >= round.file_rounds - :rounds)
    ORDER BY made_at, name
""")

# An answer of a later turn than a file's, and any open request, may mean it by the last part of its name alone. A line
# break stands in stored JSON as a backslash and an n, a quotation mark of print as a backslash, a u and four digits.
_NAMED = text(r"""
    WITH given AS (
        SELECT * FROM unnest(CAST(:names AS text[]), CAST(:turns AS integer[]), CAST(:ends AS text[]),
            CAST(:patterns AS text[])) AS given (name, turn, ending, pattern)
    ),
    said AS (
        SELECT turn, concat(answer, replies::text) AS words FROM runs WHERE tenant = :tenant AND thread = :thread
        UNION ALL
        SELECT NULL, concat(args::text, edited::text, title) FROM approvals
        WHERE tenant = :tenant AND thread = :thread AND status = :pending
    )
    SELECT DISTINCT name FROM given JOIN said ON (said.turn IS NULL OR said.turn >= given.turn)
        AND CASE WHEN strpos(words, ending) > 0 THEN words ~ pattern ELSE false END
""")


class PostgresFiles:
    """Files and FileRounds."""

    def __init__(self, database: Database, log: PostgresOperationLog, limits: FileLimits = _NO_LIMITS) -> None:
        self._database = database
        self._log = log
        self._limits = limits
        #: Workspace -> bytes above its quota that are left since the last pass of the chore: its idle threads have no
        #: more to spare, so those at work give some.
        self._excess: dict[Tenant, int] = {}

    async def find(self, thread: ThreadId, name: str) -> FileRecord | None:
        """Return the file of that name, or its tombstone."""
        row = select(FileRow.__table__).where(FileRow.of_thread(thread), FileRow.name == name)
        found = (await self._database.execute(row)).mappings().one_or_none()
        return None if found is None else _record(found)

    async def listed(self, thread: ThreadId, *, after: str = "", prefix: str = "", most: int) -> Sequence[FileRecord]:
        """Return files and tombstones, newest first."""
        rows = select(FileRow.__table__).where(FileRow.of_thread(thread))
        if prefix:
            rows = rows.where(func.starts_with(FileRow.name, prefix))
        if after:
            last = select(FileRow.made_at).where(FileRow.of_thread(thread), FileRow.name == after).scalar_subquery()
            rows = rows.where(or_(FileRow.made_at < last, and_(FileRow.made_at == last, FileRow.name > after)))
        rows = rows.order_by(FileRow.made_at.desc(), FileRow.name).limit(most)
        return [_record(row) for row in (await self._database.execute(rows)).mappings()]

    async def begin(self, thread: ThreadId, *, again: bool = False) -> PromptFiles:
        """Begin a round: delete what may go, and return what its models are shown."""
        values = {
            **thread_key(thread),
            "rounds": self._limits.prompt_rounds,
            "step": int(not again),
            "aged": _AGED_FILES,
        }
        rows = (await self._database.execute(_BEGIN, values)).mappings().all()
        if not rows:
            return PromptFiles(steps=self._limits.prompt_steps)
        number, now = rows[0]["file_rounds"], datetime.now(UTC)
        excess = await self._excess_now(thread_parts(thread).tenant)
        if (
            rows[0]["bytes"] > self._limits.thread_bytes
            or rows[0]["run_bytes"] > self._limits.run_bytes
            or now - rows[0]["oldest"] > timedelta(days=self._limits.days)
            or excess > 0
        ):
            await self._evict(thread, number, excess)
        recent = [row for row in rows if row["name"] is not None]
        return await self._shown(thread, recent, number, rows[0]["aged"])

    async def prune(self) -> int:
        """Evict what is too old, or too much for its run, thread or workspace, in threads that have nothing under way.

        Return how many files went.
        """
        self._excess = await self._excesses()
        count = 0
        for thread in await self._due(self._excess):
            tenant = thread_parts(thread).tenant
            gone = await self._evict(thread, None, self._excess.get(tenant, 0))
            self._excess[tenant] = self._excess.get(tenant, 0) - sum(gone.values())
            count += len(gone)
        return count

    async def _excess_now(self, tenant: Tenant) -> int:
        """Return the bytes that a workspace has above its quota; 0 if the last pass of the chore left none.

        Read anew: threads at work of other workers gave some meanwhile.
        """
        if self._excess.get(tenant, 0) > 0:
            live = select(func.sum(FileRow.size)).where(FileRow.tenant == tenant, FileRow.evicted_at.is_(None))
            left = int((await self._database.execute(live)).scalar_one() or 0)
            self._excess[tenant] = left - self._limits.tenant_bytes
        return max(0, self._excess.get(tenant, 0))

    async def _shown(
        self, thread: ThreadId, rows: Sequence[RowMapping], number: int, aged: Sequence[str]
    ) -> PromptFiles:
        """Return what a round's models are shown. Of turns before the last one every node has ended.

        `aged`: nodes whose file is too many rounds old, those of the newest. What ended before one of them is as old.
        """
        logged = await self._log.after(thread, 0)
        turn = logged[-1].turn if logged else 0
        at_work = select(NodeRow.node, NodeRow.ended_at).where(NodeRow.of_thread(thread), NodeRow.turn == turn)
        found = await self._database.execute(at_work.where(NodeRow.ended_at.is_not(None)))
        ended = {NodeId(row.node): row.ended_at for row in found}
        kept = _kept(rows, _steps_after(logged, ended.keys(), self._limits), number)
        aged_until = max((ended[node] for node in map(NodeId, aged) if node in ended), default=None)
        old = frozenset(node for node, at in ended.items() if aged_until is not None and at <= aged_until)
        return replace(PromptFiles.of(kept, self._limits), old=old)

    async def _evict(self, thread: ThreadId, number: int | None, tenant_excess: int = 0) -> Mapping[str, int]:
        """Evict under the thread's row lock; return name -> bytes of what went. `number`: the round; None: no run is
        under way, or nothing goes.
        """
        async with self._database.begin() as connection:
            if not await lock_thread(connection, thread, skip_locked=number is None):
                return {}
            if number is None and await _is_busy(connection, thread):
                return {}
            logged = await self._log.whole(connection, thread)
            nodes = nodes_added([entry.operation for entry in logged])
            ended = await _ended(connection, thread)
            live = select(FileRow.__table__).where(FileRow.of_thread(thread), FileRow.evicted_at.is_(None))
            rows = (await connection.execute(live.with_for_update())).mappings().all()
            kept = _kept(rows, _steps_after(logged, ended, self._limits), number or 0)
            references = FileReferences(
                nodes=referred_nodes(nodes, ended, await _audited(connection, thread)),
                names=await _named(connection, thread, rows, nodes, ended),
            )
            gone = evictions(
                kept,
                references,
                self._limits,
                now=datetime.now(UTC),
                tenant_excess=tenant_excess,
                idle=number is None,
            )
            await _bury(connection, thread, gone)
            if number is None:
                await _spare(connection, thread, [file.record.name for file in kept if references.cover(file.record)])
            await release(connection, thread, [row["digest"] for row in rows if row["name"] in gone])
        if gone:
            _log.info("%d files of %s are no longer kept", len(gone), thread)
        return {row["name"]: row["size"] for row in rows if row["name"] in gone}

    async def _excesses(self) -> dict[Tenant, int]:
        """Return tenant -> bytes above its quota, of those that are above it."""
        total = func.sum(FileRow.size)
        rows = select(FileRow.tenant, total.label("bytes")).where(FileRow.evicted_at.is_(None))
        found = await self._database.execute(rows.group_by(FileRow.tenant).having(total > self._limits.tenant_bytes))
        return {Tenant(row.tenant): int(row.bytes) - self._limits.tenant_bytes for row in found}

    async def _due(self, excess: Mapping[Tenant, int]) -> Sequence[ThreadId]:
        """Return threads with files that may go, those with the oldest first."""
        oldest = func.min(FileRow.made_at)
        too_old = FileRow.made_at < func.now() - timedelta(days=self._limits.days)
        of_thread = (FileRow.tenant, FileRow.thread)
        over_quota = (
            tuple_(*by).in_(
                select(*by).where(FileRow.evicted_at.is_(None)).group_by(*by).having(func.sum(FileRow.size) > most)
            )
            for by, most in (
                ((*of_thread, FileRow.turn), self._limits.run_bytes),
                (of_thread, self._limits.thread_bytes),
            )
        )
        due = or_(too_old, FileRow.tenant.in_(list(excess)), *over_quota)
        unspared = or_(FileRow.spared_at.is_(None), FileRow.spared_at < func.now() - _SPARED_FOR)
        open_run = exists().where(
            RunRow.tenant == FileRow.tenant, RunRow.thread == FileRow.thread, RunRow.ended_at.is_(None)
        )
        rows = select(FileRow.thread).where(FileRow.evicted_at.is_(None), due, unspared, ~open_run)
        rows = rows.group_by(FileRow.tenant, FileRow.thread).order_by(oldest).limit(_THREADS_PER_PASS)
        return [ThreadId(thread) for thread in (await self._database.execute(rows)).scalars()]


def _steps_after(
    logged: Sequence[LoggedOperation], ended: AbstractSet[NodeId], limits: FileLimits
) -> Mapping[NodeId, int]:
    """Return node -> how many nodes planned after it have ended; one that is not in it has more than prompts show.

    `ended` are those of the last turn, or more.
    """
    last = logged[-1].turn if logged else 0
    turns = {entry.operation.node.id: entry.turn for entry in reversed(logged) if isinstance(entry.operation, Add)}
    return steps_after(turns, lambda node: node in ended or turns[node] < last, limits.prompt_steps)


def _kept(rows: Sequence[RowMapping], later: Mapping[NodeId, int], number: int) -> Sequence[KeptFile]:
    return [
        KeptFile(
            record=_record(row),
            rounds=0 if row["found_in"] is None else number - row["found_in"],
            steps=later.get(NodeId(row["node"]), _MANY),
        )
        for row in rows
    ]


async def _ended(connection: AsyncConnection, thread: ThreadId) -> frozenset[NodeId]:
    rows = select(NodeRow.node).where(NodeRow.of_thread(thread), NodeRow.ended_at.is_not(None))
    return frozenset(NodeId(node) for node in (await connection.execute(rows)).scalars())


async def _is_busy(connection: AsyncConnection, thread: ThreadId) -> bool:
    """Return whether the thread has a run, or a message that is to begin one."""
    runs = select(literal(1)).where(RunRow.of_thread(thread), RunRow.ended_at.is_(None))
    mail = select(literal(1)).where(InboxRow.of_thread(thread), InboxRow.turn.is_(None))
    return (await connection.execute(union(runs, mail).limit(1))).first() is not None


async def _audited(connection: AsyncConnection, thread: ThreadId) -> frozenset[NodeId]:
    """Return the nodes of red calls that were asked about, denied or started."""
    rows = select(AuditRow.node).where(AuditRow.of_thread(thread), AuditRow.event.in_(_CALL_EVENTS)).distinct()
    return frozenset(NodeId(node) for node in (await connection.execute(rows)).scalars())


async def _named(
    connection: AsyncConnection,
    thread: ThreadId,
    files: Sequence[RowMapping],
    nodes: Mapping[NodeId, Node],
    ended: frozenset[NodeId],
) -> frozenset[str]:
    """Return the files that an answer or a reply, an open request or an unfinished step names, or is to search.

    People are told of a file by the last part of its name, so that is enough; in doubt it is kept.
    """
    at_work = [node for node in nodes.values() if node.id not in ended]
    written = "\n".join(canonical_json(node_json(node)) for node in at_work)
    searched = tuple(prefix for node in at_work if (prefix := prefix_searched_by(node)) is not None)
    ends = [str(row["name"]).rpartition("/")[2] for row in files]
    found = {
        row["name"] for row, end in zip(files, ends, strict=True) if end in written or row["name"].startswith(searched)
    }
    values = {
        **thread_key(thread),
        "names": [row["name"] for row in files],
        "turns": [row["turn"] for row in files],
        "ends": ends,
        "patterns": [_mention(end) for end in ends],
        "pending": Decision.PENDING.value,
    }
    return frozenset(found | set((await connection.execute(_NAMED, values)).scalars()))


def _mention(end: str) -> str:
    """Return the server's regular expression for a name that is no part of a longer word; `_` may stand around it."""
    letters = re.sub(r"(\W)", r"\\\1", end)
    return rf"((?<![[:alnum:]_])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{{4}}))_*{letters}_*(?![[:alnum:]_])"


async def _spare(connection: AsyncConnection, thread: ThreadId, names: Sequence[str]) -> None:
    if names:
        rows = update(FileRow).where(FileRow.of_thread(thread), FileRow.name.in_(names))
        await connection.execute(rows.values(spared_at=func.now()))


async def _bury(connection: AsyncConnection, thread: ThreadId, gone: Mapping[str, Evicted]) -> None:
    if gone:
        why = case({name: reason.value for name, reason in gone.items()}, value=FileRow.name, else_="")
        rows = update(FileRow).where(FileRow.of_thread(thread), FileRow.name.in_(list(gone)))
        await connection.execute(rows.values(evicted_at=func.now(), evicted_for=why))


def _record(row: RowMapping | Mapping[str, Any]) -> FileRecord:
    evicted_at: datetime | None = row["evicted_at"]
    personal: Sequence[Sequence[str]] = row["personal"]
    return FileRecord(
        name=row["name"],
        origin=FileOrigin(
            turn=row["turn"],
            node=NodeId(row["node"]),
            author=UserId(row["author"]),
            personal=frozenset(Source(tool=ToolName(tool), author=UserId(author)) for tool, author in personal),
            outside=row["outside"],
        ),
        digest=Digest(row["digest"]),
        size=row["size"],
        media_type=row["media_type"],
        summary=row["summary"],
        made_at=row["made_at"],
        evicted=None if evicted_at is None else Eviction(at=evicted_at, why=Evicted(row["evicted_for"])),
    )
