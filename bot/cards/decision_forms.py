"""The forms of a card: decide with a comment, ask for changes, say what was done, edit, approve several. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.approval import Decision
from agent.grant import PlannedCall
from agent.ids import NodeId, UserId
from agent.plan.references import pieces, with_texts
from bot import wording
from bot.cards.edit_form import ArgumentField
from bot.cards.tool_questions import input_blocks
from bot.elements import (
    OPTION_CHARACTERS,
    Block,
    Rendered,
    checkboxes,
    context,
    field,
    form,
    mention,
    modal,
    options_input,
    plain,
    preformatted,
    quoted,
    rendered,
    rich_text,
    section,
    sections,
    sent_size,
    shortened,
    text_input,
)
from bot.payloads import FORM_CALLBACK, Answer, Form, button_value
from bot.ports import ApprovalView
from bot.visibility import visible
from sandbox.script import Json

DECISION, WORDS, REQUESTS = "decision", "words", "requests"
"""The ids of blocks with an input."""

COMMENT_CHARACTERS = 1000
"""Of a comment, a reason, or what is to change."""

MOST_TOGETHER = 10
"""Slack shows at most ten boxes to tick."""

_MOST_LISTED = 50

_PLANNED_CHARACTERS = 600
"""The most that the arguments of a call to come may take; a longer one asks for itself."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An open request in the form that approves several."""

    view: ApprovalView
    #: What it is about, as ready words: its short arguments.
    arguments: str
    #: Why it cannot be approved with the others; empty when it can.
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class ListedCall:
    """A call to come in the form that approves several."""

    call: PlannedCall
    #: `planned_arguments`.
    arguments: str
    #: Why it cannot be approved ahead; empty when it can.
    why_not: str = ""


def loading(form_: Form) -> Block:
    """Return a form as it opens: its trigger is only good for three seconds."""
    return notice(form_, wording.DETAILS_LOADING)


def notice(form_: Form, words: str) -> Block:
    """Return ready mrkdwn in place of a form."""
    return modal(wording.FORM_TITLES[form_], [section(words)], close=wording.CLOSE, callback=_callback(form_))


def comment_form(view: ApprovalView, answer: Answer, allowed: Sequence[Decision]) -> Block:
    """Return the form to approve or reject, whichever is allowed, with a comment."""
    labels = {Decision.APPROVED: wording.APPROVE, Decision.REJECTED: wording.REJECT}
    options = [(labels[decision], decision.value) for decision in allowed]
    only = options[0][1] if len(options) == 1 else ""
    inputs = [
        field(wording.YOUR_DECISION, options_input(options, only, type="radio_buttons"), block_id=DECISION),
        field(
            wording.YOUR_COMMENT,
            text_input(most=COMMENT_CHARACTERS),
            block_id=WORDS,
            optional=True,
            hint=wording.COMMENT_HINT,
        ),
    ]
    return _form(Form.COMMENT, view, answer, inputs)


def changes_form(view: ApprovalView, answer: Answer) -> Block:
    """Return the form that asks for changes."""
    text = text_input(most=COMMENT_CHARACTERS)
    return _form(
        Form.CHANGES, view, answer, [field(wording.WHAT_TO_CHANGE, text, block_id=WORDS, hint=wording.CHANGES_HINT)]
    )


def by_hand_form(view: ApprovalView, answer: Answer) -> Block:
    """Return the form that takes what a person did by hand."""
    text = field(wording.WHAT_CAME_OUT, text_input(), block_id=WORDS, hint=wording.BY_HAND_HINT)
    return _form(Form.BY_HAND, view, answer, [text])


def input_form(view: ApprovalView, answer: Answer) -> Block:
    """Return the form that answers a tool."""
    return _form(Form.INPUT, view, answer, [section(wording.QUESTIONS[view.request.kind]), *input_blocks(view.request)])


def edit_form(view: ApprovalView, answer: Answer, fields: Sequence[ArgumentField], *, approves: bool) -> Block:
    """Return the form with the arguments. `approves`: saving is this person's approval, too."""
    words = context(wording.EDIT_APPROVES if approves else wording.EDIT_WAITS)
    return _form(Form.EDIT, view, answer, [words, *(one.block for one in fields)])


