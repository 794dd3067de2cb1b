"""Work that fills an audit: requests, decisions of every kind, grants, freezes and red calls, through the stores."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent.approval import (
    ApprovalKind,
    ApprovalPolicy,
    ApprovalRequest,
    Decision,
    Freeze,
    FreezeScope,
    Requirement,
    edited_digest,
)
from agent.grant import Anything, Grant, GrantId, GrantKind
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, ThreadId, ToolName, UserId, thread_parts
from infra.stores.audit import AuditEvent
from infra.stores.grants import GrantedApprovals
from infra.stores.stores import Stores
from sandbox.script import Json
from tests.fakes.rows import ADA, GRACE, THREAD, a_request, an_add, tenant_of

LINUS = UserId("U0LINUS")
PLACE = ChannelId("C1")
TOOL = ToolName("http_request")

_ABOUT_NO_CALL = {
    *(AuditEvent.CALLED, AuditEvent.POSTED, AuditEvent.SEALED, AuditEvent.RATED, AuditEvent.INSTRUCTED),
    *(AuditEvent.CONNECTED, AuditEvent.DISCONNECTED),
    *(AuditEvent.REMEMBERED, AuditEvent.CORRECTED, AuditEvent.FORGOTTEN),
}
RICH_EVENTS = frozenset(AuditEvent) - _ABOUT_NO_CALL
"""What `red_calls` and `rich_calls` record together; scripts, Slack and the sealer record the rest."""


async def red_calls(stores: Stores, count: int, thread: ThreadId = THREAD, first: int = 0) -> None:
    """Plan, ask, approve and make red calls: a fifth is rejected, a sixth edited first, a seventh runs again."""
    tenant = tenant_of(thread)
    for number in range(first, first + count):
        node, digest = NodeId(f"n{number}"), Digest(f"{number:064x}")
        await stores.log.append(thread, 1, UserId("U0ADA"), [an_add(node)])
        request = a_request(f"q{number}", thread, node=node, digest=digest, tool=ToolName("http_request"))
        await stores.approvals.ask(request)
        await stores.clicks.refused(
            request, by=LINUS, decision=Decision.APPROVED, why="not_an_approver", place=ChannelId("C1")
        )
        decision = Decision.REJECTED if number % 5 == 4 else Decision.APPROVED
        version = 1
        if number % 6 == 5:
            args: Mapping[str, Json] = {"text": f"edited {number}"}
            assert await stores.approvals.edit(tenant, request.id, version=1, by=LINUS, args=args, place="C1")
            digest, version = edited_digest(digest, request.tool, args), 2
        await stores.approvals.decide(tenant, request.id, version=version, by=GRACE, decision=decision, place="C1")
        if decision is Decision.REJECTED:
            continue
        await stores.ledger.start(thread, node, digest, 1)
        attempt = 1
        if number % 7 == 6:
            unknown = a_request(f"u{number}", thread, node=node, digest=digest, kind=ApprovalKind.UNKNOWN)
            await stores.approvals.ask(unknown)
            await stores.approvals.decide(
                tenant, ApprovalId(f"u{number}"), version=1, by=GRACE, decision=Decision.AGAIN
            )
            attempt = 2
            await stores.ledger.start(thread, node, digest, attempt)
        await stores.ledger.finish(thread, node, attempt, {"state": "succeeded", "value": number})


async def rich_calls(stores: Stores, thread: ThreadId = THREAD) -> None:
    """Make a red call for each other ground there is: votes, an edit, a stricter policy, a grant, a rule; deny one."""
    await _voted(stores, thread)
    await _granted(stores, thread)
    rule = Requirement(stages=(), rule="notes", version="v1", allowed=True)
    noted = await _asked(stores, "noted", thread, rule)
    await _run(stores, noted, noted.digest)
    for _ in range(2):  # a step that is taken up again meets the rule again, and leaves one row
        await stores.approvals.deny(_request("denied", thread), "never")
    for change in (stores.freezes.freeze, stores.freezes.lift):
        await change(tenant_of(thread), Freeze(scope=FreezeScope.WORKSPACE), by=ADA, place=PLACE)


async def _voted(stores: Stores, thread: ThreadId) -> None:
    """Two approve a call that a third edits; they and one more approve it as edited, under a stricter policy."""
    two = Requirement(stages=(ApprovalPolicy(quorum=2),), version="v1")
    request = await _asked(stores, "voted", thread, two)
    args: Mapping[str, Json] = {"text": "edited"}
    await _approve(stores, request, GRACE)
    await stores.approvals.edit(tenant_of(thread), request.id, version=1, by=ADA, args=args, place=PLACE)
    await _approve(stores, request, LINUS, version=2)
    view = await stores.run_views.approval(tenant_of(thread), request.id)
    assert view is not None
    assert await stores.approvals.tighten(view, replace(two, stages=(ApprovalPolicy(quorum=3),), version="v2"))
    for by in (GRACE, LINUS, ADA):
        await _approve(stores, request, by, version=2)
    await stores.clicks.shown(request, by=GRACE, place=PLACE)
    await _run(stores, request, edited_digest(request.digest, request.tool, args))


async def _granted(stores: Stores, thread: ThreadId) -> None:
    """A grant answers two calls; one has run when it is revoked, and a person approves the other."""

    async def yes(_by: UserId, _request: ApprovalRequest) -> bool:
        return True

    now = datetime.now(UTC)
    grant = Grant(
        id=GrantId("g1"),
        kind=GrantKind.RULE,
        channel=ChannelId(thread_parts(thread).channel),
        tool=TOOL,
        conditions={"channel": Anything(), "text": Anything()},
        made_by=GRACE,
        made_at=now,
        expires_at=now + timedelta(hours=1),
        most_uses=2,
    )
    await stores.grants.make(tenant_of(thread), grant, place=PLACE)
    by_grant = GrantedApprovals(stores.approvals, stores.grants, yes)
    ran, waits = [_request(name, thread) for name in ("granted", "revoked")]
    for request in (ran, waits):
        assert (await by_grant.ask(request)).grant == grant.id
    await _run(stores, ran, ran.digest)
    assert await stores.grants.revoke(tenant_of(thread), grant.id, by=ADA, place=PLACE)
    await _approve(stores, waits, LINUS)
    await _run(stores, waits, waits.digest)


def _request(name: str, thread: ThreadId, takes: Requirement | None = None) -> ApprovalRequest:
    digest = Digest(name.encode().hex().rjust(64, "0"))
    return a_request(name, thread, node=NodeId(name), digest=digest, tool=TOOL, requirement=takes)


async def _asked(stores: Stores, name: str, thread: ThreadId, takes: Requirement) -> ApprovalRequest:
    request = _request(name, thread, takes)
    await stores.approvals.ask(request)
    return request


async def _approve(stores: Stores, request: ApprovalRequest, by: UserId, version: int = 1) -> None:
    tenant = tenant_of(request.thread)
    yes = Decision.APPROVED
    counted = await stores.approvals.decide(tenant, request.id, version=version, by=by, decision=yes, place=PLACE)
    assert counted is not None


async def _run(stores: Stores, request: ApprovalRequest, digest: Digest) -> None:
    await stores.ledger.start(request.thread, request.node, digest, 1, tool=TOOL)
    await stores.ledger.finish(request.thread, request.node, 1, {"state": "succeeded", "value": 1})
