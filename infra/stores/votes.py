"""Votes: the approvals of a request that takes several, counted under its row lock, each with its audit row."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import DecisionRecord, Requirement, Vote
from agent.ids import ThreadId, UserId, thread_parts
from agent.policy.requirement import requirement_json, stage_after, stages_digest
from infra.db.tables import ApprovalRow, VoteRow
from infra.stores.audit import AuditEvent, recording
from sandbox.script import Json

_ONE = func.json_build_object(
    "by", VoteRow.by, "stage", VoteRow.stage, "digest", VoteRow.digest, "stages", VoteRow.stages
)
VOTES = (
    select(func.json_agg(aggregate_order_by(_ONE, VoteRow.at)))
    .where(VoteRow.tenant == ApprovalRow.tenant, VoteRow.approval == ApprovalRow.id)
    .correlate(ApprovalRow)
    .scalar_subquery()
    .label("votes")
)
"""Every vote on a request, for `votes_in`."""


def votes_in(found: Sequence[dict[str, str | int]] | None, record: DecisionRecord) -> tuple[Vote, ...]:
    """Return those of `VOTES` that count: for the call and the stages as they are now."""
    if not found or record.requirement is None:
        return ()
    stages = stages_digest(record.requirement)
    return tuple(
        Vote(by=UserId(str(vote["by"])), stage=int(vote["stage"]))
        for vote in found
        if (vote["digest"], vote["stages"]) == (record.digest, stages)
    )


async def count_vote(
    connection: AsyncConnection, thread: ThreadId, record: DecisionRecord, by: UserId, place: str
) -> bool | None:
    """Count a person's approval of a request whose row is locked.

    Return whether it was the last one needed; None: this person's was counted before.
    """
    requirement = record.requirement
    if requirement is None or requirement.is_single:
        return True
    tenant = thread_parts(thread).tenant
    stages = stages_digest(requirement)
    key = {"tenant": tenant, "approval": record.id, "digest": record.digest, "stages": stages}
    vote = insert(VoteRow).values(**key, by=by, stage=requirement.stage).on_conflict_do_nothing()
    if (await connection.execute(vote.returning(VoteRow.by))).first() is None:
        return None
    details: dict[str, Json] = {"question": record.id, "stage": requirement.stage, "stages": stages}
    details |= {"place": place} if place else {}
    voted = recording(thread, record.node, AuditEvent.VOTED, digest=record.digest, by=by, details=details)
    await connection.execute(voted)
    counted = select(VoteRow.by, VoteRow.stage).where(*(getattr(VoteRow, name) == of for name, of in key.items()))
    votes = [Vote(by=UserId(row.by), stage=row.stage) for row in await connection.execute(counted)]
    stage = stage_after(requirement, votes)
    if stage is not None and stage != requirement.stage:
        await store_requirement(connection, thread, record, replace(requirement, stage=stage))
    return stage is None


async def tighten(connection: AsyncConnection, thread: ThreadId, record: DecisionRecord, to: Requirement) -> None:
    """Replace what a request takes, whose row is locked; its votes do not count any more."""
    await store_requirement(connection, thread, record, to)
    details: dict[str, Json] = {
        "question": record.id,
        "needs": list(to.needs),
        "stages": stages_digest(to),
        "policy": to.version,
    }
    row = recording(thread, record.node, AuditEvent.TIGHTENED, digest=record.digest, details=details)
    await connection.execute(row)


async def store_requirement(
    connection: AsyncConnection, thread: ThreadId, record: DecisionRecord, requirement: Requirement
) -> None:
    """Store how far a request got, whose row is locked."""
    row = update(ApprovalRow).where(ApprovalRow.of_thread(thread), ApprovalRow.id == record.id)
    await connection.execute(row.values(policy=requirement_json(requirement)))


def asked_details(requirement: Requirement | None) -> dict[str, Json]:
    """Return what the audit says of what a request takes, beside the request itself."""
    if requirement is None:
        return {}
    told: dict[str, Json] = {"policy": requirement.version} if requirement.version else {}
    if requirement.rule:
        told["rule"] = requirement.rule
    if requirement.allowed:
        told["allowed"] = True
    elif not requirement.is_single:
        told |= {"needs": list(requirement.needs), "stages": stages_digest(requirement)}
    return told
