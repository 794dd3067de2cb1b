"""Block Kit as this workspace accepts it: every block and element with its fields and limits.

Source of the limits: https://docs.slack.dev/reference/block-kit/ and slack_sdk's models. Stricter than Slack: a block
or field that the app has no use for is refused as unsupported, and so is a field that the reference does not name.
"""

from collections.abc import Iterator, Mapping

from infra.dev.local_slack.block_kit.block_schema import (
    Check,
    anything,
    array,
    boolean,
    fault,
    number,
    one_of,
    shape,
    string,
    tagged,
)
from infra.dev.local_slack.block_kit.elements import (
    ACTION_ID,
    BLOCK_ID,
    CONFIRM,
    FEEDBACK_BUTTON,
    IMAGE_ELEMENT,
    INPUTS,
    MENUS,
    ONE_RICH_TEXT_ENTITY,
    PRESSED,
    RICH_TEXT,
    plain,
    text,
    typed,
)
from infra.dev.local_slack.state.payload import JsonObject, is_list, is_object, object_in, objects_in, text_in

MOST_MESSAGE_BLOCKS = 50
MOST_VIEW_BLOCKS = 100
MOST_MARKDOWN = 12_000
"""Characters of all markdown blocks of one message together."""
MOST_TABLE_CHARACTERS = 10_000

_URL_SOURCE = tagged({"url": typed({"url": string(most=3000, least=1), "text": string(least=1)})})
_TASK_CARD = shape(
    {"task_id": string(least=1, most=255), "title": string(least=1, most=256)},
    {
        "type": string(),
        "status": one_of("pending", "in_progress", "complete", "error"),
        "details": ONE_RICH_TEXT_ENTITY,
        "output": ONE_RICH_TEXT_ENTITY,
        "sources": array(_URL_SOURCE),
        "block_id": BLOCK_ID,
    },
)
_TABLE_CELL = tagged(
    {
        "raw_text": typed({"text": string(least=1)}),
        "raw_number": typed({"value": number}, text=string(least=1)),
        "rich_text": RICH_TEXT,
    }
)
_COLUMN = shape({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean})
_CONTEXT_ELEMENT = tagged({"image": IMAGE_ELEMENT, "plain_text": plain(3000), "mrkdwn": text(3000)})
_CONTEXT_ACTION = tagged(
    {
        "feedback_buttons": typed(
            {"positive_button": FEEDBACK_BUTTON, "negative_button": FEEDBACK_BUTTON}, action_id=ACTION_ID
        ),
        "icon_button": typed(
            {"icon": one_of("trash"), "text": plain(75)},
            action_id=ACTION_ID,
            value=string(most=2000),
            confirm=CONFIRM,
            accessibility_label=string(most=75),
        ),
    }
)


def _block(required: Mapping[str, Check] | None = None, **optional: Check) -> Check:
    return typed(required, block_id=BLOCK_ID, **optional)


def _section(value: object, pointer: str) -> list[str]:
    accessory = tagged(PRESSED | MENUS | {"image": IMAGE_ELEMENT})
    fields = array(text(2000), most=10, least=1)
    lines = _block(text=text(3000), fields=fields, accessory=accessory, expand=boolean)(value, pointer)
    if is_object(value) and value.get("text") is None and value.get("fields") is None:
        lines.append(fault("missing required field: text", pointer))
    return lines


def _plan(value: object, pointer: str) -> list[str]:
    lines = _block({"title": string(least=1, most=256)}, tasks=array(_TASK_CARD, most=50))(value, pointer)
    if is_object(value):
        ids = [task.get("task_id") for task in objects_in(value, "tasks")]
        lines += [
            fault(f'task_id "{task_id}" already exists', f"{pointer}/tasks/{index}/task_id")
            for index, task_id in enumerate(ids)
            if task_id in ids[:index]
        ]
    return lines


