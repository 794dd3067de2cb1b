"""When an output becomes an artifact, and how a value is turned into its content and back."""

import json
from dataclasses import dataclass

from agent.ids import NodeId
from agent.plan.json_values import fits
from agent.plan.operations import canonical_json
from sandbox.script import Json

INLINE_BYTES = 4 * 1024
"""Larger outputs are kept as artifacts; a run's state holds the others."""

HEAD_CHARACTERS = 512

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Content:
    """A value as an artifact's bytes."""

    name: str
    content: bytes
    media_type: str


def fits_inline(value: Json) -> bool:
    """Return whether a value may be kept in the run's state."""
    return fits(value, INLINE_BYTES)


def content_of(node: NodeId, value: Json) -> Content:
    """Return a node's output as an artifact: a text as it is, anything else as canonical JSON."""
    if isinstance(value, str):
        return Content(name=f"{node}.txt", content=value.encode(), media_type=TEXT)
    return Content(name=f"{node}.json", content=canonical_json(value).encode(), media_type=JSON)


def value_of(content: bytes, media_type: str) -> Json:
    """Return the value that `content_of` stored.

    Raises:
        ValueError: the content is not what its media type says.
    """
    if media_type == JSON:
        value: Json = json.loads(content)
        return value
    return content.decode()


def head_of(content: bytes) -> str:
    """Return the beginning of a content for models and people: at most 512 characters."""
    # Four bytes are the most a character takes, so this slice always holds enough of them.
    return content[: 4 * HEAD_CHARACTERS].decode(errors="ignore").replace("\x00", "\ufffd")[:HEAD_CHARACTERS]
