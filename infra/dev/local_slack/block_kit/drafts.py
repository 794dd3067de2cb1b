"""The content of a message: text and blocks, read from a call and checked against Slack's limits."""

from dataclasses import dataclass

from infra.dev.local_slack.block_kit.block_kit import MOST_MARKDOWN, markdown_length, message_faults
from infra.dev.local_slack.state.errors import SlackError, refuse_if
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_list, is_object

MOST_TEXT = 40_000
"""chat.postMessage; Slack cuts longer texts off, this workspace refuses them."""
MOST_UPDATED_TEXT = 4_000
"""chat.update."""
MOST_TABLE_CHARACTERS = 10_000


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Checked content of a message; None is a part the app did not give."""

    text: str | None = None
    blocks: list[JsonObject] | None = None
    metadata: JsonObject | None = None


def draft_of(raw: JsonObject, *, most_text: int = MOST_TEXT) -> Draft:
    """Return the content in the arguments of a call. Refuses attachments and `markdown_text`: the app uses neither.

    Raises:
        SlackError: no_text, msg_too_long, invalid_blocks, msg_blocks_too_long, invalid_arguments,
            invalid_metadata_format.
    """
    if unsupported := {"attachments", "markdown_text"} & raw.keys():
        raise SlackError("invalid_arguments", f"[ERROR] not supported here: {min(unsupported)}")
    text = raw.get("text")
    blocks = blocks_of(raw.get("blocks"))
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments", "[ERROR] must provide a string [json-pointer:/text]")
    refuse_if(len(text or "") > most_text, "msg_too_long")
    refuse_if(not text and not blocks, "no_text")
    return Draft(text=text, blocks=blocks, metadata=_metadata(raw.get("metadata")))


def blocks_of(value: object) -> list[JsonObject] | None:
    """Return checked blocks from a JSON string or array; None when none are given.

    Raises:
        SlackError: invalid_blocks_format, invalid_blocks, msg_blocks_too_long or invalid_attachments (tables).
    """
    if value is None or value == "":
        return None
    value = decoded(value) if isinstance(value, str) else value
    if not is_list(value):
        raise SlackError("invalid_blocks_format")
    blocks = [block for block in value if is_object(block)]
    refuse_if(len(blocks) < len(value), "invalid_blocks_format", "[ERROR] must provide an object")
    if lines := message_faults(blocks):
        raise SlackError("invalid_blocks", *lines)
    refuse_if(markdown_length(blocks) > MOST_MARKDOWN, "msg_blocks_too_long")
    tables = [block for block in blocks if block.get("type") == "table"]
    refuse_if(len(tables) > 1, "invalid_attachments", "[ERROR] only_one_table_allowed")
    longest = max((_table_characters(table.get("rows")) for table in tables), default=0)
    refuse_if(longest > MOST_TABLE_CHARACTERS, "invalid_attachments", "[ERROR] table_exceeds_character_limit")
    return blocks


def _metadata(value: object) -> JsonObject | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = decoded(value)
    if not is_object(value) or not is_object(value.get("event_payload")):
        raise SlackError("invalid_metadata_format")
    refuse_if(not isinstance(value.get("event_type"), str), "invalid_metadata_format")
    return value


def _table_characters(value: object) -> int:
    """Return the number of characters in the cells of a table, rich text included."""
    if is_list(value):
        return sum(_table_characters(member) for member in value)
    if is_object(value):
        own = value.get("text")
        inner = sum(_table_characters(member) for member in value.values() if is_list(member))
        return inner + (len(own) if isinstance(own, str) else 0)
    return 0
