"""The parts blocks are made of: text objects, options, confirmations, rich text, buttons, menus and inputs.

Limits: https://docs.slack.dev/reference/block-kit/block-elements/ and /composition-objects/.
"""

from collections.abc import Mapping

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
from infra.dev.local_slack.state.payload import is_object

BLOCK_ID = string(most=255)
ACTION_ID = string(most=255)


def typed(required: Mapping[str, Check] | None = None, **optional: Check) -> Check:
    """An object with a `type` and these members."""
    return shape({"type": string(), **(required or {})}, optional)


def plain(most: int, least: int = 1) -> Check:
    """A plain_text object."""
    return tagged({"plain_text": typed({"text": string(most=most, least=least)}, emoji=boolean)})


def text(most: int, least: int = 1) -> Check:
    """A plain_text or mrkdwn object."""
    content = {"text": string(most=most, least=least)}
    return tagged({"plain_text": typed(content, emoji=boolean), "mrkdwn": typed(content, verbatim=boolean)})


CONFIRM = shape(
    {"title": plain(100), "text": text(300)},
    {"confirm": plain(30), "deny": plain(30), "style": one_of("primary", "danger")},
)
OPTION = shape({"text": text(75), "value": string(most=150)}, {"description": text(75), "url": string(most=3000)})
OPTION_GROUP = shape({"label": plain(75), "options": array(OPTION, most=100, least=1)})
DISPATCH = shape({"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), least=1)})

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

_OPTIONS = array(OPTION, most=100, least=1)
_TEN_OPTIONS = array(OPTION, most=10, least=1)
_IDS = array(string(least=1), most=100)


def _input(**fields: Check) -> Check:
    """A field to type in."""
    return typed(None, action_id=ACTION_ID, focus_on_load=boolean, placeholder=plain(150), **fields)


def _menu(**fields: Check) -> Check:
    """A menu or picker."""
    return _input(confirm=CONFIRM, **fields)


def _choices(**initial: Check) -> Check:
    """A menu of given options, alone or in groups."""
    inner = _menu(options=_OPTIONS, option_groups=array(OPTION_GROUP, most=100, least=1), **initial)

    def check(value: object, pointer: str) -> list[str]:
        lines = inner(value, pointer)
        if is_object(value) and (value.get("options") is None) == (value.get("option_groups") is None):
            lines.append(fault("exactly one of options and option_groups is required", pointer))
        return lines

    return check


def _boxes(**initial: Check) -> Check:
    """Options that are all in sight."""
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
IMAGE_ELEMENT = typed({"alt_text": string(most=2000)}, image_url=string(most=3000, least=1), slack_file=anything)
INPUTS: dict[str, Check] = {
    "plain_text_input": _input(
        initial_value=string(most=3000),
        multiline=boolean,
        min_length=number,
        max_length=number,
        dispatch_action_config=DISPATCH,
    ),
    "email_text_input": _input(initial_value=string()),
    "url_text_input": _input(initial_value=string()),
    "number_input": typed(
        {"is_decimal_allowed": boolean},
        action_id=ACTION_ID,
        initial_value=string(),
        min_value=string(),
        max_value=string(),
        focus_on_load=boolean,
        placeholder=plain(150),
    ),
    "file_input": typed(None, action_id=ACTION_ID, filetypes=array(string()), max_files=number),
}
MENUS: dict[str, Check] = {
    "static_select": _choices(initial_option=OPTION),
    "multi_static_select": _choices(initial_options=_OPTIONS, max_selected_items=number),
    "users_select": _menu(initial_user=string()),
    "multi_users_select": _menu(initial_users=_IDS, max_selected_items=number),
    "channels_select": _menu(initial_channel=string(), response_url_enabled=boolean),
    "multi_channels_select": _menu(initial_channels=_IDS, max_selected_items=number),
    "conversations_select": _menu(
        initial_conversation=string(),
        default_to_current_conversation=boolean,
        response_url_enabled=boolean,
        filter=anything,
    ),
    "multi_conversations_select": _menu(
        initial_conversations=_IDS,
        default_to_current_conversation=boolean,
        filter=anything,
        max_selected_items=number,
    ),
    "checkboxes": _boxes(initial_options=_TEN_OPTIONS),
    "radio_buttons": _boxes(initial_option=OPTION),
    "datepicker": _menu(initial_date=string(most=10)),
    "timepicker": _menu(initial_time=string(most=5), timezone=string()),
    "datetimepicker": typed(
        None, action_id=ACTION_ID, initial_date_time=number, focus_on_load=boolean, confirm=CONFIRM
    ),
}
PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": typed({"options": array(OPTION, most=5, least=1)}, action_id=ACTION_ID, confirm=CONFIRM),
}
FEEDBACK_BUTTON = shape({"text": plain(75), "value": string(most=2000)}, {"accessibility_label": string(most=75)})
