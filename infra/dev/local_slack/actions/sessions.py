"""Agent sessions: what the app says it is doing in a thread, and thereby whether people see a Stop button."""

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.state.channels import Channel
from infra.dev.local_slack.state.errors import ControlError
from infra.dev.local_slack.state.people import Person
from infra.dev.local_slack.state.team import Session

SESSION_STATUSES = ("active", "processing", "suspended", "closed")


def set_session(backend: Backend, channel: Channel, thread_ts: str, status: str, *, title: str = "") -> Session:
    """Set the status of a thread's session, made now if need be; a title counts only then."""
    session = backend.team.sessions.setdefault((channel.id, thread_ts), Session(status=status, title=title))
    session.status = status
    backend.feed.tell("session", channel=channel.id, thread_ts=thread_ts, status=status)
    return session


async def stop_session(backend: Backend, person: Person, channel: Channel, thread_ts: str) -> None:
    """Press the native Stop button of a thread in which the agent is processing.

    Raises:
        ControlError: No such button is shown.
    """
    session = backend.team.sessions.get((channel.id, thread_ts))
    if session is None or session.status != "processing" or "agent_session_stopped" not in backend.app.bot_events:
        raise ControlError("no_stop_button", "Nothing is being worked on in this thread.")
    stopped: list[str] = []
    for message in channel.thread(thread_ts):
        if message.stream is not None and message.stream.open:
            message.stream.open = False
            stopped.append(message.ts)
            backend.announcer.redrawn(channel, message)
    backend.announcer.app_event(
        {
            "type": "agent_session_stopped",
            "user": person.id,
            "channel": channel.id,
            "thread_ts": thread_ts,
            "streaming_message_ts": stopped,
        }
    )
