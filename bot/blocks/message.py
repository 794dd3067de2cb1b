"""A message as it will stand in Slack: its blocks, its words for notifications, and the digest of both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from agent.ids import Digest
from agent.plan.operations import digest_of
from agent.ports import Decision
from bot import wording
from bot.blocks.elements import Block, escaped, section, shortened
from bot.payloads import ACTION_PREFIX


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


_WORDS_CHARACTERS = 2500


_LETS_RUN = frozenset(f"{ACTION_PREFIX}{each.value}" for each in (Decision.APPROVED, Decision.AGAIN))


_LITERAL = frozenset({"plain_text", "text", "markdown"})


def plainly(message: Rendered) -> Rendered:
    """Return the message in words."""
    words = "\n".join([wording.SHOWN_PLAINLY, *_lines(message.blocks)])
    kept = [row for block in message.blocks if block.get("type") == "actions" if (row := _harmless(block)) is not None]
    return rendered(message.text, [section(shortened(words, _WORDS_CHARACTERS)), *kept])


def _lines(value: object) -> Iterator[str]:
    """Yield the words of blocks as mrkdwn, literal ones escaped; buttons are no words."""
    match value:
        case {"type": "actions"}:
            return
        case {"text": str(text)}:
            kind = cast("Mapping[str, object]", value).get("type")
            yield escaped(text) if kind in _LITERAL else text
        case Mapping():
            for key, each in cast("Mapping[str, object]", value).items():
                yield from _titled(key, each)
        case list() | tuple():
            for each in cast("Sequence[object]", value):
                yield from _lines(each)
        case _:
            return


def _titled(key: str, value: object) -> Iterator[str]:
    if key == "title" and isinstance(value, str):
        yield escaped(value)
    else:
        yield from _lines(value)


def _harmless(row: Block) -> Block | None:
    elements = cast("Sequence[Block]", row.get("elements") or ())
    kept = [each for each in elements if each.get("action_id") not in _LETS_RUN]
    return {**row, "elements": kept} if kept else None
