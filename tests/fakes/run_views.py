"""Run views as a test wants them, with sensible rest."""

from datetime import timedelta
from typing import Any

from agent.approval import ApprovalKind, ApprovalRequest, Decision
from agent.ids import ApprovalId, Digest, NodeId, ThreadId, ToolName, UserId
from agent.plan.operations import NodeKind
from agent.plan.outcomes import Failed, NodeState, Outcome, Succeeded
from agent.ports import RunStatus
from agent.tool import Colour
from bot.ports import ApprovalView, NodeView, RunView
from tests.fakes.bot_ports import NOON
from tests.fakes.ports_in_memory import record_of

THREAD = ThreadId("T0LOCAL:C0OPS:1.000001")
ADA, GRACE = UserId("U0ADA"), UserId("U0GRACE")


def a_node(id: str, state: NodeState = NodeState.PLANNED, **rest: Any) -> NodeView:
    """A node; a final state gets a fitting outcome."""
    fitting: dict[NodeState, Outcome] = {
        NodeState.SUCCEEDED: Succeeded(value=1),
        NodeState.FAILED: Failed(error="timeout"),
    }
    fields: dict[str, Any] = {
        "title": f"Step {id}",
        "kind": NodeKind.TOOL,
        "colour": Colour.GREEN,
        "tool": ToolName("http_get"),
        "outcome": fitting.get(state),
        "started_at": None if state is NodeState.PLANNED else NOON,
        "ended_at": NOON + timedelta(seconds=1.2) if state in fitting else None,
    } | rest
    fields["depends_on"] = tuple(NodeId(need) for need in fields.get("depends_on", ()))
    return NodeView(id=NodeId(id), state=state, **fields)


def an_approval(thread: ThreadId = THREAD, id: str = "q1", **rest: Any) -> ApprovalView:
    """An open approval of `slack_post_message`, asked for by Ada."""
    fields: dict[str, Any] = {
        "args": {"channel": "#incidents", "text": "payments is down"},
        "title": "Post to #incidents",
        "kind": ApprovalKind.APPROVE,
        "blocks": (),
        "decision": Decision.PENDING,
        "by": None,
        "at": None,
        "version": 1,
        "turn": 1,
    } | rest
    record = {key: fields.pop(key) for key in ("decision", "by", "at")}
    version = fields.pop("version")
    request = ApprovalRequest(
        id=ApprovalId(id),
        thread=thread,
        node=NodeId("post"),
        tool=ToolName("slack_post_message"),
        digest=Digest("d1"),
        author=ADA,
        **fields,
    )
    return ApprovalView(
        request=request,
        record=record_of(request, **record),
        asked_at=NOON,
        version=version,
    )


def a_run(thread: ThreadId = THREAD, **rest: Any) -> RunView:
    """A running first turn, asked for by Ada."""
    fields: dict[str, Any] = {"turn": 1, "status": RunStatus.RUNNING, "requester": ADA, "started_at": NOON} | rest
    return RunView(thread=thread, **fields)
