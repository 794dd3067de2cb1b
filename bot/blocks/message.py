"""A message as it will stand in Slack: its blocks, its words for notifications, and the digest of both."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.ids import Digest
from agent.plan import digest_of
from bot.blocks.elements import Block, section


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What one message shows. `text` is escaped mrkdwn for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...]

    @property
    def digest(self) -> Digest:
        """Return the digest that tells whether the message must be edited."""
        return digest_of({"text": self.text, "blocks": self.blocks})


def words_only(words: str) -> Rendered:
    """Return a message of ready mrkdwn that fits one section."""
    return rendered(words, [section(words)])


def rendered(text: str, blocks: Sequence[Block]) -> Rendered:
    """Return a message."""
    return Rendered(text=text, blocks=tuple(blocks))
