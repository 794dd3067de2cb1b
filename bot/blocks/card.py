"""The approval card: what exactly will run, for whom, what waits behind it, who may decide.

An argument is never shortened. What does not fit one message continues in further ones, posted
before the card that holds the buttons; what is too long even for that cannot be approved at all.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from agent.approval import ABOUT_TURN, DECISIONS, GRANTS, RUNS_CALL, ApprovalPolicy, ApprovalRequest, Decision
from agent.budget.budget import Measure, limit_exceeded_from_json
from bot import wording
from bot.blocks.elements import (
    MESSAGE_CHARACTERS,
    Block,
    Rendered,
    actions,
    button,
    context,
    escaped,
    group,
    mention,
    moment,
    plain,
    preformatted,
    quoted,
    rendered,
    rich_text,
    section,
    sent_size,
    shortened,
)
from bot.blocks.visibility import visible
from bot.payloads import ACTION_PREFIX, button_value
from bot.ports import ApprovalView
from sandbox.script import Json

CHUNK_SIZE = 2500
MESSAGE_CHUNKS = 30
MOST_MESSAGES = 10
NAME_SIZE = 500
"""An argument with a longer name is not shown."""

_CARD_SIZE = 2500
"""Kept free in a message for the card's own words. All sizes are those of `sent_size`."""

_BLOCK_SIZE = 100
"""The label of a chunk beside its name."""

_LABELS: Mapping[Decision, str] = {
    Decision.APPROVED: wording.APPROVE,
    Decision.REJECTED: wording.REJECT,
    Decision.AGAIN: wording.RUN_AGAIN,
    Decision.HAPPENED: wording.IT_HAPPENED,
    Decision.GIVE_UP: wording.GIVE_UP,
    Decision.MORE: wording.MORE_ROUNDS,
    Decision.ACCEPT: wording.ACCEPT,
    Decision.STOP: wording.STOP_TURN,
    Decision.GO_ON: wording.GO_ON,
    Decision.TRY_AGAIN: wording.TRY_AGAIN,
    Decision.LEAVE: wording.LEAVE,
}


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of one argument that fits a block."""

    name: str
    #: What the value is, where its text does not show it: `number`, `list`, ...
    note: str
    text: str
    #: From 1.
    part: int
    #: How many pieces the argument has.
    parts: int


def choices(view: ApprovalView) -> tuple[Decision, ...]:
    """Return the answers this request allows: approving needs arguments that can be shown, and that Slack shows."""
    every = DECISIONS[view.request.kind]
    readable = view.shown_whole and _showable(view)
    return every if readable else tuple(decision for decision in every if decision not in RUNS_CALL)


def card(
    view: ApprovalView, policy: ApprovalPolicy, names: Mapping[str, str] = MappingProxyType({}), *, place: str = ""
) -> tuple[Rendered, ...]:
    """Return the card's messages, in the order to post them; the last has the buttons.

    `place` is where this copy stands besides the thread. The copy in a thread where nobody may grant the request, or
    that is asked elsewhere, says so and has no button to grant it.

    `names` is id -> name of people and channels in the arguments. Only the last message ever changes. While one of
    them stands cut in Slack, the last has no button that lets the call run.
    """
    request = view.request
    if request.kind in ABOUT_TURN:
        return (_turn_card(view),)
    who_may = who_may_decide(policy, request)
    more = [*_where(view, place), *_named(names)]
    if not _showable(view):
        return (_closing(view, who_may, [section(wording.TOO_LONG_TO_APPROVE)], place),)
    groups = _grouped(list(_chunks(view)))
    cut = [section(wording.NOT_SHOWN_WHOLE)] if view.is_open else []
    if len(groups) == 1:
        whole = [_shown(chunk) for chunk in groups[0]] or [context("_No arguments._")]
        return (_closing(view, who_may, [*whole, *more] if view.shown_whole else cut, place),)
    parts = [_arguments(request, number, len(groups), group) for number, group in enumerate(groups, start=1)]
    pointer = context(f"The full arguments stand in the {len(groups)} messages above this one.")
    return (*parts, _closing(view, who_may, [pointer, *more] if view.shown_whole else cut, place))


def _chunks(view: ApprovalView) -> Iterator[Chunk]:
    """Yield all that would run: the arguments and, of a script, its code."""
    yield from argument_chunks(view.request.args)
    if view.script:
        yield from _text_chunks(wording.THE_SCRIPT, wording.RUNS_AS_SHOWN, visible(view.script))


def argument_chunks(args: Mapping[str, Json]) -> Iterator[Chunk]:
    """Yield every argument in order, whole: the texts of one name put together are its full value."""
    for name, value in args.items():
        text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
        yield from _text_chunks(visible(name), _note(value), text or "(empty)")


def _text_chunks(name: str, note: str, text: str) -> Iterator[Chunk]:
    pieces = list(_pieces(text))
    for part, piece in enumerate(pieces, start=1):
        yield Chunk(name=name, note=note, text=piece, part=part, parts=len(pieces))


def _note(value: Json) -> str:
    match value:
        case "":
            return "empty text"
        case str():
            return ""
        case None:
            return "nothing"
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case Mapping():
            return "object"
        case _:
            return "list"


def _pieces(text: str) -> Iterator[str]:
    """Cut text into pieces of at most CHUNK_SIZE, at line ends where there are any."""
    start, size = 0, 0
    for at, character in enumerate(text):
        size += sent_size(character)
        if size > CHUNK_SIZE:
            newline = text.rfind("\n", start + 1, at)
            end = newline + 1 if newline > start else at
            yield text[start:end]
            start, size = end, sent_size(text[end : at + 1])
    yield text[start:]


def _showable(view: ApprovalView) -> bool:
    args = view.request.args
    if any(sent_size(visible(name)) > NAME_SIZE for name in args):
        return False
    size = len(json.dumps(args)) + len(view.script)
    if size > MOST_MESSAGES * MESSAGE_CHARACTERS:  # spares cutting up a megabyte
        return False
    return len(_grouped(list(_chunks(view)))) <= MOST_MESSAGES


def _named(names: Mapping[str, str]) -> Sequence[Block]:
    """Return whom and what the ids in the arguments stand for."""
    shown = (f"{known} is {'#' if known[0] in 'CG' else ''}{quoted(name, 80)}" for known, name in names.items())
    return [context(wording.named_in_arguments("; ".join(shown)))] if names else []


def _grouped(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    """Put chunks into messages: one when they fit beside the card's own words, else as few as hold them."""
    groups: list[list[Chunk]] = [[]]
    room = MESSAGE_CHARACTERS - _CARD_SIZE
    size = 0
    for chunk in chunks:
        needed = sent_size(f"{chunk.name}{chunk.note}{chunk.text}") + _BLOCK_SIZE
        if groups[-1] and (size + needed > room or len(groups[-1]) >= MESSAGE_CHUNKS):
            groups.append([])
            size = 0
        groups[-1].append(chunk)
        size += needed
    return groups


