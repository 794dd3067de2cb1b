"""Values for tests of the stores, with sensible rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from agent.approval import ApprovalKind, ApprovalRequest
from agent.events import AttemptEnded, NodeChanged, NodePlanned
from agent.ids import ApprovalId, ChannelId, Digest, NodeId, Tenant, ThreadId, ToolName, UserId, thread_parts
from agent.plan.operations import Add, Dependency, Node, NodeKind
from agent.plan.outcomes import NodeState, Outcome
from agent.tool import Colour
from bot.ports import Incoming, Kind
from infra.db.database import Database

THREAD = ThreadId("T1:C1:1700000000.000100")
OTHER = ThreadId("T1:C1:1700000000.000200")
ELSEWHERE = ThreadId("T2:C1:1700000000.000100")
ADA, GRACE = UserId("U0ADA"), UserId("U0GRACE")
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def seconds(count: float) -> datetime:
    """Return the time so long after noon."""
    return NOON + timedelta(seconds=count)


def a_node(id: str, *depends_on: str) -> Node:
    """A green tool node."""
    dependencies = tuple(Dependency(node=NodeId(need)) for need in depends_on)
    return Node(id=NodeId(id), kind=NodeKind.TOOL, title=f"Step {id}", tool=ToolName("t"), depends_on=dependencies)


def an_add(id: str, *depends_on: str) -> Add:
    """The operation that adds it."""
    return Add(node=a_node(id, *depends_on))


def a_message(text: str = "hello", ts: str = "1.0", thread: ThreadId = THREAD, **rest: Any) -> Incoming:
    """A mention by Ada."""
    parts = thread_parts(thread)
    fields: dict[str, Any] = {
        "tenant": parts.tenant,
        "app": "A1",
        "event_id": f"Ev{ts}",
        "channel": ChannelId(parts.channel),
        "ts": ts,
        "thread": thread,
        "author": ADA,
        "text": text,
        "kind": Kind.MENTION,
    }
    return Incoming(**(fields | rest))


def a_request(id: str = "q1", thread: ThreadId = THREAD, **rest: Any) -> ApprovalRequest:
    """An approval of node `post`."""
    fields: dict[str, Any] = {
        "id": ApprovalId(id),
        "thread": thread,
        "turn": 1,
        "node": NodeId("post"),
        "kind": ApprovalKind.APPROVE,
        "title": "Post",
        "tool": ToolName("slack_post_message"),
        "args": {"channel": "#incidents", "text": "down"},
        "digest": Digest("d" * 64),
        "author": ADA,
    }
    return ApprovalRequest(**(fields | rest))


def planned(id: str, *depends_on: str, turn: int = 1, at: datetime = NOON) -> NodePlanned:
    """The event that a node entered the plan."""
    return NodePlanned(turn=turn, node=a_node(id, *depends_on), colour=Colour.GREEN, author=ADA, at=at)


def changed(id: str, state: NodeState, at: datetime = NOON, outcome: Outcome | None = None) -> NodeChanged:
    """The event that a node's state moved."""
    return NodeChanged(node=NodeId(id), state=state, at=at, outcome=outcome)


def attempt(id: str, number: int, kind: str = "error") -> AttemptEnded:
    """The event that an attempt of a package ended."""
    return AttemptEnded(
        node=NodeId(id), attempt=number, kind=kind, code="x", error="E: e", traceback="tb", milliseconds=1.5, at=NOON
    )


def tenant_of(thread: ThreadId) -> Tenant:
    """Return the thread's tenant."""
    return thread_parts(thread).tenant


async def waiting_jobs(database: Database, thread: ThreadId = THREAD) -> int:
    """Return how many wake jobs of the thread wait."""
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE queueing_lock = :thread AND status = 'todo'"
    async with database.begin() as connection:
        return (await connection.execute(text(waiting), {"thread": thread})).scalar_one()


async def audited(database: Database, thread: ThreadId = THREAD) -> list[str]:
    """Return the events of the thread's audit, in order."""
    events = "SELECT event FROM audit WHERE thread = :thread ORDER BY id"
    async with database.begin() as connection:
        return list((await connection.execute(text(events), {"thread": thread})).scalars())
