"""Identities: NewTypes for every id, and the thread id's one format."""

from typing import NamedTuple, NewType

Tenant = NewType("Tenant", str)
"""A Slack team id; every row and artifact key starts with it."""

ThreadId = NewType("ThreadId", str)
"""`team:channel:root_ts`: one Slack thread, one LangGraph thread."""

ChannelId = NewType("ChannelId", str)
UserId = NewType("UserId", str)
NodeId = NewType("NodeId", str)
ToolName = NewType("ToolName", str)
ApprovalId = NewType("ApprovalId", str)
"""An approval's id: a hash of thread, node and question, so asking twice finds the same row."""

Digest = NewType("Digest", str)
"""Lower-case hex SHA-256."""


class ThreadParts(NamedTuple):
    """A thread id taken apart."""

    tenant: Tenant
    channel: ChannelId
    root_ts: str


def thread_id(tenant: str, channel: str, root_ts: str) -> ThreadId:
    """Return the id of the thread whose root message is `root_ts`."""
    return ThreadId(f"{tenant}:{channel}:{root_ts}")


def thread_parts(thread: ThreadId) -> ThreadParts:
    """Take a thread id apart.

    Raises:
        ValueError: it is not `team:channel:root_ts`.
    """
    tenant, channel, root_ts = thread.split(":")
    return ThreadParts(Tenant(tenant), ChannelId(channel), root_ts)
