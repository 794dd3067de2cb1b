"""Facts in LangGraph's store: one row each, with its words' source and its vector, so that it goes as a whole.

Each write is made by LangGraph's `AsyncPostgresStore` on the connection of a transaction of ours, which holds the row
of the audit, too. Facts are found by PostgreSQL's full text search, without an index of their own: a search reads a few
bounded namespaces, and nothing of a deleted fact is left in an index.
"""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import Op, PutOp
from langgraph.store.postgres import AsyncPostgresStore
from psycopg import AsyncConnection as RawConnection
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Float,
    Insert,
    Row,
    Select,
    Text,
    and_,
    cast,
    column,
    delete,
    func,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, REGCONFIG
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import ApprovalKind, Decision
from agent.errors import StoreUnavailable
from agent.facts import Fact, FactId, Namespace, Readable, everywhere, search_words, words_of_plan
from agent.ids import ChannelId, Digest, NodeId, Tenant, ThreadId, UserId, thread_parts
from agent.plan.operations import digest_of, operation_from_json
from bot.ports import Deletion, Kept, Proposal
from infra.db.database import Database
from infra.db.tables import ApprovalRow, AuditRow
from infra.stores.audit import AuditEvent, recording_of_tenant
from sandbox.script import Json

_STORE = table(
    "store",
    column("prefix", Text),
    column("key", Text),
    column("value", JSONB),
    column("expires_at", DateTime(timezone=True)),
    column("updated_at", DateTime(timezone=True)),
)
"""LangGraph's table; a namespace is its labels with a `.` between them."""

_row = _STORE.c

_STANDS = or_(_row.expires_at.is_(None), func.now() < _row.expires_at)
_EXPIRED = ~_STANDS
#: Without the vector, which is the most of it.
_SHOWN = (
    _row.prefix,
    _row.key,
    _row.value.op("-", return_type=JSONB())(cast("vector", Text)).label("value"),
    _row.expires_at,
)
_ENGLISH = cast("english", REGCONFIG)
"""Its endings are taken off words of every language alike, in facts and requests."""

_MOST_LISTED = 5_000
"""More than any place may have with the most facts that the configuration allows."""

_MINUTE_SECONDS = 60.0
_UNKNOWN = ("unknown",)
"""Where words come from about which no card is known."""


