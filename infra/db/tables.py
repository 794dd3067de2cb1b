"""The tables: every row starts with its tenant, and a thread's rows with tenant and thread.

Times are the database's (`now()` of the transaction) unless a column says otherwise. JSON columns
are `json`, not `jsonb`: digests are made of what is stored, and `jsonb` changes numbers, key order
and refuses NUL. No foreign keys to `threads`: they would lock it at every write, and a thread is deleted
by key. Procrastinate and the checkpointer own their tables; `migrate.py` calls them. The schema stays in
one file, as one reads it beside its migrations.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from agent.ids import ThreadId, thread_parts
from sandbox.script import Json


class SafeText(TypeDecorator[str]):
    """Text from outside: what PostgreSQL cannot store (NUL, lone surrogates) becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base class names it
        if value is None:
            return None
        return value.encode("utf-8", "replace").decode().replace("\0", "�")


def json_text(value: object) -> str:
    """Return a JSON column's text. ASCII only, so that lone surrogates survive as escapes.

    Raises:
        ValueError: it holds NaN or an infinity.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


class Row(DeclarativeBase):
    """Base of all rows."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: SafeText,
        int: BigInteger,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        Json: JSON,
        Mapping[str, Json]: JSON,
        list[str]: JSON,
    }


class InThread:
    """A row of a thread, which is its tenant's."""

    tenant: Mapped[str] = mapped_column(primary_key=True, sort_order=-2)
    thread: Mapped[str] = mapped_column(sort_order=-1)

    @classmethod
    def of_thread(cls, thread: ThreadId) -> ColumnElement[bool]:
        """Return the condition that a row is the thread's."""
        return and_(cls.tenant == thread_parts(thread).tenant, cls.thread == thread)


class KeyedByThread(InThread):
    """A row whose key begins with its thread."""

    thread: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)


def thread_key(thread: ThreadId) -> dict[str, str]:
    """Return the columns that say whose row it is."""
    return {"tenant": thread_parts(thread).tenant, "thread": thread}


class ThreadRow(KeyedByThread, Row):
    """A thread. Its row lock orders everything that must not race within a thread. `looked_for_at` is when the
    safety net last woke it."""

    __tablename__ = "threads"
    channel: Mapped[str]
    last_seq: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    looked_for_at: Mapped[datetime | None]


class InboxRow(InThread, Row):
    """A message of a person. `turn` is the turn whose plan answers to it; null: not taken yet."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("tenant", "app", "event_id"),
        UniqueConstraint("tenant", "channel", "ts"),
        Index(None, "tenant", "thread", "id"),
        Index("ix_inbox_untaken", "tenant", "thread", postgresql_where=text("turn IS NULL")),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    app: Mapped[str]
    event_id: Mapped[str]
    channel: Mapped[str]
    ts: Mapped[str]
    author: Mapped[str]
    text: Mapped[str]
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    turn: Mapped[int | None]


class RunRow(KeyedByThread, Row):
    """A turn of a thread. `settled` is set when everything it will ever show has been posted. The six
    figures are what it has spent, as `agent.budget.usage.Spent` has them; `packing` is what
    `infra/stores/packings.py` writes."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_open_of_requester", "tenant", "requester", postgresql_where=text("ended_at IS NULL")),
        Index("ix_runs_open_in_channel", "tenant", "channel", postgresql_where=text("ended_at IS NULL")),
        Index("ix_runs_unsettled", "tenant", "thread", postgresql_where=text("NOT settled")),
    )
    turn: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str]
    requester: Mapped[str]
    status: Mapped[str]
    replies: Mapped[list[str]] = mapped_column(server_default="[]")
    trouble: Mapped[str] = mapped_column(server_default="")
    answer: Mapped[str] = mapped_column(server_default="")
    reflections: Mapped[list[Json]] = mapped_column(JSON, server_default="[]")
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    settled: Mapped[bool] = mapped_column(server_default=text("false"))
    model_calls: Mapped[int] = mapped_column(server_default="0")
    input_tokens: Mapped[int] = mapped_column(server_default="0")
    output_tokens: Mapped[int] = mapped_column(server_default="0")
    cost_micros: Mapped[int] = mapped_column(server_default="0")
    work_milliseconds: Mapped[int] = mapped_column(server_default="0")
    nodes: Mapped[int] = mapped_column(server_default="0")
    packing: Mapped[Mapping[str, Json]] = mapped_column(server_default="{}")

    @classmethod
    def of_turn(cls, thread: ThreadId, turn: int) -> ColumnElement[bool]:
        """Return the condition that the row is this turn's."""
        return cls.of_thread(thread) & (cls.turn == turn)


