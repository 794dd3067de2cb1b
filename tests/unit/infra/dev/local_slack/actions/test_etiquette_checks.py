"""The workspace complains about careless calls without refusing them."""

from typing import Any

import pytest

from infra.dev.local_slack.actions.etiquette_checks import complaints_about_post, complaints_about_update
from infra.dev.local_slack.block_kit.drafts import draft_of
from infra.dev.local_slack.state.channels import Message

SECTION = {"type": "section", "block_id": "b", "text": {"type": "mrkdwn", "text": "one"}}


@pytest.mark.parametrize(
    ("raw", "complaints"),
    [
        ({"text": "hello"}, []),
        ({"blocks": [SECTION]}, ["blocks without a top-level text"]),
        ({"text": "<!channel> fire"}, ["mentions everybody in the channel"]),
        ({"text": "&lt;!channel&gt; fire"}, []),
        ({"text": "see https://example.com"}, ["links may unfurl"]),
        ({"text": "see https://example.com", "unfurl_links": False}, []),
    ],
)
def test_careless_post_is_complained_about(raw: dict[str, Any], complaints: list[str]) -> None:
    assert complaints_about_post(raw, draft_of(raw)) == complaints


def test_changed_block_wants_a_new_block_id() -> None:
    message = Message(ts="1.1", channel="C0OPS", user="U0GREENLIGHT", team="T0LOCAL", text="x", blocks=[SECTION])
    changed = SECTION | {"text": {"type": "mrkdwn", "text": "two"}}
    assert complaints_about_update(draft_of({"blocks": [changed]}), message) == [
        "the changed block b keeps its block_id"
    ]
    assert complaints_about_update(draft_of({"blocks": [SECTION]}), message) == []
    assert complaints_about_update(draft_of({"blocks": [changed | {"block_id": "c"}]}), message) == []
