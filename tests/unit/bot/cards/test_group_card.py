"""The card of several equal requests."""

import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

from agent.approval import ApprovalPolicy, Decision
from bot.cards.group_card import group_card
from bot.elements import MESSAGE_BLOCKS, plainly
from bot.ports import ApprovalView
from bot.publishing.card_groups import ITEM_CHARACTERS, MOST_ON_A_CARD, joinings
from bot.visibility import visible
from tests.fakes.run_views import GRACE, NOON, an_approval

MOST_SENT = 13_000
"""Slack refuses a message a little above this."""


def a_call(number: int, text: str = "up") -> ApprovalView:
    return an_approval(id=f"{number:032d}", args={"channel": f"#c{number}", "text": text})


def shown(views: list[ApprovalView]) -> str:
    return json.dumps(group_card(views, ApprovalPolicy()).blocks, ensure_ascii=False)


def test_what_is_equal_stands_once_and_what_differs_at_each_request() -> None:
    card = shown([a_call(1), a_call(2)])
    assert card.count("text: up") == 1
    assert card.count("channel: #c1") == card.count("channel: #c2") == 1
    assert "Approve all 2" in card
    assert card.count('"decide_approved"') == card.count('"decide_rejected"') == 2


def test_each_look_fits_a_message_of_slack() -> None:
    room = ITEM_CHARACTERS - 60
    views = [a_call(number, f"{number}" + "&" * (room // 5)) for number in range(MOST_ON_A_CARD)]
    assert joinings(views, {})
    message = group_card(views, ApprovalPolicy(), {f"U{number:010d}": "n" * 80 for number in range(5)})
    assert len(message.blocks) <= MESSAGE_BLOCKS
    assert len(json.dumps(message.content)) <= MOST_SENT
    content: Any = message.content
    buttons = [block for block in content["blocks"] if block["type"] == "actions"]
    assert all(len(element["value"]) <= 2000 for row in buttons for element in row["elements"])


def test_buttons_that_change_have_another_block_id() -> None:
    looks = [
        [replace(a_call(number), version=version, **look) for number, version in enumerate(versions, start=1)]
        for versions in ((1, 1), (2, 1), (2, 2))
        for look in ({}, {"to_come": 1}, {"to_come": 2}, {"frozen": True}, {"shown_whole": False})
    ]
    rows: dict[str, set[str]] = defaultdict(set)
    for view in looks:
        for block in group_card(view, ApprovalPolicy()).blocks:
            if block["type"] == "actions":
                rows[str(block["block_id"])].add(json.dumps(block))
    assert {name: len(different) for name, different in rows.items()} == dict.fromkeys(rows, 1)


def test_a_decided_request_says_so_and_has_no_buttons_and_the_last_open_one_needs_no_button_for_all() -> None:
    first = a_call(1)
    record = replace(first.record, decision=Decision.APPROVED, by=GRACE, at=NOON)
    card = shown([replace(first, record=record), a_call(2)])
    assert "*Approved* by <@U0GRACE>" in card
    assert card.count('"decide_approved"') == 1
    assert "decide_all" not in card
    assert "Who may decide: " in card


def test_nobody_approves_on_a_frozen_card_or_one_that_slack_cut() -> None:
    for views in (
        [replace(a_call(1), frozen=True), replace(a_call(2), frozen=True)],
        [replace(a_call(1), shown_whole=False), replace(a_call(2), shown_whole=False)],
    ):
        card = shown(views)
        assert "approved" not in card
        assert "decide_all_rejected" in card
    in_words = json.dumps(plainly(group_card([a_call(1), a_call(2)], ApprovalPolicy())).blocks)
    assert "_approved" not in in_words
    assert "decide_all_rejected" in in_words


def test_hidden_characters_are_spelled_out() -> None:
    card = shown([a_call(1, "a\u202eb"), a_call(2)])
    assert "\u202e" not in card
    assert json.dumps(visible("a\u202eb"))[1:-1] in card


def test_a_request_that_was_edited_meanwhile_stands_as_it_would_run() -> None:
    first, second = a_call(1), a_call(2)
    edited = replace(second, version=2, record=replace(second.record, edited={"channel": "#c2", "blocks": [1]}))
    for views in ([first, edited], [edited, first]):
        card = shown(views)
        assert "blocks: [1]" in card
        assert card.count("text: up") == 1
        assert f"2:{second.request.id}" in card
