"""The tables: every row starts with its tenant, and a thread's rows with tenant and thread.

Times are the database's (`now()` of the transaction) unless a column says otherwise. JSON columns are `json`, not
`jsonb`: digests are made of what is stored, and `jsonb` changes numbers, key order and refuses NUL. No foreign keys to
`threads`: they would lock it at every write, and a thread is deleted by key. Procrastinate and the checkpointer own
their tables; `migrate.py` calls them.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import ClassVar

from sqlalchemy import (
    ARRAY,
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
    bindparam,
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
    @lru_cache(maxsize=4096)  # building it anew was most of the work for a short statement
    def of_thread(cls, thread: ThreadId) -> ColumnElement[bool]:
        """Return the condition that a row is the thread's."""
        return and_(cls.tenant == thread_parts(thread).tenant, cls.thread == thread)

    @classmethod
    def of_given_thread(cls) -> ColumnElement[bool]:
        """Return the same condition for a statement that is built once and run with `thread_key`."""
        return and_(cls.tenant == bindparam("tenant"), cls.thread == bindparam("thread"))


class KeyedByThread(InThread):
    """A row whose key begins with its thread."""

    thread: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)


def thread_key(thread: ThreadId) -> dict[str, str]:
    """Return the columns that say whose row it is."""
    return {"tenant": thread_parts(thread).tenant, "thread": thread}


class ThreadRow(KeyedByThread, Row):
    """A thread. Its row lock orders everything that must not race within a thread."""

    __tablename__ = "threads"
    channel: Mapped[str]
    #: The number of its last operation.
    last_seq: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: When recovery last woke it as stranded.
    looked_for_at: Mapped[datetime | None]
    #: How often in a row it was taken over from a process that had broken down, without progress in between.
    takeovers: Mapped[int] = mapped_column(server_default="0")
    #: What tells progress: how many of its nodes and turns had ended at the last takeover.
    ended: Mapped[int] = mapped_column(server_default="0")
    #: Since when nobody enters it by themselves; null: anybody may.
    set_aside_at: Mapped[datetime | None]
    #: How many planning rounds have looked at its files.
    file_rounds: Mapped[int] = mapped_column(server_default="0")


class InboxRow(InThread, Row):
    """A message of a person."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("tenant", "app", "event_id"),
        UniqueConstraint("tenant", "channel", "ts"),
        Index(None, "tenant", "thread", "id"),
        Index("ix_inbox_untaken", "tenant", "thread", postgresql_where=text("turn IS NULL")),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    #: The Slack app that received it.
    app: Mapped[str]
    event_id: Mapped[str]
    channel: Mapped[str]
    #: Its timestamp in Slack; of a stop that is no message, a text that starts with `stop:`.
    ts: Mapped[str]
    author: Mapped[str]
    text: Mapped[str]
    #: A `bot.ports.Kind`.
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: The turn whose plan answers to it; null: not taken yet.
    turn: Mapped[int | None]


class SearchTokenRow(KeyedByThread, Row):
    """The right to search that a person's newest message in a thread brought."""

    __tablename__ = "search_tokens"
    __table_args__ = (Index(None, "expires_at"),)
    author: Mapped[str] = mapped_column(primary_key=True)
    #: As `infra/stores/search_tokens.py` seals it.
    sealed: Mapped[str]
    expires_at: Mapped[datetime]


