"""What a person changed in the arguments of a call: before and after, for its card, beside what runs."""

import json
from collections.abc import Mapping

from agent.approval import EDITED_BY
from agent.card_facts import shown_arguments
from bot import wording
from bot.elements import Block, mention, plain, rich_text, section, sent_size, shortened
from bot.ports import ApprovalView
from bot.visibility import visible
from sandbox.script import Json

_MOST_ARGUMENTS = 10
_VALUES_SIZE = 600
"""Of all values before, and of all after, as `sent_size` counts: both fit beside a card's own words."""


def difference(view: ApprovalView) -> list[Block]:
    """Return the blocks that say who changed which arguments; empty while nobody did."""
    if view.record.edited is None:
        return []
    before = shown_arguments(view.request, wording.confidential_value)
    lines = differences(before, shown_arguments(view.asked, wording.confidential_value))
    by = view.request.facts.get(EDITED_BY)
    head = section(wording.edited_by(mention(by) if isinstance(by, str) else "somebody"))
    return [head, *([rich_text([plain(line) for line in lines])] if lines else [])]


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    """Return a line for each argument that differs, by name; its values are literal, and shortened."""
    changed = [name for name in dict.fromkeys([*before, *after]) if _changed(name, before, after)]
    shown = changed[:_MOST_ARGUMENTS]
    most = _VALUES_SIZE // max(1, len(shown))
    lines = [
        f"{shortened(visible(name), 40)}: {_value(before, name, most)} → {_value(after, name, most)}" for name in shown
    ]
    more = len(changed) - len(shown)
    return [*lines, f"and {wording.counted(more, 'more argument')}"] if more else lines


def _changed(name: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    # As JSON: 1 is not True, and 1 is not 1.0.
    return (name in before) != (name in after) or json.dumps(before.get(name)) != json.dumps(after.get(name))


def _value(args: Mapping[str, Json], name: str, most: int) -> str:
    if name not in args:
        return "(not given)"
    value = args[name]
    text = visible(json.dumps(value, ensure_ascii=False)[: 4 * most])
    size = 0
    for at, character in enumerate(text):
        size += sent_size(character)
        if size > most:
            return f"{text[:at]}…"
    return text
