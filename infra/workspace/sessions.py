"""Agent sessions: what the app says it is doing in a thread, and thereby whether people see a Stop button."""

from __future__ import annotations

from infra.workspace.backend import Backend
from infra.workspace.channels import Channel
from infra.workspace.team import Session

SESSION_STATUSES = ("active", "processing", "suspended", "closed")


def set_session(backend: Backend, channel: Channel, thread_ts: str, status: str, *, title: str = "") -> Session:
    """Set the status of a thread's session, made now if need be; a title counts only then."""
    session = backend.team.sessions.setdefault((channel.id, thread_ts), Session(status=status, title=title))
    session.status = status
    backend.feed.tell("session", channel=channel.id, thread_ts=thread_ts, status=status)
    return session