class RunRow(KeyedByThread, Row):
    """A turn of a thread."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_open_of_requester", "tenant", "requester", postgresql_where=text("ended_at IS NULL")),
        Index("ix_runs_open_in_channel", "tenant", "channel", postgresql_where=text("ended_at IS NULL")),
        Index("ix_runs_unsettled", "tenant", "thread", postgresql_where=text("NOT settled")),
    )
    turn: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str]
    requester: Mapped[str]
    #: An `agent.ports.RunStatus`.
    status: Mapped[str]
    #: The planner's words in place of a plan.
    replies: Mapped[list[str]] = mapped_column(server_default="[]")
    #: An `agent.errors.TurnError`, or empty.
    trouble: Mapped[str] = mapped_column(server_default="")
    answer: Mapped[str] = mapped_column(server_default="")
    #: The decisions on how it went on, as `infra/stores/runs.py` writes them.
    reflections: Mapped[list[Json]] = mapped_column(JSON, server_default="[]")
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    #: Set when everything it will ever show has been posted.
    settled: Mapped[bool] = mapped_column(server_default=text("false"))
    #: From here to `cached_tokens`: its spending, as in `agent.budget.usage.Spent`.
    model_calls: Mapped[int] = mapped_column(server_default="0")
    input_tokens: Mapped[int] = mapped_column(server_default="0")
    output_tokens: Mapped[int] = mapped_column(server_default="0")
    cost_micros: Mapped[int] = mapped_column(server_default="0")
    work_milliseconds: Mapped[int] = mapped_column(server_default="0")
    nodes: Mapped[int] = mapped_column(server_default="0")
    cached_tokens: Mapped[int] = mapped_column(server_default="0")
    #: An `agent.packing.packing.TurnPacking`.
    packing: Mapped[Mapping[str, Json]] = mapped_column(server_default="{}")
    #: `[author, fact's id]` of each fact that its models were shown; null: of none. The facts stand in LangGraph's
    #: table alone, so that one that is deleted is gone from here, too.
    recalled: Mapped[Json | None] = mapped_column(JSON)
    #: `[name, source]` of each runbook that its models were shown, and of a canvas an object with more; null: none.
    runbooks: Mapped[Json | None] = mapped_column(JSON)

    @classmethod
    def of_turn(cls, thread: ThreadId, turn: int) -> ColumnElement[bool]:
        """Return the condition that the row is this turn's."""
        return cls.of_thread(thread) & (cls.turn == turn)


class SummaryRow(KeyedByThread, Row):
    """A thread's summary, which models read in place of its turns."""

    __tablename__ = "summaries"
    #: The last turn it covers.
    upto_turn: Mapped[int]
    text: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OperationRow(KeyedByThread, Row):
    """One operation of the thread's append-only plan."""

    __tablename__ = "operations"
    __table_args__ = (UniqueConstraint("tenant", "thread", "adds"),)
    seq: Mapped[int] = mapped_column(primary_key=True)
    turn: Mapped[int]
    author: Mapped[str]
    operation: Mapped[Mapping[str, Json]]
    #: The node that an add brings.
    adds: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class NodeRow(KeyedByThread, Row):
    """A node as people see it: derived data, written by `Progress`. Times are those of the events."""

    __tablename__ = "nodes"
    __table_args__ = (Index(None, "tenant", "thread", "turn"),)
    node: Mapped[str] = mapped_column(primary_key=True)
    turn: Mapped[int]
    #: Orders a thread's nodes as in the plan.
    noted: Mapped[int] = mapped_column(Identity())
    title: Mapped[str]
    kind: Mapped[str]
    #: The tool of a call, the role of a subagent.
    tool: Mapped[str | None]
    colour: Mapped[str]
    author: Mapped[str]
    #: An `agent.plan.outcomes.NodeState`.
    state: Mapped[str]
    #: One short line for the board.
    detail: Mapped[str] = mapped_column(server_default="")
    depends_on: Mapped[list[str]]
    #: Set exactly when the state is final.
    outcome: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    planned_at: Mapped[datetime]
    #: When it entered its state.
    changed_at: Mapped[datetime]
    #: When it first ran.
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class AttemptRow(KeyedByThread, Row):
    """One ended attempt of a package."""

    __tablename__ = "attempts"
    node: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    error: Mapped[str]
    traceback: Mapped[str]
    milliseconds: Mapped[float]
    at: Mapped[datetime]
    #: The digest of the package's call.
    of: Mapped[str] = mapped_column(server_default="")
    #: The digest of the artifact with its logs, calls and answers, as `infra/stores/attempts.py` writes it.
    record: Mapped[str | None]


