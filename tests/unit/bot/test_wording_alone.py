"""Every message of ours says what it means in words: to a notification, to a screen reader, to who sees no colours."""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from agent.approval import ApprovalKind, ApprovalPolicy, Decision
from agent.errors import TurnError
from agent.ids import UserId
from agent.plan.operations import NodeKind
from agent.plan.outcomes import NodeState
from agent.ports import RunStatus
from bot import wording
from bot.blocks.answer import answer
from bot.blocks.board import board
from bot.blocks.details import loading, unreadable
from bot.blocks.help import help_message, opening, status, stoppable
from bot.cards.card import card
from bot.elements import Rendered, plainly, words_only
from bot.ports import AttemptView, OpenRun
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import ADA, GRACE, THREAD, a_node, a_run, an_approval
from tests.pictures.forms import forms
from tests.pictures.scenes import messages

RUN = OpenRun(
    thread=THREAD, turn=1, status=RunStatus.WAITING, requester=ADA, request="check it", started_at=NOON, waiting=1
)
EMOJI = re.compile(r":[a-z0-9_+-]+:|[\U0001f000-\U0001faff\u2600-\u27bf]")


def boards() -> Iterable[tuple[str, Rendered]]:
    script = a_node(
        "s",
        NodeState.SUCCEEDED,
        kind=NodeKind.PACKAGE,
        tool=None,
        attempts=(AttemptView(attempt=1, kind="ok", error=""),),
    )
    for run_status in RunStatus:
        yield f"board, {run_status}", board(a_run(nodes=(a_node("a"), script), status=run_status))
    yield "board without steps", board(a_run(status=RunStatus.PLANNING))


def cards() -> Iterable[tuple[str, Rendered]]:
    for kind in ApprovalKind:
        for decision in Decision:
            view = an_approval(kind=kind, decision=decision, by=GRACE, at=NOON)
            for number, part in enumerate(card(view, ApprovalPolicy())):
                yield f"card, {kind}, {decision}, {number}", part


MESSAGES: Mapping[str, Rendered] = dict(
    [
        *boards(),
        *cards(),
        *((f"error, {error}", words_only(wording.turn_error(error.value))) for error in TurnError),
        ("answer", answer("All three answer.")[0]),
        ("an answer of signs", answer("🎉")[0]),
        ("help", help_message(UserId("U0BOT"))),
        ("opening", opening(ADA, "check it")),
        ("status", status([RUN], [RUN], {})),
        ("no status", status([], [], {})),
        ("status while frozen", status([RUN], [], {}, ["all changes", "changes by `slack_post_message`"])),
        ("no status while frozen", status([], [], {}, ["all changes"])),
        ("stoppable", stoppable([RUN])),
        ("nothing to stop", stoppable([])),
        ("words", words_only(wording.NOTHING_RUNS_HERE)),
        *((f"picture, {name}", message) for name, message in messages().items()),
    ]
)
VIEWS: Mapping[str, Any] = {**forms(), "loading": loading(), "unreadable": unreadable(wording.DETAILS_GONE)}
OURS = {name: message for name, message in MESSAGES.items() if name != "an answer of signs"}
"""The model chooses the signs of its answers; all other messages are ours."""


def letters(text: str) -> int:
    """Count the letters that are left without emoji, mentions and addresses."""
    return sum(character.isalpha() for character in re.sub(r"<[^>]*>", "", EMOJI.sub("", text)))


def elements(blocks: Any) -> list[Mapping[str, Any]]:
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def labels_of(element: Mapping[str, Any]) -> list[str]:
    if element["type"] == "overflow":  # it has no words of its own, and stands beside the buttons of its step
        return []
    return [element.get("accessibility_label") or element.get("text", element.get("placeholder"))["text"]]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_text_for_notifications_is_there_and_says_something(name: str) -> None:
    text = MESSAGES[name].text
    assert letters(text) >= 5 or name == "an answer of signs"
    assert text.strip()
    assert MESSAGES[name].blocks


@pytest.mark.parametrize(("one", "other"), list(combinations(ApprovalKind, 2)))
def test_the_text_tells_cards_of_different_kinds_apart(one: ApprovalKind, other: ApprovalKind) -> None:
    texts = [card(an_approval(kind=kind), ApprovalPolicy())[-1].text for kind in (one, other)]
    assert texts[0] != texts[1]
    assert all(wording.QUESTION_TITLES[kind] in text for kind, text in zip((one, other), texts, strict=True))


@pytest.mark.parametrize("kind", ApprovalKind)
def test_the_text_tells_how_a_question_ended(kind: ApprovalKind) -> None:
    texts = [
        card(an_approval(kind=kind, decision=decision, by=GRACE, at=NOON), ApprovalPolicy())[-1].text
        for decision in Decision
    ]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("status", RunStatus)
def test_the_boards_text_tells_where_it_stands(status: RunStatus) -> None:
    assert wording.STATUSES[status] in board(a_run(nodes=(a_node("a"),), status=status)).text.lower()


@pytest.mark.parametrize(("one", "other"), list(combinations(NodeState, 2)))
def test_steps_in_different_states_differ_without_their_icons(one: NodeState, other: NodeState) -> None:
    def words(state: NodeState) -> str:
        blocks = json.loads(json.dumps(board(a_run(nodes=(a_node("a", state, outcome=None),))).blocks))
        task = blocks[0]["tasks"][0]
        return json.dumps([task["title"], task.get("details")])

    assert words(one) != words(other)


@pytest.mark.parametrize("name", [*OURS, *VIEWS])
def test_buttons_are_told_apart_by_their_words(name: str) -> None:
    blocks = OURS[name].blocks if name in OURS else VIEWS[name]["blocks"]
    labels = [label for element in elements(blocks) for label in labels_of(element)]
    assert all(letters(label) >= 2 for label in labels)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", [*OURS, *VIEWS])
def test_no_emoji_stands_for_words(name: str) -> None:
    shown = json.dumps(OURS[name].blocks if name in OURS else VIEWS[name]["blocks"], ensure_ascii=False)
    assert EMOJI.findall(re.sub(r"<!date[^>]*>", "", shown)) == []


@pytest.mark.parametrize("name", OURS)
def test_in_plain_words_it_still_says_something(name: str) -> None:
    (section, *_) = plainly(OURS[name]).blocks
    assert letters(json.dumps(section)) >= letters(wording.SHOWN_PLAINLY) + 5


def test_no_message_is_sent_without_its_text() -> None:
    """Blocks alone are read to nobody: notifications and screen readers take the text."""
    sending = {"chat.postMessage", "chat.postEphemeral", "chat.update"}
    sent = 0
    for path in sorted(Path(wording.__file__).parent.rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            first = call.args[0] if call.args else None
            named = {node.value for node in ast.walk(first) if isinstance(node, ast.Constant)} if first else set[Any]()
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if named & sending or (method == "respond" and "api" in ast.unparse(call.func)):
                sent += 1
                given = {keyword.arg for keyword in call.keywords}
                assert given & {"text", None}, f"{path.name}:{call.lineno}"
    assert sent >= 10
