"""A card shows exactly what will run: nothing shortened, nothing hidden, no button for what cannot be read."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.approval import ApprovalKind, ApprovalPolicy, Decision, GroupId
from agent.card_facts import CardFacts, Origin, OriginKind, card_facts_json, shown_arguments
from agent.ids import UserId
from agent.preview import MessagePreview, Preview
from bot.cards.card import card, choices
from bot.cards.chunks import argument_chunks
from bot.cards.confidential import confidential_values
from bot.elements import Rendered
from bot.ports import ApprovalView
from bot.slack.names import ids_in
from bot.visibility import visible
from sandbox.script import Json
from tests.fakes.run_views import GRACE, NOON, an_approval

ANYONE = ApprovalPolicy()
WITHOUT_RUNNING = (Decision.REJECTED, Decision.CHANGES, Decision.BY_HAND)


def words(view: Any, policy: ApprovalPolicy = ANYONE) -> str:
    """Return all the text of a card, as one."""
    return "\n".join(json.dumps(message.blocks, ensure_ascii=False) for message in card(view, policy))


@settings(deadline=None)
@given(
    args=st.dictionaries(
        st.text(min_size=1, max_size=10),
        st.text(max_size=9000) | st.integers() | st.lists(st.text(max_size=2000), max_size=5),
        max_size=5,
    )
)
def test_pieces_of_an_argument_put_together_are_the_whole(args: dict[str, Json]) -> None:
    together = defaultdict[str, str](str)
    for chunk in argument_chunks(args):
        together[chunk.name] += chunk.text
    for name, value in args.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        if len({visible(arg) for arg in args}) == len(args):
            assert together[visible(name)] == (visible(text) or "(empty)")


def test_kinds_of_values_can_be_told_apart() -> None:
    notes = {
        chunk.name: (chunk.note, chunk.text)
        for chunk in argument_chunks({"a": "5", "b": 5, "c": None, "d": "", "e": True, "f": {"x": 1}, "g": []})
    }
    assert notes == {
        "a": ("", "5"),
        "b": ("number", "5"),
        "c": ("nothing", "null"),
        "d": ("empty text", "(empty)"),
        "e": ("yes or no", "true"),
        "f": ("object", '{\n  "x": 1\n}'),
        "g": ("list", "[]"),
    }


def test_characters_that_hide_or_reorder_text_are_spelt_out() -> None:
    assert visible("pay \u202e05 to\u200b bob\x07\r\n") == "pay \\u202e05 to\\u200b bob\\u0007\\u000d\n"
    assert visible("naïve 日本 🙂") == "naïve 日本 🙂"


@pytest.mark.parametrize(
    "hidden",
    [
        *("\u034f", "\u115f", "\u1160", "\u17b4", "\u180b", "\u2065", "\u3164", "\ufe00", "\uffa0", "\ufff0"),
        *("\u00a0", "\u1680", "\u2003", "\u202f", "\u2800", "\u3000", "\U000e0041", "\U000e0100", "\U0001d173"),
        *("\u0378", "\ufdd0", "\U0010ffff"),
    ],
)
def test_a_character_that_shows_nothing_or_looks_like_a_space_is_spelt_out(hidden: str) -> None:
    code = f"\\u{ord(hidden):04x}" if ord(hidden) <= 0xFFFF else f"\\U{ord(hidden):08x}"
    assert visible(f"rm a{hidden}b") == f"rm a{code}b"


def test_an_emoji_keeps_the_mark_of_its_look() -> None:
    assert visible("\u2764\ufe0f \u26a0\ufe0f") == "\u2764\ufe0f \u26a0\ufe0f"
    assert visible("a\ufe0f") == "a\\ufe0f"


def test_what_cannot_be_shown_in_full_cannot_be_approved() -> None:
    view = an_approval(args={"text": "x" * 100_000})
    (message,) = card(view, ANYONE)
    assert choices(view) == WITHOUT_RUNNING
    assert "nobody should approve what they can't read" in str(message.blocks)
    buttons: Any = message.blocks[-1]
    assert [element["action_id"] for element in buttons["elements"]] == ["decide_rejected", "decision_form_menu"]


@pytest.mark.parametrize("words", ["&", '"', "\\", "\n", "é", "漢", "🙂", "\u202e"])
def test_messages_stay_within_slacks_bound_as_they_are_sent(words: str) -> None:
    view = an_approval(args={"text": words * 2000, "more": [words * 500] * 3})
    assert choices(view) == (Decision.APPROVED, *WITHOUT_RUNNING)
    for message in card(view, ANYONE):
        sent = [text.replace("&", "&amp;") for text in literal_texts(message)]
        assert sum(len(json.dumps(text)) for text in sent) <= 9000


def literal_texts(message: Rendered) -> list[str]:
    """Return the texts of a message's literal parts."""
    texts: list[str] = []

    def collect(part: dict[str, Any]) -> None:
        if part.get("type") == "text":
            texts.append(part["text"])

    json.loads(json.dumps(message.blocks), object_hook=collect)
    return texts