class SubagentStepRow(KeyedByThread, Row):
    """A step of a subagent: an answer of its model, or what it was told of a call."""

    __tablename__ = "subagent_steps"
    node: Mapped[str] = mapped_column(primary_key=True)
    #: The digest of the subagent's call.
    of: Mapped[str] = mapped_column(primary_key=True)
    #: The number of the model's answer, from 1.
    step: Mapped[int] = mapped_column(primary_key=True)
    #: The number of the answer's call, from 1; 0: the answer itself.
    call: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[Mapping[str, Json]]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApprovalRow(InThread, Row):
    """A request to a person."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index(None, "tenant", "thread", "asked"),
        Index(None, "id"),
        Index("ix_approvals_of_tool", "tenant", "tool", "asked_at"),
        Index("ix_approvals_expiring", "expires_at", postgresql_where=text("status = 'pending'")),
        Index("ix_approvals_due", "due_at", postgresql_where=text("status = 'pending'")),
        Index("ix_approvals_open_of_author", "tenant", "author", postgresql_where=text("status = 'pending'")),
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
    #: The titles of the nodes that wait for it.
    blocks: Mapped[list[str]]
    #: Orders the requests.
    asked: Mapped[int] = mapped_column(Identity())
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    #: An `agent.approval.Decision`. Leaves `pending` once, by compare-and-set.
    status: Mapped[str] = mapped_column(server_default="pending")
    decided_by: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="")
    decided_at: Mapped[datetime | None]
    #: What the card shows besides the arguments, as `agent/card_facts.py` writes it.
    facts: Mapped[Mapping[str, Json]] = mapped_column(server_default="{}")
    #: The arguments that a person put in place of `args`.
    edited: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    #: What a person entered who did it by hand.
    result: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    #: Who is looking at it.
    claimed_by: Mapped[str | None]
    #: The request in whose card it stands, with others; empty: it has its own.
    card: Mapped[str] = mapped_column(server_default="")
    #: The grant that answered it; empty: a person did.
    grant_id: Mapped[str] = mapped_column(server_default="")
    #: What it takes to approve it, as `agent/policy/requirement.py` writes it; null: as `[approvals]` says.
    policy: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    #: When people are reminded, or others asked, next.
    due_at: Mapped[datetime | None]


class VoteRow(Row):
    """One person's approval of a request that takes several."""

    __tablename__ = "votes"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    approval: Mapped[str] = mapped_column(primary_key=True)
    #: Of the call that was approved: an edited one needs other votes.
    digest: Mapped[str] = mapped_column(primary_key=True)
    #: Stands for the stages it counts in: a stricter policy needs other votes.
    stages: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str] = mapped_column(primary_key=True)
    #: From 0.
    stage: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class LedgerRow(KeyedByThread, Row):
    """One attempt at one red call: `started` is committed before it, `done` after it."""

    __tablename__ = "ledger"
    node: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    #: Of the call.
    digest: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="started")
    #: The outcome; null until the call is done.
    result: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    #: How the effect can be taken back (`agent/plan/effects.py`); null: it cannot.
    inverse: Mapped[Mapping[str, Json] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class AuditRow(InThread, Row):
    """A change that people answer for, from a request to the outcome of a red call. Never a secret.

    Triggers refuse every change but that of `by` to null, and link each row to the one before (`AuditLinkRow`). No
    foreign key: the audit outlives the thread.
    """

    __tablename__ = "audit"
    __table_args__ = (Index(None, "tenant", "thread", "id"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    node: Mapped[str]
    #: An `infra.stores.audit.AuditEvent`.
    event: Mapped[str]
    #: Null: nobody, or somebody who was erased.
    by: Mapped[str | None]
    #: Stands for the arguments, which may be secret.
    digest: Mapped[str]
    #: Names and states only.
    details: Mapped[Mapping[str, Json]]


class AuditLinkRow(Row):
    """A row's place in its tenant's chain. A trigger writes it when the transaction commits; nothing changes it."""

    __tablename__ = "audit_links"
    __table_args__ = (UniqueConstraint("tenant", "entry"),)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    #: From 1, without a gap.
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: The id of the audit's row.
    entry: Mapped[int]
    #: Stands for the person: a digest of the id and its salt. It stays when both are erased.
    person: Mapped[str | None]
    #: Of the row and of the hash before it (`infra/audit/chain.py`).
    hash: Mapped[str]


class AuditHeadRow(Row):
    """The end of a tenant's chain. Its row lock orders the chain; a transaction takes it last, as it commits."""

    __tablename__ = "audit_heads"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(server_default="0")
    hash: Mapped[str] = mapped_column(server_default="")
    #: The place and time of the newest row `sealed`.
    sealed_seq: Mapped[int] = mapped_column(server_default="0")
    sealed_at: Mapped[datetime | None]


class AuditPersonRow(Row):
    """The salt of a person's digest in the chain. Deleted when the person is erased."""

    __tablename__ = "audit_people"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[str]


class FreezeRow(Row):
    """A stop of red calls, as long as the row stands."""

    __tablename__ = "freezes"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    #: An `agent.approval.FreezeScope`.
    scope: Mapped[str] = mapped_column(primary_key=True)
    #: The channel's id or the tool's name; empty for the whole workspace.
    target: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class GrantRow(Row):
    """A person's approval of calls that come later (`agent.grant.Grant`)."""

    __tablename__ = "grants"
    __table_args__ = (Index(None, "tenant", "tool"),)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    channel: Mapped[str]
    #: Of an envelope; of a rule empty.
    thread: Mapped[str]
    #: Of an envelope; of a rule 0.
    turn: Mapped[int]
    tool: Mapped[str]
    #: As `agent.grant.conditions_json` writes them.
    conditions: Mapped[Mapping[str, Json]]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    most_uses: Mapped[int]
    uses: Mapped[int] = mapped_column(server_default="0")
    #: Set once, by who made it, who may decide such calls, or an administrator.
    revoked_at: Mapped[datetime | None]


class InstructionRow(Row):
    """What people of a channel wrote about how work is to be done there."""

    __tablename__ = "instructions"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class AccountRow(Row):
    """A person's account at a provider."""

    __tablename__ = "accounts"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    #: The tokens, encrypted.
    sealed: Mapped[bytes]
    #: Who the person is there, in the provider's words.
    subject: Mapped[str]
    scopes: Mapped[str]
    #: When the access token ends; null: nobody knows.
    expires_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    connected_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AccountFlowRow(Row):
    """A person's way to a provider and back. Its secrets stand here as their SHA-256, or encrypted."""

    __tablename__ = "account_flows"
    __table_args__ = (Index(None, "ticket"), Index(None, "state"))
    tenant: Mapped[str] = mapped_column(primary_key=True)
    #: Of the link that the person was shown.
    ticket: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str]
    provider: Mapped[str]
    #: The request that waits for the account.
    approval: Mapped[str]
    #: How the page names the person.
    name: Mapped[str]
    #: Empty until they set out.
    state: Mapped[str] = mapped_column(server_default="")
    #: Of the cookie of the browser in which they set out.
    browser: Mapped[str] = mapped_column(server_default="")
    verifier: Mapped[bytes | None]
    expires_at: Mapped[datetime]
    #: When they came back; set once.
    ended_at: Mapped[datetime | None]


class AccountClientRow(Row):
    """What a provider made of this installation when it registered itself: of no tenant."""

    __tablename__ = "account_clients"
    provider: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    #: Our address there.
    redirect: Mapped[str]
    client_id: Mapped[str]
    #: The secret, encrypted; empty: it has none.
    sealed: Mapped[bytes]
    method: Mapped[str]


class ArtifactRow(Row):
    """A value kept once per tenant and content."""

    __tablename__ = "artifacts"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    #: Null: it is an object of the store of files, under `key`.
    content: Mapped[bytes | None]
    key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ArtifactUseRow(KeyedByThread, Row):
    """A thread's reference to an artifact, with its name there."""

    __tablename__ = "artifact_uses"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "digest"], ["artifacts.tenant", "artifacts.digest"]),
        Index(None, "tenant", "digest"),
    )
    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    media_type: Mapped[str]
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FileRow(KeyedByThread, Row):
    """A file of a thread, or the tombstone of one (`agent.plan.files.FileRecord`). The row of its run outlives it."""

    __tablename__ = "files"
    __table_args__ = (
        Index(
            "ix_files_live",
            "tenant",
            "thread",
            "found_in",
            postgresql_include=["turn", "size", "made_at"],
            postgresql_where=text("evicted_at IS NULL"),
        ),
        Index(None, "tenant", "thread", "made_at"),
        Index("ix_files_old", "made_at", postgresql_where=text("evicted_at IS NULL")),
    )
    #: `TURN/NODE/NAME`.
    name: Mapped[str] = mapped_column(primary_key=True)
    turn: Mapped[int]
    node: Mapped[str]
    author: Mapped[str]
    digest: Mapped[str]
    size: Mapped[int]
    media_type: Mapped[str]
    summary: Mapped[str]
    #: `[tool, person]` of each call whose output only that person may see.
    personal: Mapped[list[list[str]]] = mapped_column(JSON, server_default="[]")
    #: Whether it may hold text that strangers wrote.
    outside: Mapped[bool] = mapped_column(server_default=text("false"))
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: The thread's planning round that first found it; null: none yet.
    found_in: Mapped[int | None]
    #: When it was last kept because something refers to it, as files of its idle thread were looked through.
    spared_at: Mapped[datetime | None]
    evicted_at: Mapped[datetime | None]
    #: An `agent.plan.files.Evicted`, or empty.
    evicted_for: Mapped[str] = mapped_column(server_default="")