def approve_all_form(answer: Answer, listed: Sequence[Listed], to_come: Sequence[ListedCall] = ()) -> Block:
    """Return the form that approves several calls, asked or to come; each is listed, also those that cannot be."""
    asked = [one for one in listed if not one.why_not]
    planned = [one for one in to_come if not one.why_not]
    room = max(0, MOST_TOGETHER - len(asked))
    left = [*asked[MOST_TOGETHER:], *planned[room:]]
    asked, planned = asked[:MOST_TOGETHER], planned[:room]
    others = [(one, one.why_not or wording.NOT_AT_ONCE) for one in (*listed, *to_come) if one.why_not or one in left]
    lines = [f"• {_line(one)}\n    _Not included: {why}_" for one, why in others[:_MOST_LISTED]]
    lines += [f"… and {len(others) - _MOST_LISTED} more"] if len(others) > _MOST_LISTED else []
    if not asked and not planned:
        return notice(Form.ALL, "\n".join([wording.NOTHING_TO_APPROVE, *lines])[:2900])
    shown = sections([f"*{number}.* {_line(one)}" for number, one in enumerate(asked, start=1)])
    if planned:
        shown.append(section(wording.TO_COME))
    for number, one in enumerate(planned, start=len(asked) + 1):
        head = f"{number}. {visible(one.call.title)} — {visible(one.call.tool)}"
        shown.append(rich_text([plain(shortened(head, 300), bold=True), preformatted(one.arguments)]))
    boxes = [(one.view.request.title, _request_value(one)) for one in asked]
    boxes += [(one.call.title, planned_value(one.call)) for one in planned]
    options = [
        (shortened(f"{number}. {visible(title)}", OPTION_CHARACTERS), value)
        for number, (title, value) in enumerate(boxes, start=1)
    ]
    chosen = field(wording.WHICH_TO_APPROVE, checkboxes(options), block_id=REQUESTS)
    return form(
        wording.FORM_TITLES[Form.ALL],
        [*shown, chosen, *sections(lines)],
        submit=wording.FORM_SUBMITS[Form.ALL],
        callback=_callback(Form.ALL),
        close=wording.CANCEL,
        metadata=answer.place,
    )


def planned_value(call: PlannedCall) -> str:
    """Return what stands for a call to come in the form: it changes when the call does."""
    return f"to_come:{call.digest}"


def planned_arguments(args: Mapping[str, Json], titles: Mapping[NodeId, str]) -> str | None:
    """Return the arguments of a call to come, whole; None: they are too long for that.

    `titles` is node -> title; what a step will fill in is told by its title.
    """

    def told(text: str) -> str:
        return "".join(
            piece if isinstance(piece, str) else wording.from_step(titles.get(piece.node, piece.node))
            for piece in pieces(text)
        )

    shown = {name: with_texts(value, told) for name, value in args.items()}
    lines = [f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in shown.items()]
    text = visible("\n".join(lines))
    return text if sent_size(text) <= _PLANNED_CHARACTERS else None


def steps_approved(who: UserId, calls: Sequence[PlannedCall]) -> Rendered:
    """Return what everybody reads about calls that were approved ahead."""
    lines = [f"• {quoted(call.title, 150)} — {quoted(call.tool, 80)}" for call in calls]
    head = wording.steps_approved(mention(who), len(calls))
    return rendered(head, sections([head, *lines]))


def short_arguments(args: Mapping[str, Json]) -> str:
    """Return arguments in one line of mrkdwn, shortened."""
    shown = (f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in args.items())
    return quoted(shortened("; ".join(shown), 300), 150)


def _request_value(one: Listed) -> str:
    return button_value(one.view.request.id, one.view.version)


def _line(one: Listed | ListedCall) -> str:
    about = one.view.request if isinstance(one, Listed) else one.call
    arguments = f"\n    {one.arguments}" if isinstance(one, Listed) and one.arguments else ""
    return f"{quoted(about.title, 150)} — {quoted(about.tool, 80)}{arguments}"


def _form(form_: Form, view: ApprovalView, answer: Answer, blocks: Sequence[Block]) -> Block:
    return form(
        wording.FORM_TITLES[form_],
        [section(f"*{quoted(view.request.title, 200)}*"), *blocks],
        submit=wording.FORM_SUBMITS[form_],
        callback=_callback(form_),
        close=wording.CANCEL,
        metadata=answer.place,
    )


def _callback(form_: Form) -> str:
    return f"{FORM_CALLBACK}_{form_.value}"
