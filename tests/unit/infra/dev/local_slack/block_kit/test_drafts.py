"""Content of messages: which error code each limit has."""

from typing import Any

import pytest

from infra.dev.local_slack.block_kit.drafts import MOST_UPDATED_TEXT, draft_of
from infra.dev.local_slack.state.errors import SlackError

MARKDOWN = {"type": "markdown", "text": "x" * 7000}
TABLE = {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}
WIDE_TABLE = {"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 10_001}]]}


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": "no json"}, "invalid_blocks_format"),
        ({"blocks": ["x"]}, "invalid_blocks_format"),
        ({"blocks": [{"type": "hologram"}]}, "invalid_blocks"),
        ({"blocks": [MARKDOWN, MARKDOWN]}, "msg_blocks_too_long"),
        ({"blocks": [TABLE, TABLE]}, "invalid_attachments"),
        ({"blocks": [WIDE_TABLE]}, "invalid_attachments"),
        ({"markdown_text": "x"}, "invalid_arguments"),
        ({"text": "x", "attachments": []}, "invalid_arguments"),
        ({"text": "x", "metadata": {"event_type": "y"}}, "invalid_metadata_format"),
        ({"text": ["x"]}, "invalid_arguments"),
    ],
)
def test_content_past_a_limit_is_refused(raw: dict[str, Any], error: str) -> None:
    with pytest.raises(SlackError, match=error):
        draft_of(raw)


def test_updated_text_is_shorter_than_posted_text() -> None:
    assert draft_of({"text": "x" * 40_000}).text
    with pytest.raises(SlackError, match="msg_too_long"):
        draft_of({"text": "x" * 4001}, most_text=MOST_UPDATED_TEXT)


def test_blocks_may_come_as_a_json_string() -> None:
    assert draft_of({"blocks": '[{"type": "divider"}]'}).blocks == [{"type": "divider"}]
