"""Block Kit: every limit of Slack's reference at its edge, in Slack's own words."""

from typing import Any

import pytest

from infra.dev.local_slack.block_kit.block_kit import message_faults, view_faults

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Go"), **more}


def actions(*elements: Json, **more: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def confirm(title: str = "Sure?", text: str = "Really") -> Json:
    return {"title": plain(title), "text": plain(text)}


def rich(*texts: str) -> Json:
    elements = [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]} for text in texts]
    return {"type": "rich_text", "elements": elements}


def task(task_id: str = "a", **more: Any) -> Json:
    return {"type": "task_card", "task_id": task_id, "title": "T", "status": "pending", **more}


def table(rows: int, columns: int) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * columns] * rows}


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "blocks": [section("x")], **more}


FITS: dict[str, list[Json]] = {
    "section of 3000": [section("x" * 3000)],
    "10 fields": [{"type": "section", "fields": [plain("x")] * 10}],
    "field of 2000": [{"type": "section", "fields": [plain("x" * 2000)]}],
    "header of 150": [{"type": "header", "text": plain("x" * 150)}],
    "markdown of 12000": [{"type": "markdown", "text": "x" * 12_000}],
    "50 blocks": [{"type": "divider"}] * 50,
    "button text of 75": [actions(button(text=plain("x" * 75)))],
    "button value of 2000": [actions(button(value="x" * 2000))],
    "action_id of 255": [actions(button(action_id="x" * 255))],
    "block_id of 255": [section("x", block_id="x" * 255)],
    "25 elements": [actions(*[button() for _ in range(25)])],
    "10 context elements": [{"type": "context", "elements": [plain("x")] * 10}],
    "confirm of 100 and 300": [actions(button(confirm=confirm("x" * 100, "x" * 300)))],
    "table of 100 x 20": [table(100, 20)],
    "plan of 50": [{"type": "plan", "title": "P", "tasks": [task(str(n)) for n in range(50)]}],
    "task with details": [task(details=rich("one"), output=rich("two"))],
    "task of a plan without type": [{"type": "plan", "title": "P", "tasks": [{"task_id": "a", "title": "T"}]}],
    "same action_id in two blocks": [actions(button(action_id="a")), actions(button(action_id="a"))],
}