def _shown(chunk: Chunk) -> Block:
    part = f", part {chunk.part} of {chunk.parts}" if chunk.parts > 1 else ""
    note = f" ({chunk.note})" if chunk.note else ""
    return rich_text([plain(f"{chunk.name}{note}{part}", bold=True), preformatted(chunk.text)])


def _arguments(request: ApprovalRequest, number: int, of: int, chunks: Sequence[Chunk]) -> Rendered:
    title = f"Arguments of “{quoted(request.title, 150)}”, part {number} of {of}"
    return rendered(title, [section(f"*{title}*"), *(_shown(chunk) for chunk in chunks)])


def _where(view: ApprovalView, place: str) -> Sequence[Block]:
    """Return where an open request is asked, if not here alone."""
    if not view.is_open or not (place or view.places or view.nobody_here):
        return ()
    if place:
        return [context(wording.ASKED_FROM_ELSEWHERE)]
    asked_in = wording.listed(_place(asked) for asked in view.places)
    return [section(wording.asked_in(asked_in) if asked_in else wording.NOBODY_HERE)]


def _place(place: str) -> str:
    return f"<#{place}>" if place.startswith(("C", "G")) else mention(place)


def _closing(view: ApprovalView, who_may: str, arguments: Sequence[Block], place: str) -> Rendered:
    request = view.request
    title = quoted(request.title, 200)
    what = [rich_text([plain(f"Tool: {visible(request.tool)}", bold=True)]), *arguments]
    circumstances = context(_circumstances(view, who_may))
    if view.is_open:
        asked = f"{wording.QUESTION_TITLES[request.kind]}: {title}"
        question = section(f"*{asked}*\n{wording.QUESTIONS[request.kind]}")
        ungranted = not place and (view.places or view.nobody_here)
        return rendered(asked, [question, *what, circumstances, _buttons(view, without=GRANTS if ungranted else ())])
    ended, reason = _ending(view)
    return rendered(f"{ended} {title}", [section(f"*{title}*\n{ended}{reason}"), *what, circumstances])


