"""What an app wants to say: text and blocks read from a call and checked against Slack's limits."""

from __future__ import annotations

from dataclasses import dataclass

from infra.dev.local_slack.block_kit.block_kit import (
    MOST_MARKDOWN,
    MOST_TABLE_CHARACTERS,
    markdown_length,
    message_faults,
)
from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_list, is_object

MOST_TEXT = 40_000
"""chat.postMessage; Slack cuts longer texts off, this workspace refuses them."""
MOST_UPDATED_TEXT = 4_000
"""chat.update."""
MOST_ATTACHMENTS = 100


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Checked content of a message; None is a part the app did not give."""

    text: str | None
    blocks: list[JsonObject] | None
    attachments: list[JsonObject] | None
    metadata: JsonObject | None


def draft_of(raw: JsonObject, *, most_text: int = MOST_TEXT) -> Draft:
    """The content in the arguments of a call.

    Raises:
        SlackError: no_text, msg_too_long, invalid_blocks, msg_blocks_too_long, invalid_attachments,
            markdown_text_conflict, invalid_metadata_format.
    """
    text = raw.get("text")
    markdown = raw.get("markdown_text")
    blocks = blocks_of(raw.get("blocks"))
    attachments = _list_of(raw.get("attachments"), "invalid_attachments")
    if markdown is not None:
        if text is not None or blocks is not None:
            raise SlackError("markdown_text_conflict")
        if len(str(markdown)) > MOST_MARKDOWN:
            raise SlackError("msg_too_long")
        text, blocks = str(markdown), [{"type": "markdown", "text": str(markdown)}]
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments", "[ERROR] must provide a string [json-pointer:/text]")
    if text is not None and len(text) > most_text:
        raise SlackError("msg_too_long")
    if attachments is not None and len(attachments) > MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    for attachment in attachments or []:
        if lines := message_faults(attachment.get("blocks", [])):
            raise SlackError("invalid_attachments", *lines)
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    return Draft(text=text, blocks=blocks, attachments=attachments, metadata=_metadata(raw.get("metadata")))


def blocks_of(value: object) -> list[JsonObject] | None:
    """Checked blocks from a JSON string or array; None when there are none given.

    Raises:
        SlackError: invalid_blocks_format, invalid_blocks, msg_blocks_too_long or invalid_attachments (tables).
    """
    blocks = _list_of(value, "invalid_blocks_format")
    if blocks is None:
        return None
    if lines := message_faults(blocks):
        raise SlackError("invalid_blocks", *lines)
    if markdown_length(blocks) > MOST_MARKDOWN:
        raise SlackError("msg_blocks_too_long")
    tables = [block for block in blocks if block.get("type") == "table"]
    if len(tables) > 1:
        raise SlackError("invalid_attachments", "[ERROR] only_one_table_allowed")
    if any(_table_characters(table.get("rows")) > MOST_TABLE_CHARACTERS for table in tables):
        raise SlackError("invalid_attachments", "[ERROR] table_exceeds_character_limit")
    return blocks


def _list_of(value: object, error: str) -> list[JsonObject] | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = decoded(value)
    if not is_list(value):
        raise SlackError(error)
    if not all(is_object(member) for member in value):
        raise SlackError(error, "[ERROR] must provide an object")
    return [member for member in value if is_object(member)]


def _metadata(value: object) -> JsonObject | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = decoded(value)
    if (
        not is_object(value)
        or not isinstance(value.get("event_type"), str)
        or not is_object(value.get("event_payload"))
    ):
        raise SlackError("invalid_metadata_format")
    return value


def _table_characters(value: object) -> int:
    """Characters in the cells of a table, rich text included."""
    if is_list(value):
        return sum(_table_characters(member) for member in value)
    if is_object(value):
        own = value.get("text")
        inner = sum(_table_characters(member) for member in value.values() if is_list(member))
        return inner + (len(own) if isinstance(own, str) else 0)
    return 0