class SummaryRow(KeyedByThread, Row):
    """What the thread's turns up to `upto_turn` came to, for models to read instead of them."""

    __tablename__ = "summaries"
    upto_turn: Mapped[int]
    text: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OperationRow(KeyedByThread, Row):
    """One operation of the thread's append-only plan. `adds` is the node an add brings."""

    __tablename__ = "operations"
    __table_args__ = (UniqueConstraint("tenant", "thread", "adds"),)
    seq: Mapped[int] = mapped_column(primary_key=True)
    turn: Mapped[int]
    author: Mapped[str]
    operation: Mapped[Mapping[str, Json]]
    adds: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class NodeRow(KeyedByThread, Row):
    """A node as people see it: derived data, written by `Progress`. Times are the events'."""

    __tablename__ = "nodes"
    __table_args__ = (Index(None, "tenant", "thread", "turn"),)
    node: Mapped[str] = mapped_column(primary_key=True)
    turn: Mapped[int]
    noted: Mapped[int] = mapped_column(Identity())
    title: Mapped[str]
    kind: Mapped[str]
    tool: Mapped[str | None]
    colour: Mapped[str]
    author: Mapped[str]
    state: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    depends_on: Mapped[list[str]]
    outcome: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    planned_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class AttemptRow(KeyedByThread, Row):
    """One ended attempt of a package. `of` is the call it belongs to; `record` the artifact with its logs, calls
    and answers, as `infra/stores/attempts.py` writes it."""

    __tablename__ = "attempts"
    node: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    error: Mapped[str]
    traceback: Mapped[str]
    milliseconds: Mapped[float]
    at: Mapped[datetime]
    of: Mapped[str] = mapped_column(server_default="")
    record: Mapped[str | None]


class ApprovalRow(InThread, Row):
    """A question to a person. `status` leaves `pending` once, by compare-and-set."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index(None, "tenant", "thread", "asked"),
        Index(None, "id"),
        Index("ix_approvals_expiring", "expires_at", postgresql_where=text("status = 'pending'")),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    turn: Mapped[int]
    node: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    tool: Mapped[str]
    args: Mapped[Mapping[str, Json]]
    digest: Mapped[str]
    author: Mapped[str]
    attempt: Mapped[int]
    blocks: Mapped[list[str]]
    asked: Mapped[int] = mapped_column(Identity())
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    status: Mapped[str] = mapped_column(server_default="pending")
    decided_by: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="")
    decided_at: Mapped[datetime | None]


class LedgerRow(KeyedByThread, Row):
    """One try of one red call: `started` is committed before it, `done` after it."""

    __tablename__ = "ledger"
    node: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="started")
    result: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class AuditRow(InThread, Row):
    """What was asked, decided, started and finished: only ever inserted, never a secret in it.

    No foreign key: the audit outlives the thread.
    """

    __tablename__ = "audit"
    __table_args__ = (Index(None, "tenant", "thread", "id"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    node: Mapped[str]
    event: Mapped[str]
    by: Mapped[str | None]
    digest: Mapped[str]
    details: Mapped[Mapping[str, Json]]


class ArtifactRow(Row):
    """A value kept once per tenant and content."""

    __tablename__ = "artifacts"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ArtifactUseRow(KeyedByThread, Row):
    """Which thread refers to an artifact, and under which name."""

    __tablename__ = "artifact_uses"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "digest"], ["artifacts.tenant", "artifacts.digest"]),
        Index(None, "tenant", "digest"),
    )
    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    media_type: Mapped[str]
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ResultRow(Row):
    """What a green tool gave to a person, until it expires. `arguments` is a digest: arguments may be secret."""

    __tablename__ = "results"
    __table_args__ = (Index(None, "expires_at"),)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(primary_key=True)
    tool: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    arguments: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Json]
    kept_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class PostRow(KeyedByThread, Row):
    """A message of a turn in Slack. No `ts`: a try to post it was begun and not yet noted."""

    __tablename__ = "posts"
    turn: Mapped[int] = mapped_column(primary_key=True)
    post: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ts: Mapped[str | None]
    shown: Mapped[str | None]


class WorkerRow(Row):
    """A process that runs threads. Once `dead_at` is set it is never alive again; `buried_at` is set when
    its connections are gone and its threads have been handed on.

    `queue_worker` is its id in Procrastinate, written when it takes a lease.
    """

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    queue_worker: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dead_at: Mapped[datetime | None]
    buried_at: Mapped[datetime | None]


class LeaseRow(KeyedByThread, Row):
    """Who runs a thread. A row whose worker is buried, or whose job is over, is free to take."""

    __tablename__ = "leases"
    __table_args__ = (ForeignKeyConstraint(["worker"], ["workers.id"]), Index(None, "worker"))
    worker: Mapped[str]
    job: Mapped[int]
    token: Mapped[int] = mapped_column(Identity())
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())


class QueueMigrationRow(Row):
    """A numbered schema file of Procrastinate that this database already has."""

    __tablename__ = "queue_migrations"
    name: Mapped[str] = mapped_column(primary_key=True)
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())