BREAKS: dict[str, tuple[list[Json], str]] = {
    "section of 3001": ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    "empty section text": ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "section without text": ([{"type": "section"}], "missing required field: text [json-pointer:/blocks/0]"),
    "11 fields": (
        [{"type": "section", "fields": [plain("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    "header of 151": ([{"type": "header", "text": plain("x" * 151)}], "must be less than 151 characters"),
    "mrkdwn header": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "unsupported type: mrkdwn"),
    "markdown of 12001": ([{"type": "markdown", "text": "x" * 12_001}], "must be less than 12001 characters"),
    "51 blocks": ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    "button text of 76": ([actions(button(text=plain("x" * 76)))], "must be less than 76 characters"),
    "button value of 2001": ([actions(button(value="x" * 2001))], "must be less than 2001 characters"),
    "action_id of 256": ([actions(button(action_id="x" * 256))], "must be less than 256 characters"),
    "block_id of 256": ([section("x", block_id="x" * 256)], "must be less than 256 characters"),
    "26 elements": ([actions(*[button()] * 26)], "no more than 25 items allowed"),
    "no elements": ([actions()], "no fewer than 1 items required"),
    "button style": ([actions(button(style="success"))], "must be a valid enum value"),
    "confirm title of 101": ([actions(button(confirm=confirm("x" * 101)))], "must be less than 101 characters"),
    "confirm text of 301": ([actions(button(confirm=confirm(text="x" * 301)))], "must be less than 301 characters"),
    "table of 101 rows": ([table(101, 1)], "no more than 100 items allowed [json-pointer:/blocks/0/rows]"),
    "table of 21 columns": ([table(1, 21)], "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]"),
    "plan of 51": (
        [{"type": "plan", "title": "P", "tasks": [task(str(n)) for n in range(51)]}],
        "no more than 50 items allowed [json-pointer:/blocks/0/tasks]",
    ),
    "task twice": (
        [{"type": "plan", "title": "P", "tasks": [task(), task()]}],
        'task_id "a" already exists [json-pointer:/blocks/0/tasks/1/task_id]',
    ),
    "task waiting": ([task(status="waiting")], "must be a valid enum value [json-pointer:/blocks/0/status]"),
    "two details": ([task(details=rich("one", "two"))], "no more than 1 items allowed"),
    "plain details": ([task(details="one")], "must provide an object [json-pointer:/blocks/0/details]"),
    "unknown block": ([{"type": "hologram"}], "unsupported type: hologram [json-pointer:/blocks/0/type]"),
    "unknown field": ([{"type": "divider", "colour": "red"}], "invalid additional property: colour"),
    "alert in a message": ([{"type": "alert", "text": plain("x")}], "unsupported type: alert"),
    "input in an element list": ([actions({"type": "plain_text_input"})], "unsupported type: plain_text_input"),
    "empty text element": ([rich("")], "must be more than 0 characters"),
    "block_id twice": ([section("a", block_id="b"), section("c", block_id="b")], '`block_id` "b" already exists'),
    "action_id twice": ([actions(button(action_id="a"), button(action_id="a"))], '`action_id` "a" already exists'),
    "select without options": ([actions({"type": "static_select"})], "exactly one of options and option_groups"),
}


def with_input(element: Json) -> Json:
    return modal(submit=plain("Go"), blocks=[{"type": "input", "label": plain("L"), "element": element}])


VIEWS_BREAK: dict[str, tuple[Json, str]] = {
    "title of 25": (modal(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
    "submit of 25": (modal(submit=plain("x" * 25)), "must be less than 25 characters"),
    "close of 25": (modal(close=plain("x" * 25)), "must be less than 25 characters"),
    "101 blocks": (modal(blocks=[{"type": "divider"}] * 101), "no more than 100 items allowed"),
    "private_metadata of 3001": (modal(private_metadata="x" * 3001), "must be less than 3001 characters"),
    "input without submit": (
        modal(blocks=[{"type": "input", "label": plain("L"), "element": {"type": "plain_text_input"}}]),
        "missing required field: submit [json-pointer:/view]",
    ),
    "text that its own bound refuses": (
        with_input({"type": "plain_text_input", "max_length": 3, "initial_value": "four"}),
        "must be at most max_length characters",
    ),
    "field of 3001": (with_input({"type": "plain_text_input", "max_length": 3001}), "must be between 1 and 3000"),
    "menu with markup": (
        with_input({"type": "static_select", "options": [{"text": {"type": "mrkdwn", "text": "x"}, "value": "x"}]}),
        "unsupported type: mrkdwn",
    ),
    "plan in a modal": (modal(blocks=[{"type": "plan", "title": "P"}]), "unsupported type: plan"),
    "no view": ({"type": "poster"}, "unsupported type: poster [json-pointer:/view/type]"),
}


@pytest.mark.parametrize("blocks", FITS.values(), ids=FITS.keys())
def test_block_at_the_limit_is_accepted(blocks: list[Json]) -> None:
    assert message_faults(blocks) == []


@pytest.mark.parametrize(("blocks", "words"), BREAKS.values(), ids=BREAKS.keys())
def test_block_past_the_limit_is_refused_in_slacks_words(blocks: list[Json], words: str) -> None:
    assert any(words in line for line in message_faults(blocks)), message_faults(blocks)


@pytest.mark.parametrize(("view", "words"), VIEWS_BREAK.values(), ids=VIEWS_BREAK.keys())
def test_view_past_the_limit_is_refused(view: Json, words: str) -> None:
    assert any(words in line for line in view_faults(view)), view_faults(view)


def test_modal_of_100_blocks_is_accepted() -> None:
    assert view_faults(modal(blocks=[{"type": "divider"}] * 100, private_metadata="x" * 3000)) == []


@pytest.mark.parametrize("rubbish", [None, 7, "text", [7], [None], [[]], [{"type": 7}], {"type": "section"}])
def test_rubbish_is_refused_and_never_crashes(rubbish: object) -> None:
    assert message_faults(rubbish)
