"""The parts blocks are made of: text objects, options, confirmations, rich text, buttons, menus and inputs.

Limits: https://docs.slack.dev/reference/block-kit/block-elements/ and /composition-objects/.
"""

from __future__ import annotations

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
INPUTS: dict[str, Check] = {
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
MENUS: dict[str, Check] = {
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
PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": shape(TYPE | {"options": array(OPTION, most=5, least=1)}, {"action_id": ACTION_ID, "confirm": CONFIRM}),
}
FEEDBACK_BUTTON = shape({"text": plain(75), "value": string(most=2000)}, {"accessibility_label": string(most=75)})