@pytest.mark.parametrize("lines", [1, 1000], ids=["in the card", "in messages before it"])
def test_a_card_that_stands_cut_lets_nobody_approve(lines: int) -> None:
    view = replace(an_approval(args={"text": "many lines\n" * lines}), shown_whole=False)
    told = words(view)
    assert choices(view) == WITHOUT_RUNNING
    assert "decide_approved" not in told
    assert "Slack couldn't show all of the arguments" in told


def test_an_argument_with_a_name_too_long_to_show_cannot_be_approved() -> None:
    assert choices(an_approval(args={"x" * 4000: 1})) == WITHOUT_RUNNING


def carried(row: Any) -> set[str]:
    """Return what the buttons and options of a row carry, without the name of the form that they open."""
    options = [option for element in row["elements"] for option in element.get("options", [element])]
    return {option["value"].rpartition(" ")[2] for option in options}


def test_buttons_of_two_cards_differ_and_carry_only_id_and_version() -> None:
    def buttons(**of: Any) -> Any:
        return card(an_approval(**of), ANYONE)[-1].blocks[-1]

    first, second, edited = buttons(id="q1"), buttons(id="q2"), buttons(id="q1", version=2)
    assert carried(first) == {"1:q1"}
    assert carried(second) == {"1:q2"}
    assert carried(edited) == {"2:q1"}
    assert len({row["block_id"] for row in (first, second, edited)}) == 3


@pytest.mark.parametrize("kind", ApprovalKind)
def test_buttons_that_change_have_another_block_id(kind: ApprovalKind) -> None:
    looks = [
        replace(an_approval(kind=kind), to_come=ahead, frozen=frozen, shown_whole=whole, places=places)
        for ahead, frozen, whole, places in product((0, 1, 2), (False, True), (False, True), ((), ("C9",)))
    ]
    rows: dict[str, set[str]] = defaultdict(set)
    for row in (card(view, ANYONE)[-1].blocks[-1] for view in looks):
        rows[str(row.get("block_id"))].add(json.dumps(row))
    assert {name: len(different) for name, different in rows.items()} == dict.fromkeys(rows, 1)


def test_open_card_says_for_whom_what_waits_and_who_may() -> None:
    view = an_approval(blocks=("Tell the team", "Close the ticket"))
    assert "Asked for by <@U0ADA>" in words(view)
    assert "2 steps wait for this: Tell the team, Close the ticket" in words(view)
    assert "Who may decide: any full member of this channel" in words(view)
    other = ApprovalPolicy(self_approval=False)
    assert "any full member of this channel, but not <@U0ADA>" in words(view, other)
    named = ApprovalPolicy(users=frozenset({UserId("U1")}), groups=frozenset({GroupId("S1")}))
    assert "Who may decide: <@U1>, anyone in <!subteam^S1>" in words(view, named)
    assert "nobody, because the list of approvers is empty" in words(view, ApprovalPolicy(users=frozenset()))


def test_decided_card_keeps_the_arguments_and_says_who_and_when() -> None:
    view = an_approval(decision=Decision.REJECTED, by=GRACE, at=NOON)
    told = words(view)
    assert "*Rejected* by <@U0GRACE> on <!date^1777896000^{date_short_pretty} at {time}|2026-05-04 12:00 UTC>" in told
    assert "payments is down" in told
    assert "decide_" not in told


