"""Block Kit as this workspace accepts it: every block and element with its fields and limits.

Source of the limits: https://docs.slack.dev/reference/block-kit/ and slack_sdk's models. Stricter than Slack: a block
or field that the app has no use for is refused as unsupported, and so is a field that the reference does not name.
"""

from collections.abc import Iterable, Iterator, Mapping

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
from infra.dev.local_slack.state.payload import JsonObject, is_list, is_object, object_in, objects_in, text_in

MOST_MESSAGE_BLOCKS = 50
MOST_VIEW_BLOCKS = 100
MOST_MARKDOWN = 12_000
"""Characters of all markdown blocks of one message together."""

TASK_STATUSES = ("pending", "in_progress", "complete", "error")

BLOCK_ID = string(most=255)
ACTION_ID = string(most=255)


def typed(required: Mapping[str, Check] | None = None, **optional: Check) -> Check:
    """Return the check for an object with a `type` and these members."""
    return shape({"type": string(), **(required or {})}, optional)


def plain(most: int, least: int = 1) -> Check:
    """Return the check for a plain_text object."""
    return tagged({"plain_text": typed({"text": string(most=most, least=least)}, emoji=boolean)})


def text(most: int, least: int = 1) -> Check:
    """Return the check for a plain_text or mrkdwn object."""
    content = {"text": string(most=most, least=least)}
    return tagged({"plain_text": typed(content, emoji=boolean), "mrkdwn": typed(content, verbatim=boolean)})


CONFIRM = shape(
    {"title": plain(100), "text": text(300)},
    {"confirm": plain(30), "deny": plain(30), "style": one_of("primary", "danger")},
)
OPTION = shape({"text": text(75), "value": string(most=150)}, {"description": text(75), "url": string(most=3000)})
PLAIN_OPTION = shape(
    {"text": plain(75), "value": string(most=150)}, {"description": plain(75), "url": string(most=3000)}
)
"""Menus show no mrkdwn; boxes and radio buttons do."""
OPTION_GROUP = shape({"label": plain(75), "options": array(PLAIN_OPTION, most=100, least=1)})

_STYLES = ("bold", "italic", "strike", "code", "highlight", "client_highlight", "unlink", "underline")
_STYLE = shape({}, dict.fromkeys(_STYLES, boolean))
_NAME = string(least=1)
_INLINE = tagged(
    {
        "text": typed({"text": _NAME}, style=_STYLE),
        "link": typed({"url": string(most=3000, least=1)}, text=string(), unsafe=boolean, style=_STYLE),
        "emoji": typed({"name": _NAME}, unicode=string(), skin_tone=number, style=_STYLE),
        "user": typed({"user_id": _NAME}, style=_STYLE),
        "usergroup": typed({"usergroup_id": _NAME}, style=_STYLE),
        "channel": typed({"channel_id": _NAME}, style=_STYLE),
        "broadcast": typed({"range": one_of("here", "channel", "everyone")}, style=_STYLE),
        "color": typed({"value": _NAME}, style=_STYLE),
        "date": typed({"timestamp": number, "format": _NAME}, url=string(), fallback=string(), style=_STYLE),
    }
)
_INLINES = {"elements": array(_INLINE)}
_SECTION = {"rich_text_section": typed(_INLINES)}
_LIST = {"elements": array(tagged(_SECTION), least=1), "style": one_of("bullet", "ordered")}
_RICH_TEXT = tagged(
    {
        **_SECTION,
        "rich_text_preformatted": typed(_INLINES, border=one_of("0", "1"), language=string()),
        "rich_text_quote": typed(_INLINES, border=number),
        "rich_text_list": typed(_LIST, indent=number, offset=number, border=number),
    }
)
RICH_TEXT = typed({"elements": array(_RICH_TEXT)}, block_id=BLOCK_ID)
ONE_RICH_TEXT_ENTITY = tagged({"rich_text": typed({"elements": array(_RICH_TEXT, least=1, most=1)}, block_id=BLOCK_ID)})
"""details and output of a task card: a rich_text block of exactly one element."""

