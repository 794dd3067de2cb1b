"""Requests to people, as rows: asked once, read, decided once by compare-and-set, expired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, false, func, literal, null, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import (
    EDITED_BY,
    GIVES_INPUT,
    KEPT_WHOLE,
    OF_AUTHOR,
    RUNS_CALL,
    ApprovalKind,
    ApprovalRequest,
    Decision,
    DecisionRecord,
    FreezeScope,
    Requirement,
    WorldState,
    edited_digest,
    ends_turn,
)
from agent.card_facts import account_in
from agent.ids import ApprovalId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId, thread_parts
from agent.plan.operations import digest_of
from agent.policy.requirement import begun_anew, due_after, in_same_stage, requirement_from_json, requirement_json
from bot.ports import ApprovalView, DueRequest, Kind, PendingRequest, Post
from infra.db.database import Database, announce
from infra.db.tables import ApprovalRow, AuditRow, FreezeRow, InboxRow, LedgerRow, PostRow, thread_key
from infra.stores.audit import AuditEvent, recording, runs_as, with_record
from infra.stores.open_cards import is_free, release_held, times
from infra.stores.votes import asked_details, count_vote, tighten
from infra.worker.notifications import Notifier
from infra.worker.queue import Queue
from sandbox.script import Json

_IN_TIME = or_(ApprovalRow.expires_at.is_(None), ApprovalRow.expires_at > func.now())
_MOST_DUE = 50
"""Reminders and escalations of one sweep."""

_PENDING = ApprovalRow.status == Decision.PENDING.value
_IS_BUDGET = ApprovalRow.kind == ApprovalKind.BUDGET.value
_IS_KEPT_WHOLE = ApprovalRow.kind.in_(sorted(KEPT_WHOLE))

# A run reads these at every notification, so without the arguments of calls, which can be long.
_RECORD = (
    *(column for column in ApprovalRow.__table__.columns if column.key not in ("args", "facts")),
    case((_IS_KEPT_WHOLE, ApprovalRow.args), else_=null()).label("args"),
    ApprovalRow.facts["state"].label("state"),
)


_FREEZE_COVERS = (
    exists()
    .where(
        FreezeRow.tenant == ApprovalRow.tenant,
        or_(
            FreezeRow.scope == FreezeScope.WORKSPACE.value,
            and_(
                FreezeRow.scope == FreezeScope.CHANNEL.value,
                FreezeRow.target == func.split_part(ApprovalRow.thread, ":", 2),
            ),
            and_(FreezeRow.scope == FreezeScope.TOOL.value, FreezeRow.target == ApprovalRow.tool),
        ),
    )
    .correlate(ApprovalRow)
)
_BEFORE = case((ApprovalRow.kind == ApprovalKind.APPROVE.value, ApprovalRow.attempt - 1), else_=ApprovalRow.attempt)
STARTED = (
    exists()
    .where(
        LedgerRow.tenant == ApprovalRow.tenant,
        LedgerRow.thread == ApprovalRow.thread,
        LedgerRow.node == ApprovalRow.node,
        LedgerRow.attempt > _BEFORE,
    )
    .correlate(ApprovalRow)
)
_CALLED = (
    exists()
    .where(
        LedgerRow.tenant == ApprovalRow.tenant,
        LedgerRow.thread == ApprovalRow.thread,
        LedgerRow.node == ApprovalRow.node,
        LedgerRow.attempt == ApprovalRow.attempt,
    )
    .correlate(ApprovalRow)
)
"""Whether a red call asked, of a request for input."""

FROZEN = and_(
    ApprovalRow.kind.in_([kind.value for kind in (ApprovalKind.APPROVE, ApprovalKind.UNKNOWN, *sorted(OF_AUTHOR))]),
    ApprovalRow.status.in_([status.value for status in (Decision.PENDING, *RUNS_CALL, *GIVES_INPUT)]),
    _FREEZE_COVERS,
    ~STARTED,
    or_(ApprovalRow.kind.not_in([kind.value for kind in sorted(OF_AUTHOR)]), _CALLED),
).label("frozen")
"""Whether a freeze keeps the request's call from starting."""

