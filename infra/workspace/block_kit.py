"""Block Kit as this workspace accepts it: every block and element with its fields and limits.

Source of the limits: https://docs.slack.dev/reference/block-kit/ and slack_sdk's models. Stricter than Slack in two
ways: a block the app does not need is refused as unsupported, and so is a field the reference does not name.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.workspace.block_schema import (
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
from infra.workspace.payload import JsonObject, is_list, is_object, object_in, objects_in, text_in

MOST_MESSAGE_BLOCKS = 50
MOST_VIEW_BLOCKS = 100
MOST_MARKDOWN = 12_000
"""Characters of all markdown blocks of one message together."""
MOST_TABLE_CHARACTERS = 10_000

TYPE = {"type": string()}
BLOCK_ID = string(most=255)
ACTION_ID = string(most=255)


def plain(most: int, least: int = 1) -> Check:
    """A plain_text object."""
    kinds = {"plain_text": shape(TYPE | {"text": string(most=most, least=least)}, {"emoji": boolean})}
    return tagged(kinds)


def text(most: int, least: int = 1) -> Check:
    """A plain_text or mrkdwn object."""
    content = {"text": string(most=most, least=least)}
    return tagged(
        {
            "plain_text": shape(TYPE | content, {"emoji": boolean}),
            "mrkdwn": shape(TYPE | content, {"verbatim": boolean}),
        }
    )


CONFIRM = shape(
    {"title": plain(100), "text": text(300)},
    {"confirm": plain(30), "deny": plain(30), "style": one_of("primary", "danger")},
)
OPTION = shape({"text": text(75), "value": string(most=150)}, {"description": text(75), "url": string(most=3000)})
OPTION_GROUP = shape({"label": plain(75), "options": array(OPTION, most=100, least=1)})
DISPATCH = shape({"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), least=1)})

_STYLE = shape(
    {},
    dict.fromkeys(
        ("bold", "italic", "strike", "code", "highlight", "client_highlight", "unlink", "underline"), boolean
    ),
)
_INLINE = tagged(
    {
        "text": shape(TYPE | {"text": string(least=1)}, {"style": _STYLE}),
        "link": shape(
            TYPE | {"url": string(most=3000, least=1)}, {"text": string(), "unsafe": boolean, "style": _STYLE}
        ),
        "emoji": shape(TYPE | {"name": string(least=1)}, {"unicode": string(), "skin_tone": number, "style": _STYLE}),
        "user": shape(TYPE | {"user_id": string(least=1)}, {"style": _STYLE}),
        "usergroup": shape(TYPE | {"usergroup_id": string(least=1)}, {"style": _STYLE}),
        "channel": shape(TYPE | {"channel_id": string(least=1)}, {"style": _STYLE}),
        "broadcast": shape(TYPE | {"range": one_of("here", "channel", "everyone")}, {"style": _STYLE}),
        "color": shape(TYPE | {"value": string(least=1)}, {"style": _STYLE}),
        "date": shape(
            TYPE | {"timestamp": number, "format": string(least=1)},
            {"url": string(), "fallback": string(), "style": _STYLE},
        ),
    }
)
_SECTION = {"rich_text_section": shape(TYPE | {"elements": array(_INLINE)})}
_RICH_TEXT = tagged(
    {
        **_SECTION,
        "rich_text_preformatted": shape(
            TYPE | {"elements": array(_INLINE)}, {"border": one_of("0", "1"), "language": string()}
        ),
        "rich_text_quote": shape(TYPE | {"elements": array(_INLINE)}, {"border": number}),
        "rich_text_list": shape(
            TYPE | {"elements": array(tagged(_SECTION), least=1), "style": one_of("bullet", "ordered")},
            {"indent": number, "offset": number, "border": number},
        ),
    }
)
RICH_TEXT = shape(TYPE | {"elements": array(_RICH_TEXT)}, {"block_id": BLOCK_ID})
RICH_TEXT_ONLY = tagged({"rich_text": RICH_TEXT})
ONE_RICH_TEXT_ENTITY = tagged(
    {"rich_text": shape(TYPE | {"elements": array(_RICH_TEXT, least=1, most=1)}, {"block_id": BLOCK_ID})}
)
"""details and output of a task card: a rich_text block of exactly one element."""

_FOCUS = {"focus_on_load": boolean}
_CONFIRM = {"confirm": CONFIRM}
_PLACEHOLDER = {"placeholder": plain(150)}
_OPTIONS = array(OPTION, most=100, least=1)
_IDS = array(string(least=1), most=100)
_MAX_SELECTED = {"max_selected_items": number}
_SELECT = {"action_id": ACTION_ID, **_FOCUS, **_CONFIRM, **_PLACEHOLDER}


def _choices(**initial: Check) -> Check:
    """A menu of given options, singly or in groups."""
    lists = {"options": _OPTIONS, "option_groups": array(OPTION_GROUP, most=100, least=1)}
    inner = shape(TYPE, _SELECT | lists | initial)

    def check(value: object, pointer: str) -> list[str]:
        lines = inner(value, pointer)
        if is_object(value) and (value.get("options") is None) == (value.get("option_groups") is None):
            lines.append(fault("exactly one of options and option_groups is required", pointer))
        return lines

    return check


BUTTON = shape(
    TYPE | {"text": plain(75)},
    {
        "action_id": ACTION_ID,
        "url": string(most=3000),
        "value": string(most=2000),
        "style": one_of("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(most=75),
    },
)
IMAGE_ELEMENT = shape(
    TYPE | {"alt_text": string(most=2000)}, {"image_url": string(most=3000, least=1), "slack_file": anything}
)
_INPUTS: dict[str, Check] = {
    "plain_text_input": shape(
        TYPE,
        {
            "action_id": ACTION_ID,
            "initial_value": string(most=3000),
            "multiline": boolean,
            "min_length": number,
            "max_length": number,
            "dispatch_action_config": DISPATCH,
            **_FOCUS,
            **_PLACEHOLDER,
        },
    ),
    "email_text_input": shape(TYPE, {"action_id": ACTION_ID, "initial_value": string(), **_FOCUS, **_PLACEHOLDER}),
    "url_text_input": shape(TYPE, {"action_id": ACTION_ID, "initial_value": string(), **_FOCUS, **_PLACEHOLDER}),
    "number_input": shape(
        TYPE | {"is_decimal_allowed": boolean},
        {
            "action_id": ACTION_ID,
            "initial_value": string(),
            "min_value": string(),
            "max_value": string(),
            **_FOCUS,
            **_PLACEHOLDER,
        },
    ),
    "file_input": shape(TYPE, {"action_id": ACTION_ID, "filetypes": array(string()), "max_files": number}),
}
_MENUS: dict[str, Check] = {
    "static_select": _choices(initial_option=OPTION),
    "multi_static_select": _choices(initial_options=_OPTIONS, **_MAX_SELECTED),
    "users_select": shape(TYPE, _SELECT | {"initial_user": string()}),
    "multi_users_select": shape(TYPE, _SELECT | {"initial_users": _IDS} | _MAX_SELECTED),
    "channels_select": shape(TYPE, _SELECT | {"initial_channel": string(), "response_url_enabled": boolean}),
    "multi_channels_select": shape(TYPE, _SELECT | {"initial_channels": _IDS} | _MAX_SELECTED),
    "conversations_select": shape(
        TYPE,
        _SELECT
        | {
            "initial_conversation": string(),
            "default_to_current_conversation": boolean,
            "response_url_enabled": boolean,
            "filter": anything,
        },
    ),
    "multi_conversations_select": shape(
        TYPE,
        _SELECT
        | {"initial_conversations": _IDS, "default_to_current_conversation": boolean, "filter": anything}
        | _MAX_SELECTED,
    ),
    "checkboxes": shape(
        TYPE | {"options": array(OPTION, most=10, least=1)},
        {"action_id": ACTION_ID, "initial_options": array(OPTION, most=10, least=1), **_FOCUS, **_CONFIRM},
    ),
    "radio_buttons": shape(
        TYPE | {"options": array(OPTION, most=10, least=1)},
        {"action_id": ACTION_ID, "initial_option": OPTION, **_FOCUS, **_CONFIRM},
    ),
    "datepicker": shape(TYPE, _SELECT | {"initial_date": string(most=10)}),
    "timepicker": shape(TYPE, _SELECT | {"initial_time": string(most=5), "timezone": string()}),
    "datetimepicker": shape(TYPE, {"action_id": ACTION_ID, "initial_date_time": number, **_FOCUS, **_CONFIRM}),
}
_PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": shape(TYPE | {"options": array(OPTION, most=5, least=1)}, {"action_id": ACTION_ID, "confirm": CONFIRM}),
}
_FEEDBACK_BUTTON = shape({"text": plain(75), "value": string(most=2000)}, {"accessibility_label": string(most=75)})
_URL_SOURCE = tagged({"url": shape(TYPE | {"url": string(most=3000, least=1), "text": string(least=1)})})
_TASK_CARD = shape(
    {"task_id": string(least=1, most=255), "title": string(least=1, most=256)},
    {
        **TYPE,
        "status": one_of("pending", "in_progress", "complete", "error"),
        "details": ONE_RICH_TEXT_ENTITY,
        "output": ONE_RICH_TEXT_ENTITY,
        "sources": array(_URL_SOURCE),
        "block_id": BLOCK_ID,
    },
)
_TABLE_CELL = tagged(
    {
        "raw_text": shape(TYPE | {"text": string(least=1)}),
        "raw_number": shape(TYPE | {"value": number}, {"text": string(least=1)}),
        "rich_text": RICH_TEXT,
    }
)


def _block(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return shape(TYPE | required, {"block_id": BLOCK_ID, **(optional or {})})


def _section(value: object, pointer: str) -> list[str]:
    inner = _block(
        {},
        {
            "text": text(3000),
            "fields": array(text(2000), most=10, least=1),
            "accessory": tagged(_PRESSED | _MENUS | {"image": IMAGE_ELEMENT}),
            "expand": boolean,
        },
    )
    lines = inner(value, pointer)
    if is_object(value) and value.get("text") is None and value.get("fields") is None:
        lines.append(fault("missing required field: text", pointer))
    return lines


def _plan(value: object, pointer: str) -> list[str]:
    lines = _block({"title": string(least=1, most=256)}, {"tasks": array(_TASK_CARD, most=50)})(value, pointer)
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
    "header": _block({"text": plain(150)}, {"level": number}),
    "divider": _block({}),
    "context": _block(
        {
            "elements": array(
                tagged({"image": IMAGE_ELEMENT, "plain_text": plain(3000), "mrkdwn": text(3000)}), most=10, least=1
            )
        }
    ),
    "actions": _block({"elements": array(tagged(_PRESSED | _MENUS), most=25, least=1)}),
    "image": _block(
        {"alt_text": string(most=2000)},
        {"image_url": string(most=3000, least=1), "title": plain(2000), "slack_file": anything},
    ),
    "rich_text": RICH_TEXT,
    "input": _block(
        {"label": plain(2000), "element": tagged(_INPUTS | _MENUS)},
        {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
}
MESSAGE_BLOCKS: dict[str, Check] = {
    **BLOCKS,
    "markdown": _block({"text": string(most=MOST_MARKDOWN, least=1)}),
    "table": _block(
        {"rows": array(array(_TABLE_CELL, most=20, least=1), most=100, least=1)},
        {
            "column_settings": array(
                shape({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean}), most=20
            )
        },
    ),
    "task_card": _TASK_CARD,
    "plan": _plan,
    "context_actions": _block(
        {
            "elements": array(
                tagged(
                    {
                        "feedback_buttons": shape(
                            TYPE | {"positive_button": _FEEDBACK_BUTTON, "negative_button": _FEEDBACK_BUTTON},
                            {"action_id": ACTION_ID},
                        ),
                        "icon_button": shape(
                            TYPE | {"icon": one_of("trash"), "text": plain(75)},
                            {
                                "action_id": ACTION_ID,
                                "value": string(most=2000),
                                "confirm": CONFIRM,
                                "accessibility_label": string(most=75),
                            },
                        ),
                    }
                ),
                most=5,
                least=1,
            )
        }
    ),
}
VIEW_BLOCKS: dict[str, Check] = {
    **BLOCKS,
    "alert": _block({"text": text(3000)}, {"level": one_of("default", "info", "warning", "error", "success")}),
}
MODAL = shape(
    TYPE | {"title": plain(24), "blocks": array(tagged(VIEW_BLOCKS), most=MOST_VIEW_BLOCKS, least=1)},
    {
        "submit": plain(24),
        "close": plain(24),
        "private_metadata": string(most=3000),
        "callback_id": string(most=255),
        "external_id": string(most=255),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
    },
)
HOME = shape(
    TYPE | {"blocks": array(tagged(VIEW_BLOCKS), most=MOST_VIEW_BLOCKS)},
    {"private_metadata": string(most=3000), "callback_id": string(most=255), "external_id": string(most=255)},
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