_OPTIONS = array(PLAIN_OPTION, most=100, least=1)
_TEN_OPTIONS = array(OPTION, most=10, least=1)
_IDS = array(string(least=1), most=100)


def _input(required: Mapping[str, Check] | None = None, /, **fields: Check) -> Check:
    """Return the check for a field to type in."""
    return typed(required, action_id=ACTION_ID, focus_on_load=boolean, placeholder=plain(150), **fields)


def _menu(**fields: Check) -> Check:
    """Return the check for a menu or picker."""
    return _input(confirm=CONFIRM, **fields)


def _conversations(**fields: Check) -> Check:
    """Return the check for a menu of channels and direct messages."""
    return _menu(default_to_current_conversation=boolean, filter=anything, **fields)


def _choices(**initial: Check) -> Check:
    """Return the check for a menu of given options, alone or in groups."""
    inner = _menu(options=_OPTIONS, option_groups=array(OPTION_GROUP, most=100, least=1), **initial)

    def check(value: object, pointer: str) -> list[str]:
        lines = inner(value, pointer)
        if is_object(value) and (value.get("options") is None) == (value.get("option_groups") is None):
            lines.append(fault("exactly one of options and option_groups is required", pointer))
        return lines

    return check


def _boxes(**initial: Check) -> Check:
    """Return the check for options that are all in sight."""
    fields = {"action_id": ACTION_ID, "focus_on_load": boolean, "confirm": CONFIRM, **initial}
    return typed({"options": _TEN_OPTIONS}, **fields)


BUTTON = typed(
    {"text": plain(75)},
    action_id=ACTION_ID,
    url=string(most=3000),
    value=string(most=2000),
    style=one_of("primary", "danger"),
    confirm=CONFIRM,
    accessibility_label=string(most=75),
)
IMAGE_ELEMENT = typed({"alt_text": string(most=2000)}, image_url=string(most=3000, least=1))


def _text_input(value: object, pointer: str) -> list[str]:
    """Check a field for text: its bounds, and that it could be submitted as it opens."""
    bounds = {"min_length": (0, 3000), "max_length": (1, 3000)}
    inner = _input(initial_value=string(most=3000), multiline=boolean, min_length=number, max_length=number)
    if (lines := inner(value, pointer)) or not is_object(value):
        return lines
    for name, (least, most) in bounds.items():
        if not least <= int(value.get(name, least)) <= most:
            lines.append(fault(f"must be between {least} and {most}", f"{pointer}/{name}"))
    if len(text_in(value, "initial_value") or "") > int(value.get("max_length", 3000)):
        lines.append(fault("must be at most max_length characters", f"{pointer}/initial_value"))
    return lines


INPUTS: dict[str, Check] = {
    "plain_text_input": _text_input,
    "email_text_input": _input(initial_value=string()),
    "url_text_input": _input(initial_value=string()),
    "number_input": _input(
        {"is_decimal_allowed": boolean}, initial_value=string(), min_value=string(), max_value=string()
    ),
}
MENUS: dict[str, Check] = {
    "static_select": _choices(initial_option=PLAIN_OPTION),
    "multi_static_select": _choices(initial_options=_OPTIONS, max_selected_items=number),
    "users_select": _menu(initial_user=string()),
    "multi_users_select": _menu(initial_users=_IDS, max_selected_items=number),
    "channels_select": _menu(initial_channel=string(), response_url_enabled=boolean),
    "multi_channels_select": _menu(initial_channels=_IDS, max_selected_items=number),
    "conversations_select": _conversations(initial_conversation=string(), response_url_enabled=boolean),
    "multi_conversations_select": _conversations(initial_conversations=_IDS, max_selected_items=number),
    "checkboxes": _boxes(initial_options=_TEN_OPTIONS),
    "radio_buttons": _boxes(initial_option=OPTION),
    "datepicker": _menu(initial_date=string(most=10)),
    "timepicker": _menu(initial_time=string(most=5), timezone=string()),
}
PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": typed({"options": array(PLAIN_OPTION, most=5, least=1)}, action_id=ACTION_ID, confirm=CONFIRM),
}
FEEDBACK_BUTTON = shape({"text": plain(75), "value": string(most=2000)}, {"accessibility_label": string(most=75)})

