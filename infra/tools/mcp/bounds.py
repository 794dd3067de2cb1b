"""What a server may send: the largest message, and how much that nobody asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mcp.client.session import ClientSession
from mcp_types import CallToolResult

BURST = 4_000
"""Unasked messages at once: one counts as 1, and 1 more for each KiB of it."""

PER_SECOND = 400
"""The same, for as long as the connection lasts."""


class SentTooMuch(Exception):
    """A server sent more than it may; the text says what, for people."""


@dataclass(kw_only=True)
class Inflow:
    """Counts what comes in over one connection, as a bucket that fills up again."""

    #: The most that one message may come to.
    message_bytes: int
    clock: Callable[[], float] = time.monotonic
    _left: float = BURST
    _since: float = field(default=0.0)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def check_size(self, size: int) -> None:
        """Raise `SentTooMuch` for a message, or a beginning of one, of so many bytes."""
        if size > self.message_bytes:
            raise SentTooMuch(f"it sent more than {self.message_bytes} bytes in one message")

    def note_unasked(self, size: int) -> None:
        """Count a message that answers nothing; raise `SentTooMuch` when it is one too many."""
        now = self.clock()
        self._left = min(BURST, self._left + (now - self._since) * PER_SECOND) - 1 - size / 1024
        self._since = now
        if self._left < 0:
            raise SentTooMuch("it sent a flood of messages that nobody asked for")


@dataclass(kw_only=True)
class Line:
    """How a connection goes, as its transport sees it."""

    ended: bool = False
    #: Its tools may be others than those that were listed.
    changed: bool = False
    #: Why it ended, in words; empty: it just did.
    fault: str = ""

    def end(self, fault: str = "") -> None:
        """Note that nothing more comes; the first fault stays."""
        self.ended = True
        self.fault = self.fault or fault


class UncheckedSession(ClientSession):
    """A session that does not hold a server's answers against the server's own schemas.

    Their patterns could stall the whole process, and what an answer holds is outside text in any case.
    """

    async def validate_tool_result(self, name: str, result: CallToolResult) -> None:
        """Take the result as it is."""