class DiscardedContentRow(Row):
    """An object of the store of files that no row needs, or that is on its way there."""

    __tablename__ = "discarded_contents"
    __table_args__ = (Index(None, "due_at"),)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: When it may be deleted: an upload that never ended leaves one, too.
    due_at: Mapped[datetime]


class ResultRow(Row):
    """A cached result of a green tool, for one person."""

    __tablename__ = "results"
    __table_args__ = (Index(None, "expires_at"),)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(primary_key=True)
    tool: Mapped[str] = mapped_column(primary_key=True)
    #: The tool's.
    version: Mapped[str] = mapped_column(primary_key=True)
    #: Their digest: arguments may be secret.
    arguments: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Json]
    kept_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class PostRow(KeyedByThread, Row):
    """A message of a turn in Slack."""

    __tablename__ = "posts"
    turn: Mapped[int] = mapped_column(primary_key=True)
    #: A `bot.ports.Post`; with `key` its slot in the turn.
    post: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Null: posting it has begun, and its end is not noted.
    ts: Mapped[str | None]
    #: The digest of its content.
    shown: Mapped[str | None]


class ToolLimitRow(Row):
    """The newest calls that a rate limit counts; `greenlight_take_places` writes it."""

    __tablename__ = "tool_limits"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    #: The limit, and with `:` the person whose own it is.
    key: Mapped[str] = mapped_column(primary_key=True)
    #: When they were, oldest first: as many as the limit allows.
    calls: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default=text("'{}'"))


