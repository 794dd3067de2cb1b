"""What a person changed, on the card: before and after, short, spelt out, within the card's bound."""

from dataclasses import replace

import pytest

from agent.approval import EDITED_BY, ApprovalPolicy
from bot.cards.card import card
from bot.cards.edit_difference import differences
from tests.fakes.run_views import GRACE, an_approval
from tests.unit.bot.cards.test_card import literal_texts

ANYONE = ApprovalPolicy()


def test_only_what_changed_is_listed_and_types_count() -> None:
    before = {"same": 1, "text": "a", "gone": True, "number": 1, "list": [1]}
    after = {"same": 1, "text": "b", "number": True, "list": [1.0], "new": None}
    assert differences(before, after) == [
        'text: "a" → "b"',
        "gone: true → (not given)",
        "number: 1 → true",
        "list: [1] → [1.0]",
        "new: (not given) → null",
    ]


def test_what_shows_nothing_is_spelt_out() -> None:
    assert differences({"a": "x"}, {"a": "x\u202e"}) == ['a: "x" → "x\\u202e"']


@pytest.mark.parametrize("words", ["&", '"', "\\", "漢", "🙂", "\u202e"])
@pytest.mark.parametrize("count", [1, 40])
def test_an_edited_card_stays_within_slacks_bound_and_shows_whole_what_runs(words: str, count: int) -> None:
    before = {f"{words}{number}": words * 100 for number in range(count)}
    after = {name: f"{value}!" for name, value in before.items()}
    asked = an_approval(args=before)
    request = replace(asked.request, facts={EDITED_BY: GRACE})
    view = replace(asked, request=request, record=replace(asked.record, edited=after))
    for message in card(view, ANYONE):
        sent = [text.replace("&", "&amp;") for text in literal_texts(message)]
        assert sum(len(text.encode("ascii", "backslashreplace")) for text in sent) <= 9000
    told = str([message.blocks for message in card(view, ANYONE)])
    assert "Changed by <@U0GRACE>" in told
    assert "!" in told
