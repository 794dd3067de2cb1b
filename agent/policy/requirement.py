"""Requirements: as JSON, put together with a later one, and how votes bring them on. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, cast

from agent.approval import Again, ApprovalPolicy, Escalation, GroupId, OnExpiry, Requirement, Vote
from agent.ids import Digest, UserId
from agent.plan.operations import digest_of
from sandbox.script import Json


def requirement_json(requirement: Requirement) -> Mapping[str, Json]:
    """Return the JSON of column `policy`; what is as usual is left out."""
    return _json(requirement, Requirement())


def _json(value: Any, usual: Any) -> dict[str, Json]:
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: _plain(now) for name, now in given.items() if now is not None and now != getattr(usual, name)}


def _plain(value: Any) -> Json:
    match value:
        case ApprovalPolicy():
            return _json(value, ApprovalPolicy())
        case Escalation():
            return _json(value, Escalation(after_minutes=-1))
        case frozenset() | set():
            return sorted(cast("frozenset[str]", value))
        case tuple():
            return [_plain(part) for part in cast("tuple[object, ...]", value)]
        case _:
            return cast("Json", value)


def requirement_from_json(written: Mapping[str, Json]) -> Requirement:
    """Return what `requirement_json` wrote; keys of later versions are left out.

    Raises:
        ValueError, TypeError, KeyError: it is none of ours.
    """
    given: dict[str, Any] = {field.name: written[field.name] for field in fields(Requirement) if field.name in written}
    if "stages" in given:
        given["stages"] = tuple(_policy(stage) for stage in given["stages"])
    if "on_expiry" in given:
        given["on_expiry"] = OnExpiry(given["on_expiry"])
    if "again" in given:
        given["again"] = Again(given["again"])
    if "escalation" in given:
        given["escalation"] = Escalation(**_people(given["escalation"]))
    if "escalated_to" in given:
        given["escalated_to"] = tuple(given["escalated_to"])
    return Requirement(**given)


def _policy(written: Mapping[str, Any]) -> ApprovalPolicy:
    given = _people(written)
    if "also" in given:
        given["also"] = tuple(_policy(part) for part in given["also"])
    return ApprovalPolicy(**given)


def _people(written: Mapping[str, Any]) -> dict[str, Any]:
    lists = {"users": UserId, "groups": GroupId, "more_users": UserId, "more_groups": GroupId}
    return {name: frozenset(map(lists[name], value)) if name in lists else value for name, value in written.items()}


def stages_digest(requirement: Requirement) -> Digest:
    """Return what stands for the stages: votes count for the same ones only."""
    return digest_of([_plain(stage) for stage in requirement.stages])


def in_same_stage(one: Requirement, other: Requirement) -> bool:
    """Return whether the same people are asked for the same approvals now: whoever was checked for one may give it."""
    return one.stage == other.stage and stages_digest(one) == stages_digest(other)


def begun_anew(requirement: Requirement) -> Requirement:
    """Return the requirement without what has been approved."""
    return replace(requirement, stage=0)


def combined(posted: Requirement, today: Requirement) -> Requirement:
    """Return what it takes when both must hold; `posted` itself when today's asks for nothing more.

    A stage of both needs the larger quorum of people whom both let decide.
    """
    if today.allowed or _implies(posted.stages, today.stages):
        return posted
    length = max(len(posted.stages), len(today.stages))
    stages = [_both(_at(posted.stages, place), _at(today.stages, place)) for place in range(length)]
    return replace(posted, stages=tuple(stages), stage=0, version=today.version)


def _at(stages: Sequence[ApprovalPolicy], place: int) -> ApprovalPolicy | None:
    return stages[place] if place < len(stages) else None


def _both(one: ApprovalPolicy | None, other: ApprovalPolicy | None) -> ApprovalPolicy:
    if one is None or other is None:
        return one or other or ApprovalPolicy()
    quorum = max(one.quorum, other.quorum)
    added = [part for part in other.parts if not any(_same_people(known, part) for known in one.parts)]
    also = (*one.also, *(replace(part, quorum=1, also=(), channel="") for part in added))
    return replace(one, quorum=quorum, also=also)


def _implies(posted: Sequence[ApprovalPolicy], today: Sequence[ApprovalPolicy]) -> bool:
    """Return whether whoever went through the posted stages went through today's."""
    left = iter(posted)
    return all(any(_covers(stage, wanted) for stage in left) for wanted in today)


def _covers(stage: ApprovalPolicy, wanted: ApprovalPolicy) -> bool:
    parts = (any(_same_people(part, one) for part in stage.parts) for one in wanted.parts)
    return stage.quorum >= wanted.quorum and all(parts)


def _same_people(one: ApprovalPolicy, other: ApprovalPolicy) -> bool:
    same = (one.users, one.groups) == (other.users, other.groups)
    return same and (one.self_approval == other.self_approval or not one.self_approval)


def stage_after(requirement: Requirement, votes: Collection[Vote]) -> int | None:
    """Return the stage that is under way with these votes, which are of different people; None: all are complete."""
    for stage, needed in enumerate(requirement.needs):
        if sum(vote.stage == stage for vote in votes) < needed:
            return stage
    return None


def open_for(requirement: Requirement, usual: timedelta | None) -> timedelta | None:
    """Return after how long a request expires; None: never."""
    if requirement.on_expiry is OnExpiry.PARK:
        return None
    return usual if requirement.expires_minutes is None else timedelta(minutes=requirement.expires_minutes)


def due_after(requirement: Requirement) -> timedelta | None:
    """Return how long after the request was shown the next reminder or escalation is due; None: there is none."""
    steps = (_remind_minutes(requirement), _escalate_minutes(requirement))
    return min((timedelta(minutes=step) for step in steps if step is not None), default=None)


def brought_on(requirement: Requirement, waited: timedelta) -> Requirement:
    """Return the requirement after so long: reminded, escalated, or as it was. Copies have no place yet."""
    remind, escalate = _remind_minutes(requirement), _escalate_minutes(requirement)
    return replace(
        requirement,
        reminded=requirement.reminded or (remind is not None and waited >= timedelta(minutes=remind)),
        escalated=requirement.escalated or (escalate is not None and waited >= timedelta(minutes=escalate)),
    )


def _remind_minutes(requirement: Requirement) -> float | None:
    """Return when people are reminded; of a request that stays open, when it would have expired at the latest."""
    parked = requirement.expires_minutes if requirement.on_expiry is OnExpiry.PARK else None
    return None if requirement.reminded else requirement.remind_minutes or parked


def _escalate_minutes(requirement: Requirement) -> float | None:
    escalation = requirement.escalation
    return None if escalation is None or requirement.escalated else escalation.after_minutes
