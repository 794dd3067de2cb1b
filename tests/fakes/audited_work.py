"""Work that fills an audit: requests, decisions of every kind and red calls, through the stores."""

from collections.abc import Mapping

from agent.approval import ApprovalKind, Decision, edited_digest
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, ThreadId, ToolName, UserId
from infra.stores.stores import Stores
from sandbox.script import Json
from tests.fakes.rows import GRACE, THREAD, a_request, an_add, tenant_of

LINUS = UserId("U0LINUS")


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
