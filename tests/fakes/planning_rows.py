"""Rows of a turn that is planned, in memory: messages taken with their turn, nodes' states, summaries, names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.ids import ThreadId
from agent.ports import Summary
from infra.worker.notifications import Notifier
from tests.fakes.ports_in_memory import MailboxInMemory, RunsInMemory


class MailboxWithRuns(MailboxInMemory):
    """A Mailbox whose taken messages, replies and trouble stand in the turn's row, as in production."""

    def __init__(self, notifier: Notifier, runs: RunsInMemory) -> None:
        super().__init__(notifier)
        self._runs = runs

    async def taken(
        self, thread: ThreadId, turn: int, messages: Sequence[int], reply: str = "", error: str = ""
    ) -> None:
        """Mark messages as taken, with the turn."""
        await super().taken(thread, turn, messages, reply, error)
        run = self._runs.rows[thread, turn]
        taken = tuple(message for message in self.messages[thread] if message.id in messages)
        replies = (*run.replies, reply) if reply else run.replies
        self._runs.rows[thread, turn] = replace(
            run, messages=(*run.messages, *taken), replies=replies, error=error or run.error
        )


class SummariesInMemory:
    """Summaries."""

    def __init__(self) -> None:
        self.kept: list[Summary] = []

    async def newest(self, thread: ThreadId) -> Summary | None:
        """Return the summary."""
        return max(self.kept, key=lambda summary: summary.upto_turn, default=None)

    async def keep(self, thread: ThreadId, summary: Summary) -> None:
        """Keep the summary."""
        self.kept.append(summary)


@dataclass
class DirectoryInMemory:
    """A Directory that knows whom a test introduces."""

    known: dict[str, str] = field(default_factory=dict[str, str])

    async def names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the known names."""
        return {asked: self.known[asked] for asked in ids if asked in self.known}