class FeedbackRow(KeyedByThread, Row):
    """What a person thinks of a turn's answer: their newest opinion."""

    __tablename__ = "feedback"
    turn: Mapped[int] = mapped_column(primary_key=True)
    by: Mapped[str] = mapped_column(primary_key=True)
    #: `up` or `down`.
    thumb: Mapped[str]
    #: In their words; empty: they gave none.
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class MaskRow(KeyedByThread, Row):
    """The number by which models know a personal datum of a thread. The datum itself is not here."""

    __tablename__ = "masks"
    __table_args__ = (UniqueConstraint("tenant", "thread", "kind", "number"),)
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: Of the datum.
    digest: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]


class WorkerRow(Row):
    """A process that runs threads."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    #: Its id in Procrastinate, written when it takes a lease.
    queue_worker: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Once set, it is never alive again.
    dead_at: Mapped[datetime | None]
    #: Set when its connections are gone and its threads have been handed on.
    buried_at: Mapped[datetime | None]
    #: Whether it ended in order, and not because of what it ran.
    signed_off: Mapped[bool] = mapped_column(server_default=text("false"))


class WorkerSessionRow(Row):
    """The session in which a worker holds its lock (`infra/worker/presence.py`).

    Unlogged: a server that crashed has let every lock go, and has emptied this table.
    """

    __tablename__ = "worker_sessions"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    worker: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LeaseRow(KeyedByThread, Row):
    """The worker that runs a thread. A row whose worker is buried, or whose job is over, is free to take."""

    __tablename__ = "leases"
    __table_args__ = (ForeignKeyConstraint(["worker"], ["workers.id"]), Index(None, "worker"))
    worker: Mapped[str]
    #: In the queue.
    job: Mapped[int]
    #: New with every taking: the fence.
    token: Mapped[int] = mapped_column(Identity())
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())


class QueueMigrationRow(Row):
    """A numbered schema file of Procrastinate that this database already has."""

    __tablename__ = "queue_migrations"
    name: Mapped[str] = mapped_column(primary_key=True)
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())
