"""How many cards are open: a request beyond the policy's bound is held, and shown once another one has closed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.approval import ApprovalKind, Decision, Requirement
from agent.ids import Tenant, ThreadId
from agent.policy.requirement import due_after, open_for, requirement_from_json, requirement_json
from infra.db.tables import ApprovalRow

_PENDING = ApprovalRow.status == Decision.PENDING.value
_ABOUT_CALLS = ApprovalRow.kind.in_([ApprovalKind.APPROVE.value, ApprovalKind.UNKNOWN.value])
_HELD = func.coalesce(ApprovalRow.policy["held"].as_boolean(), False)


async def is_free(
    connection: AsyncConnection, tenant: str, thread: str, turn: int, author: str, requirement: Requirement
) -> bool:
    """Return whether another card may stand; until the transaction ends, no other request of the person is stored."""
    if not requirement.cards_per_run and not requirement.cards_per_person:
        return True
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"cards:{tenant}:{author}", 0))))
    of_run = func.count().filter(ApprovalRow.thread == thread, ApprovalRow.turn == turn)
    of_person = func.count().filter(ApprovalRow.author == author)
    open_cards = select(of_run.label("run"), of_person.label("person")).where(
        ApprovalRow.tenant == tenant, _PENDING, _ABOUT_CALLS, ~_HELD
    )
    found = (await connection.execute(open_cards)).one()
    full_run = requirement.cards_per_run and found.run >= requirement.cards_per_run
    full_person = requirement.cards_per_person and found.person >= requirement.cards_per_person
    return not (full_run or full_person)


def times(requirement: Requirement | None, usual: timedelta | None) -> dict[str, Any]:
    """Return when a request that is shown now expires, and when something is due about it. A held one has no time."""
    if requirement is None:
        return {"expires_at": None if usual is None else func.now() + usual}
    if requirement.held or requirement.allowed:
        return {"expires_at": None, "due_at": None}
    ends, due = open_for(requirement, usual), due_after(requirement)
    return {
        "expires_at": None if ends is None else func.now() + ends,
        "due_at": None if due is None else func.now() + due,
    }


async def release_held(
    connection: AsyncConnection, usual: timedelta | None, tenants: Sequence[Tenant] = ()
) -> Sequence[ThreadId]:
    """Let held requests be shown for which there is room now, oldest first; return their threads.

    Their time begins now. Rows that somebody else changes now are left for the next time.
    """
    columns = (ApprovalRow.tenant, ApprovalRow.thread, ApprovalRow.turn, ApprovalRow.author, ApprovalRow.id)
    held = select(*columns, ApprovalRow.policy).where(_PENDING, _HELD).order_by(ApprovalRow.asked)
    if tenants:
        held = held.where(ApprovalRow.tenant.in_(tenants))
    released: list[ThreadId] = []
    for row in (await connection.execute(held.with_for_update(skip_locked=True))).all():
        requirement = requirement_from_json(row.policy)
        if await is_free(connection, row.tenant, row.thread, row.turn, row.author, requirement):
            shown = replace(requirement, held=False)
            this = (ApprovalRow.tenant == row.tenant, ApprovalRow.id == row.id)
            begun = {"policy": requirement_json(shown), "asked_at": func.now(), **times(shown, usual)}
            await connection.execute(update(ApprovalRow).where(*this).values(**begun))
            released.append(ThreadId(row.thread))
    return released