def _ending(view: ApprovalView) -> tuple[str, str]:
    """Return how a closed request ended, and a line with the reason if somebody gave one."""
    record = view.record
    who, when = mention(record.by) if record.by else "", moment(record.at) if record.at else ""
    ended = wording.decision_words(view.request.kind, record.decision, who, when)
    return ended, f"\nReason: {quoted(record.reason)}" if record.reason else ""


def _turn_card(view: ApprovalView) -> Rendered:
    """Return the card of a request about a whole turn."""
    request = view.request
    asked = wording.QUESTION_TITLES[request.kind]
    head = [f"*{asked}*", *_used_up(request), *([quoted(request.title, 500)] if request.title else [])]
    more = wording.next_steps(wording.listed((quoted(title, 80) for title in view.blocks), most=5))
    small = [context(more)] if more else []
    if view.is_open:
        lines = [f"Asked for by {mention(request.author)}", *_open_lines(view, wording.ANY_MEMBER)]
        words = section("\n".join([*head, wording.QUESTIONS[request.kind]]))
        return rendered(asked, [words, *small, context("\n".join(lines)), _buttons(view)])
    ended, reason = _ending(view)
    return rendered(f"{asked} {ended}", [section("\n".join([*head, ended + reason])), *small])


def _used_up(request: ApprovalRequest) -> Iterator[str]:
    """Yield a sentence for each limit that a request about a budget is about."""
    exceeded, currency = request.args.get("breaches"), request.args.get("currency")
    for entry in exceeded if isinstance(exceeded, list) else ():
        if isinstance(entry, Mapping):
            limit = limit_exceeded_from_json(entry)
            used, most = (_amount(limit.measure, figure, str(currency)) for figure in (limit.used, limit.most))
            yield escaped(wording.used_up(limit.scope, limit.measure, used, most))


def _amount(measure: Measure, figure: int, currency: str) -> str:
    match measure:
        case Measure.COST:
            return wording.money(figure, currency)
        case Measure.TIME:
            return wording.duration_of(timedelta(milliseconds=figure))
        case Measure.MODEL_CALLS | Measure.TOKENS | Measure.NODES:
            return f"{figure:,}"


def _circumstances(view: ApprovalView, who_may: str) -> str:
    request = view.request
    waiting = wording.listed((quoted(title, 80) for title in view.blocks), most=5)
    lines = [
        f"Asked for by {mention(request.author)}",
        f"Waiting behind it: {waiting}" if waiting else "Nothing waits behind it",
    ]
    if view.is_open:
        lines += _open_lines(view, who_may)
    return "\n".join(lines)


def _open_lines(view: ApprovalView, who_may: str) -> list[str]:
    until = [f"Open until {moment(view.expires_at)}"] if view.expires_at else []
    return [f"Who may decide: {who_may}", *until]


def who_may_decide(policy: ApprovalPolicy, request: ApprovalRequest) -> str:
    """Return who may decide a request, in mrkdwn."""
    people = [mention(user) for user in sorted(policy.users or ())]
    return wording.approvers(policy, mention(request.author), people, map(group, sorted(policy.groups or ())))


def _buttons(view: ApprovalView, without: Collection[Decision] = ()) -> Block:
    # a block id of 255 characters at most, and another one for each version of the request
    block_id = shortened(f"decide-{view.version}-{view.request.id}", 255)
    shown = [_button(view, decision) for decision in choices(view) if decision not in without]
    return actions(shown, block_id=block_id)


def _button(view: ApprovalView, decision: Decision) -> Block:
    value = button_value(view.request.id, view.version)
    style = "primary" if decision is Decision.APPROVED else "danger" if decision is Decision.REJECTED else None
    return button(_LABELS[decision], action=f"{ACTION_PREFIX}{decision.value}", value=value, style=style)