_URL_SOURCE = tagged({"url": typed({"url": string(most=3000, least=1), "text": string(least=1)})})
_TASK_CARD = shape(
    {"task_id": string(least=1, most=255), "title": string(least=1, most=256)},
    {
        "type": string(),
        "status": one_of(*TASK_STATUSES),
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
    tasks = objects_in(value, "tasks") if is_object(value) else []
    for index, task_id in repeated(tasks, "task_id"):
        lines.append(fault(f'task_id "{task_id}" already exists', f"{pointer}/tasks/{index}/task_id"))
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
_VIEW_OPTIONS = {"private_metadata": string(most=3000), "callback_id": string(most=255)}
HOME = typed({"blocks": array(tagged(VIEW_BLOCKS), most=MOST_VIEW_BLOCKS)}, **_VIEW_OPTIONS)
MODAL = typed(
    {"title": plain(24), "blocks": array(tagged(VIEW_BLOCKS), most=MOST_VIEW_BLOCKS, least=1)},
    submit=plain(24),
    close=plain(24),
    notify_on_close=boolean,
    **_VIEW_OPTIONS,
)


def message_faults(blocks: object) -> list[str]:
    """Return the faults of a message's blocks, in Slack's words."""
    lines = array(tagged(MESSAGE_BLOCKS), most=MOST_MESSAGE_BLOCKS)(blocks, "/blocks")
    return lines or (duplicates([block for block in blocks if is_object(block)], "") if is_list(blocks) else [])


def view_faults(view: object) -> list[str]:
    """Return the faults of a modal or a Home view."""
    lines = tagged({"modal": MODAL, "home": HOME})(view, "/view")
    if lines or not is_object(view):
        return lines
    blocks = objects_in(view, "blocks")
    if view.get("type") == "modal" and view.get("submit") is None and any(b.get("type") == "input" for b in blocks):
        lines.append(fault("missing required field: submit", "/view"))
    return lines + duplicates(blocks, "/view")


def duplicates(blocks: list[JsonObject], holder: str) -> list[str]:
    """Return the faults of block_ids used twice, and of action_ids used twice in one block."""
    lines: list[str] = []
    for index, block_id in repeated(blocks, "block_id"):
        lines.append(fault(f'`block_id` "{block_id}" already exists', f"{holder}/blocks/{index}/block_id"))
    for index, block in enumerate(blocks):
        for _, action_id in repeated(interactive(block), "action_id"):
            lines.append(fault(f'`action_id` "{action_id}" already exists', f"{holder}/blocks/{index}"))
    return lines


def repeated(members: Iterable[JsonObject], key: str) -> Iterator[tuple[int, str]]:
    """Yield (index, string) of the members whose string under `key` an earlier one has already."""
    seen: set[str] = set()
    for index, member in enumerate(members):
        if text := text_in(member, key):
            if text in seen:
                yield index, text
            seen.add(text)


def interactive(block: JsonObject) -> Iterator[JsonObject]:
    """Yield the elements of a block that a person can use."""
    kind = block.get("type")
    if kind in ("actions", "context_actions"):
        yield from objects_in(block, "elements")
    elif kind == "section" and object_in(block, "accessory").get("type") not in (None, "image"):
        yield object_in(block, "accessory")
    elif kind == "input":
        yield object_in(block, "element")


def markdown_length(blocks: list[JsonObject]) -> int:
    """Return the number of characters of all markdown blocks together."""
    return sum(len(text_in(block, "text") or "") for block in blocks if block.get("type") == "markdown")