# Compiled within a query of the table: by itself it would look at every request there is.
_FROZEN_SQL = (
    str(select(FROZEN).compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
    .removeprefix("SELECT ")
    .rpartition(" AS frozen")[0]
)

_KEPT_WHOLE_SQL = ", ".join(f"'{kind.value}'" for kind in sorted(KEPT_WHOLE))

RECORD_COLUMNS = (
    ", ".join(
        f"'{column.key}', {column.key}"
        for column in ApprovalRow.__table__.columns
        if column.key not in ("args", "facts", "asked_at", "expires_at", "due_at")
    )
    + f", 'state', facts -> 'state', 'args', CASE WHEN kind IN ({_KEPT_WHOLE_SQL}) THEN args END, 'frozen', "
    + _FROZEN_SQL
)
"""The arguments of `json_build_object` for what `record_from` reads."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """An answer to a request: a person's, or none at all."""

    decision: Decision
    by: UserId | None = None
    reason: str = ""
    place: str = ""
    result: Json = None


class PostgresApprovals:
    """Approvals and OpenRequests. `open_for` is how long a request stays open; None: until somebody decides."""

    def __init__(self, database: Database, queue: Queue, views: Notifier, open_for: timedelta | None = None) -> None:
        self._database = database
        self._queue = queue
        self._views = views
        self._open_for = open_for

    async def ask(self, request: ApprovalRequest) -> DecisionRecord:
        """Insert the row unless it exists; the first row stands as it is."""
        if (takes := request.requirement) is not None and (takes.allowed or takes.bounds_cards):
            return await self._ask_in_steps(request, takes)
        recorded = asking(request, **times(request.requirement, self._open_for))
        async with self._database.autocommit() as connection:
            asked = (await connection.execute(recorded)).first()
            if asked is None:
                known = select(*_RECORD, FROZEN).where(
                    ApprovalRow.of_thread(request.thread), ApprovalRow.id == request.id
                )
                row = (await connection.execute(known)).one()
                record = _held_back(record_in(row), frozen=row.frozen)
            else:
                record = record_in(asked)
        self._views.notify(request.thread)
        return record

    async def _ask_in_steps(self, request: ApprovalRequest, takes: Requirement) -> DecisionRecord:
        """Insert a request that the policy decides at once, or that is held while too many cards are open."""
        tenant, thread = thread_parts(request.thread).tenant, request.thread
        async with self._database.begin() as connection:
            free = takes.allowed or await is_free(connection, tenant, thread, request.turn, request.author, takes)
            takes = replace(takes, held=not free)
            request = replace(request, requirement=takes)
            closed = {"status": Decision.APPROVED.value, "decided_at": func.now()} if takes.allowed else {}
            new = (await connection.execute(asking(request, **times(takes, self._open_for), **closed))).first()
            if new is not None and takes.allowed:
                rule = {"question": request.id, "decision": Decision.APPROVED.value, "rule": takes.rule}
                decided = recording(thread, request.node, AuditEvent.DECIDED, digest=request.digest, details=rule)
                await connection.execute(decided)
            known = select(*_RECORD, FROZEN).where(ApprovalRow.of_thread(thread), ApprovalRow.id == request.id)
            stored = (await connection.execute(known)).one()
        self._views.notify(thread)
        return _held_back(record_in(stored), frozen=stored.frozen)

    async def deny(self, request: ApprovalRequest, rule: str) -> None:
        """Append the audit row, unless there is one: a step that is taken up again meets the rule again."""
        told: dict[str, Json] = {"question": request.id, "kind": request.kind.value, "tool": request.tool, "rule": rule}
        about = {**thread_key(request.thread), "node": request.node, "event": AuditEvent.DENIED.value}
        stood = select(AuditRow.id).filter_by(**about).where(AuditRow.details["question"].as_string() == request.id)
        async with self._database.begin() as connection:
            if (await connection.execute(stood.limit(1))).first() is None:
                row = recording(
                    request.thread,
                    request.node,
                    AuditEvent.DENIED,
                    digest=request.digest,
                    by=request.author,
                    details=told,
                )
                await connection.execute(row)

    async def read(self, thread: ThreadId) -> Mapping[ApprovalId, DecisionRecord]:
        """Return every request of the thread, in the order they were asked."""
        rows = select(*_RECORD, FROZEN).where(ApprovalRow.of_thread(thread)).order_by(ApprovalRow.asked)
        found = await self._database.execute(rows)
        return {row.id: _held_back(record_in(row), frozen=row.frozen) for row in found}

    async def decide(
        self,
        tenant: Tenant,
        approval: ApprovalId,
        *,
        version: int,
        by: UserId,
        decision: Decision,
        reason: str = "",
        place: str = "",
        result: Json = None,
        edited: Mapping[str, Json] | None = None,
        checked: Requirement | None = None,
    ) -> DecisionRecord | None:
        """Decide, if it is still open at this version: one of any number of racing clicks does."""
        this = (ApprovalRow.tenant == tenant, ApprovalRow.id == approval)
        at = (*this, _IN_TIME, ApprovalRow.version == version)
        async with self._database.begin() as connection:
            if edited is not None:
                changed = await _edit(connection, *at, args=edited, by=by, place=place, checked=checked)
                # Without the edit nothing is decided, not even what somebody else put there meanwhile.
                at = (*this, false() if changed is None else ApprovalRow.version == version + 1)
            if decision in RUNS_CALL:
                voted = await _vote(connection, *at, by=by, place=place, checked=checked)
                if voted is not None:
                    return voted.record
            answer = _Answer(decision=decision, by=by, reason=reason, place=place, result=result)
            decided = await _close(connection, *at, answer=answer)
            await self._wake(connection, decided or await _expire(connection, *this))
        return decided[0][1] if decided else None

    async def close_connects(self, connection: AsyncConnection, tenant: Tenant, person: UserId, provider: str) -> None:
        """Answer the requests that wait for an account, in the transaction in which the person connected it."""
        this = (
            ApprovalRow.tenant == tenant,
            ApprovalRow.kind == ApprovalKind.CONNECT.value,
            ApprovalRow.author == person,
            ApprovalRow.args["account"].as_string() == provider,
            _IN_TIME,
        )
        answer = _Answer(decision=Decision.CONNECTED, by=person)
        await self._wake(connection, await _close(connection, *this, answer=answer))

    async def edit(
        self,
        tenant: Tenant,
        approval: ApprovalId,
        *,
        version: int,
        by: UserId,
        args: Mapping[str, Json],
        place: str = "",
    ) -> bool:
        """Put other arguments in place of the request's, if it is still open at this version."""
        this = (ApprovalRow.tenant == tenant, ApprovalRow.id == approval, ApprovalRow.version == version, _IN_TIME)
        async with self._database.begin() as connection:
            thread = await _edit(connection, *this, args=args, by=by, place=place)
            if thread is not None:
                await announce(connection, thread)
        return thread is not None

    async def claim(self, tenant: Tenant, approval: ApprovalId, *, by: UserId) -> bool:
        """Note who looks at an open request, or that they no longer do."""
        claimed = (
            update(ApprovalRow)
            .where(_PENDING, _IN_TIME, ApprovalRow.tenant == tenant, ApprovalRow.id == approval)
            .values(claimed_by=case((ApprovalRow.claimed_by == by, null()), else_=by))
            .returning(ApprovalRow.thread)
        )
        async with self._database.begin() as connection:
            thread = (await connection.execute(claimed)).scalar_one_or_none()
            if thread is not None:
                await announce(connection, ThreadId(thread))
        return thread is not None

    async def open_requests(self, tenant: Tenant, most: int) -> Sequence[PendingRequest]:
        """Return the open requests, newest first."""
        row = ApprovalRow.__table__.c
        columns = [column for column in row if column.key not in ("args", "facts", "edited")]
        posted = (PostRow.tenant == row.tenant, PostRow.thread == row.thread, PostRow.turn == row.turn)
        card = select(PostRow.ts).where(*posted, PostRow.post == Post.CARD.value, PostRow.key == row.id)
        found = await self._database.execute(
            select(*columns, FROZEN, func.coalesce(card.scalar_subquery(), "").label("card_ts"))
            .where(ApprovalRow.tenant == tenant, _PENDING, _IN_TIME)
            .order_by(ApprovalRow.asked.desc())
            .limit(most)
        )
        return [
            PendingRequest(
                request=request_in(SimpleNamespace(**row, args={}, edited=None)),
                asked_at=row["asked_at"],
                claimed_by=row["claimed_by"],
                frozen=row["frozen"],
                card_ts=row["card_ts"],
            )
            for row in found.mappings()
        ]

    async def tighten(self, view: ApprovalView, to: Requirement) -> bool:
        """Replace what an open request takes, unless that is another one by now; its votes do not count any more."""
        request = view.request
        this = (ApprovalRow.of_thread(request.thread), ApprovalRow.id == request.id, _PENDING)
        async with self._database.begin() as connection:
            row = (await connection.execute(select(*_RECORD).where(*this).with_for_update())).first()
            if row is None or not _is_same(request.requirement, (record := record_in(row)).requirement):
                return False
            await tighten(connection, request.thread, record, to)
            await announce(connection, request.thread)
        return True

    async def due(self) -> Sequence[DueRequest]:
        """Return the open requests about which something is due."""
        waited = (func.now() - ApprovalRow.asked_at).label("waited")
        rows = select(ApprovalRow.__table__, waited).where(_PENDING, ApprovalRow.due_at <= func.now())
        found = await self._database.execute(rows.order_by(ApprovalRow.due_at).limit(_MOST_DUE))
        return [DueRequest(request=request_in(row), waited=row.waited) for row in found]

    async def bring_on(self, due: DueRequest, to: Requirement) -> None:
        """Store how far an open request got, and have the thread's publisher show it."""
        request, next_due = due.request, due_after(to)
        this = (ApprovalRow.of_thread(request.thread), ApprovalRow.id == request.id, _PENDING)
        async with self._database.begin() as connection:
            row = (await connection.execute(select(*_RECORD).where(*this).with_for_update())).first()
            if row is None or record_in(row).requirement != request.requirement:
                return
            at = None if next_due is None else ApprovalRow.asked_at + next_due
            values = {"policy": requirement_json(to), "due_at": at}
            await connection.execute(update(ApprovalRow).where(*this).values(**values))
            await self._queue.wake(connection, request.thread)

    async def postpone(self, due: DueRequest) -> None:
        """Try again in a minute."""
        this = (ApprovalRow.of_thread(due.request.thread), ApprovalRow.id == due.request.id, _PENDING)
        await self._database.execute(update(ApprovalRow).where(*this).values(due_at=func.now() + timedelta(minutes=1)))

    async def release_held(self) -> int:
        """Show held requests for which there is room; return how many."""
        async with self._database.begin() as connection:
            released = await release_held(connection, self._open_for)
            for thread in sorted(set(released)):
                await self._queue.wake(connection, thread)
        return len(released)

    async def withdraw(self, thread: ThreadId, approval: ApprovalId, why: str) -> DecisionRecord:
        """Turn pending into withdrawn; a decision that was made before stands.

        Raises:
            sqlalchemy.exc.NoResultFound: it was never asked.
        """
        this = ApprovalRow.of_thread(thread) & (ApprovalRow.id == approval)
        async with self._database.begin() as connection:
            closed = await _close(connection, this, answer=_Answer(decision=Decision.WITHDRAWN, reason=why))
            if closed:
                await announce(connection, thread)
                await self._release(connection, closed)
            now = (await connection.execute(select(*_RECORD).where(this))).one()
        return record_in(now)

    async def extend(self, thread: ThreadId, approval: ApprovalId, args: Mapping[str, Json]) -> None:
        """Store the arguments of a budget request anew."""
        changed = update(ApprovalRow).where(ApprovalRow.of_thread(thread), ApprovalRow.id == approval, _IS_BUDGET)
        await self._database.execute(changed.values(args=args))

    async def expire_due(self) -> int:
        """Expire every request whose time is over and wake its thread; return how many."""
        async with self._database.begin() as connection:
            expired = await _expire(connection)
            await self._wake(connection, expired)
        return len(expired)

    async def _wake(self, connection: AsyncConnection, closed: Sequence[tuple[ThreadId, DecisionRecord]]) -> None:
        for thread in sorted({thread for thread, _ in closed}):  # sorted: two of us never wait for each other
            await self._queue.wake(connection, thread)
        await self._release(connection, closed)

    async def _release(self, connection: AsyncConnection, closed: Sequence[tuple[ThreadId, DecisionRecord]]) -> None:
        """Show the requests for which the closed ones made room."""
        bounded = [(thread, now.requirement) for thread, now in closed if now.requirement is not None]
        tenants = {thread_parts(thread).tenant for thread, takes in bounded if takes.bounds_cards}
        if tenants:
            for thread in sorted(set(await release_held(connection, self._open_for, sorted(tenants)))):
                await self._queue.wake(connection, thread)


def _is_same(one: Requirement | None, other: Requirement | None) -> bool:
    """Return whether two requirements are the same, however many stages are complete."""
    return one == other if one is None or other is None else begun_anew(one) == begun_anew(other)


@dataclass(frozen=True, kw_only=True)
class _Voted:
    """A vote after which the request is still open."""

    #: None: this person's was counted before, or they were not checked for what the request takes now.
    record: DecisionRecord | None


async def _vote(
    connection: AsyncConnection, *which: ColumnElement[bool], by: UserId, place: str, checked: Requirement | None
) -> _Voted | None:
    """Count an approval of the open request that matches; return None when nothing more is needed, or none matches."""
    row = (await connection.execute(select(*_RECORD).where(_PENDING, *which).with_for_update())).first()
    if row is None:
        return None
    thread, record = ThreadId(row.thread), record_in(row)
    if checked is not None and record.requirement is not None and not in_same_stage(record.requirement, checked):
        return _Voted(record=None)
    is_last = await count_vote(connection, thread, record, by, place)
    if is_last:
        return None
    if is_last is None:
        return _Voted(record=None)
    await announce(connection, thread)
    return _Voted(record=record)


def _columns(request: ApprovalRequest) -> dict[str, Any]:
    """Return the columns that say what is asked."""
    takes = request.requirement
    values = {name: value for name, value in vars(request).items() if name != "requirement"}
    written = {"kind": request.kind.value, "blocks": list(request.blocks)}
    return (
        thread_key(request.thread) | values | written | ({} if takes is None else {"policy": requirement_json(takes)})
    )


def _asked(request: ApprovalRequest) -> dict[str, Json]:
    told: dict[str, Json] = {"question": request.id, "kind": request.kind.value, "tool": request.tool}
    account = account_in(request.facts)
    if account is not None and account.provider:
        told |= runs_as(account)
    if request.kind is ApprovalKind.CONNECT:
        told["account"] = request.args.get("account")
    return told | asked_details(request.requirement)


def asking(request: ApprovalRequest, **columns: object) -> Select[*tuple[Any, ...]]:
    """Return the statement that inserts a request with its audit row, unless there is one, and returns its record.

    `columns` are further ones of `approvals`.
    """
    row = insert(ApprovalRow).values(**{**_columns(request), **columns})
    return with_record(
        row.on_conflict_do_nothing().returning(*_RECORD).cte("asked"),
        request.thread,
        request.node,
        AuditEvent.ASKED,
        digest=request.digest,
        by=request.author,
        details=_asked(request),
    )


async def _expire(
    connection: AsyncConnection, *which: ColumnElement[bool]
) -> Sequence[tuple[ThreadId, DecisionRecord]]:
    expired = _Answer(decision=Decision.EXPIRED)
    return await _close(connection, ApprovalRow.expires_at <= func.now(), *which, answer=expired)


async def _close(
    connection: AsyncConnection, *which: ColumnElement[bool], answer: _Answer
) -> Sequence[tuple[ThreadId, DecisionRecord]]:
    """Close the open requests that match, each with its audit row, and the message or stop that comes of it."""
    closing = (
        update(ApprovalRow)
        .where(_PENDING, *which)
        .values(
            status=answer.decision.value,
            decided_by=answer.by,
            reason=answer.reason,
            result=answer.result,
            decided_at=func.now(),
        )
        .returning(*_RECORD)
    )
    closed = [(ThreadId(row.thread), record_in(row)) for row in await connection.execute(closing)]
    for thread, now in sorted(closed, key=lambda one: one[0]):  # sorted: two of us lock tenants' chains in one order
        details = {"question": now.id, "decision": answer.decision.value, **_told(now, answer)}
        await connection.execute(
            recording(thread, now.node, AuditEvent.DECIDED, digest=now.digest, by=answer.by, details=details)
        )
        by = answer.by or UserId("")
        if ends_turn(now.kind, answer.decision):
            await connection.execute(_message(thread, f"stop:{now.id}", by, "!stop", Kind.STOP))
        if answer.decision is Decision.CHANGES:
            # The node's id, not its title: a model wrote that, and these are to be a person's words.
            words = f"About the step `{now.node}`, which does not run as it was: {answer.reason}"
            await connection.execute(_message(thread, f"changes:{now.id}", by, words, Kind.REPLY))
    return closed


def _told(now: DecisionRecord, answer: _Answer) -> Mapping[str, Json]:
    """Return what the audit says besides the decision: of a person's words their digest, which holds nothing."""
    told: dict[str, Json] = {"place": answer.place} if answer.place else {}
    if answer.by is not None and answer.reason:
        told["words"] = digest_of([now.id, answer.reason])
    if answer.result is not None:
        told["entered"] = digest_of([now.id, answer.result])
    return told


async def _edit(
    connection: AsyncConnection,
    *which: ColumnElement[bool],
    args: Mapping[str, Json],
    by: UserId,
    place: str,
    checked: Requirement | None = None,
) -> ThreadId | None:
    """Put other arguments in place of an open request's, with the audit row; return its thread, None without it.

    The approvals so far do not count any more, and the stages begin anew: somebody is `checked` for the first one.
    """
    about_call = ApprovalRow.kind == ApprovalKind.APPROVE.value
    columns = (*_RECORD, ApprovalRow.facts)
    asked = (await connection.execute(select(*columns).where(_PENDING, about_call, *which).with_for_update())).first()
    if asked is None:
        return None
    takes = requirement_in(asked)
    if checked is not None and takes is not None and not in_same_stage(begun_anew(takes), checked):
        return None
    facts = {**asked.facts, EDITED_BY: by}
    changed = update(ApprovalRow).where(ApprovalRow.tenant == asked.tenant, ApprovalRow.id == asked.id)
    values = {"edited": args, "facts": facts, "version": ApprovalRow.version + literal(1)}
    if takes is not None:
        values |= {"policy": requirement_json(begun_anew(takes))}
    now = record_in((await connection.execute(changed.values(values).returning(*_RECORD))).one())
    thread = ThreadId(asked.thread)
    details = {"question": now.id, "was": record_in(asked).digest} | ({"place": place} if place else {})
    edited = recording(thread, now.node, AuditEvent.EDITED, digest=now.digest, by=by, details=details)
    await connection.execute(edited)
    return thread


def _held_back(record: DecisionRecord, *, frozen: bool) -> DecisionRecord:
    """Return the record as the run sees it: as long as a freeze stands, nobody has let the call run."""
    if not frozen or record.decision not in RUNS_CALL:
        return record
    return replace(record, decision=Decision.PENDING, by=None, reason="", at=None)


def _message(thread: ThreadId, name: str, author: UserId, words: str, kind: Kind) -> Insert:
    """Return the row of what a person says to the thread by a decision; `name` stands for Slack's event and ts."""
    row = insert(InboxRow).values(
        **thread_key(thread),
        app="",
        event_id=name,
        channel=thread_parts(thread).channel,
        ts=name,
        author=author,
        text=words,
        kind=kind.value,
    )
    return row.on_conflict_do_nothing()


def record_from(row: Mapping[str, Any]) -> DecisionRecord:
    """Return what JSON of `RECORD_COLUMNS` says of the decision."""
    at = row["decided_at"]
    record = record_in(SimpleNamespace(**{**row, "decided_at": None if at is None else datetime.fromisoformat(at)}))
    return _held_back(record, frozen=row["frozen"])


def record_in(row: Row[*tuple[Any, ...]] | SimpleNamespace) -> DecisionRecord:
    """Return what an `approvals` row says of the decision."""
    kind = ApprovalKind(row.kind)
    return DecisionRecord(
        id=ApprovalId(row.id),
        turn=row.turn,
        node=NodeId(row.node),
        kind=kind,
        digest=digest_in(row),
        decision=Decision(row.status),
        by=row.decided_by,
        reason=row.reason,
        at=row.decided_at,
        asked=request_in(row) if kind in KEPT_WHOLE else None,
        edited=row.edited,
        result=row.result,
        claimed_by=row.claimed_by,
        grant=row.grant_id,
        requirement=requirement_in(row),
        attempt=row.attempt,
        state=_state_in(row),
    )


def _state_in(row: Row[*tuple[Any, ...]] | SimpleNamespace) -> WorldState | None:
    """Return what the card said of what the call is about to change."""
    facts: Mapping[str, Json] = getattr(row, "facts", None) or {}
    state: Json = getattr(row, "state", None) or facts.get("state")
    return state if isinstance(state, Mapping) else None


def digest_in(row: Row[*tuple[Any, ...]] | SimpleNamespace) -> Digest:
    """Return the digest of the call that a yes lets run; the row has that of the call as it was asked about."""
    asked = Digest(row.digest)
    return asked if row.edited is None else edited_digest(asked, ToolName(row.tool), row.edited)


def requirement_in(row: Row[*tuple[Any, ...]] | SimpleNamespace) -> Requirement | None:
    """Return what it takes to approve the request of an `approvals` row."""
    return None if row.policy is None else requirement_from_json(row.policy)


def request_in(row: Row[*tuple[Any, ...]] | SimpleNamespace) -> ApprovalRequest:
    """Return what an `approvals` row asks."""
    return ApprovalRequest(
        id=ApprovalId(row.id),
        thread=ThreadId(row.thread),
        turn=row.turn,
        node=NodeId(row.node),
        kind=ApprovalKind(row.kind),
        title=row.title,
        tool=ToolName(row.tool),
        args=row.args,
        digest=digest_in(row),
        author=UserId(row.author),
        attempt=row.attempt,
        blocks=tuple(row.blocks),
        facts=getattr(row, "facts", None) or {},
        requirement=requirement_in(row),
    )