class PostgresFacts:
    """The agent's Facts and the bot's FactBook."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fitting(self, readable: Readable, words: Sequence[str], most: int) -> Sequence[Fact]:
        """Return the facts that have some of the words."""
        if not words:
            return ()
        asked = func.to_tsquery(_ENGLISH, " | ".join(f"'{word}'" for word in words))
        found = func.to_tsvector(_ENGLISH, _row.value["words"].astext)
        rank = func.ts_rank(found, asked, 1) * cast(_row.value["confidence"].astext, Float)
        rows = (
            _read(readable)
            .where(found.op("@@")(asked))
            .order_by(rank.desc(), _row.updated_at.desc(), _row.key)
            .limit(most)
        )
        return [_fact(row) for row in await self._database.execute(rows)]

    async def among(self, readable: Readable, ids: Collection[FactId]) -> Sequence[Fact]:
        """Return those of the facts that are still there and may be read."""
        if not ids:
            return ()
        rows = _read(readable).where(_row.key.in_(list(ids)))
        facts = {FactId(row.key): _fact(row) for row in await self._database.execute(rows)}
        return [facts[one] for one in ids if one in facts]

    async def vectors(self, readable: Readable, model: str, most: int) -> Sequence[tuple[Fact, bytes]]:
        """Return the newest facts with the vectors that a model made of them."""
        vector = _row.value["vector"][model].astext.label("vector")
        rows = _read(readable, vector).order_by(_row.updated_at.desc(), _row.key).limit(most)
        return [(_fact(row), base64.b64decode(row.vector or "")) for row in await self._database.execute(rows)]

    async def keep_vectors(self, model: str, vectors: Sequence[tuple[Fact, bytes]]) -> None:
        """Keep vectors beside facts that still say the same; a fact that is gone does not come back."""
        put = text(
            "UPDATE store SET value = jsonb_set(value, '{vector}', CAST(:vector AS jsonb))"
            " WHERE prefix = :prefix AND key = :key AND value ->> 'text' = :text"
        )
        async with self._database.begin() as connection:
            for fact, vector in vectors:
                encoded = base64.b64encode(vector).decode()
                await connection.execute(
                    put, {**_place(fact), "text": fact.text, "vector": f'{{"{model}": "{encoded}"}}'}
                )

    async def standing(self, readable: Readable) -> Sequence[Fact]:
        """Return the facts that may be read, the newest first."""
        rows = _read(readable).order_by(_row.updated_at.desc(), _row.key).limit(_MOST_LISTED)
        return [_fact(row) for row in await self._database.execute(rows)]

    async def of_person(self, tenant: Tenant, person: UserId) -> Sequence[Fact]:
        """Return the facts about a person and those that they said, wherever that was, the newest first."""
        theirs = or_(_under(everywhere(tenant, person)), and_(_under((tenant,)), _row.value["by"].astext == person))
        rows = select(*_SHOWN).where(theirs, _STANDS).order_by(_row.updated_at.desc(), _row.key).limit(_MOST_LISTED)
        return [_fact(row) for row in await self._database.execute(rows)]

    async def find(self, tenant: Tenant, id: FactId) -> Fact | None:
        """Return a fact, wherever it stands."""
        row = (await self._database.execute(select(*_SHOWN).where(_under((tenant,)), _row.key == id, _STANDS))).first()
        return None if row is None else _fact(row)

    async def noted(self, thread: ThreadId, ids: Sequence[FactId]) -> Sequence[Fact]:
        """Return those of the facts that still stand, whoever may read them."""
        async with self._database.autocommit() as connection:
            return await facts_of(connection, thread, ids)

    async def proposal(self, thread: ThreadId, node: NodeId) -> Proposal:
        """Return what the newest card of a step said about the text that it wants to be remembered.

        In doubt that is text of strangers.
        """
        asked = (
            select(ApprovalRow.decided_by, ApprovalRow.facts)
            .where(ApprovalRow.of_thread(thread), ApprovalRow.node == node)
            .where(ApprovalRow.kind == ApprovalKind.APPROVE.value, ApprovalRow.status == Decision.APPROVED.value)
            .order_by(ApprovalRow.asked.desc())
            .limit(1)
        )
        row = (await self._database.execute(asked)).first()
        if row is None:
            return Proposal(outside=_UNKNOWN)
        outside: Mapping[str, Sequence[str]] = row.facts.get("outside", {})
        return Proposal(approved_by=_person(row.decided_by), outside=tuple(dict.fromkeys(outside.get("text", ()))))

    async def keep(self, fact: Fact, *, most: int) -> Kept:
        """Store a fact with its audit row, unless it stands already or its namespace is full."""
        async with self._database.begin() as connection:
            await _one_at_a_time(connection, fact.namespace)
            here = _row.prefix == _text(fact.namespace)
            known = select(_row.key, _row.value["text"].astext.label("text")).where(here, _STANDS)
            rows = (await connection.execute(known)).all()
            if any(row.key == fact.id or row.text == fact.text for row in rows):
                return Kept.KNOWN
            if len(rows) >= most:
                return Kept.FULL
            await _put(connection, fact)
            await connection.execute(_recorded(AuditEvent.REMEMBERED, fact, fact.by, fact.channel))
        return Kept.NEW

    async def correct(self, fact: Fact, *, place: ChannelId) -> bool:
        """Put a fact's new words in place of the old ones; return whether it stood."""
        async with self._database.begin() as connection:
            await _one_at_a_time(connection, fact.namespace)
            stands = select(_row.key).where(_row.prefix == _text(fact.namespace), _row.key == fact.id, _STANDS)
            if (await connection.execute(stands)).first() is None:
                return False
            await _put(connection, fact)
            by = fact.corrected_by or fact.by
            await connection.execute(_recorded(AuditEvent.CORRECTED, fact, by, place))
        return True

    async def forget(self, facts: Sequence[Fact], *, by: UserId, place: ChannelId) -> int:
        """Delete facts; return how many stood."""
        gone = 0
        async with self._database.begin() as connection:
            for fact in facts:
                await _one_at_a_time(connection, fact.namespace)
                stands = select(_row.key).where(_row.prefix == _text(fact.namespace), _row.key == fact.id)
                if (await connection.execute(stands)).first() is None:
                    continue
                await _in_store(connection, PutOp(fact.namespace, fact.id, None))
                await connection.execute(_recorded(AuditEvent.FORGOTTEN, fact, by, place))
                gone += 1
        return gone

    async def prune(self) -> int:
        """Delete the expired facts; return how many."""
        return (await self._database.execute(delete(_STORE).where(_EXPIRED))).rowcount


def told_by(answer: str, replies: Iterable[str], operations: Iterable[Mapping[str, Json]]) -> str:
    """Return what a turn's models wrote: its answer, its replies and the words of its plan."""
    return "\n".join((answer, *replies, *words_of_plan(map(operation_from_json, operations))))


