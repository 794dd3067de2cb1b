"""The audit: what people answer for, each row written with the change it records. `infra/audit/` reads it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import CTE, ColumnElement, Insert, Select, delete, insert, literal, select, update

from agent.approval import ApprovalRequest, Decision
from agent.ids import ChannelId, Digest, NodeId, Tenant, ThreadId, UserId
from agent.plan.operations import digest_of
from agent.tool import Account
from infra.db.database import Database
from infra.db.tables import AuditPersonRow, AuditRow, thread_key
from sandbox.script import Json


class AuditEvent(StrEnum):
    """The kind of an audit row."""

    #: A person is asked.
    ASKED = "asked"
    #: A rule refused the call, so nobody was asked.
    DENIED = "denied"
    #: The request was closed: by a person, by its expiry or because it was withdrawn.
    DECIDED = "decided"
    #: A person approved a request that takes several approvals.
    VOTED = "voted"
    #: A stricter policy came while a request was open; what it takes is what both say.
    TIGHTENED = "tightened"
    #: A red call is about to run.
    STARTED = "started"
    #: Its outcome is known.
    FINISHED = "finished"
    #: A script called tools.
    CALLED = "called"
    #: Operations were added to the plan.
    PLANNED = "planned"
    #: The card stands in Slack.
    POSTED = "posted"
    #: A click changed nothing.
    REFUSED = "refused"
    #: The end of the chain was signed and published.
    SEALED = "sealed"
    #: An administrator stopped red calls.
    FROZEN = "frozen"
    #: An administrator lifted a freeze.
    LIFTED = "lifted"
    #: A person approved calls that come later.
    GRANTED = "granted"
    #: Such an approval was taken back.
    REVOKED = "revoked"
    #: A person was shown the confidential values of a request.
    SHOWN = "shown"
    #: A person put other arguments in place of those asked about: the digest is that of the new call.
    EDITED = "edited"
    #: A fact is remembered from now on: the digest is that of its place and id.
    REMEMBERED = "remembered"
    #: A fact got other words.
    CORRECTED = "corrected"
    #: A person had a fact deleted.
    FORGOTTEN = "forgotten"
    #: A person wrote how work is to be done in a channel; the digest is that of channel and words.
    INSTRUCTED = "instructed"
    #: A person said what they think of an answer; the digest is that of turn, thumb and words.
    RATED = "rated"
    #: A person connected an account at a provider.
    CONNECTED = "connected"
    #: They disconnected it, or the provider took it back.
    DISCONNECTED = "disconnected"


def with_record(
    change: CTE,
    thread: ThreadId,
    node: NodeId | None,
    event: AuditEvent,
    *,
    digest: Digest | None = None,
    by: str | None = None,
    details: Mapping[str, Json],
) -> Select[*tuple[Any, ...]]:
    """Return a statement that makes the change, records it in a row, and returns what the change returns.

    A change that returns no row was not made, and is not recorded. One statement: a red call waits for two of them,
    and each round trip less is felt. `details` are as in `recording`. Without a node or digest the change returns it.
    """
    columns = AuditRow.__table__.c
    values: dict[str, ColumnElement[Any]] = {
        name: literal(value, columns[name].type) for name, value in _values(thread, event, by, details).items()
    }
    values["node"] = change.c.node if node is None else literal(node, columns["node"].type)
    values["digest"] = change.c.digest if digest is None else literal(digest, columns["digest"].type)
    given = select(*(value.label(name) for name, value in values.items())).select_from(change)
    return select(*change.c).add_cte(insert(AuditRow).from_select([*values], given).cte("recorded"))


def recording(
    thread: ThreadId,
    node: NodeId,
    event: AuditEvent,
    *,
    digest: Digest,
    by: str | None = None,
    details: Mapping[str, Json],
) -> Insert:
    """Return the statement that appends a row, in the transaction of the change.

    `details` hold names and states only: arguments may be secret, and the digest stands for them.
    """
    return insert(AuditRow).values(**_values(thread, event, by, details), node=node, digest=digest)


def recording_of_tenant(
    tenant: Tenant, event: AuditEvent, *, digest: Digest, by: str | None = None, details: Mapping[str, Json]
) -> Insert:
    """Return the statement that appends a row about no thread."""
    nowhere = {"tenant": tenant, "thread": "", "node": "", "event": event.value}
    return insert(AuditRow).values(**nowhere, by=by, digest=digest, details=details)


async def erase_person(database: Database, tenant: Tenant, person: UserId) -> int:
    """Delete a person's id and salt; return how many rows named them.

    The chain holds the digest of both, which says nothing without the salt.
    """
    named = update(AuditRow).where(AuditRow.tenant == tenant, AuditRow.by == person).values(by=None)
    salt = delete(AuditPersonRow).where(AuditPersonRow.tenant == tenant, AuditPersonRow.person == person)
    async with database.begin() as connection:
        rows = (await connection.execute(named.returning(AuditRow.id))).all()
        await connection.execute(salt)
    return len(rows)


def runs_as(account: Account) -> dict[str, Json]:
    """Return the details of a call that runs as a person: one without them runs as the app.

    Who somebody is at the provider stands there as a digest, like people's words.
    """
    return {"account": account.provider, "runs_as": digest_of([account.provider, account.subject])}


def _values(thread: ThreadId, event: AuditEvent, by: str | None, details: Mapping[str, Json]) -> Mapping[str, object]:
    return {**thread_key(thread), "event": event.value, "by": by, "details": details}


class PostgresClickLog:
    """The bot's ClickLog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refused(
        self, request: ApprovalRequest, *, by: UserId, decision: Decision | None, why: str, place: ChannelId
    ) -> None:
        """Record a click that changed nothing."""
        wanted = "show" if decision is None else decision.value
        await self._record(request, AuditEvent.REFUSED, by, {"decision": wanted, "why": why, "place": place})

    async def shown(self, request: ApprovalRequest, *, by: UserId, place: ChannelId) -> None:
        """Record who is about to see confidential values."""
        await self._record(request, AuditEvent.SHOWN, by, {"place": place})

    async def _record(
        self, request: ApprovalRequest, event: AuditEvent, by: UserId, details: Mapping[str, Json]
    ) -> None:
        about = {"question": request.id, **details}
        row = recording(request.thread, request.node, event, digest=request.digest, by=by, details=about)
        await self._database.execute(row)
