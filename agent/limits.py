"""What bounds a run's work and memory: apart from what keeps to it, whose import takes seconds."""

from dataclasses import dataclass

BYTES_PER_TOKEN = 4
"""The usual estimate; of text that is not English a token is fewer characters, but as many bytes."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`nodes_at_once` bounds the green nodes at work, `fan_out` the items of one template, `nodes_per_turn` the
    nodes that one turn may have with the items of all of them.

    `poll_seconds` is how long a lost hint may go unnoticed.
    """

    nodes_at_once: int = 32
    fan_out: int = 50
    nodes_per_turn: int = 200
    poll_seconds: float = 5.0


@dataclass(frozen=True, kw_only=True)
class MemoryLimits:
    """`tokens` is what all that is shown of earlier turns comes to: half is the dialogue, a quarter the
    summary, a quarter the earlier nodes with the heads of their results."""

    tokens: int = 16_000

    @property
    def dialogue_tokens(self) -> int:
        """What the turns shown word by word come to."""
        return self.tokens // 2

    @property
    def turn_characters(self) -> int:
        """The most of one turn, however many messages it has: the newest is always shown."""
        return self.dialogue_tokens * BYTES_PER_TOKEN

    @property
    def summary_characters(self) -> int:
        """The most that the summary has."""
        return self.tokens // 4 * BYTES_PER_TOKEN

    @property
    def node_bytes(self) -> int:
        """What the nodes of earlier turns come to."""
        return self.tokens // 4 * BYTES_PER_TOKEN

    @property
    def message_characters(self) -> int:
        """The most of one message."""
        return self.tokens // 8 * BYTES_PER_TOKEN