async def facts_of(connection: AsyncConnection, thread: ThreadId, ids: Sequence[FactId]) -> Sequence[Fact]:
    """Return those facts of a thread's tenant that still stand, in the order of their ids."""
    rows = select(*_SHOWN).where(_under((thread_parts(thread).tenant,)), _row.key.in_(ids), _STANDS)
    facts = {FactId(row.key): _fact(row) for row in await connection.execute(rows)}
    return [facts[one] for one in ids if one in facts]


async def deletions_of(
    connection: AsyncConnection, tenant: Tenant, ids: Collection[FactId]
) -> Mapping[FactId, Deletion | None]:
    """Return who deleted facts; None: nobody did."""
    if not ids:
        return {}
    fact = AuditRow.details["fact"].as_string().label("fact")
    rows = (
        select(fact, AuditRow.by, AuditRow.at)
        .where(AuditRow.tenant == tenant, AuditRow.thread == "", AuditRow.event == AuditEvent.FORGOTTEN.value)
        .where(fact.in_(ids))
        .order_by(AuditRow.id)
    )
    found = {FactId(row.fact): Deletion(by=_person(row.by), at=row.at) for row in await connection.execute(rows)}
    return {one: found.get(one) for one in ids}


def _read(readable: Readable, *more: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Return the query for what may be read."""
    places = [_text(namespace) for namespace in readable.namespaces]
    rows = select(*_SHOWN, *more).where(_row.prefix.in_(places), _STANDS)
    if readable.only_public:
        rows = rows.where(_row.value["public"].astext == "true")
    return rows.where(_row.value["shared"].astext == "true") if readable.only_shared else rows


def _text(namespace: Namespace) -> str:
    return ".".join(namespace)


def _under(namespace: Namespace) -> ColumnElement[bool]:
    """Return the condition that a row stands below a namespace; ids hold no mark of a pattern."""
    return _row.prefix.like(f"{_text(namespace)}.%")


def _place(fact: Fact) -> Mapping[str, str]:
    return {"prefix": _text(fact.namespace), "key": fact.id}


async def _one_at_a_time(connection: AsyncConnection, namespace: Namespace) -> None:
    """Wait for other changes of the namespace until this transaction ends: it is counted before it grows."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(_text(namespace), 0))))


async def _put(connection: AsyncConnection, fact: Fact) -> None:
    left = None if fact.expires_at is None else (fact.expires_at - datetime.now(UTC)).total_seconds() / _MINUTE_SECONDS
    await _in_store(connection, PutOp(fact.namespace, fact.id, _value(fact), ttl=left))


async def _in_store(connection: AsyncConnection, operation: Op) -> None:
    """Have LangGraph's store write, on a connection of ours: it is a part of our transaction."""
    raw: RawConnection[Any] | None = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise StoreUnavailable
    await AsyncPostgresStore(raw).abatch([operation])


def _recorded(event: AuditEvent, fact: Fact, by: UserId, place: ChannelId) -> Insert:
    details: Mapping[str, Json] = {"fact": fact.id, "scope": fact.scope.value, "place": place}
    digest = Digest(digest_of([*fact.namespace, fact.id]))  # of no word: who guesses one could check it for ever
    return recording_of_tenant(Tenant(fact.namespace[0]), event, digest=digest, by=by, details=details)


def _value(fact: Fact) -> dict[str, Any]:
    optional: Mapping[str, object] = {
        "link": fact.link,
        "corrected_by": fact.corrected_by,
        "shared": fact.shared,
        "approved_by": fact.approved_by,
        "outside": list(fact.outside),
    }
    return {
        "text": fact.text,
        "words": " ".join(search_words(fact.text)),
        "by": fact.by,
        "channel": fact.channel,
        "public": fact.public,
        "at": fact.at.astimezone(UTC).isoformat(),
        "confidence": fact.confidence,
        **{name: given for name, given in optional.items() if given},
    }


def _person(id: str | None) -> UserId | None:
    return UserId(id) if id else None


def _fact(row: Row[*tuple[Any, ...]]) -> Fact:
    value: Mapping[str, Any] = row.value
    return Fact(
        id=FactId(row.key),
        namespace=tuple(str(row.prefix).split(".")),
        text=value["text"],
        by=UserId(value["by"]),
        channel=ChannelId(value["channel"]),
        public=value["public"],
        at=datetime.fromisoformat(value["at"]),
        shared=value.get("shared", False),
        link=value.get("link", ""),
        confidence=float(value["confidence"]),
        expires_at=row.expires_at,
        corrected_by=_person(value.get("corrected_by")),
        approved_by=_person(value.get("approved_by")),
        outside=tuple(value.get("outside", ())),
    )
