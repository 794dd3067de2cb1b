"""Finds calls that Slack lets pass and a careful app does not make; the workspace notes a complaint and carries on."""

import json
import re

from infra.dev.local_slack.block_kit.drafts import Draft
from infra.dev.local_slack.state.channels import Message
from infra.dev.local_slack.state.payload import JsonObject, text_in

_LOUD = re.compile(r"<!(?:channel|here|everyone)>")
_ADDRESS = re.compile(r"https?://")


def complaints_about_post(raw: JsonObject, draft: Draft) -> list[str]:
    """Return the careless parts of a new message: no fallback text, a broadcast mention, unfurling links."""
    whole = (draft.text or "") + json.dumps(draft.blocks or [])
    return [
        line
        for line, careless in (
            ("blocks without a top-level text", bool(draft.blocks) and not draft.text),
            ("mentions everybody in the channel", _LOUD.search(whole) is not None),
            (
                "links may unfurl",
                _ADDRESS.search(whole) is not None and raw.get("unfurl_links") not in (False, "false", "0", 0),
            ),
        )
        if careless
    ]


def complaints_about_update(draft: Draft, message: Message) -> list[str]:
    """Return the blocks of a change that keep their block_id, so that a client may keep their old state.

    Source: "If a message is updated, use a new block_id", https://docs.slack.dev/reference/block-kit/blocks/
    """
    before = {text_in(block, "block_id"): block for block in message.blocks}
    reused = [
        block_id
        for block in draft.blocks or []
        if (block_id := text_in(block, "block_id")) in before
        and block_id is not None
        and json.dumps(block, sort_keys=True) != json.dumps(before[block_id], sort_keys=True)
    ]
    return [f"the changed block {block_id} keeps its block_id" for block_id in reused]