BLOCKS: dict[str, Check] = {
    "section": _section,
    "header": _block({"text": plain(150)}, level=number),
    "divider": _block(),
    "context": _block({"elements": array(_CONTEXT_ELEMENT, most=10, least=1)}),
    "actions": _block({"elements": array(tagged(PRESSED | MENUS), most=25, least=1)}),
    "image": _block(
        {"alt_text": string(most=2000)},
        image_url=string(most=3000, least=1),
        title=plain(2000),
        slack_file=anything,
    ),
    "rich_text": RICH_TEXT,
    "input": _block(
        {"label": plain(2000), "element": tagged(INPUTS | MENUS)},
        hint=plain(2000),
        optional=boolean,
        dispatch_action=boolean,
    ),
}
MESSAGE_BLOCKS: dict[str, Check] = {
    **BLOCKS,
    "markdown": _block({"text": string(most=MOST_MARKDOWN, least=1)}),
    "table": _block(
        {"rows": array(array(_TABLE_CELL, most=20, least=1), most=100, least=1)},
        column_settings=array(_COLUMN, most=20),
    ),
    "task_card": _TASK_CARD,
    "plan": _plan,
    "context_actions": _block({"elements": array(_CONTEXT_ACTION, most=5, least=1)}),
}
VIEW_BLOCKS: dict[str, Check] = {
    **BLOCKS,
    "alert": _block({"text": text(3000)}, level=one_of("default", "info", "warning", "error", "success")),
}
HOME = typed(
    {"blocks": array(tagged(VIEW_BLOCKS), most=MOST_VIEW_BLOCKS)},
    private_metadata=string(most=3000),
    callback_id=string(most=255),
)
MODAL = typed(
    {"title": plain(24), "blocks": array(tagged(VIEW_BLOCKS), most=MOST_VIEW_BLOCKS, least=1)},
    submit=plain(24),
    close=plain(24),
    private_metadata=string(most=3000),
    callback_id=string(most=255),
    notify_on_close=boolean,
)


def message_faults(blocks: object) -> list[str]:
    """What is wrong with the blocks of a message, in Slack's words."""
    lines = array(tagged(MESSAGE_BLOCKS), most=MOST_MESSAGE_BLOCKS)(blocks, "/blocks")
    return lines or (duplicates([block for block in blocks if is_object(block)], "") if is_list(blocks) else [])


def view_faults(view: object) -> list[str]:
    """What is wrong with a modal or a Home view."""
    lines = tagged({"modal": MODAL, "home": HOME})(view, "/view")
    if lines or not is_object(view):
        return lines
    blocks = objects_in(view, "blocks")
    if view.get("type") == "modal" and view.get("submit") is None and any(b.get("type") == "input" for b in blocks):
        lines.append(fault("missing required field: submit", "/view"))
    return lines + duplicates(blocks, "/view")


def duplicates(blocks: list[JsonObject], holder: str) -> list[str]:
    """block_ids used twice, and action_ids used twice in one block."""
    lines: list[str] = []
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        block_id = text_in(block, "block_id")
        if block_id and block_id in seen:
            lines.append(fault(f'`block_id` "{block_id}" already exists', f"{holder}/blocks/{index}/block_id"))
        seen.add(block_id or "")
        actions: set[str] = set()
        for element in interactive(block):
            action_id = text_in(element, "action_id")
            if action_id and action_id in actions:
                lines.append(fault(f'`action_id` "{action_id}" already exists', f"{holder}/blocks/{index}"))
            actions.add(action_id or "")
    return lines


def interactive(block: JsonObject) -> Iterator[JsonObject]:
    """The elements of a block that a person can use."""
    kind = block.get("type")
    if kind in ("actions", "context_actions"):
        yield from objects_in(block, "elements")
    elif kind == "section" and object_in(block, "accessory").get("type") not in (None, "image"):
        yield object_in(block, "accessory")
    elif kind == "input":
        yield object_in(block, "element")


def markdown_length(blocks: list[JsonObject]) -> int:
    """Characters of all markdown blocks together."""
    return sum(len(text_in(block, "text") or "") for block in blocks if block.get("type") == "markdown")