def test_expired_is_not_told_as_a_no() -> None:
    told = words(an_approval(decision=Decision.EXPIRED, at=NOON))
    assert "nobody decided in time" in told
    assert "ejected" not in told


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        (ApprovalKind.APPROVE, "It won't run."),
        (ApprovalKind.UNKNOWN, "It counts as failed and won't run again."),
        (ApprovalKind.ROUNDS, "I'll answer with what there is."),
        (ApprovalKind.ASK, "I'll answer with what there is."),
        (ApprovalKind.BUDGET, "Nothing more will start"),
    ],
)
def test_a_card_nobody_decided_on_says_what_follows(kind: ApprovalKind, follows: str) -> None:
    told = words(an_approval(kind=kind, decision=Decision.EXPIRED, at=NOON))
    assert "nobody decided in time" in told
    assert follows in told


def test_an_approval_about_budgets_says_what_is_used_up_and_of_whom() -> None:
    exceeded = [
        {"scope": "run", "measure": "tokens", "used": 12345, "most": 10000},
        {"scope": "thread", "measure": "cost", "used": 2_500_000, "most": 2_000_000},
        {"scope": "run", "measure": "time", "used": 61_000, "most": 60_000},
    ]
    args: dict[str, Json] = {"breaches": exceeded, "currency": "EUR"}
    view = an_approval(kind=ApprovalKind.BUDGET, title="", args=args)
    shown = words(view)
    assert "This run has taken 12,345 of 10,000 tokens." in shown
    assert "This thread has taken EUR 2.50 of EUR 2.00 for models." in shown
    assert "This run has taken 1 min 1 s of 1 min 0 s of work." in shown
    assert choices(view) == (Decision.GO_ON, Decision.STOP)


def as_message(_tool: str, args: Mapping[str, Json]) -> Sequence[Preview]:
    return [MessagePreview(covers=tuple(args), channel=str(args["channel"]), text=str(args["text"]))]


@pytest.mark.parametrize(
    ("channel", "text", "styled"),
    [
        ("#ops", "*hello*", True),
        ("#ops", "*a* " * 100, False),
        ("#ops", "*a*\n" + "long lines\n" * 400, False),
        ("c" * 600, "*hello*", False),
    ],
    ids=["short", "many styles", "long", "long name"],
)
def test_a_message_is_styled_unless_that_takes_too_much_room(channel: str, text: str, styled: bool) -> None:
    shown = card(an_approval(args={"channel": channel, "text": text}), ANYONE, previews_of=as_message)
    assert ("rich_text_quote" in str(shown)) is styled
    literal = "".join(text for message in shown for text in literal_texts(message))
    assert styled or all(line in literal for line in text.split("\n"))
    for message in shown:
        assert len(json.dumps(message.blocks)) < 13_000


def facts(**of: Any) -> ApprovalView:
    view = an_approval(args={"to": "Ada", "pin": of.pop("pin", "hunter2")})
    return replace(view, request=replace(view.request, facts=card_facts_json(CardFacts(**of))))


def test_a_confidential_value_stands_by_type_and_length_only() -> None:
    told = words(facts(confidential=("/pin",)))
    assert "(confidential: text, 7 characters)" in told
    assert "hunter2" not in told
    assert '"action_id": "show_confidential", "value": "1:q1"' in told


def test_a_confidential_value_too_long_for_its_modal_cannot_be_approved() -> None:
    fits, too_long = (choices(facts(confidential=("/pin",), pin="x" * length)) for length in (90_000, 110_000))
    assert Decision.APPROVED in fits
    assert too_long == tuple(decision for decision in fits if decision is not Decision.APPROVED)


def test_the_modal_shows_the_confidential_values_whole_and_nothing_else() -> None:
    pin = "0123456789 " * 5000
    shown = confidential_values(facts(confidential=("/pin",), pin=pin).request)
    blocks: Any = shown["blocks"]
    assert "".join(block["elements"][1]["elements"][0]["text"] for block in blocks[1:-1]) == pin
    assert "Ada" not in json.dumps(blocks).replace("U0ADA", "")
    assert len(json.dumps(shown)) < 250_000


def test_the_names_of_ids_in_confidential_values_are_not_looked_up() -> None:
    request = facts(confidential=("/pin",), pin="call U0GRACE1").request
    assert list(ids_in(shown_arguments(request))) == []


def test_origins_that_take_too_much_room_are_cut_between_arguments() -> None:
    many = {f"argument{number}": [Origin(kind=OriginKind.STEP, what="A long title " * 5)] for number in range(20)}
    told = words(facts(origins=many))
    assert "argument0: “A long title" in told
    assert "; …" in told
    assert "argument19" not in told
